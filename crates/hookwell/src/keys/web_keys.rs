//! JSON web keys (RFC 7517) on P-256, by their id.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::Deserialize;

use crate::format::time::Millis;

/// A set of keys, in the order in which the source names them.
#[derive(Debug, Clone, Default)]
pub struct WebKeys(Vec<WebKey>);

#[derive(Debug, Clone)]
struct WebKey {
    id: String,
    point: Vec<u8>,
    /// Time at which the key ceases to count.
    expires_at: Option<Millis>,
}

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
    /// End of the key in Plaid's form, in seconds since 1970 ("Verify webhooks", `JWKPublicKey`).
    expired_at: Option<i64>,
}

impl WebKeys {
    /// Reads a set, one key, or the answer of an API that wraps one in `key`. `None` when a key in it is not on P-256.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let keys = match serde_json::from_str(text).ok()? {
            Document::Set { keys } => keys,
            Document::One { key } | Document::Bare(key) => vec![key],
        };
        let mut all = Vec::new();
        for key in keys {
            let mut point = vec![4];
            for half in [&key.x, &key.y] {
                let half = URL_SAFE_NO_PAD.decode(half).ok()?;
                (half.len() == 32).then(|| point.extend(half))?;
            }
            (key.crv == "P-256").then(|| {
                all.push(WebKey {
                    id: key.kid,
                    point,
                    expires_at: key.expired_at.map(|at| at.saturating_mul(1000)),
                });
            })?;
        }
        (!all.is_empty()).then_some(Self(all))
    }

    /// Adds the keys of another set.
    pub fn extend(&mut self, other: Self) {
        self.0.extend(other.0);
    }

    /// The position and the point of the key with this id, unless it has expired.
    #[must_use]
    pub fn get(&self, id: &str, now: Millis) -> Option<(usize, &[u8])> {
        let mut all = self.0.iter().enumerate();
        let (position, key) = all.find(|(_, key)| key.id == id)?;
        let counts = key.expires_at.is_none_or(|end| now < end);
        counts.then_some((position, &key.point))
    }

    /// True when there is no key.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}
