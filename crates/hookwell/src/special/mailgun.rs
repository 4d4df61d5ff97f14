//! Mailgun: the body carries a time, a token and a signature of these two; the event itself is not signed.
//! <https://documentation.mailgun.com/docs/mailgun/user-manual/webhooks/securing-webhooks>

use serde_json::json;

use super::{any_secret, key, object};
use crate::algorithm::{Algorithm, Encoding};
use crate::delivery::Delivery;
use crate::event::hash;
use crate::json::{Json, Pointer};
use crate::recipe::Signer;
use crate::time::Unit;
use crate::verify::{Claim, Refusal, Tolerance};

pub(super) fn verify(claim: &Claim<'_>, tolerance: Tolerance) -> Result<usize, Refusal> {
    let delivery = claim.delivery;
    // Routes post the same three as fields of a form.
    let [time, token, signature] = if delivery.is_form() {
        let field = |wanted: &str| {
            let mut fields = form_urlencoded::parse(&delivery.body);
            fields.find_map(|(name, value)| (name == wanted).then(|| value.into_owned()))
        };
        ["timestamp", "token", "signature"].map(field)
    } else {
        let body = Json::parse(&delivery.body).map_err(|_| Refusal::MalformedBody)?;
        let field = |name: &str| {
            let pointer = Pointer::parse(&format!("/signature/{name}"))?;
            let text = body.text(&pointer).ok()??;
            Some(text.into_owned())
        };
        ["timestamp", "token", "signature"].map(field)
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

pub(super) fn sign(
    delivery: &mut Delivery,
    signer: Signer<'_>,
) -> Result<Vec<(String, String)>, Refusal> {
    let mut body = object(delivery)?;
    let time = Unit::Seconds.format(signer.now);
    let token = hash(&[&delivery.body, time.as_bytes()]);
    let digest = Algorithm::HmacSha256.digest(key(signer)?, format!("{time}{token}").as_bytes());
    let signature = Encoding::Hex.encode(&digest);
    let proof = json!({ "timestamp": time, "token": token, "signature": signature });
    body.insert("signature".to_owned(), proof);
    delivery.body = serde_json::to_vec(&body).map_err(|_| Refusal::MalformedBody)?;
    Ok(Vec::new())
}
