//! The ways in which the bytes of a signature are written.

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use data_encoding::{HEXLOWER, HEXLOWER_PERMISSIVE};

/// Text encoding of a signature's bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Encoding {
    /// Hexadecimal.
    Hex,
    /// Base64 with padding (RFC 4648 section 4).
    Base64,
    /// URL-safe base64 (RFC 4648 section 5). It is written without padding, and read with it as well.
    Base64Url,
}

impl Encoding {
    /// Every encoding by its name in a recipe.
    pub const NAMES: [(&'static str, Self); 3] = [
        ("hex", Self::Hex),
        ("base64", Self::Base64),
        ("base64url", Self::Base64Url),
    ];

    pub(crate) fn decode(self, text: &str) -> Option<Vec<u8>> {
        match self {
            // By a table: a branch for every digit costs more (docs/performance.md).
            Self::Hex => HEXLOWER_PERMISSIVE.decode(text.as_bytes()).ok(),
            Self::Base64 => STANDARD.decode(text).ok(),
            Self::Base64Url => URL_SAFE_NO_PAD.decode(text.trim_end_matches('=')).ok(),
        }
    }

    pub(crate) fn encode(self, bytes: &[u8]) -> String {
        match self {
            Self::Hex => HEXLOWER.encode(bytes),
            Self::Base64 => STANDARD.encode(bytes),
            Self::Base64Url => URL_SAFE_NO_PAD.encode(bytes),
        }
    }
}
