//! A delivery, signed as the sender of a source would.

use crate::event::delivery::Delivery;
use crate::format::time::Millis;
use crate::keys::key_set::Keys;
use crate::sender::key_pair::KeyPair;
use crate::sender::signer::Signer;
use crate::source::Source;
use crate::verify::scheme::Scheme;
use crate::verify::verifier::Refusal;

impl Source {
    /// Makes a delivery valid as its sender would, by the newest secret or, for public-key schemes, by `pair`.
    /// Returns the headers to send with it; its body and query may have changed.
    ///
    /// # Errors
    /// When the request lacks something that is signed.
    pub fn sign(
        &self,
        keys: &Keys,
        pair: Option<&KeyPair>,
        delivery: &mut Delivery,
        now: Millis,
    ) -> Result<Vec<(String, String)>, Refusal> {
        let secret = keys.schemes.first().and_then(|secrets| secrets.first());
        let signer = Signer {
            url: self.public_url.as_deref(),
            secret,
            pair,
            now,
        };
        match self.schemes.first() {
            Some(Scheme::Recipe(recipe)) => recipe.sign(delivery, signer),
            Some(Scheme::Special(special)) => special.sign(delivery, signer),
            None => Err(Refusal::NotReady),
        }
    }
}
