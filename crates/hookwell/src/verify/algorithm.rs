//! Algorithms of signatures: digests, public-key signatures and what stands in their place.

use hmac::{Hmac, KeyInit, Mac};
use ring::signature::{ECDSA_P256_SHA256_ASN1, ED25519, UnparsedPublicKey};
use sha2::{Digest, Sha256, Sha512};
use subtle::ConstantTimeEq;

use crate::keys::secret::Secret;

/// The algorithm of a recipe. Fixed by the source's own configuration, never chosen by a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Algorithm {
    /// HMAC with SHA-256 (RFC 2104).
    HmacSha256,
    /// HMAC with SHA-1.
    HmacSha1,
    /// HMAC with SHA-512.
    HmacSha512,
    /// Plain SHA-256 over content that holds the secret.
    Sha256,
    /// Plain SHA-1 over content that holds the secret.
    Sha1,
    /// Ed25519 (RFC 8032); the secret is the sender's public key.
    Ed25519,
    /// ECDSA on P-256 with SHA-256, the signature in DER; the secret is the sender's public key.
    EcdsaP256Sha256,
    /// The header holds the secret itself.
    Token,
    /// HTTP basic authentication (RFC 7617); the secret is `user:password`.
    Basic,
    /// Nothing is signed; only an address list stands guard.
    Unsigned,
}

impl Algorithm {
    /// Every algorithm by its name in a recipe.
    pub const NAMES: [(&'static str, Self); 10] = [
        ("hmac-sha256", Self::HmacSha256),
        ("hmac-sha1", Self::HmacSha1),
        ("hmac-sha512", Self::HmacSha512),
        ("sha256", Self::Sha256),
        ("sha1", Self::Sha1),
        ("ed25519", Self::Ed25519),
        ("ecdsa-p256-sha256", Self::EcdsaP256Sha256),
        ("token", Self::Token),
        ("basic", Self::Basic),
        ("unsigned", Self::Unsigned),
    ];

    /// True when the algorithm signs bytes. The others show the secret itself, or nothing.
    #[must_use]
    pub fn signs(self) -> bool {
        !matches!(self, Self::Token | Self::Basic | Self::Unsigned)
    }

    /// True when the signature is made with a private key, so that each candidate costs a pass over the content.
    pub(crate) fn is_public_key(self) -> bool {
        matches!(self, Self::Ed25519 | Self::EcdsaP256Sha256)
    }

    /// True when one of the candidates is the signature of `content` by a secret, compared in constant time. A digest is
    /// computed once for all of them.
    pub(crate) fn matches_any(
        self,
        secret: &Secret,
        content: &[u8],
        candidates: &[Vec<u8>],
    ) -> bool {
        let digest = match self {
            Self::HmacSha256 => {
                let mac = secret.hmac_sha256().chain_update(content);
                mac.finalize().into_bytes().to_vec()
            }
            Self::HmacSha1 | Self::HmacSha512 | Self::Sha256 | Self::Sha1 => {
                self.digest(secret.bytes(), content)
            }
            _ => {
                let mut candidates = candidates.iter();
                return candidates.any(|one| self.shows(secret.bytes(), content, one));
            }
        };
        let mut candidates = candidates.iter();
        candidates.any(|one| digest.as_slice().ct_eq(one).into())
    }

    /// True when `candidate` is the signature of `content` by a secret, compared in constant time.
    pub(crate) fn matches(self, secret: &Secret, content: &[u8], candidate: &[u8]) -> bool {
        self.matches_any(secret, content, &[candidate.to_vec()])
    }

    /// True when `candidate` was signed with the private key of `key`, or is the key itself.
    fn shows(self, key: &[u8], content: &[u8], candidate: &[u8]) -> bool {
        match self {
            Self::Ed25519 => UnparsedPublicKey::new(&ED25519, key)
                .verify(content, candidate)
                .is_ok(),
            Self::EcdsaP256Sha256 => UnparsedPublicKey::new(&ECDSA_P256_SHA256_ASN1, key)
                .verify(content, candidate)
                .is_ok(),
            // The length of a token is no secret; its characters are.
            Self::Token | Self::Basic => key.ct_eq(candidate).into(),
            // A digest is compared above.
            Self::Unsigned
            | Self::HmacSha256
            | Self::HmacSha1
            | Self::HmacSha512
            | Self::Sha256
            | Self::Sha1 => false,
        }
    }

    /// The digest of `content` by a shared key; empty for everything that is not a digest.
    pub(crate) fn digest(self, key: &[u8], content: &[u8]) -> Vec<u8> {
        self.digest_of(key, &[content])
    }

    /// The digest of these parts, one after the other.
    pub(crate) fn digest_of(self, key: &[u8], parts: &[&[u8]]) -> Vec<u8> {
        match self {
            Self::HmacSha256 => {
                hmac::<Hmac<Sha256>>(key, parts).map(|mac| mac.finalize().into_bytes().to_vec())
            }
            Self::HmacSha1 => {
                hmac::<Hmac<sha1::Sha1>>(key, parts).map(|mac| mac.finalize().into_bytes().to_vec())
            }
            Self::HmacSha512 => {
                hmac::<Hmac<Sha512>>(key, parts).map(|mac| mac.finalize().into_bytes().to_vec())
            }
            Self::Sha256 => Some(plain::<Sha256>(parts)),
            Self::Sha1 => Some(plain::<sha1::Sha1>(parts)),
            Self::Ed25519 | Self::EcdsaP256Sha256 | Self::Token | Self::Basic | Self::Unsigned => {
                None
            }
        }
        .unwrap_or_default()
    }
}

/// HMAC takes a key of any length, also none: the guard against an empty one is [`Secret::new`].
fn hmac<M: Mac + KeyInit>(key: &[u8], parts: &[&[u8]]) -> Option<M> {
    let mut mac = <M as KeyInit>::new_from_slice(key).ok()?;
    for part in parts {
        mac.update(part);
    }
    Some(mac)
}

fn plain<D: Digest>(parts: &[&[u8]]) -> Vec<u8> {
    let mut digest = D::new();
    for part in parts {
        digest.update(part);
    }
    digest.finalize().to_vec()
}
