//! A source: one sender, with how it signs, where its events are and who may send.

use std::net::IpAddr;

use ipnet::IpNet;

use crate::delivery::Delivery;
use crate::handshake::Handshake;
pub use crate::keys::{Keys, NotReady, SecretProblem};
pub use crate::mapping::{Locator, Mapping, Piece};
use crate::pattern::Pattern;
use crate::public_key::KeyPair;
use crate::recipe::{Algorithm, Recipe, Signer};
use crate::reply::{Receipt, Replies, Reply};
use crate::secret::{KeyDecoding, SecretRef};
use crate::special::{Special, SpecialKind};
use crate::time::Millis;
pub use crate::verified::{Invalid, Verified};
use crate::verify::{Claim, Refusal, Verifier};

/// One sender.
#[derive(Debug, Clone)]
pub struct Source {
    /// Its name in the path and everywhere else.
    pub name: String,
    /// The preset it was made from.
    pub preset: Option<String>,
    /// How it signs; any one of them is enough.
    pub schemes: Vec<Scheme>,
    /// Where its secrets are, newest first.
    pub secrets: Vec<SecretRef>,
    /// Where the keys are that its scheme would otherwise fetch.
    pub pinned: Vec<SecretRef>,
    /// The shortest secret it may use, in bytes.
    pub min_secret_bytes: usize,
    /// Who may send; empty for everyone who signs.
    pub allow_ips: Vec<IpNet>,
    /// Its address as the sender knows it.
    pub public_url: Option<String>,
    /// The largest body, in bytes.
    pub max_body_bytes: usize,
    /// What happens to a signed body that cannot be read.
    pub on_invalid: OnInvalid,
    /// Keys of the file that nothing reads any more.
    pub ignored: Vec<&'static str>,
    /// For how many days its events are kept whole, so that they can be replayed; 0 for not at all.
    pub retain_days: i64,
    /// The types to queue; empty for all.
    pub types: Vec<Pattern>,
    /// What makes two deliveries the same event.
    pub dedupe: Dedupe,
    /// Where an event's parts are.
    pub mapping: Mapping,
    /// How the sender checks that somebody is there.
    pub handshake: Option<Handshake>,
    /// What the sender wants to hear.
    pub replies: Replies,
}

/// One way in which a sender signs.
#[derive(Debug, Clone)]
pub enum Scheme {
    /// As data.
    Recipe(Box<Recipe>),
    /// As code.
    Special(Special),
}

impl Scheme {
    /// How the text of a secret becomes its key.
    #[must_use]
    pub fn key_decoding(&self) -> &KeyDecoding {
        match self {
            Self::Recipe(recipe) => &recipe.key,
            Self::Special(special) => special.kind.key_decoding(),
        }
    }

    /// Whether what it pins are JSON web keys, not certificates.
    #[must_use]
    pub fn pins_web_keys(&self) -> bool {
        matches!(self, Self::Special(special) if special.kind == SpecialKind::Plaid)
    }

    /// Whether what is signed covers this header, so that what it says can be trusted.
    #[must_use]
    pub fn signs_header(&self, name: &str) -> bool {
        match self {
            Self::Recipe(recipe) => recipe.signs_header(name),
            Self::Special(special) => special.kind.signs_header(name),
        }
    }
}

impl Verifier for Scheme {
    fn verify(&self, claim: &Claim<'_>) -> Result<usize, Refusal> {
        match self {
            Self::Recipe(recipe) => recipe.verify(claim),
            Self::Special(special) => special.verify(claim),
        }
    }
}

/// What happens to a signed body that cannot be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OnInvalid {
    /// 400.
    Reject,
    /// 200, and it goes to the dead-letter queue with its reason.
    Quarantine,
}

/// What makes two deliveries the same event.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Dedupe {
    /// Nothing: every delivery is applied. Never drops.
    None,
    /// The same signed id.
    Id,
    /// The same id and the same body, where the id is not signed or may be reused.
    IdAndBody,
    /// The same body within this many seconds. Drops a legal repetition of an earlier state.
    Body {
        /// The window.
        seconds: i64,
    },
}

impl Source {
    /// Whether nothing is signed, so that only addresses say who sends.
    #[must_use]
    pub fn is_unsigned(&self) -> bool {
        self.schemes.iter().any(|scheme| {
            matches!(scheme, Scheme::Recipe(recipe) if recipe.algorithm == Algorithm::Unsigned)
        })
    }

    /// Whether a request from this address may go on.
    #[must_use]
    pub fn allows(&self, address: Option<IpAddr>) -> bool {
        let Some(address) = address.map(|address| address.to_canonical()) else {
            return self.allow_ips.is_empty();
        };
        self.allow_ips.is_empty() || self.allow_ips.iter().any(|net| net.contains(&address))
    }

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
                Ok(secret) => return Ok(Verified::new(self, delivery, secret)),
                // Of several schemes, the one that got furthest says most.
                Err(_) if refusal == Refusal::WrongSignature => {}
                Err(Refusal::MissingHeader(_) | Refusal::NotReady)
                    if refusal != Refusal::NotReady => {}
                Err(reason) => refusal = reason,
            }
        }
        Err(refusal)
    }

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

    /// The content type its sender uses.
    #[must_use]
    pub fn content_type(&self) -> &'static str {
        match self.schemes.first() {
            Some(Scheme::Special(special)) => special.kind.content_type(),
            _ => "application/json",
        }
    }

    /// What the sender is told.
    #[must_use]
    pub fn reply(&self, receipt: Receipt) -> Reply {
        self.replies.reply(receipt, self.handshake.as_ref())
    }
}
