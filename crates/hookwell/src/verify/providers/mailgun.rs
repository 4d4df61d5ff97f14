//! Mailgun: the body carries a time, a token and a signature of these two; the event itself is not signed.
//! <https://documentation.mailgun.com/docs/mailgun/user-manual/webhooks/securing-webhooks>

use crate::format::encoding::Encoding;
use crate::format::json::{Json, Pointer};
use crate::format::time::Unit;
use crate::verify::algorithm::Algorithm;
use crate::verify::verifier::{Claim, Refusal, Tolerance, any_secret};

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
