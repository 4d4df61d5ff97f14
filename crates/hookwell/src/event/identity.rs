//! The names of an event, of a document, and of an event's place among the events of its document.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::format::time::Millis;

/// The key of an event's record, `source#hash`: scoped, so that one sender can never claim another's ids, and hashed,
/// so that any id fits.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Key(String);

impl Key {
    /// The key of event `id` of `source`. `parts` are what tells it from other events of that id.
    #[must_use]
    pub fn new(source: &str, parts: &[&[u8]]) -> Self {
        Self(format!("{source}#{}", hash(parts)))
    }

    /// As the tables write it.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// SHA-256 of the parts in base64url; a zero byte between them keeps their borders.
#[must_use]
pub fn hash(parts: &[&[u8]]) -> String {
    let mut sha = Sha256::new();
    for (index, part) in parts.iter().enumerate() {
        if index > 0 {
            sha.update([0]);
        }
        sha.update(part);
    }
    URL_SAFE_NO_PAD.encode(sha.finalize())
}

/// The place of an event among all events of its document: text that sorts by the event's time, then by its first
/// reception with its place in that delivery, then by a hash of its key. Two events have the same version only when they
/// are the same event.
///
/// The form is `{time:015}~3~~{reception:015}.{place:06}~{hash:16}`. Versions that were written before November 2026 are
/// `{time:015}~{rank:0..3}~{hash:16}`: of the same time they sort before every one of this form, because `~` sorts after
/// every character of a hash (design.md, Order).
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Version(String);

impl Version {
    /// The version of an event that happened at `time`, was first received at `reception`, and was number `place` of the
    /// events of that delivery.
    #[must_use]
    pub fn new(time: Millis, reception: Millis, place: u32, key: &Key) -> Self {
        let within = |millis: Millis| millis.clamp(0, 999_999_999_999_999);
        let hash: String = hash(&[key.as_str().as_bytes()]).chars().take(16).collect();
        Self(format!(
            "{:015}~3~~{:015}.{:06}~{hash}",
            within(time),
            within(reception),
            place.min(999_999)
        ))
    }

    /// A version as a table holds it, in this form or in the one before.
    #[must_use]
    pub fn recorded(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// The text that the tables write and compare.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// The key of a document, `source#type#id`. The type keeps `user 1` and `order 1` of one sender apart.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct DocumentKey(String);

impl DocumentKey {
    /// The key of the document `id` of that type.
    #[must_use]
    pub fn new(source: &str, document_type: &str, id: &str) -> Self {
        Self(format!("{source}#{document_type}#{id}"))
    }

    /// As the documents table writes it.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_sort_by_time_then_reception_then_place_then_key() {
        let key = |id: &str| Key::new("s", &[id.as_bytes()]);
        let version = |time, reception, place, id| Version::new(time, reception, place, &key(id));
        assert_eq!(
            version(1_790_000_000_000, 1_790_000_000_250, 7, "a").as_str(),
            "001790000000000~3~~001790000000250.000007~Y_HideTJEnBDNP_g"
        );
        // Of two ids one comes first by itself, so both are tried in both places.
        for (one, other) in [("a", "z"), ("z", "a")] {
            assert!(version(9, 99, 9, one) < version(10, 10, 0, other));
            assert!(version(9, 10, 9, one) < version(9, 11, 0, other));
            assert!(version(9, 10, 9, one) < version(9, 10, 10, other));
        }
        assert_ne!(version(9, 10, 0, "a"), version(9, 10, 0, "b"));
        let early = version(-5, 10, 0, "a");
        assert_eq!(early, version(0, 10, 0, "a"), "never before 1970");
        let late = version(i64::MAX, i64::MAX, u32::MAX, "a");
        assert_eq!(late.as_str().len(), early.as_str().len());
    }

    #[test]
    fn versions_of_the_form_before_sort_by_time_and_of_one_time_before_these() {
        let hashes = ["----------------", "________________", "zzzzzzzzzzzzzzzz"];
        for rank in 0..=3 {
            for hash in hashes {
                let old = |time: i64| Version::recorded(format!("{time:015}~{rank}~{hash}"));
                for id in ["a", "z", "-"] {
                    let new = Version::new(10, 10, 0, &Key::new("s", &[id.as_bytes()]));
                    assert!(
                        old(9) < new && old(10) < new && new < old(11),
                        "{rank} {hash}"
                    );
                }
            }
        }
    }

    #[test]
    fn keys_are_scoped_by_source_and_keep_the_borders_of_their_parts() {
        assert_ne!(Key::new("a", &[b"1"]), Key::new("b", &[b"1"]));
        assert_ne!(Key::new("a", &[b"1", b"2"]), Key::new("a", &[b"12"]));
    }
}
