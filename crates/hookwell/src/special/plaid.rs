//! Plaid: a JSON Web Token beside the body. <https://plaid.com/docs/api/webhooks/webhook-verification/>

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ring::signature::{ECDSA_P256_SHA256_FIXED, UnparsedPublicKey};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::json;
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;

use super::required;
use crate::algorithm::Encoding;
use crate::delivery::Delivery;
use crate::recipe::{Added, Signer};
use crate::verify::{Claim, Refusal, Tolerance};

const TOKEN: &str = "Plaid-Verification";

/// The id of the key that test deliveries are signed with.
pub(super) const SAMPLE_KEY: &str = "sample";

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

pub(super) fn sign(
    delivery: &mut Delivery,
    signer: Signer<'_>,
) -> Result<Vec<(String, String)>, Refusal> {
    let header = json!({ "alg": "ES256", "kid": SAMPLE_KEY, "typ": "JWT" });
    let hash = Encoding::Hex.encode(&Sha256::digest(&delivery.body));
    let claims = json!({ "iat": signer.now / 1000, "request_body_sha256": hash });
    let [header, claims] = [header, claims].map(|part| URL_SAFE_NO_PAD.encode(part.to_string()));
    let content = format!("{header}.{claims}");
    let signature = signer
        .pair
        .and_then(|pair| pair.sign_es256(content.as_bytes()));
    let signature = URL_SAFE_NO_PAD.encode(signature.ok_or(Refusal::NotReady)?);
    let mut added = Added::to(delivery);
    added.header(TOKEN, format!("{content}.{signature}"));
    Ok(added.headers)
}
