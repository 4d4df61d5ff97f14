//! The keys of a source, made of the texts that its references stand for.

use crate::keys::certificates::{Certificates, PEM};
use crate::keys::key_set::{Keys, Pinned};
use crate::keys::not_ready::{NotReady, SecretProblem};
use crate::keys::public_key::rsa_keys;
use crate::keys::reference::SecretRef;
use crate::keys::secret::{KeyDecoding, Secret, SecretError};
use crate::keys::web_keys::WebKeys;
use crate::source::Source;
use crate::verify::scheme::Scheme;

impl Source {
    /// References to everything that the source's keys are made of.
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
                was_ready: false,
            })
        };
        let fail = |reference: &SecretRef, error: SecretError| NotReady {
            reference: reference.clone(),
            problem: error.into(),
            was_ready: false,
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
                let secret = Secret::new(&get(reference)?, &KeyDecoding::default(), 8);
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
