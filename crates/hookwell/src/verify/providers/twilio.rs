//! Twilio. <https://www.twilio.com/docs/usage/webhooks/webhooks-security>

use std::borrow::Cow;

use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;

use crate::format::encoding::Encoding;
use crate::format::form::MAX_FIELDS;
use crate::format::time::event_time;
use crate::verify::algorithm::Algorithm;
use crate::verify::verifier::{Claim, Refusal, any_secret, required};

pub(crate) const SIGNATURE: &str = "X-Twilio-Signature";
pub(crate) const SETTINGS: &str = "X-Twilio-Webhooks-Signature-Settings";
pub(crate) const SHA256: &str = "algorithm=HMAC_SHA256";
pub(crate) const BODY_HASH: &str = "bodySHA256";

pub(super) fn form(claim: &Claim<'_>) -> Result<usize, Refusal> {
    // A request that says it is signed another way is not one of this scheme.
    if claim.delivery.headers.contains_key(SETTINGS) {
        return Err(Refusal::UnsupportedVersion(SETTINGS.to_owned()));
    }
    check(claim, Algorithm::HmacSha1, fields)
}

pub(super) fn json(claim: &Claim<'_>) -> Result<usize, Refusal> {
    let hash = claim.delivery.query_value(BODY_HASH);
    let hash = hash.ok_or(Refusal::MissingQuery)?;
    let hash = Encoding::Hex.decode(&hash);
    let hash = hash.ok_or(Refusal::MalformedSignature)?;
    if !bool::from(Sha256::digest(&claim.delivery.body).ct_eq(&hash)) {
        return Err(Refusal::WrongSignature);
    }
    check(claim, Algorithm::HmacSha1, |_| Some(String::new()))
}

pub(super) fn shared_key(claim: &Claim<'_>) -> Result<usize, Refusal> {
    let settings = required(claim.delivery, SETTINGS)?;
    if !settings.split(',').any(|setting| setting.trim() == SHA256) {
        return Err(Refusal::UnsupportedVersion(SETTINGS.to_owned()));
    }
    check(claim, Algorithm::HmacSha256, fields)
}

/// Checks the signature of the address and of what `fields` makes of the body.
fn check(
    claim: &Claim<'_>,
    algorithm: Algorithm,
    fields: impl Fn(&[u8]) -> Option<String>,
) -> Result<usize, Refusal> {
    let signature = required(claim.delivery, SIGNATURE)?;
    let signature = Encoding::Base64.decode(signature.trim());
    let signature = signature.ok_or(Refusal::MalformedSignature)?;
    let url = claim
        .delivery
        .signed_url(claim.url)
        .ok_or(Refusal::NotReady)?;
    let fields = fields(&claim.delivery.body).ok_or(Refusal::MalformedBody)?;
    let urls = [&url, &other_port(&url)];
    any_secret(claim, |secret| {
        urls.iter().any(|url| {
            let digest = algorithm.digest_of(secret.bytes(), &[url.as_bytes(), fields.as_bytes()]);
            digest.ct_eq(&signature).into()
        })
    })
}

/// The fields of a form by name, each name with each of its values, both decoded. `None` where there are more than anybody
/// sends, or where their borders could have been moved.
pub(crate) fn fields(body: &[u8]) -> Option<String> {
    let mut sorted = Vec::new();
    for field in form_urlencoded::parse(body) {
        if sorted.len() == MAX_FIELDS || !has_own_borders(&field.0, &field.1) {
            return None;
        }
        sorted.push(field);
    }
    sorted.sort();
    sorted.dedup();
    if is_incomplete(&sorted) || !are_whole(&sorted) {
        return None;
    }
    let (mut text, mut borders) = (String::new(), Vec::new());
    for part in sorted.into_iter().flat_map(|(name, value)| [name, value]) {
        text.push_str(&part);
        borders.push(text.len());
    }
    (!is_cut(&text, &borders)).then_some(text)
}

/// The fields that every incoming message has. A missing one may be hidden in the field beside it.
const OF_INCOMING: [&str; 4] = ["AccountSid", "Body", "From", "To"];

/// True for an incoming message, which becomes a document, that lacks one of [`OF_INCOMING`]
/// (<https://www.twilio.com/docs/messaging/guides/webhook-request>).
fn is_incomplete(fields: &[(Cow<'_, str>, Cow<'_, str>)]) -> bool {
    let has = |name: &str| fields.iter().any(|(other, _)| other == name);
    let is_status = |name: &str| matches!(name, "MessageStatus" | "SmsStatus");
    let mut statuses = fields.iter().filter(|(name, _)| is_status(name));
    statuses.any(|(_, value)| value == "received") && !OF_INCOMING.into_iter().all(has)
}

/// The names of the fields that say what an event is and what it is about.
const TELLING: [&str; 9] = [
    "MessageSid",
    "MessageStatus",
    "CallSid",
    "CallStatus",
    "SmsStatus",
    "RecordingStatus",
    "StatusCallbackEvent",
    "EventType",
    "Timestamp",
];

/// True when each telling field has a value of its kind, and nothing of it can be the next field: `CallStatus=fail&ed` has
/// the signature of `CallStatus=failed`.
fn are_whole(fields: &[(Cow<'_, str>, Cow<'_, str>)]) -> bool {
    let next = fields.iter().skip(1).map(Some).chain([None]);
    fields.iter().zip(next).all(|((name, value), next)| {
        // A text that was cut off the end of a time, so that the rest is still a time, never begins with a letter.
        let is_time = name == "Timestamp";
        let begins_anew = |(name, _): &(Cow<'_, str>, Cow<'_, str>)| {
            let is_letter = |c: char| c.is_ascii_uppercase() || (is_time && c.is_ascii_lowercase());
            name.starts_with(is_letter)
        };
        !TELLING.contains(&&**name) || (is_value(name, value) && next.is_none_or(begins_anew))
    })
}

/// True when a telling field can have this value.
fn is_value(name: &str, value: &str) -> bool {
    let is_of = |allowed: fn(u8) -> bool| !value.is_empty() && value.bytes().all(allowed);
    match name {
        "Timestamp" => event_time(value).is_some(),
        // Two capitals and 32 digits (<https://www.twilio.com/docs/glossary/what-is-a-sid>), and no name of a field behind them.
        "MessageSid" | "CallSid" => {
            let begins_name = |pair: &[u8]| {
                let [first, second] = pair else { return false };
                first.is_ascii_uppercase() && second.is_ascii_lowercase()
            };
            let rest = value.as_bytes().get(2..).unwrap_or_default();
            is_of(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_'))
                && !rest.windows(2).any(begins_name)
        }
        "EventType" | "StatusCallbackEvent" => {
            is_of(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-' | b'_'))
        }
        _ => is_of(|byte| byte.is_ascii_lowercase() || matches!(byte, b'.' | b'-' | b'_')),
    }
}

/// True when a telling name lies across one of the borders between names and values: then it was cut in two.
fn is_cut(text: &str, borders: &[usize]) -> bool {
    TELLING.iter().any(|telling| {
        text.match_indices(telling).any(|(start, _)| {
            let next = borders.partition_point(|border| *border <= start);
            let border = borders.get(next);
            border.is_some_and(|border| *border < start.saturating_add(telling.len()))
        })
    })
}

/// True when a field cannot be two fields that were glued together, or a part of one. Nothing stands between names and
/// values in what Twilio signs, so `MessageSid=SM1&MessageStatus=sent` and `MessageSid=SM1MessageStatussent` have one
/// signature, and only the first says what happened. A real name that holds a telling name (`ParentCallSid`) is all
/// letters, with a capital behind the telling name if anything is; a real value holds no telling name before a letter
/// or digit, unless somebody meant it to.
fn has_own_borders(name: &str, value: &str) -> bool {
    let is_word = name.bytes().all(|byte| byte.is_ascii_alphabetic());
    let holds_value = |telling: &str| {
        let mut behind = name.split(telling).skip(1);
        behind.any(|rest| rest.starts_with(|first: char| first.is_ascii_lowercase()))
    };
    let ends_name = |telling: &str| {
        let mut behind = name.split(telling).skip(1);
        name.starts_with(SIP_HEADER) && behind.all(str::is_empty)
    };
    let may_hold = |telling: &str| (is_word && !holds_value(telling)) || ends_name(telling);
    let is_glued = |telling: &str| {
        let mut behind = value.split(telling).skip(1);
        behind.any(|rest| rest.starts_with(|first: char| first.is_ascii_alphanumeric()))
    };
    let mut telling = TELLING.iter();
    telling.all(|telling| (may_hold(telling) || !name.contains(telling)) && !is_glued(telling))
}

/// Beginning of the name of a field with a header of a call by SIP, such as `SipHeader_X-Twilio-CallSid`.
const SIP_HEADER: &str = "SipHeader_";

/// The same address without its port, or with the usual one: Twilio signs either.
fn other_port(url: &str) -> Cow<'_, str> {
    let Some(rest) = url.strip_prefix("https://") else {
        return Cow::Borrowed(url);
    };
    let end = rest.find(['/', '?']).unwrap_or(rest.len());
    let (host, path) = rest.split_at(end);
    match host.rsplit_once(':') {
        Some((host, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) => {
            Cow::Owned(format!("https://{host}{path}"))
        }
        _ => Cow::Owned(format!("https://{host}:443{path}")),
    }
}
