//! Microsoft Graph: every notification repeats the secret that its subscription was made with.
//! <https://learn.microsoft.com/graph/change-notifications-delivery-webhooks>

use std::borrow::Cow;

use subtle::ConstantTimeEq;

use crate::format::json::{Json, MAX_ITEMS, Pointer};
use crate::verify::verifier::{Claim, Refusal, any_secret};

/// Every notification must have the secret: one without could ride along.
pub(super) fn verify(claim: &Claim<'_>) -> Result<usize, Refusal> {
    let malformed = |_| Refusal::MalformedBody;
    let pointer = |text| Pointer::parse(text).ok_or(Refusal::MalformedBody);
    let body = Json::parse(&claim.delivery.body).map_err(malformed)?;
    let list = body.find(&pointer("/value")?).map_err(malformed)?;
    let list = list.and_then(Json::items);
    let list = list.filter(|list| list.len() <= MAX_ITEMS);
    let list = list.ok_or(Refusal::MalformedBody)?;
    if list.is_empty() {
        return Err(Refusal::NoSignature);
    }
    let pointer = pointer("/clientState")?;
    let mut states = Vec::with_capacity(list.len());
    for item in list {
        let item = Json::part(item).map_err(malformed)?;
        let state = item.text(&pointer).map_err(malformed)?;
        states.push(state.ok_or(Refusal::NoSignature)?);
    }
    any_secret(claim, |secret| {
        let fits = |state: &Cow<'_, str>| bool::from(secret.bytes().ct_eq(state.as_bytes()));
        states.iter().all(fits)
    })
}
