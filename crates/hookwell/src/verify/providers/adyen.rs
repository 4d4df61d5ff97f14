//! Adyen payments: every item signs eight of its own fields, and nothing else of it.
//! <https://docs.adyen.com/development-resources/webhooks/secure-webhooks/verify-hmac-signatures/>

use crate::format::encoding::Encoding;
use crate::format::json::{Json, MAX_ITEMS, Pointer};
use crate::verify::algorithm::Algorithm;
use crate::verify::verifier::{Claim, Refusal, any_secret};

pub(crate) const ITEM: &str = "NotificationRequestItem";
const FIELDS: [&str; 8] = [
    "/pspReference",
    "/originalReference",
    "/merchantAccountCode",
    "/merchantReference",
    "/amount/value",
    "/amount/currency",
    "/eventCode",
    "/success",
];

const SEPARATOR: &str = ":";

/// The field that a merchant writes, the only one that may hold the separator.
const FREE_TEXT: &str = "/merchantReference";

/// Every item must be signed: an unsigned one could ride along. During a rotation the items of one batch may be signed by
/// two keys; the older one that was needed is the answer.
pub(super) fn verify(claim: &Claim<'_>) -> Result<usize, Refusal> {
    let body = Json::parse(&claim.delivery.body).map_err(|_| Refusal::MalformedBody)?;
    let list = find(&body, "/notificationItems")?.ok_or(Refusal::MalformedBody)?;
    let list = Json::items(list).filter(|list| list.len() <= MAX_ITEMS);
    let list = list.ok_or(Refusal::MalformedBody)?;
    if list.is_empty() {
        return Err(Refusal::NoSignature);
    }
    let mut oldest = 0;
    for item in list {
        let item = Json::part(item).map_err(|_| Refusal::MalformedBody)?;
        let item = find(&item, &format!("/{ITEM}"))?.ok_or(Refusal::MalformedBody)?;
        let item = Json::part(item).map_err(|_| Refusal::MalformedBody)?;
        let signature = text(&item, "/additionalData/hmacSignature")?;
        let signature = signature.ok_or(Refusal::NoSignature)?;
        let signature = Encoding::Base64.decode(&signature);
        let signature = signature.ok_or(Refusal::MalformedSignature)?;
        let bytes = signed_bytes(&item)?;
        let matching = any_secret(claim, |secret| {
            Algorithm::HmacSha256.matches(secret, &bytes, &signature)
        })?;
        oldest = oldest.max(matching);
    }
    Ok(oldest)
}

pub(crate) fn signed_bytes(item: &Json<'_>) -> Result<Vec<u8>, Refusal> {
    let mut fields = Vec::with_capacity(FIELDS.len());
    for pointer in FIELDS {
        let text = text(item, pointer)?.unwrap_or_default();
        // With a separator in a second field, the same bytes could be read as other fields.
        if text.contains(SEPARATOR) && pointer != FREE_TEXT {
            return Err(Refusal::MalformedBody);
        }
        fields.push(text);
    }
    Ok(fields.join(SEPARATOR).into_bytes())
}

fn find<'a>(
    body: &Json<'a>,
    pointer: &str,
) -> Result<Option<&'a serde_json::value::RawValue>, Refusal> {
    let pointer = Pointer::parse(pointer).ok_or(Refusal::MalformedBody)?;
    body.find(&pointer).map_err(|_| Refusal::MalformedBody)
}

/// A text, a number as written, or a truth value as a word.
fn text(body: &Json<'_>, pointer: &str) -> Result<Option<String>, Refusal> {
    let value = find(body, pointer)?.map(serde_json::value::RawValue::get);
    Ok(match value {
        Some(text @ ("true" | "false")) => Some(text.to_owned()),
        None => None,
        Some(_) => {
            let pointer = Pointer::parse(pointer).ok_or(Refusal::MalformedBody)?;
            let text = body.text(&pointer).map_err(|_| Refusal::MalformedBody)?;
            text.map(std::borrow::Cow::into_owned)
        }
    })
}
