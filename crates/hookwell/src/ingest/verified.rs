//! A verified delivery: the only thing that can become events.

use crate::event::delivery::Delivery;
use crate::format::time::Millis;
use crate::keys::key_set::Keys;
use crate::source::Source;
use crate::verify::verifier::{Claim, Refusal, Verifier as _};

/// A delivery whose signature and time are good.
#[derive(Debug, Clone, Copy)]
pub struct Verified<'a> {
    pub(super) source: &'a Source,
    pub(super) delivery: &'a Delivery,
    secret: usize,
}

impl Source {
    /// Verifies a delivery: the only way from bytes to an event.
    ///
    /// # Errors
    /// Why it is not trusted.
    pub fn verify<'a>(
        &'a self,
        keys: &Keys,
        delivery: &'a Delivery,
        now: Millis,
    ) -> Result<Verified<'a>, Refusal> {
        let mut refusal = Refusal::NotReady;
        for (scheme, secrets) in self.schemes.iter().zip(&keys.schemes) {
            let claim = Claim {
                delivery,
                url: self.public_url.as_deref(),
                secrets,
                pinned: &keys.pinned,
                certificates: &keys.certificates,
                now,
            };
            match scheme.verify(&claim) {
                Ok(secret) => {
                    return Ok(Verified {
                        source: self,
                        delivery,
                        secret,
                    });
                }
                // Of several schemes, the one that got furthest says most.
                Err(_) if refusal == Refusal::WrongSignature => {}
                Err(Refusal::MissingHeader(_) | Refusal::NotReady)
                    if refusal != Refusal::NotReady => {}
                Err(reason) => refusal = reason,
            }
        }
        Err(refusal)
    }
}

impl Verified<'_> {
    /// Place of the secret that matched, 0 for the newest. An older secret that still matches long after a rotation
    /// means that the sender was forgotten.
    #[must_use]
    pub fn secret(&self) -> usize {
        self.secret
    }
}
