//! A recipe: how a sender signs, as data. Providers differ in the header, the digest, the encoding and what exactly
//! is signed; everything else, and so every mistake, is written here once.

use std::borrow::Cow;
use std::fmt::{self, Write as _};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use crate::event::delivery::Delivery;
use crate::format::encoding::Encoding;
use crate::format::json::{Json, Pointer};
use crate::format::template;
use crate::format::time::Unit;
use crate::keys::secret::{KeyDecoding, Secret};
use crate::verify::algorithm::Algorithm;
use crate::verify::verifier::{Claim, Refusal, Tolerance, Verifier};

/// The most signatures one request may carry: a rotating sender has two or three, an attacker thousands.
pub const MAX_SIGNATURES: usize = 16;

/// The most signatures by private keys: each is checked with a pass over the whole body.
pub const MAX_PUBLIC_KEY_SIGNATURES: usize = 3;

/// Signature scheme of a sender, as data.
#[derive(Debug, Clone)]
pub struct Recipe {
    /// The digest, or what stands in its place.
    pub algorithm: Algorithm,
    /// Rule by which the text of a secret becomes its key.
    pub key: KeyDecoding,
    /// Place of the signatures; `None` only when nothing is signed.
    pub signature: Option<SignatureField>,
    /// Place of the signed time, for senders that have one.
    pub timestamp: Option<Timestamp>,
    /// The bytes that are signed.
    pub content: Vec<Part>,
    /// Headers that must have exactly these values, such as a version.
    pub require: Vec<(String, String)>,
    /// The one secret that counts, for senders with a first and a second key; any of them when `None`.
    pub secret: Option<usize>,
}

/// Place of the signatures in a request.
#[derive(Debug, Clone)]
pub struct SignatureField {
    /// Headers that may hold one; all that are present count.
    pub headers: Vec<String>,
    /// Separator of several signatures in one header.
    pub separator: Option<String>,
    /// Separator of a tag and its value, `=` in `v1=abc`.
    pub kv: Option<char>,
    /// The tag that counts; items with any other are ignored, so no request can choose a weaker scheme.
    pub tag: Option<String>,
    /// Encoding of the digest.
    pub encoding: Encoding,
}

/// The signed time of a delivery and how far from now it may be.
#[derive(Debug, Clone)]
pub struct Timestamp {
    /// Place of the time in the request.
    pub place: TimestampPlace,
    /// Unit or format of the time.
    pub unit: Unit,
    /// Distance that the time may have from now.
    pub tolerance: Tolerance,
}

/// Place of a signed time.
#[derive(Debug, Clone)]
pub enum TimestampPlace {
    /// In the first of these headers that is present.
    Header(Vec<String>),
    /// Under this tag among the signatures.
    Tag(String),
    /// In the signed body.
    Body(Pointer),
}

/// One piece of the signed bytes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Part {
    /// The body, byte for byte.
    Body,
    /// The timestamp as it was written.
    Timestamp,
    /// The source's public address, as configured: the request's own idea of it depends on proxies.
    Url,
    /// The public address with the escapes decoded that `HubSpot` decodes before it signs.
    DecodedUrl,
    /// The method in capitals.
    Method,
    /// The secret, for plain hashes.
    Secret,
    /// The first of these headers that is present.
    Header(Vec<String>),
    /// A query parameter, decoded.
    Query(String),
    /// A query parameter, decoded and in small letters.
    LowerQuery(String),
    /// These characters.
    Literal(String),
    /// These parts, unless a header or query parameter of theirs is absent.
    Optional(Vec<Self>),
}

impl Part {
    /// Reads a content template such as `v0:{ts}:{body}`. What stands in `[` and `]` is left out where a header or query
    /// parameter in it is absent.
    ///
    /// # Errors
    /// The token that is not known, or the brace or bracket that is never closed.
    pub fn parse(template: &str) -> Result<Vec<Self>, String> {
        let mut parts = Vec::new();
        let mut rest = template;
        while let Some((before, after)) = rest.split_once('[') {
            let (optional, after) = after
                .split_once(']')
                .ok_or_else(|| "a [ without ]".to_owned())?;
            parts.extend(Self::parse_all(before)?);
            parts.push(Self::Optional(Self::parse_all(optional)?));
            rest = after;
        }
        parts.extend(Self::parse_all(rest)?);
        Ok(parts)
    }

    fn parse_all(template: &str) -> Result<Vec<Self>, String> {
        template::parse(template, Self::Literal, |token| {
            Ok(match token.split_once(':') {
                None if token == "body" => Self::Body,
                None if token == "ts" => Self::Timestamp,
                None if token == "url" => Self::Url,
                None if token == "url|decoded" => Self::DecodedUrl,
                None if token == "method" => Self::Method,
                None if token == "secret" => Self::Secret,
                Some(("header", names)) if !names.is_empty() => {
                    Self::Header(names.split('|').map(str::to_owned).collect())
                }
                Some(("query", name)) if !name.is_empty() => match name.strip_suffix("|lower") {
                    Some(name) => Self::LowerQuery(name.to_owned()),
                    None => Self::Query(name.to_owned()),
                },
                _ => return Err(format!("unknown token {{{token}}}")),
            })
        })
    }

    /// True for a header or query parameter.
    pub(crate) fn is_field(&self) -> bool {
        matches!(self, Self::Header(_) | Self::Query(_) | Self::LowerQuery(_))
    }

    /// True when requests differ in what stands here.
    pub(crate) fn varies(&self) -> bool {
        !matches!(self, Self::Literal(_) | Self::Method | Self::Secret)
    }

    /// The characters that the part begins with in every request.
    fn beginning(&self) -> &str {
        match self {
            Self::Literal(text) => text,
            Self::Optional(parts) => parts.first().map_or("", Self::beginning),
            _ => "",
        }
    }

    /// True when `is_one` holds for one of the parts, optional ones included.
    pub(crate) fn any_in(parts: &[Self], is_one: &impl Fn(&Self) -> bool) -> bool {
        parts.iter().any(|part| match part {
            Self::Optional(inner) => Self::any_in(inner, is_one),
            part => is_one(part),
        })
    }
}

impl fmt::Display for Part {
    /// Writes the part as a content template does.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Body => f.write_str("{body}"),
            Self::Timestamp => f.write_str("{ts}"),
            Self::Url => f.write_str("{url}"),
            Self::DecodedUrl => f.write_str("{url|decoded}"),
            Self::Method => f.write_str("{method}"),
            Self::Secret => f.write_str("{secret}"),
            Self::Header(names) => write!(f, "{{header:{}}}", names.join("|")),
            Self::Query(name) => write!(f, "{{query:{name}}}"),
            Self::LowerQuery(name) => write!(f, "{{query:{name}|lower}}"),
            Self::Literal(text) => f.write_str(text),
            Self::Optional(parts) => {
                f.write_char('[')?;
                parts.iter().try_for_each(|part| part.fmt(f))?;
                f.write_char(']')
            }
        }
    }
}

/// The items of the signature headers, split and sorted out.
struct Signatures<'d> {
    candidates: Vec<&'d str>,
    /// The timestamp under its tag, when the recipe keeps it there.
    timestamp: Option<&'d str>,
}

impl SignatureField {
    fn read<'d>(
        &self,
        headers: &'d [Cow<'_, str>],
        time_tag: Option<&str>,
    ) -> Result<Signatures<'d>, Refusal> {
        let mut candidates = Vec::new();
        let mut times = Vec::new();
        let mut sort_out = |item: &'d str| {
            let item = item.trim();
            let (tag, value) = match self.kv.and_then(|kv| item.split_once(kv)) {
                Some((tag, value)) => (Some(tag), value),
                None => (None, item),
            };
            if tag.is_some() && tag == time_tag {
                times.push(value);
            } else if tag == self.tag.as_deref() {
                candidates.push(value);
            }
        };
        for value in headers {
            match self.separator.as_deref().map(|text| (text, text.trim())) {
                None => sort_out(value),
                Some((blank, "")) => value.split(blank).for_each(&mut sort_out),
                // ", " is also what a proxy may make of ",".
                Some((_, trimmed)) => value.split(trimmed).for_each(&mut sort_out),
            }
        }
        match (candidates.len(), times.as_slice()) {
            (0, _) => Err(Refusal::NoSignature),
            (count, _) if count > MAX_SIGNATURES => Err(Refusal::TooManySignatures),
            (_, []) => Ok(Signatures {
                candidates,
                timestamp: None,
            }),
            (_, [one]) => Ok(Signatures {
                candidates,
                timestamp: Some(one),
            }),
            (_, _) => Err(Refusal::MalformedTimestamp),
        }
    }
}

impl Recipe {
    /// True when the signed bytes cover this header, so that its value can be trusted.
    #[must_use]
    pub fn signs_header(&self, name: &str) -> bool {
        let signs = |part: &Part| matches!(part, Part::Header(names) if names.iter().any(|signed| signed.eq_ignore_ascii_case(name)));
        Part::any_in(&self.content, &signs)
    }

    /// True when the signed bytes cover this query parameter.
    pub(crate) fn signs_query(&self, name: &str) -> bool {
        let signs = |part: &Part| matches!(part, Part::Query(signed) | Part::LowerQuery(signed) if signed == name);
        Part::any_in(&self.content, &signs)
    }

    /// True when the signed bytes cover the source's address.
    pub(crate) fn signs_url(&self) -> bool {
        Part::any_in(&self.content, &|part| {
            matches!(part, Part::Url | Part::DecodedUrl)
        })
    }

    pub(crate) fn body_time<'d>(
        &self,
        delivery: &'d Delivery,
    ) -> Result<Option<Cow<'d, str>>, Refusal> {
        let Some(Timestamp {
            place: TimestampPlace::Body(pointer),
            ..
        }) = &self.timestamp
        else {
            return Ok(None);
        };
        let body = Json::parse(&delivery.body).map_err(|_| Refusal::MalformedTimestamp)?;
        body.text(pointer).map_err(|_| Refusal::MalformedTimestamp)
    }

    pub(crate) fn signed_bytes<'d>(
        &self,
        delivery: &'d Delivery,
        url: Option<&str>,
        secret: &Secret,
        time: Option<&str>,
    ) -> Result<Cow<'d, [u8]>, Refusal> {
        if let [Part::Body] = self.content.as_slice() {
            return Ok(Cow::Borrowed(&delivery.body));
        }
        let mut bytes = Vec::with_capacity(delivery.body.len().saturating_add(128));
        let claim = Written {
            delivery,
            url,
            secret,
            time,
        };
        claim.write_all(&self.content, "", &mut bytes)?;
        Ok(Cow::Owned(bytes))
    }
}

/// Values that the signed bytes are put together from.
#[derive(Clone, Copy)]
struct Written<'a> {
    delivery: &'a Delivery,
    url: Option<&'a str>,
    secret: &'a Secret,
    time: Option<&'a str>,
}

impl Written<'_> {
    /// Writes the parts one after the other; `end` is the text that ends optional parts, else empty. No value may hold
    /// the text behind it, or the text between it and the body: `7.order` and `paid` give the same signed bytes as `7`
    /// and `order.paid`.
    fn write_all(self, parts: &[Part], end: &str, bytes: &mut Vec<u8>) -> Result<(), Refusal> {
        for (index, part) in parts.iter().enumerate() {
            let start = bytes.len();
            self.write(part, bytes)?;
            let value = bytes.get(start..).unwrap_or_default();
            let (before, rest) = parts.split_at(index);
            let after = rest.get(1).map_or("", Part::beginning);
            let before = match before.last() {
                Some(Part::Literal(text)) if before.contains(&Part::Body) => text,
                _ => "",
            };
            let borders = match part {
                Part::Literal(_) => ["", "", ""],
                part if part.is_field() => [end, after, before],
                _ => [end, "", ""],
            };
            if let Some(border) = borders.into_iter().find(|border| is_moved(value, border)) {
                return Err(Refusal::MovedBorder(border.to_owned()));
            }
        }
        Ok(())
    }

    fn write(self, part: &Part, bytes: &mut Vec<u8>) -> Result<(), Refusal> {
        let delivery = self.delivery;
        match part {
            Part::Body => bytes.extend_from_slice(&delivery.body),
            Part::Timestamp => {
                let time = self.time.ok_or(Refusal::MissingTimestamp)?;
                bytes.extend_from_slice(time.as_bytes());
            }
            Part::Url => {
                let url = delivery.signed_url(self.url).ok_or(Refusal::NotReady)?;
                bytes.extend_from_slice(url.as_bytes());
            }
            Part::DecodedUrl => {
                let url = delivery.signed_url(self.url).ok_or(Refusal::NotReady)?;
                bytes.extend_from_slice(decoded(&url).as_bytes());
            }
            Part::Method => bytes.extend_from_slice(delivery.method.as_str().as_bytes()),
            Part::Secret => bytes.extend_from_slice(self.secret.bytes()),
            Part::Header(names) => {
                let value = one_of(delivery, names)?;
                bytes.extend_from_slice(value.ok_or_else(|| missing(names))?.as_bytes());
            }
            Part::Query(name) => {
                let value = delivery.query_value(name).ok_or(Refusal::MissingQuery)?;
                bytes.extend_from_slice(value.as_bytes());
            }
            Part::LowerQuery(name) => {
                let value = delivery.query_value(name).ok_or(Refusal::MissingQuery)?;
                bytes.extend_from_slice(value.to_lowercase().as_bytes());
            }
            Part::Literal(text) => bytes.extend_from_slice(text.as_bytes()),
            Part::Optional(parts) => match self.optional(parts) {
                Ok(optional) => bytes.extend(optional),
                Err(Refusal::MissingHeader(_) | Refusal::MissingQuery) => {}
                Err(why) => return Err(why),
            },
        }
        Ok(())
    }

    /// Bytes of parts that may be left out. No value may hold the text that ends them, or one value could be two.
    fn optional(self, parts: &[Part]) -> Result<Vec<u8>, Refusal> {
        let end = match parts.last() {
            Some(Part::Literal(end)) => end.as_str(),
            _ => "",
        };
        let mut all = Vec::new();
        self.write_all(parts, end, &mut all)?;
        Ok(all)
    }
}

/// True when `border` is in `value`, or begins inside `value` once `border` is written behind it.
fn is_moved(value: &[u8], border: &str) -> bool {
    let border = border.as_bytes();
    let begin = border.split_last().map_or(&[][..], |(_, begin)| begin);
    let text = [value, begin].concat();
    !border.is_empty() && text.windows(border.len()).any(|window| window == border)
}

/// The value of the headers that stand for one another, the first that is present. The others may not differ: whoever
/// reads one of them later reads what is signed.
fn one_of<'d>(delivery: &'d Delivery, names: &[String]) -> Result<Option<Cow<'d, str>>, Refusal> {
    let mut values = names.iter().filter_map(|name| delivery.header(name));
    let first = values.next();
    if values.any(|other| Some(&other) != first.as_ref()) {
        return Err(Refusal::Contradiction(names.join(" and ")));
    }
    Ok(first)
}

impl Verifier for Recipe {
    fn verify(&self, claim: &Claim<'_>) -> Result<usize, Refusal> {
        let Claim {
            delivery,
            url,
            secrets,
            now,
            ..
        } = *claim;
        let Some(field) = &self.signature else {
            return Ok(0);
        };
        for (name, value) in &self.require {
            let found = delivery.header(name);
            let found = found.ok_or_else(|| Refusal::MissingHeader(name.clone()))?;
            if found != *value {
                return Err(Refusal::UnsupportedVersion(name.clone()));
            }
        }
        let values: Vec<Cow<'_, str>> = field
            .headers
            .iter()
            .filter_map(|name| delivery.header(name))
            .collect();
        if values.is_empty() {
            return Err(missing(&field.headers));
        }
        let time_tag = match &self.timestamp {
            Some(Timestamp {
                place: TimestampPlace::Tag(tag),
                ..
            }) => Some(tag.as_str()),
            _ => None,
        };
        let signatures = field.read(&values, time_tag)?;
        let time = match self.timestamp.as_ref().map(|timestamp| &timestamp.place) {
            None => None,
            Some(TimestampPlace::Tag(_)) => Some(Cow::Borrowed(
                signatures.timestamp.ok_or(Refusal::MissingTimestamp)?,
            )),
            Some(TimestampPlace::Header(names)) => {
                let value = one_of(delivery, names)?;
                Some(value.ok_or(Refusal::MissingTimestamp)?)
            }
            Some(TimestampPlace::Body(_)) => {
                Some(self.body_time(delivery)?.ok_or(Refusal::MissingTimestamp)?)
            }
        };
        if let (Some(timestamp), Some(text)) = (&self.timestamp, &time) {
            let at = timestamp
                .unit
                .parse(text)
                .ok_or(Refusal::MalformedTimestamp)?;
            timestamp.tolerance.check(at, now)?;
        }
        let candidates: Vec<Vec<u8>> = match self.algorithm {
            Algorithm::Token => signatures
                .candidates
                .iter()
                .map(|text| text.as_bytes().to_vec())
                .collect(),
            Algorithm::Basic => signatures
                .candidates
                .iter()
                .filter_map(|text| basic(text))
                .collect(),
            _ => signatures
                .candidates
                .iter()
                .filter_map(|text| field.encoding.decode(text))
                .collect(),
        };
        if candidates.is_empty() {
            return Err(Refusal::MalformedSignature);
        }
        if self.algorithm.is_public_key() && candidates.len() > MAX_PUBLIC_KEY_SIGNATURES {
            return Err(Refusal::TooManySignatures);
        }
        let mut refusal = Refusal::NotReady;
        for (index, secret) in secrets.iter().enumerate() {
            if self.secret.is_some_and(|only| only != index) {
                continue;
            }
            refusal = Refusal::WrongSignature;
            let bytes = self.signed_bytes(delivery, url, secret, time.as_deref())?;
            if self.algorithm.matches_any(secret, &bytes, &candidates) {
                return Ok(index);
            }
        }
        Err(refusal)
    }
}

/// The escapes that `HubSpot` decodes, and no other
/// (<https://developers.hubspot.com/docs/apps/legacy-apps/authentication/validating-requests>).
const DECODED: [(&str, &str); 12] = [
    ("%3A", ":"),
    ("%2F", "/"),
    ("%3F", "?"),
    ("%40", "@"),
    ("%21", "!"),
    ("%24", "$"),
    ("%27", "'"),
    ("%28", "("),
    ("%29", ")"),
    ("%2A", "*"),
    ("%2C", ","),
    ("%3B", ";"),
];

fn decoded(url: &str) -> String {
    let mut text = url.to_owned();
    for (escape, character) in DECODED {
        text = text.replace(escape, character);
    }
    text
}

fn basic(header: &str) -> Option<Vec<u8>> {
    let (scheme, credentials) = header.split_once(' ')?;
    scheme
        .eq_ignore_ascii_case("basic")
        .then(|| STANDARD.decode(credentials.trim()).ok())?
}

fn missing(names: &[String]) -> Refusal {
    Refusal::MissingHeader(names.join(" or "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_content_is_written_as_it_was_read() {
        let template = "v0:{ts}.{body}{url}{url|decoded}{method}{secret}{header:a|b}[{query:c};]{query:d|lower}";
        let parts = Part::parse(template).unwrap();
        let written: String = parts.iter().map(ToString::to_string).collect();
        assert_eq!(written, template);
    }
}
