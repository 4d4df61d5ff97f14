//! The bytes of a body, and how a message of the queue holds them.

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Serialize};

use super::identity::hash;
use crate::format::json::count;

/// Characters that JSON allows in a string, and SQS nowhere in a message (`SendMessage`).
pub const REFUSED: [char; 2] = ['\u{FFFE}', '\u{FFFF}'];

/// JSON without the [`REFUSED`] characters: in JSON they can only stand in a string, where they have an escape.
pub(crate) fn escape_refused(json: String) -> String {
    if !may_hold_refused(&json) {
        return json;
    }
    json.replace('\u{FFFE}', "\\uFFFE")
        .replace('\u{FFFF}', "\\uFFFF")
}

/// True when a text may hold a [`REFUSED`] character: both begin with this byte, and bytes are looked at many times
/// faster than characters.
fn may_hold_refused(text: &str) -> bool {
    text.as_bytes().contains(&0xEF)
}

/// The bytes of a body. In a message they are text under `body` where that is possible and shorter, else base64 under
/// `body_base64`: a message has at most 1 MiB (`SendMessage`).
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "WireBody", into = "WireBody")]
pub struct Body(pub Vec<u8>);

#[derive(Serialize, Deserialize)]
enum WireBody {
    #[serde(rename = "body")]
    Text(String),
    #[serde(rename = "body_base64")]
    Base64(String),
}

impl From<Body> for WireBody {
    fn from(body: Body) -> Self {
        match String::from_utf8(body.0) {
            Ok(text) if is_cheap_text(&text) => Self::Text(text),
            Ok(text) => Self::Base64(STANDARD.encode(text)),
            Err(error) => Self::Base64(STANDARD.encode(error.as_bytes())),
        }
    }
}

impl TryFrom<WireBody> for Body {
    type Error = base64::DecodeError;

    fn try_from(wire: WireBody) -> Result<Self, Self::Error> {
        match wire {
            WireBody::Text(text) => Ok(Self(text.into_bytes())),
            WireBody::Base64(text) => STANDARD.decode(text).map(Self),
        }
    }
}

/// True when the escapes of a JSON string add less than base64 would, a third.
fn is_cheap_text(text: &str) -> bool {
    let is_short = |byte| matches!(byte, b'"' | b'\\' | b'\n' | b'\r' | b'\t');
    let backslashes = count(text, is_short);
    // As \u00XX: six bytes for one.
    let codes = count(text, |byte| byte < b' ' && !is_short(byte)).saturating_mul(5);
    let refused = if may_hold_refused(text) {
        text.matches(REFUSED).count().saturating_mul(3)
    } else {
        0
    };
    backslashes.saturating_add(codes).saturating_add(refused) <= text.len() / 3
}

impl Body {
    /// A hash of the bytes, to tell whether two are the same.
    #[must_use]
    pub fn hash(&self) -> String {
        hash(&[&self.0])
    }
}

impl fmt::Debug for Body {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Body({} bytes)", self.0.len())
    }
}
