//! Plaid: a JSON Web Token beside the body. <https://plaid.com/docs/api/webhooks/webhook-verification/>

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ring::signature::{ECDSA_P256_SHA256_FIXED, UnparsedPublicKey};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;

use crate::format::encoding::Encoding;
use crate::verify::verifier::{Claim, Refusal, Tolerance, required};

pub(crate) const TOKEN: &str = "Plaid-Verification";

#[derive(Deserialize)]
struct Header {
    alg: String,
    kid: String,
}

#[derive(Deserialize)]
struct Claims {
    iat: i64,
    request_body_sha256: String,
}

pub(super) fn verify(claim: &Claim<'_>, tolerance: Tolerance) -> Result<usize, Refusal> {
    let token = required(claim.delivery, TOKEN)?;
    let (signed, signature) = token.rsplit_once('.').ok_or(Refusal::MalformedSignature)?;
    let (header, claims) = signed.split_once('.').ok_or(Refusal::MalformedSignature)?;
    let header: Header = part(header)?;
    if header.alg != "ES256" {
        return Err(Refusal::UnsupportedVersion(TOKEN.to_owned()));
    }
    let signature = URL_SAFE_NO_PAD.decode(signature);
    let signature = signature.map_err(|_| Refusal::MalformedSignature)?;
    if claim.pinned.web.is_empty() {
        return Err(Refusal::NotPinned);
    }
    // A key that is not pinned may be anybody's, and one that has expired may have been stolen.
    let key = claim.pinned.web.get(&header.kid, claim.now);
    let (position, key) = key.ok_or(Refusal::WrongSignature)?;
    UnparsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, key)
        .verify(signed.as_bytes(), &signature)
        .map_err(|_| Refusal::WrongSignature)?;
    let claims: Claims = part(claims)?;
    tolerance.check(claims.iat.saturating_mul(1000), claim.now)?;
    let hash = Encoding::Hex.decode(&claims.request_body_sha256);
    let hash = hash.ok_or(Refusal::MalformedSignature)?;
    if bool::from(Sha256::digest(&claim.delivery.body).ct_eq(&hash)) {
        Ok(position)
    } else {
        Err(Refusal::WrongSignature)
    }
}

fn part<T: DeserializeOwned>(text: &str) -> Result<T, Refusal> {
    let bytes = URL_SAFE_NO_PAD.decode(text);
    let bytes = bytes.map_err(|_| Refusal::MalformedSignature)?;
    serde_json::from_slice(&bytes).map_err(|_| Refusal::MalformedSignature)
}
