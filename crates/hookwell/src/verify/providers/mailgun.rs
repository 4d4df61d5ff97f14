//! Mailgun: the body carries a time, a token and a signature of these two; the event itself is not signed.
//! <https://documentation.mailgun.com/docs/mailgun/user-manual/webhooks/securing-webhooks>

use crate::format::body::BodyFormat;
use crate::format::encoding::Encoding;
use crate::format::json::{Json, Pointer};
use crate::format::time::Unit;
use crate::verify::algorithm::Algorithm;
use crate::verify::verifier::{Claim, Refusal, Tolerance, any_secret};

/// Names of time, token and signature.
const NAMES: [&str; 3] = ["timestamp", "token", "signature"];

pub(super) fn verify(claim: &Claim<'_>, tolerance: Tolerance) -> Result<usize, Refusal> {
    let keeps = |name: &str| name == "payload" || NAMES.contains(&name);
    let text = BodyFormat::Any.read_fields(&claim.delivery.body, keeps);
    let body = Json::parse(&text).map_err(|_| Refusal::MalformedBody)?;
    let field = |pointer: String| {
        let text = body.text(&Pointer::parse(&pointer)?).ok()??;
        Some(text.into_owned())
    };
    let mut fields = NAMES.map(|name| field(format!("/signature/{name}")));
    // Routes post the same three as fields of a form.
    if fields.iter().all(Option::is_none) {
        fields = NAMES.map(|name| field(format!("/{name}")));
    }
    let [time, token, signature] = fields;
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
