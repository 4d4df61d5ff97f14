//! Tokens that nobody can guess.

use anyhow::{Result, anyhow};
use maud::{Markup, html};

/// The name of the form field that carries the token of the page.
pub(super) const FIELD: &str = "token";

/// A random text, new with each start.
pub(crate) struct Token(String);

impl Token {
    /// Makes up 128 bits.
    ///
    /// # Errors
    /// When the system has no random numbers.
    pub(crate) fn new() -> Result<Self> {
        let mut random = [0; 16];
        getrandom::fill(&mut random).map_err(|error| anyhow!("no random numbers: {error}"))?;
        Ok(Self(format!("{:032x}", u128::from_be_bytes(random))))
    }

    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }

    /// Compares a text with the token, in a time that does not depend on where they differ.
    pub(super) fn is(&self, text: &str) -> bool {
        let pairs = self.0.bytes().zip(text.bytes());
        let difference = pairs.fold(0, |all, (own, other)| all | (own ^ other));
        self.0.len() == text.len() && difference == 0
    }

    /// Form field that carries the token.
    pub(super) fn field(&self) -> Markup {
        html! { input type="hidden" name=(FIELD) value=(self.0); }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn a_token_is_itself_and_no_other() {
        let (token, other) = (Token::new().unwrap(), Token::new().unwrap());
        assert!(token.is(token.as_str()));
        let longer = format!("{}0", token.as_str());
        for text in ["", other.as_str(), &token.as_str()[1..], &longer] {
            assert!(!token.is(text), "{text}");
        }
    }
}
