//! The keys of a source: its secrets decoded for each way it can sign, what it pins, and certificates that were fetched.

use std::collections::BTreeMap;

use crate::public_key::rsa_keys;
use crate::secret::{Secret, SecretError, SecretRef};
use crate::source::{Scheme, Source};
use crate::special::web_keys::WebKeys;
use crate::time::{DAY, Millis};

/// The keys of a source.
#[derive(Debug, Clone)]
pub struct Keys {
    /// For each scheme of the source, its secrets, newest first.
    pub(crate) schemes: Vec<Vec<Secret>>,
    /// What it pins.
    pub(crate) pinned: Pinned,
    /// What was fetched in place of pins.
    pub(crate) certificates: Certificates,
    /// The token of a handshake, where it is not one of the secrets.
    pub(crate) handshake: Option<Secret>,
}

/// Keys that a scheme would otherwise fetch.
#[derive(Debug, Clone, Default)]
pub struct Pinned {
    /// RSA keys, from certificates.
    pub rsa: Vec<Vec<u8>>,
    /// Keys by name.
    pub web: WebKeys,
}

/// The most certificates of one source that are kept. A provider has a few at a time.
pub const MAX_CERTIFICATES: usize = 8;

/// How long a fetched certificate counts. Providers change theirs under a new address; this is for one that is
/// withdrawn.
pub const CERTIFICATE_LIFE: Millis = DAY;

/// Certificates from addresses that deliveries named: a few, and not for ever.
#[derive(Debug, Clone, Default)]
pub struct Certificates(BTreeMap<String, Certificate>);

#[derive(Debug, Clone)]
struct Certificate {
    keys: Vec<Vec<u8>>,
    fetched_at: Millis,
}

impl Certificates {
    /// The RSA keys of the certificate at this address, if it was fetched not too long ago.
    #[must_use]
    pub fn get(&self, url: &str, now: Millis) -> Option<&[Vec<u8>]> {
        let found = self.0.get(url)?;
        let age = now.saturating_sub(found.fetched_at);
        (age < CERTIFICATE_LIFE).then_some(&found.keys)
    }

    /// Keeps the certificate in this text, in place of the oldest where there are too many.
    ///
    /// # Errors
    /// When the text does not begin with one in PEM, or its key is not RSA.
    pub(crate) fn add(&mut self, url: &str, text: &str, now: Millis) -> Result<(), SecretError> {
        // Only the first: what else a page may hold is nobody's word.
        let text = text.trim_start();
        let key = if text.starts_with("-----BEGIN CERTIFICATE-----") {
            rsa_keys(text).into_iter().next()
        } else {
            None
        };
        let certificate = Certificate {
            keys: vec![key.ok_or(SecretError::Encoding(PEM))?],
            fetched_at: now,
        };
        self.0.insert(url.to_owned(), certificate);
        if self.0.len() > MAX_CERTIFICATES {
            let oldest = self.0.iter().min_by_key(|(_, one)| one.fetched_at);
            let oldest = oldest.map(|(url, _)| url.clone());
            oldest.and_then(|url| self.0.remove(&url));
        }
        Ok(())
    }
}

const PEM: &str = "a PEM certificate with an RSA key";

/// Why a source cannot verify anything now. It answers 503 until that changes.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{reference} {problem}")]
pub struct NotReady {
    /// The secret, as the sources file names it.
    pub reference: SecretRef,
    /// What is wrong with it.
    pub problem: SecretProblem,
}

/// What is wrong with a secret.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SecretProblem {
    /// There is none under that name.
    #[error("is not set")]
    NotSet,
    /// Its store did not answer; the text is the store's, without the value.
    #[error("cannot be fetched: {0}")]
    Unavailable(String),
    /// It is there and unusable.
    #[error(transparent)]
    Unusable(#[from] SecretError),
}

impl Source {
    /// Everything that its keys are made of.
    pub fn references(&self) -> impl Iterator<Item = &SecretRef> {
        let handshake = self.handshake.as_ref();
        let token = handshake.and_then(|handshake| handshake.verify_token.as_ref());
        self.secrets.iter().chain(&self.pinned).chain(token)
    }

    /// Decodes and checks the source's secrets, which `fetch` finds.
    ///
    /// # Errors
    /// The first that is missing or unusable: one bad secret stops the source, because a receiver that quietly skips
    /// it would refuse the sender later, when nobody is looking.
    pub fn keys(
        &self,
        fetch: impl Fn(&SecretRef) -> Result<String, SecretProblem>,
    ) -> Result<Keys, NotReady> {
        let get = |reference: &SecretRef| {
            fetch(reference).map_err(|problem| NotReady {
                reference: reference.clone(),
                problem,
            })
        };
        let fail = |reference: &SecretRef, error: SecretError| NotReady {
            reference: reference.clone(),
            problem: error.into(),
        };
        let mut texts = Vec::with_capacity(self.secrets.len());
        for reference in &self.secrets {
            match get(reference) {
                Err(why) if why.problem == SecretProblem::NotSet && reference.may_be_absent() => {}
                found => texts.push((reference, found?)),
            }
        }
        let mut schemes = Vec::with_capacity(self.schemes.len());
        for scheme in &self.schemes {
            let decoded = texts.iter().map(|(reference, text)| {
                Secret::new(text, scheme.key_decoding(), self.min_secret_bytes)
                    .map_err(|error| fail(reference, error))
            });
            schemes.push(decoded.collect::<Result<Vec<_>, _>>()?);
        }
        let mut pinned = Pinned::default();
        for reference in &self.pinned {
            let text = get(reference)?;
            if self.schemes.iter().any(Scheme::pins_web_keys) {
                let keys = WebKeys::parse(&text);
                let keys =
                    keys.ok_or_else(|| fail(reference, SecretError::Encoding("a JWK set")))?;
                pinned.web.extend(keys);
            } else {
                let keys = rsa_keys(&text);
                if keys.is_empty() {
                    return Err(fail(reference, SecretError::Encoding(PEM)));
                }
                pinned.rsa.extend(keys);
            }
        }
        let token = self
            .handshake
            .as_ref()
            .and_then(|one| one.verify_token.as_ref());
        let handshake = match token {
            Some(reference) => {
                let secret =
                    Secret::new(&get(reference)?, &crate::secret::KeyDecoding::default(), 8);
                Some(secret.map_err(|error| fail(reference, error))?)
            }
            None => None,
        };
        Ok(Keys {
            schemes,
            pinned,
            certificates: Certificates::default(),
            handshake,
        })
    }
}
