//! Key pairs for test senders.

use ring::rand::SystemRandom;
use ring::signature::{
    ECDSA_P256_SHA256_ASN1_SIGNING, ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, Ed25519KeyPair,
    KeyPair as _, RSA_PKCS1_SHA256, RsaKeyPair,
};

use crate::keys::public_key::pem;

/// A private key for test senders. Nothing that receives has one.
#[derive(Debug)]
pub struct KeyPair(Pair);

#[derive(Debug)]
enum Pair {
    Ed25519(Ed25519KeyPair),
    P256 {
        asn1: Box<EcdsaKeyPair>,
        fixed: Box<EcdsaKeyPair>,
    },
    Rsa(Box<RsaKeyPair>),
}

impl KeyPair {
    /// An Ed25519 pair from its 32 bytes.
    #[must_use]
    pub fn ed25519(seed: &[u8]) -> Option<Self> {
        let pair = Ed25519KeyPair::from_seed_unchecked(seed).ok()?;
        Some(Self(Pair::Ed25519(pair)))
    }

    /// A P-256 pair from PKCS#8 in PEM.
    #[must_use]
    pub fn p256(text: &str) -> Option<Self> {
        let der = pem(text).into_iter().next()?;
        let random = SystemRandom::new();
        let read = |algorithm| {
            let pair = EcdsaKeyPair::from_pkcs8(algorithm, &der, &random).ok()?;
            Some(Box::new(pair))
        };
        Some(Self(Pair::P256 {
            asn1: read(&ECDSA_P256_SHA256_ASN1_SIGNING)?,
            fixed: read(&ECDSA_P256_SHA256_FIXED_SIGNING)?,
        }))
    }

    /// An RSA pair from PKCS#8 in PEM.
    #[must_use]
    pub fn rsa(text: &str) -> Option<Self> {
        let der = pem(text).into_iter().next()?;
        let pair = RsaKeyPair::from_pkcs8(&der).ok()?;
        Some(Self(Pair::Rsa(Box::new(pair))))
    }

    /// The public half: 32 bytes for Ed25519, 65 for P-256, an `RSAPublicKey` for RSA.
    #[must_use]
    pub fn public_key(&self) -> &[u8] {
        match &self.0 {
            Pair::Ed25519(pair) => pair.public_key().as_ref(),
            Pair::P256 { asn1, .. } => asn1.public_key().as_ref(),
            Pair::Rsa(pair) => pair.public_key().as_ref(),
        }
    }

    /// A signature as webhooks carry it: DER for P-256, PKCS #1 v1.5 with SHA-256 for RSA.
    pub(crate) fn sign(&self, message: &[u8]) -> Option<Vec<u8>> {
        let random = SystemRandom::new();
        match &self.0 {
            Pair::Ed25519(pair) => Some(pair.sign(message).as_ref().to_vec()),
            Pair::P256 { asn1, .. } => Some(asn1.sign(&random, message).ok()?.as_ref().to_vec()),
            Pair::Rsa(pair) => {
                let mut signature = vec![0; pair.public().modulus_len()];
                pair.sign(&RSA_PKCS1_SHA256, &random, message, &mut signature)
                    .ok()?;
                Some(signature)
            }
        }
    }

    /// A signature as JSON Web Tokens carry it (RFC 7518 section 3.4); only P-256 has one here.
    pub(crate) fn sign_es256(&self, message: &[u8]) -> Option<Vec<u8>> {
        let Pair::P256 { fixed, .. } = &self.0 else {
            return None;
        };
        let signature = fixed.sign(&SystemRandom::new(), message).ok()?;
        Some(signature.as_ref().to_vec())
    }
}
