//! Microsoft Graph: every notification repeats the secret that its subscription was made with.
//! <https://learn.microsoft.com/graph/change-notifications-delivery-webhooks>

use subtle::ConstantTimeEq;

use crate::format::json::{Json, Pointer};
use crate::verify::verifier::{Claim, Refusal, any_secret};

pub(super) fn verify(claim: &Claim<'_>) -> Result<usize, Refusal> {
    let states = states(&claim.delivery.body)?;
    any_secret(claim, |secret| {
        let fits = |state: &String| bool::from(secret.bytes().ct_eq(state.as_bytes()));
        states.iter().all(fits)
    })
}

/// The secret in each notification. Every one must have it: one without could ride along.
fn states(body: &[u8]) -> Result<Vec<String>, Refusal> {
    let malformed = |_| Refusal::MalformedBody;
    let pointer = |text| Pointer::parse(text).ok_or(Refusal::MalformedBody);
    let body = Json::parse(body).map_err(malformed)?;
    let list = body.find(&pointer("/value")?).map_err(malformed)?;
    let list = list.and_then(Json::items).ok_or(Refusal::MalformedBody)?;
    if list.is_empty() {
        return Err(Refusal::NoSignature);
    }
    let mut states = Vec::with_capacity(list.len());
    for item in list {
        let item = Json::part(item).map_err(malformed)?;
        let state = item.text(&pointer("/clientState")?).map_err(malformed)?;
        states.push(state.ok_or(Refusal::NoSignature)?.into_owned());
    }
    Ok(states)
}
