//! Twilio. <https://www.twilio.com/docs/usage/webhooks/webhooks-security>

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};

use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;

use crate::format::encoding::Encoding;
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
    check(claim, Algorithm::HmacSha1, &fields(&claim.delivery.body))
}

pub(super) fn json(claim: &Claim<'_>) -> Result<usize, Refusal> {
    let hash = claim.delivery.query_value(BODY_HASH);
    let hash = hash.ok_or(Refusal::MissingQuery)?;
    let hash = Encoding::Hex.decode(&hash);
    let hash = hash.ok_or(Refusal::MalformedSignature)?;
    if !bool::from(Sha256::digest(&claim.delivery.body).ct_eq(&hash)) {
        return Err(Refusal::WrongSignature);
    }
    check(claim, Algorithm::HmacSha1, "")
}

pub(super) fn shared_key(claim: &Claim<'_>) -> Result<usize, Refusal> {
    let settings = required(claim.delivery, SETTINGS)?;
    if !settings.split(',').any(|setting| setting.trim() == SHA256) {
        return Err(Refusal::UnsupportedVersion(SETTINGS.to_owned()));
    }
    check(claim, Algorithm::HmacSha256, &fields(&claim.delivery.body))
}

fn check(claim: &Claim<'_>, algorithm: Algorithm, fields: &str) -> Result<usize, Refusal> {
    let signature = required(claim.delivery, SIGNATURE)?;
    let signature = Encoding::Base64.decode(signature.trim());
    let signature = signature.ok_or(Refusal::MalformedSignature)?;
    let url = claim
        .delivery
        .signed_url(claim.url)
        .ok_or(Refusal::NotReady)?;
    let urls = [url.clone(), other_port(&url)];
    any_secret(claim, |secret| {
        urls.iter()
            .any(|url| algorithm.matches(secret, format!("{url}{fields}").as_bytes(), &signature))
    })
}

/// The fields of a form by name, each name with each of its values, both decoded.
pub(crate) fn fields(body: &[u8]) -> String {
    let mut sorted: BTreeMap<_, BTreeSet<_>> = BTreeMap::new();
    for (name, value) in form_urlencoded::parse(body) {
        sorted.entry(name).or_default().insert(value);
    }
    let mut text = String::new();
    for (name, values) in sorted {
        for value in values {
            text.push_str(&name);
            text.push_str(&value);
        }
    }
    text
}

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
