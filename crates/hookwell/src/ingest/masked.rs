//! A delivery without what would let its reader send as its sender: tokens, passwords, cookies, and the source's own secret
//! wherever it stands. Signatures stay, for they prove no other body.

use std::borrow::Cow;

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, STANDARD_NO_PAD, URL_SAFE, URL_SAFE_NO_PAD};
use http::{HeaderMap, HeaderValue};
use serde_json::Value;

use crate::event::delivery::Delivery;
use crate::format::encoding::Encoding;
use crate::ingest::admit::is_encoded;
use crate::keys::key_set::Keys;
use crate::keys::not_ready::NotReady;
use crate::keys::secret::{KeyDecoding, KeyEncoding, Secret};
use crate::source::Source;
use crate::source::handshake::HandshakeKind;
use crate::verify::providers::SpecialKind;
use crate::verify::recipe::TimestampPlace;
use crate::verify::scheme::Scheme;

/// Parts of the names of headers and query parameters whose value somebody else could use again with another body.
pub const CREDENTIALS: [&str; 8] = [
    "authorization",
    "token",
    "secret",
    "password",
    "cookie",
    "api-key",
    "apikey",
    "credential",
];

/// Whole names of query parameters that hold a credential.
const QUERY_CREDENTIALS: [&str; 4] = ["auth", "key", "pass", "pwd"];

/// The shortest secret that is looked for everywhere, in bytes: a shorter one is in every text by chance.
const MIN_SECRET: usize = 6;

/// A masked copy of a delivery.
#[derive(Debug, Clone)]
pub struct Masked {
    /// The delivery; its body is empty where it was left out.
    pub delivery: Delivery,
    /// Places that were masked, such as `header authorization`, and `whole body` for a body that was left out.
    pub places: Vec<String>,
}

/// Masks a delivery for this source, with the keys that it has.
#[must_use]
pub fn masked(source: &Source, keys: &Result<Keys, NotReady>, delivery: &Delivery) -> Masked {
    let mut places = Vec::new();
    let secrets = keys.as_ref().map(|keys| secrets(source, keys));
    // Without keys nobody can tell whether the secret is among the rest.
    let known = secrets.as_deref().unwrap_or_default();
    let headers = headers(source, known, &delivery.headers, &mut places);
    let query = query(source, &delivery.query);
    let query = hidden_in_text(&query, known).unwrap_or(query);
    if query != delivery.query {
        places.push("query".to_owned());
    }
    let path = hidden_in_text(&delivery.path, known);
    places.extend(path.as_ref().map(|_| "path".to_owned()));
    let path = path.unwrap_or_else(|| delivery.path.clone());
    let is_readable = secrets.is_ok() && !is_encoded(delivery);
    let body = body(source, &delivery.body).filter(|_| is_readable);
    let body = body.map(|body| hidden(&body, known).unwrap_or_else(|| body.into_owned()));
    let place = match &body {
        Some(body) if *body == delivery.body => None,
        Some(_) => Some("body"),
        None if delivery.body.is_empty() => None,
        None => Some("whole body"),
    };
    places.extend(place.map(str::to_owned));
    Masked {
        delivery: Delivery {
            request_id: delivery.request_id.clone(),
            method: delivery.method.clone(),
            source: delivery.source.clone(),
            path,
            query,
            headers,
            body: body.unwrap_or_default(),
            source_ip: delivery.source_ip,
            trace: delivery.trace.clone(),
        },
        places,
    }
}

/// The text that stands for a credential of so many characters.
fn mask(characters: usize) -> String {
    format!("masked: {characters} characters")
}

/// Number of characters that a mask stands for; `None` for any other text.
#[must_use]
pub fn characters(value: &str) -> Option<usize> {
    let (_, rest) = split_scheme(value);
    let count = rest.strip_prefix("masked: ")?.strip_suffix(" characters")?;
    count.parse().ok()
}

/// The word of HTTP authentication before a credential, with its blank, and the credential. The word is no secret, and a
/// missing or wrong one is a common mistake.
fn split_scheme(value: &str) -> (&str, &str) {
    for word in ["basic ", "bearer "] {
        if let (Some(start), Some(rest)) = (value.get(..word.len()), value.get(word.len()..))
            && start.eq_ignore_ascii_case(word)
        {
            return (start, rest);
        }
    }
    ("", value)
}

fn headers(
    source: &Source,
    secrets: &[Vec<u8>],
    headers: &HeaderMap,
    places: &mut Vec<String>,
) -> HeaderMap {
    let mut all = HeaderMap::new();
    for (name, value) in headers {
        let shown = String::from_utf8_lossy(value.as_bytes());
        let (scheme, credential) = split_scheme(&shown);
        let is_credential = is_credential_header(source, name.as_str())
            // Never a signature.
            || scheme.eq_ignore_ascii_case("basic ");
        let masked = if is_credential {
            Some(format!("{scheme}{}", mask(credential.chars().count())).into_bytes())
        } else {
            hidden(value.as_bytes(), secrets)
        };
        if let Some(masked) = masked {
            places.push(format!("header {name}"));
            // What is left of a value is made of its own characters and those of the mask.
            if let Ok(masked) = HeaderValue::from_bytes(&masked) {
                all.append(name, masked);
            }
        } else {
            all.append(name, value.clone());
        }
    }
    places.dedup();
    all
}

/// True when a header of this name shows a credential: by its name, or because the source takes its token from there. A
/// header that a signature stands in, or that is signed, is none.
fn is_credential_header(source: &Source, name: &str) -> bool {
    let same = |other: &String| other.eq_ignore_ascii_case(name);
    let mut is_signed = false;
    for scheme in &source.schemes {
        if let Scheme::Recipe(recipe) = scheme {
            let of_signature = recipe.signature.iter().flat_map(|field| &field.headers);
            let of_time = recipe
                .timestamp
                .iter()
                .filter_map(|time| match &time.place {
                    TimestampPlace::Header(names) => Some(names),
                    _ => None,
                });
            let is_read = of_signature.chain(of_time.flatten()).any(same);
            if is_read && scheme.is_bearer() {
                return true;
            }
            is_signed |= is_read;
        }
        is_signed |= scheme.signs_header(name);
    }
    let name = name.to_ascii_lowercase().replace('_', "-");
    !is_signed && CREDENTIALS.iter().any(|part| name.contains(part))
}

/// The query with its credentials masked and everything else as it was sent.
fn query(source: &Source, query: &str) -> String {
    let pairs = query.split('&').map(|pair| {
        let (name, _) = pair.split_once('=').unwrap_or((pair, ""));
        let mut decoded = form_urlencoded::parse(pair.as_bytes());
        let (key, value) = decoded.next().unwrap_or_default();
        let is_signed = source.schemes.iter().any(|scheme| scheme.signs_query(&key));
        let key = key.to_ascii_lowercase().replace('_', "-");
        let is_credential = CREDENTIALS.iter().any(|part| key.contains(part))
            || QUERY_CREDENTIALS.contains(&key.as_str());
        if is_signed || !is_credential {
            return Cow::Borrowed(pair);
        }
        let mask = mask(value.chars().count());
        let mask: String = form_urlencoded::byte_serialize(mask.as_bytes()).collect();
        Cow::Owned(format!("{name}={mask}"))
    });
    let pairs: Vec<_> = pairs.collect();
    pairs.join("&")
}

/// The body without the credentials that its source takes from there; `None` where it may hold one and cannot be read.
fn body<'d>(source: &Source, body: &'d [u8]) -> Option<Cow<'d, [u8]>> {
    let is_msgraph = |scheme: &Scheme| matches!(scheme, Scheme::Special(special) if special.kind == SpecialKind::MsGraph);
    let handshake = source.handshake.as_ref().map(|handshake| handshake.kind);
    let name = if source.schemes.iter().any(is_msgraph) {
        "clientState"
    } else if handshake == Some(HandshakeKind::Notion) {
        "verification_token"
    } else {
        return Some(Cow::Borrowed(body));
    };
    if body.is_empty() {
        return Some(Cow::Borrowed(body));
    }
    let mut json: Value = serde_json::from_slice(body).ok()?;
    if mask_members(&mut json, name) {
        return Some(Cow::Owned(json.to_string().into_bytes()));
    }
    Some(Cow::Borrowed(body))
}

/// Masks every member of this name, however deep, and says whether there was one.
fn mask_members(value: &mut Value, masked: &str) -> bool {
    let mut any = false;
    match value {
        Value::Array(items) => {
            for item in items {
                any |= mask_members(item, masked);
            }
        }
        Value::Object(members) => {
            for (name, member) in members {
                if name == masked {
                    let length = match &*member {
                        Value::String(text) => text.chars().count(),
                        other => other.to_string().chars().count(),
                    };
                    *member = Value::String(mask(length));
                    any = true;
                } else {
                    any |= mask_members(member, masked);
                }
            }
        }
        _ => {}
    }
    any
}

/// Every spelling in which a secret of the source may turn up, the longest first.
fn secrets(source: &Source, keys: &Keys) -> Vec<Vec<u8>> {
    let mut all = Vec::new();
    for (scheme, secrets) in source.schemes.iter().zip(&keys.schemes) {
        for secret in secrets {
            add_spellings(secret, scheme.key_decoding(), &mut all);
        }
    }
    if let Some(token) = &keys.handshake {
        add_spellings(token, &KeyDecoding::default(), &mut all);
    }
    all.retain(|spelling| spelling.len() >= MIN_SECRET);
    all.sort_by(|one, other| (other.len(), one).cmp(&(one.len(), other)));
    all.dedup();
    all
}

fn add_spellings(secret: &Secret, decoding: &KeyDecoding, all: &mut Vec<Vec<u8>>) {
    let bytes = secret.bytes();
    let mut texts = vec![
        STANDARD.encode(bytes),
        STANDARD_NO_PAD.encode(bytes),
        URL_SAFE.encode(bytes),
        URL_SAFE_NO_PAD.encode(bytes),
    ];
    match decoding.encoding {
        // Everybody may know it.
        KeyEncoding::Public(_) => return,
        KeyEncoding::Hex => {
            let hex = Encoding::Hex.encode(bytes);
            texts.extend([hex.to_ascii_uppercase(), hex]);
        }
        KeyEncoding::Utf8 | KeyEncoding::Base64 | KeyEncoding::Credentials => {}
    }
    if let Ok(text) = std::str::from_utf8(bytes) {
        texts.push(text.to_owned());
        let password = text
            .split_once(':')
            .map(|(_, password)| password.to_owned());
        texts.extend(password.filter(|_| decoding.encoding == KeyEncoding::Credentials));
    }
    all.push(bytes.to_vec());
    let again: Vec<_> = texts.iter().map(|text| STANDARD.encode(text)).collect();
    texts.extend(again);
    for text in texts {
        let json = Value::String(text.clone()).to_string();
        let json = json.trim_matches('"').to_owned();
        let form: String = form_urlencoded::byte_serialize(text.as_bytes()).collect();
        let percent = form.replace('+', "%20");
        // As PHP writes JSON, and as some write escapes.
        let others = [json.replace('/', "\\/"), lower_escapes(&form)];
        for spelling in [text, json, form, percent].into_iter().chain(others) {
            all.push(spelling.into_bytes());
        }
    }
}

/// A form's text with the digits of its escapes in small letters.
fn lower_escapes(form: &str) -> String {
    let mut parts = form.split('%');
    let first = parts.next().unwrap_or_default().to_owned();
    parts.fold(first, |text, part| {
        let (digits, rest) = part.split_at_checked(2).unwrap_or((part, ""));
        format!("{text}%{}{rest}", digits.to_ascii_lowercase())
    })
}

/// The bytes with every secret in them masked; `None` when there is none.
fn hidden(bytes: &[u8], secrets: &[Vec<u8>]) -> Option<Vec<u8>> {
    let mut found: Option<Vec<u8>> = None;
    for secret in secrets {
        let now = found.as_deref().unwrap_or(bytes);
        if let Some(masked) = without(now, secret) {
            found = Some(masked);
        }
    }
    found
}

/// The bytes with this secret in them masked; `None` when it is not in them.
fn without(bytes: &[u8], secret: &[u8]) -> Option<Vec<u8>> {
    let length = String::from_utf8_lossy(secret).chars().count();
    // Searching texts is many times faster, and a sender is waiting.
    if let (Ok(bytes), Ok(secret)) = (std::str::from_utf8(bytes), std::str::from_utf8(secret)) {
        let replaced = || bytes.replace(secret, &mask(length)).into_bytes();
        return bytes.contains(secret).then(replaced);
    }
    let (mut rest, mut masked) = (bytes, Vec::new());
    let at = |rest: &[u8]| rest.windows(secret.len()).position(|it| it == secret);
    while let Some(start) = at(rest) {
        let (before, after) = rest.split_at(start);
        masked.extend_from_slice(before);
        masked.extend_from_slice(mask(length).as_bytes());
        rest = after.get(secret.len()..).unwrap_or_default();
    }
    if masked.is_empty() {
        return None;
    }
    masked.extend_from_slice(rest);
    Some(masked)
}

/// As [`hidden`], of a text.
fn hidden_in_text(text: &str, secrets: &[Vec<u8>]) -> Option<String> {
    let hidden = hidden(text.as_bytes(), secrets)?;
    Some(String::from_utf8_lossy(&hidden).into_owned())
}
