//! JSON web keys (RFC 7517) on P-256, by their id.

use std::collections::BTreeMap;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::Deserialize;

/// A set of keys.
#[derive(Debug, Clone, Default)]
pub struct WebKeys(BTreeMap<String, Vec<u8>>);

#[derive(Deserialize)]
#[serde(untagged)]
enum Document {
    Set { keys: Vec<Key> },
    One { key: Key },
    Bare(Key),
}

#[derive(Deserialize)]
struct Key {
    kid: String,
    crv: String,
    x: String,
    y: String,
}

impl WebKeys {
    /// Reads a set, one key, or the answer of an API that wraps one in `key`. `None` when a key in it is not on P-256.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let keys = match serde_json::from_str(text).ok()? {
            Document::Set { keys } => keys,
            Document::One { key } | Document::Bare(key) => vec![key],
        };
        let mut all = BTreeMap::new();
        for key in keys {
            let mut point = vec![4];
            for half in [&key.x, &key.y] {
                let half = URL_SAFE_NO_PAD.decode(half).ok()?;
                (half.len() == 32).then(|| point.extend(half))?;
            }
            (key.crv == "P-256").then(|| all.insert(key.kid, point))?;
        }
        (!all.is_empty()).then_some(Self(all))
    }

    /// Adds the keys of another set.
    pub fn extend(&mut self, other: Self) {
        self.0.extend(other.0);
    }

    /// The point of the key with this id.
    #[must_use]
    pub fn get(&self, id: &str) -> Option<&[u8]> {
        self.0.get(id).map(Vec::as_slice)
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}
