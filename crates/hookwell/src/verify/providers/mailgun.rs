//! Mailgun: the body carries a time, a token and a signature of these two; the event itself is not signed.
//! <https://documentation.mailgun.com/docs/mailgun/user-manual/webhooks/securing-webhooks>

use std::borrow::Cow;

use crate::format::body::is_json;
use crate::format::encoding::Encoding;
use crate::format::form::MAX_FIELDS;
use crate::format::json::{Json, Pointer};
use crate::format::multipart;
use crate::format::time::Unit;
use crate::verify::algorithm::Algorithm;
use crate::verify::verifier::{Claim, Refusal, Tolerance, any_secret};

/// Time, token and signature.
type Signed = [Option<String>; 3];

const NAMES: [&str; 3] = ["timestamp", "token", "signature"];

pub(super) fn verify(claim: &Claim<'_>, tolerance: Tolerance) -> Result<usize, Refusal> {
    let body = claim.delivery.body.as_slice();
    let [time, token, signature] = if is_json(body) {
        of_json(body)?
    } else if body.starts_with(b"--") {
        let fields = multipart::fields(body);
        of_form(fields.map(|(name, text)| (Cow::Borrowed(name), Cow::Borrowed(text))))?
    } else {
        of_form(form_urlencoded::parse(body))?
    };
    let signature = signature.ok_or(Refusal::NoSignature)?;
    let time = time.ok_or(Refusal::MissingTimestamp)?;
    let token = token.ok_or(Refusal::NoSignature)?;
    let at = Unit::Seconds
        .parse(&time)
        .ok_or(Refusal::MalformedTimestamp)?;
    tolerance.check(at, claim.now)?;
    let signature = Encoding::Hex.decode(&signature);
    let signature = signature.ok_or(Refusal::MalformedSignature)?;
    let bytes = format!("{time}{token}");
    any_secret(claim, |secret| {
        Algorithm::HmacSha256.matches(secret, bytes.as_bytes(), &signature)
    })
}

/// The signed fields of an event.
fn of_json(text: &[u8]) -> Result<Signed, Refusal> {
    let body = Json::parse(text).map_err(|_| Refusal::MalformedBody)?;
    let field = |pointer: String| {
        let text = body.text(&Pointer::parse(&pointer)?).ok()??;
        Some(text.into_owned())
    };
    let fields = NAMES.map(|name| field(format!("/signature/{name}")));
    if fields.iter().any(Option::is_some) {
        return Ok(fields);
    }
    Ok(NAMES.map(|name| field(format!("/{name}"))))
}

/// The signed fields of a form, as routes post them, the first of each name. Nothing else of it is kept before they are
/// right.
fn of_form<'a>(all: impl Iterator<Item = (Cow<'a, str>, Cow<'a, str>)>) -> Result<Signed, Refusal> {
    let (mut payload, mut fields) = (None, [None, None, None]);
    for (number, (name, value)) in all.enumerate() {
        if number >= MAX_FIELDS {
            return Err(Refusal::MalformedBody);
        }
        let mut slots = NAMES.iter().zip(&mut fields);
        if let Some((_, slot)) = slots.find(|(known, _)| **known == name) {
            slot.get_or_insert(value);
        } else if name == "payload" {
            payload.get_or_insert(value);
        }
    }
    match payload {
        Some(json) if json.trim_start().starts_with('{') => of_json(json.as_bytes()),
        _ => Ok(fields.map(|field| Some(field?.into_owned()).filter(|text| !text.is_empty()))),
    }
}
