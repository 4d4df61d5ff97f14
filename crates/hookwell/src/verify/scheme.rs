//! A scheme: one way in which a sender signs, as data or as code.

use crate::keys::secret::KeyDecoding;
use crate::verify::providers::{Special, SpecialKind};
use crate::verify::recipe::{Part, Recipe};
use crate::verify::verifier::{Claim, Refusal, Verifier};

/// One way in which a sender signs.
#[derive(Debug, Clone)]
pub enum Scheme {
    /// As data.
    Recipe(Box<Recipe>),
    /// As code.
    Special(Special),
}

impl Scheme {
    /// Rule by which the text of a secret becomes its key.
    #[must_use]
    pub fn key_decoding(&self) -> &KeyDecoding {
        match self {
            Self::Recipe(recipe) => &recipe.key,
            Self::Special(special) => special.kind.key_decoding(),
        }
    }

    /// True when the pinned keys are JSON web keys, not certificates.
    #[must_use]
    pub fn pins_web_keys(&self) -> bool {
        matches!(self, Self::Special(special) if special.kind == SpecialKind::Plaid)
    }

    /// True when the signed bytes cover this header, so that its value can be trusted.
    #[must_use]
    pub fn signs_header(&self, name: &str) -> bool {
        match self {
            Self::Recipe(recipe) => recipe.signs_header(name),
            Self::Special(special) => special.kind.signs_header(name),
        }
    }

    /// True when the signed bytes cover this query parameter by its name.
    #[must_use]
    pub fn signs_query(&self, name: &str) -> bool {
        matches!(self, Self::Recipe(recipe) if recipe.signs_query(name))
    }

    /// True when the sender signs the address that it posts to.
    #[must_use]
    pub fn signs_url(&self) -> bool {
        match self {
            Self::Recipe(recipe) => recipe.signs_url(),
            Self::Special(special) => special.kind.signs_url(),
        }
    }

    /// True when the signed bytes cover the body.
    #[must_use]
    pub fn signs_body(&self) -> bool {
        match self {
            Self::Recipe(recipe) => recipe.content.contains(&Part::Body),
            Self::Special(special) => special.kind.signs_body(),
        }
    }

    /// True when a request shows the secret itself, or none.
    #[must_use]
    pub fn is_bearer(&self) -> bool {
        match self {
            Self::Recipe(recipe) => !recipe.algorithm.signs(),
            Self::Special(special) => special.kind == SpecialKind::MsGraph,
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
