//! Secrets, and the checks that keep an empty or placeholder key from ever verifying anything.

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, KeyInit as _};
use sha2::Sha256;
use zeroize::Zeroizing;

use crate::format::encoding::Encoding;
use crate::keys::public_key;
use crate::keys::public_key::KeyKind;

/// The shortest key accepted unless a source lowers it, in bytes after decoding.
pub const MIN_BYTES: usize = 16;

/// Texts that people leave in a configuration by mistake. Compared without case, and with `-` and `_` alike.
const PLACEHOLDERS: [&str; 10] = [
    "changeme",
    "change_me",
    "change_me_please",
    "your_webhook_secret",
    "your_webhook_secret_here",
    "your_secret_here",
    "whsec_your_secret_here",
    "replace_with_your_secret",
    "placeholder_secret",
    "insert_secret_here",
];

/// Rule by which the text of a secret becomes key bytes. Never guessed: `whsec_` is a label for one sender and part of
/// the key for another.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct KeyDecoding {
    /// Prefixes to remove before decoding; the first that matches.
    pub strip: Vec<String>,
    /// Encoding of the rest.
    pub encoding: KeyEncoding,
}

/// Encoding of a secret's text, after its prefix.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum KeyEncoding {
    /// The text's own bytes.
    #[default]
    Utf8,
    /// Standard base64 of the bytes.
    Base64,
    /// Hex of the bytes.
    Hex,
    /// A user and a password with `:` between, of HTTP basic authentication.
    Credentials,
    /// A public key, in any of the forms that providers give.
    Public(KeyKind),
}

/// Key bytes that passed every check. Printed as `Secret(..)` and wiped when dropped.
#[derive(Clone)]
pub struct Secret {
    bytes: Zeroizing<Vec<u8>>,
    /// HMAC that has read the key: most senders sign with it, and a delivery need not set it up again.
    hmac_sha256: Hmac<Sha256>,
}

impl Secret {
    /// Decodes and checks the text of a secret.
    ///
    /// # Errors
    /// When it is blank, a known placeholder, not in its encoding, or shorter than `min_bytes`.
    pub fn new(text: &str, decoding: &KeyDecoding, min_bytes: usize) -> Result<Self, SecretError> {
        let text = text.trim();
        if text.is_empty() {
            return Err(SecretError::Blank);
        }
        let plain = text.to_ascii_lowercase().replace('-', "_");
        if PLACEHOLDERS.contains(&plain.as_str()) {
            return Err(SecretError::Placeholder);
        }
        let rest = decoding
            .strip
            .iter()
            .find_map(|prefix| text.strip_prefix(prefix.as_str()))
            .unwrap_or(text);
        let bytes = match decoding.encoding {
            KeyEncoding::Utf8 => rest.as_bytes().to_vec(),
            KeyEncoding::Credentials => match rest.split_once(':') {
                Some((user, password)) if !user.is_empty() && !password.is_empty() => {
                    rest.as_bytes().to_vec()
                }
                _ => return Err(SecretError::Encoding("USER:PASSWORD, with neither empty")),
            },
            KeyEncoding::Base64 => STANDARD
                .decode(rest)
                .map_err(|_| SecretError::Encoding("base64"))?,
            KeyEncoding::Hex => Encoding::Hex
                .decode(rest)
                .ok_or(SecretError::Encoding("hex"))?,
            KeyEncoding::Public(kind) => {
                public_key::decode(kind, rest).ok_or(SecretError::Encoding("a public key"))?
            }
        };
        let bytes = Zeroizing::new(bytes);
        let min_bytes = min_bytes.max(1);
        if bytes.len() < min_bytes {
            return Err(SecretError::TooShort { min_bytes });
        }
        let hmac_sha256 = Hmac::new_from_slice(&bytes).map_err(|_| SecretError::Blank)?; // any length is a key
        Ok(Self { bytes, hmac_sha256 })
    }

    /// The key.
    #[must_use]
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// An HMAC with SHA-256 that has read the key.
    pub(crate) fn hmac_sha256(&self) -> Hmac<Sha256> {
        self.hmac_sha256.clone()
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(..)")
    }
}

/// Reason why the text of a secret is not a key. Never says what the text was.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum SecretError {
    /// Nothing but white space.
    #[error("is empty")]
    Blank,
    /// Left over from an example.
    #[error("is a placeholder from an example")]
    Placeholder,
    /// Not what the recipe says it is.
    #[error("is not {0}")]
    Encoding(&'static str),
    /// Too easy to guess.
    #[error(
        "is shorter than {min_bytes} bytes (set min_secret_bytes if the sender gives short ones)"
    )]
    TooShort {
        /// The limit in force, in bytes.
        min_bytes: usize,
    },
}

#[cfg(test)]
mod tests {
    use super::*;

    fn utf8(text: &str) -> Result<Secret, SecretError> {
        Secret::new(text, &KeyDecoding::default(), MIN_BYTES)
    }

    #[test]
    fn blank_placeholder_and_short_secrets_are_refused() {
        assert_eq!(utf8("").unwrap_err(), SecretError::Blank);
        assert_eq!(utf8(" \t\n").unwrap_err(), SecretError::Blank);
        assert_eq!(
            utf8("Your-Webhook-Secret").unwrap_err(),
            SecretError::Placeholder
        );
        assert_eq!(
            utf8("fifteen bytes..").unwrap_err(),
            SecretError::TooShort { min_bytes: 16 }
        );
        assert!(utf8("sixteen bytes...").is_ok());
    }

    #[test]
    fn a_lowered_limit_still_refuses_the_empty_key() {
        let whsec = KeyDecoding {
            strip: vec!["whsec_".into()],
            encoding: KeyEncoding::Base64,
        };
        assert_eq!(
            Secret::new("whsec_", &whsec, 0).unwrap_err(),
            SecretError::TooShort { min_bytes: 1 }
        );
    }

    #[test]
    fn the_length_counts_after_decoding() {
        let base64 = KeyDecoding {
            strip: vec!["whsec_".into()],
            encoding: KeyEncoding::Base64,
        };
        assert_eq!(
            Secret::new("whsec_c2hvcnQga2V5IQ==", &base64, 16).unwrap_err(),
            SecretError::TooShort { min_bytes: 16 }
        );
        assert_eq!(
            Secret::new("whsec_!", &base64, 16).unwrap_err(),
            SecretError::Encoding("base64")
        );
    }

    #[test]
    fn credentials_have_a_user_and_a_password() {
        let basic = KeyDecoding {
            encoding: KeyEncoding::Credentials,
            ..KeyDecoding::default()
        };
        let why = SecretError::Encoding("USER:PASSWORD, with neither empty");
        for text in [
            "a-password-of-some-length",
            "a-user-of-some-length:",
            ":a-password-of-some-length",
            ":",
        ] {
            assert_eq!(Secret::new(text, &basic, 1).unwrap_err(), why, "{text}");
        }
        assert!(Secret::new("user:pass:word-of-length", &basic, 16).is_ok());
    }

    #[test]
    fn printing_a_secret_shows_nothing() {
        assert_eq!(
            format!("{:?}", utf8("sixteen bytes...").unwrap()),
            "Secret(..)"
        );
    }
}
