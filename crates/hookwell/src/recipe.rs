//! A recipe: how a sender signs, as data. Providers differ in the header, the digest, the encoding and what exactly
//! is signed; everything else, and so every mistake, is written here once.

use std::borrow::Cow;

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use hmac::{Hmac, KeyInit, Mac};
use sha2::{Digest, Sha256, Sha512};
use subtle::ConstantTimeEq;

use crate::delivery::Delivery;
use crate::json::{Json, Pointer};
use crate::secret::{KeyDecoding, Secret};
use crate::time::{Millis, Unit};
use crate::verify::{Claim, Refusal, Verifier};

/// The most signatures one request may carry: a rotating sender has two or three, an attacker thousands.
pub const MAX_SIGNATURES: usize = 16;

/// How a sender signs.
#[derive(Debug, Clone)]
pub struct Recipe {
    /// The digest, or what stands in its place.
    pub algorithm: Algorithm,
    /// How the text of a secret becomes its key.
    pub key: KeyDecoding,
    /// Where the signatures are; `None` only when nothing is signed.
    pub signature: Option<SignatureField>,
    /// Where the signed time is, for senders that have one.
    pub timestamp: Option<Timestamp>,
    /// The bytes that are signed.
    pub content: Vec<Part>,
}

/// The algorithm of a recipe. Fixed by the source's own configuration, never chosen by a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Algorithm {
    /// HMAC with SHA-256 (RFC 2104).
    HmacSha256,
    /// HMAC with SHA-1.
    HmacSha1,
    /// HMAC with SHA-512.
    HmacSha512,
    /// Plain SHA-256 over content that holds the secret.
    Sha256,
    /// Plain SHA-1 over content that holds the secret.
    Sha1,
    /// The header holds the secret itself.
    Token,
    /// HTTP basic authentication (RFC 7617); the secret is `user:password`.
    Basic,
    /// Nothing is signed; only an address list stands guard.
    Unsigned,
}

impl Algorithm {
    /// Every algorithm by its name in a recipe.
    pub const NAMES: [(&'static str, Self); 8] = [
        ("hmac-sha256", Self::HmacSha256),
        ("hmac-sha1", Self::HmacSha1),
        ("hmac-sha512", Self::HmacSha512),
        ("sha256", Self::Sha256),
        ("sha1", Self::Sha1),
        ("token", Self::Token),
        ("basic", Self::Basic),
        ("unsigned", Self::Unsigned),
    ];
}

/// Where the signatures of a request are.
#[derive(Debug, Clone)]
pub struct SignatureField {
    /// Headers that may hold one; all that are present count.
    pub headers: Vec<String>,
    /// What separates several in one header.
    pub separator: Option<String>,
    /// What separates a tag from its value, `=` in `v1=abc`.
    pub kv: Option<char>,
    /// The tag that counts; items with any other are ignored, so no request can choose a weaker scheme.
    pub tag: Option<String>,
    /// How the digest is written.
    pub encoding: Encoding,
}

/// How the bytes of a digest are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Encoding {
    /// Hexadecimal.
    Hex,
    /// Base64 with padding (RFC 4648 section 4).
    Base64,
    /// URL-safe base64 without padding (RFC 4648 section 5).
    Base64Url,
}

impl Encoding {
    /// Every encoding by its name in a recipe.
    pub const NAMES: [(&'static str, Self); 3] = [
        ("hex", Self::Hex),
        ("base64", Self::Base64),
        ("base64url", Self::Base64Url),
    ];

    fn decode(self, text: &str) -> Option<Vec<u8>> {
        match self {
            Self::Hex => hex::decode(text).ok(),
            Self::Base64 => STANDARD.decode(text).ok(),
            Self::Base64Url => URL_SAFE_NO_PAD.decode(text).ok(),
        }
    }

    fn encode(self, bytes: &[u8]) -> String {
        match self {
            Self::Hex => hex::encode(bytes),
            Self::Base64 => STANDARD.encode(bytes),
            Self::Base64Url => URL_SAFE_NO_PAD.encode(bytes),
        }
    }
}

/// The signed time of a delivery and how far from now it may be.
#[derive(Debug, Clone)]
pub struct Timestamp {
    /// Where it is.
    pub place: TimestampPlace,
    /// What it counts.
    pub unit: Unit,
    /// How old it may be, in seconds.
    pub past: u32,
    /// How far ahead it may be, in seconds. Official verifiers often forget this side.
    pub future: u32,
}

/// Where a signed time is.
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
    /// The method in capitals.
    Method,
    /// The secret, for plain hashes.
    Secret,
    /// The first of these headers that is present.
    Header(Vec<String>),
    /// A query parameter, decoded.
    Query(String),
    /// These characters.
    Literal(String),
}

impl Part {
    /// Reads a content template such as `v0:{ts}:{body}`.
    ///
    /// # Errors
    /// The token that is not known, or the brace that is never closed.
    pub fn parse(template: &str) -> Result<Vec<Self>, String> {
        let mut parts = Vec::new();
        let mut rest = template;
        while let Some((literal, after)) = rest.split_once('{') {
            if !literal.is_empty() {
                parts.push(Self::Literal(literal.to_owned()));
            }
            let (token, after) = after
                .split_once('}')
                .ok_or_else(|| "a { without }".to_owned())?;
            parts.push(match token.split_once(':') {
                None if token == "body" => Self::Body,
                None if token == "ts" => Self::Timestamp,
                None if token == "url" => Self::Url,
                None if token == "method" => Self::Method,
                None if token == "secret" => Self::Secret,
                Some(("header", names)) if !names.is_empty() => {
                    Self::Header(names.split('|').map(str::to_owned).collect())
                }
                Some(("query", name)) if !name.is_empty() => Self::Query(name.to_owned()),
                _ => return Err(format!("unknown token {{{token}}}")),
            });
            rest = after;
        }
        if !rest.is_empty() {
            parts.push(Self::Literal(rest.to_owned()));
        }
        Ok(parts)
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
        headers: &'d [String],
        time_tag: Option<&str>,
    ) -> Result<Signatures<'d>, Refusal> {
        let mut candidates = Vec::new();
        let mut times = Vec::new();
        let items = headers.iter().flat_map(|value| match &self.separator {
            Some(separator) => value
                .split(separator.as_str())
                .map(str::trim)
                .collect::<Vec<_>>(),
            None => vec![value.trim()],
        });
        for item in items {
            let (tag, value) = match self.kv.and_then(|kv| item.split_once(kv)) {
                Some((tag, value)) => (Some(tag), value),
                None => (None, item),
            };
            if tag.is_some() && tag == time_tag {
                times.push(value);
            } else if tag == self.tag.as_deref() {
                candidates.push(value);
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
    /// Whether the signed bytes cover this header, so that what it says can be trusted.
    #[must_use]
    pub fn signs_header(&self, name: &str) -> bool {
        self.content.iter().any(
            |part| matches!(part, Part::Header(names) if names.iter().any(|signed| signed.eq_ignore_ascii_case(name))),
        )
    }

    /// The headers that make a request valid, for senders of our own and for tests.
    ///
    /// # Errors
    /// When the request lacks something the recipe signs.
    pub fn sign(
        &self,
        delivery: &Delivery,
        url: Option<&str>,
        secret: Option<&Secret>,
        now: Millis,
    ) -> Result<Vec<(String, String)>, Refusal> {
        let mut headers = Vec::new();
        let Some(field) = &self.signature else {
            return Ok(headers);
        };
        let secret = secret.ok_or(Refusal::NotReady)?;
        let time = self
            .timestamp
            .as_ref()
            .map(|timestamp| timestamp.unit.format(now));
        if let (
            Some(Timestamp {
                place: TimestampPlace::Header(names),
                ..
            }),
            Some(time),
        ) = (&self.timestamp, &time)
        {
            headers.extend(names.first().map(|name| (name.clone(), time.clone())));
        }
        let body_time = self.body_time(delivery)?;
        let signed_time = body_time.as_deref().or(time.as_deref());
        let bytes = self.signed_bytes(delivery, url, secret, signed_time)?;
        let mut value = match self.algorithm {
            Algorithm::Token => String::from_utf8_lossy(secret.bytes()).into_owned(),
            Algorithm::Basic => format!("Basic {}", STANDARD.encode(secret.bytes())),
            _ => field
                .encoding
                .encode(&self.algorithm.digest(secret.bytes(), &bytes)),
        };
        if let (Some(kv), Some(tag)) = (field.kv, &field.tag) {
            value = format!("{tag}{kv}{value}");
        }
        if let (
            Some(Timestamp {
                place: TimestampPlace::Tag(tag),
                ..
            }),
            Some(time),
        ) = (&self.timestamp, &time)
        {
            let kv = field.kv.unwrap_or('=');
            let separator = field.separator.as_deref().unwrap_or(",");
            value = format!("{tag}{kv}{time}{separator}{value}");
        }
        headers.extend(field.headers.first().map(|name| (name.clone(), value)));
        Ok(headers)
    }

    fn body_time<'d>(&self, delivery: &'d Delivery) -> Result<Option<Cow<'d, str>>, Refusal> {
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

    fn signed_bytes(
        &self,
        delivery: &Delivery,
        url: Option<&str>,
        secret: &Secret,
        time: Option<&str>,
    ) -> Result<Vec<u8>, Refusal> {
        let mut bytes = Vec::with_capacity(delivery.body.len().saturating_add(128));
        for part in &self.content {
            match part {
                Part::Body => bytes.extend_from_slice(&delivery.body),
                Part::Timestamp => {
                    bytes.extend_from_slice(time.ok_or(Refusal::MissingTimestamp)?.as_bytes());
                }
                Part::Url => bytes.extend_from_slice(url.ok_or(Refusal::NotReady)?.as_bytes()),
                Part::Method => bytes.extend_from_slice(delivery.method.as_str().as_bytes()),
                Part::Secret => bytes.extend_from_slice(secret.bytes()),
                Part::Header(names) => {
                    let value = names.iter().find_map(|name| delivery.header(name));
                    bytes.extend_from_slice(value.ok_or_else(|| missing(names))?.as_bytes());
                }
                Part::Query(name) => {
                    let value = delivery.query_value(name).ok_or(Refusal::MissingQuery)?;
                    bytes.extend_from_slice(value.as_bytes());
                }
                Part::Literal(text) => bytes.extend_from_slice(text.as_bytes()),
            }
        }
        Ok(bytes)
    }
}

impl Verifier for Recipe {
    fn verify(&self, claim: &Claim<'_>) -> Result<usize, Refusal> {
        let Claim {
            delivery,
            url,
            secrets,
            now,
        } = *claim;
        let Some(field) = &self.signature else {
            return Ok(0);
        };
        let values: Vec<String> = field
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
                let value = names.iter().find_map(|name| delivery.header(name));
                Some(Cow::Owned(value.ok_or(Refusal::MissingTimestamp)?))
            }
            Some(TimestampPlace::Body(_)) => {
                Some(self.body_time(delivery)?.ok_or(Refusal::MissingTimestamp)?)
            }
        };
        if let (Some(timestamp), Some(text)) = (&self.timestamp, &time) {
            timestamp.check(text, now)?;
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
        for (index, secret) in secrets.iter().enumerate() {
            let bytes = self.signed_bytes(delivery, url, secret, time.as_deref())?;
            if candidates
                .iter()
                .any(|candidate| self.algorithm.matches(secret.bytes(), &bytes, candidate))
            {
                return Ok(index);
            }
        }
        Err(Refusal::WrongSignature)
    }
}

impl Timestamp {
    fn check(&self, text: &str, now: Millis) -> Result<(), Refusal> {
        let at = self.unit.parse(text).ok_or(Refusal::MalformedTimestamp)?;
        let age = now.saturating_sub(at);
        if age > i64::from(self.past).saturating_mul(1000) {
            return Err(Refusal::TooOld {
                seconds: age / 1000,
            });
        }
        if age < i64::from(self.future).saturating_mul(-1000) {
            return Err(Refusal::TooNew {
                seconds: (age / 1000).saturating_neg(),
            });
        }
        Ok(())
    }
}

impl Algorithm {
    fn matches(self, key: &[u8], content: &[u8], candidate: &[u8]) -> bool {
        match self {
            Self::HmacSha256 => hmac::<Hmac<Sha256>>(key, content)
                .is_some_and(|mac| mac.verify_slice(candidate).is_ok()),
            Self::HmacSha1 => hmac::<Hmac<sha1::Sha1>>(key, content)
                .is_some_and(|mac| mac.verify_slice(candidate).is_ok()),
            Self::HmacSha512 => hmac::<Hmac<Sha512>>(key, content)
                .is_some_and(|mac| mac.verify_slice(candidate).is_ok()),
            Self::Sha256 | Self::Sha1 => self.digest(key, content).ct_eq(candidate).into(),
            // The length of a token is no secret; its characters are.
            Self::Token | Self::Basic => key.ct_eq(candidate).into(),
            Self::Unsigned => false,
        }
    }

    fn digest(self, key: &[u8], content: &[u8]) -> Vec<u8> {
        match self {
            Self::HmacSha256 => {
                hmac::<Hmac<Sha256>>(key, content).map(|mac| mac.finalize().into_bytes().to_vec())
            }
            Self::HmacSha1 => hmac::<Hmac<sha1::Sha1>>(key, content)
                .map(|mac| mac.finalize().into_bytes().to_vec()),
            Self::HmacSha512 => {
                hmac::<Hmac<Sha512>>(key, content).map(|mac| mac.finalize().into_bytes().to_vec())
            }
            Self::Sha256 => Some(Sha256::digest(content).to_vec()),
            Self::Sha1 => Some(sha1::Sha1::digest(content).to_vec()),
            Self::Token | Self::Basic | Self::Unsigned => None,
        }
        .unwrap_or_default()
    }
}

/// HMAC takes a key of any length, also none: the guard against an empty one is [`Secret::new`].
fn hmac<M: Mac + KeyInit>(key: &[u8], content: &[u8]) -> Option<M> {
    let mut mac = <M as KeyInit>::new_from_slice(key).ok()?;
    mac.update(content);
    Some(mac)
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
