//! Certificates that were fetched from addresses that deliveries named.

use std::collections::BTreeMap;

use crate::format::time::{DAY, Millis};
use crate::keys::public_key::rsa_keys;
use crate::keys::secret::SecretError;

/// The most certificates of one source that are kept. A provider has a few at a time.
pub const MAX_CERTIFICATES: usize = 8;

/// Time for which a fetched certificate counts, in milliseconds. Providers publish a new certificate at a new address;
/// the limit is for a certificate that is withdrawn.
pub const CERTIFICATE_LIFE: Millis = DAY;

/// Certificates from addresses that deliveries named: at most [`MAX_CERTIFICATES`], each for [`CERTIFICATE_LIFE`].
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

pub(crate) const PEM: &str = "a PEM certificate with an RSA key";
