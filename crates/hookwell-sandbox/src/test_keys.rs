//! Secrets and key pairs for this machine, the same every time. All of them are public, none protects anything: a
//! source trusts one only when its own secret is not set.

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use hookwell::keys::public_key::KeyKind;
use hookwell::keys::reference::SecretRef;
use hookwell::keys::secret::KeyEncoding;
use hookwell::sender::key_pair::KeyPair;
use hookwell::source::Source;
use hookwell::verify::algorithm::Algorithm;
use hookwell::verify::providers::SpecialKind;
use hookwell::verify::scheme::Scheme;
use serde_json::json;
use sha2::{Digest, Sha256};

const P256: &str = include_str!("test-keys/p256.pem");
const RSA: &str = include_str!("test-keys/rsa.pem");
const RSA_CERTIFICATE: &str = include_str!("test-keys/rsa-certificate.pem");

/// The key pair that a source's test sender signs with, for public-key schemes.
#[must_use]
pub fn pair(source: &Source) -> Option<KeyPair> {
    match source.schemes.first()? {
        Scheme::Recipe(recipe) => match recipe.algorithm {
            Algorithm::Ed25519 => ed25519(),
            Algorithm::EcdsaP256Sha256 => KeyPair::p256(P256),
            _ => None,
        },
        Scheme::Special(special) => match special.kind {
            SpecialKind::AwsSns | SpecialKind::PayPal => KeyPair::rsa(RSA),
            SpecialKind::Plaid => KeyPair::p256(P256),
            _ => None,
        },
    }
}

fn ed25519() -> Option<KeyPair> {
    KeyPair::ed25519(&Sha256::digest("hookwell local test key"))
}

/// A secret that signs the requests of a destination.
#[must_use]
pub fn signing_secret(reference: &SecretRef) -> String {
    let hash = Sha256::digest(format!("hookwell dev {reference}"));
    format!("whsec_{}", STANDARD.encode(hash))
}

/// A text that a source takes as this secret: in the form of its key, or the public half of its test key.
#[must_use]
pub fn made_up(source: &Source, reference: &SecretRef) -> String {
    let is_pinned = source.pinned.contains(reference);
    let hash = hex::encode(Sha256::digest(format!("hookwell dev {reference}")));
    let short = hash.get(..32).unwrap_or(&hash);
    let Some(scheme) = source.schemes.first() else {
        return hash;
    };
    match scheme {
        _ if is_pinned && scheme.pins_web_keys() => web_keys(),
        _ if is_pinned => RSA_CERTIFICATE.to_owned(),
        _ => {
            let decoding = scheme.key_decoding();
            let prefix = decoding.strip.first().map_or("", String::as_str);
            match decoding.encoding {
                KeyEncoding::Utf8 if prefix.is_empty() => format!("local_{short}"),
                // Hex digits are also base64, of three quarters of the length.
                KeyEncoding::Utf8 | KeyEncoding::Hex | KeyEncoding::Base64 => {
                    format!("{prefix}{short}")
                }
                KeyEncoding::Credentials => format!("local:{short}"),
                KeyEncoding::Public(kind) => public(kind).unwrap_or_default(),
            }
        }
    }
}

fn public(kind: KeyKind) -> Option<String> {
    let pair = match kind {
        KeyKind::Ed25519 => ed25519()?,
        KeyKind::P256 => KeyPair::p256(P256)?,
    };
    Some(STANDARD.encode(pair.public_key()))
}

/// The test key as a JWK set (RFC 7517), under the id that test senders use.
fn web_keys() -> String {
    let pair = KeyPair::p256(P256);
    let halves = pair.as_ref().and_then(|pair| {
        let point = pair.public_key().get(1..)?;
        Some(point.split_at(32))
    });
    let (x, y) = halves.unwrap_or_default();
    let [x, y] = [x, y].map(|half| URL_SAFE_NO_PAD.encode(half));
    json!({ "keys": [{ "kty": "EC", "crv": "P-256", "alg": "ES256", "kid": "sample", "x": x, "y": y }] })
        .to_string()
}
