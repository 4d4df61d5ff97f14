//! The keys of a source: its secrets decoded for each way it can sign, and what it pins.

use crate::public_key::rsa_keys;
use crate::secret::{Secret, SecretError, SecretRef};
use crate::source::{Scheme, Source};
use crate::special::web_keys::WebKeys;

/// The keys of a source.
#[derive(Debug, Clone)]
pub struct Keys {
    /// For each scheme of the source, its secrets, newest first.
    pub(crate) schemes: Vec<Vec<Secret>>,
    /// What it pins.
    pub(crate) pinned: Pinned,
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
            texts.push((reference, get(reference)?));
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
                    let what = "a PEM certificate with an RSA key";
                    return Err(fail(reference, SecretError::Encoding(what)));
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
            handshake,
        })
    }
}
