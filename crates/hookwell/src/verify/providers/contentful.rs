//! Contentful request verification.
//! <https://www.contentful.com/developers/docs/webhooks/request-verification/>

use std::fmt::Write as _;

use crate::event::delivery::Delivery;
use crate::format::encoding::Encoding;
use crate::format::time::Unit;
use crate::verify::algorithm::Algorithm;
use crate::verify::verifier::{Claim, Refusal, Tolerance, any_secret, required};

pub(crate) const SIGNATURE: &str = "x-contentful-signature";
pub(crate) const SIGNED: &str = "x-contentful-signed-headers";
pub(crate) const TIME: &str = "x-contentful-timestamp";

/// The most headers that a request may name as signed. Their SDK names a handful, and each name may stand for a long value.
const MAX_NAMES: usize = 64;

pub(super) fn verify(claim: &Claim<'_>, tolerance: Tolerance) -> Result<usize, Refusal> {
    let delivery = claim.delivery;
    let signature = required(delivery, SIGNATURE)?;
    let names = required(delivery, SIGNED)?;
    let time = required(delivery, TIME).map_err(|_| Refusal::MissingTimestamp)?;
    if !names
        .split(',')
        .any(|name| name.trim().eq_ignore_ascii_case(TIME))
    {
        return Err(Refusal::MissingTimestamp);
    }
    let at = Unit::Millis
        .parse(&time)
        .ok_or(Refusal::MalformedTimestamp)?;
    tolerance.check(at, claim.now)?;
    let signature = Encoding::Hex.decode(&signature);
    let signature = signature.ok_or(Refusal::MalformedSignature)?;
    let bytes = canonical(delivery, claim.url, &names)?;
    any_secret(claim, |secret| {
        Algorithm::HmacSha256.matches(secret, &bytes, &signature)
    })
}

/// Method, path, the named headers and the body, a line each.
pub(crate) fn canonical(
    delivery: &Delivery,
    url: Option<&str>,
    names: &str,
) -> Result<Vec<u8>, Refusal> {
    if names.split(',').count() > MAX_NAMES {
        return Err(Refusal::TooManySignatures);
    }
    let mut headers = Vec::new();
    for name in names.split(',') {
        let name = name.trim().to_ascii_lowercase();
        let value = required(delivery, &name)?;
        headers.push(format!("{name}:{}", value.trim()));
    }
    let head = [
        delivery.method.as_str(),
        &path(delivery, url),
        &headers.join(";"),
        "",
    ];
    let mut bytes = head.join("\n").into_bytes();
    bytes.extend_from_slice(&delivery.body);
    Ok(bytes)
}

/// The path as the sender knows it. Its SDK escapes the whole query once more (unverified).
fn path(delivery: &Delivery, url: Option<&str>) -> String {
    let known = url
        .and_then(|url| url.strip_prefix("https://"))
        .and_then(|rest| rest.find('/').and_then(|slash| rest.get(slash..)));
    let path = known.unwrap_or(&delivery.path);
    let (path, own) = path.split_once('?').unwrap_or((path, ""));
    let query = if own.is_empty() { &delivery.query } else { own };
    if query.is_empty() {
        return path.to_owned();
    }
    let mut escaped = format!("{path}?");
    for byte in query.bytes() {
        let is_plain = byte.is_ascii_alphanumeric() || b"-_.!~*'()".contains(&byte);
        if is_plain {
            escaped.push(char::from(byte));
        } else {
            let _ = write!(escaped, "%{byte:02X}");
        }
    }
    escaped
}
