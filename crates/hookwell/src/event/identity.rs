//! The names of an event, of a document, and of an event's place among the events of its document.

use std::borrow::Cow;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::format::cut::beginning;
use crate::format::time::Millis;

/// The longest id of an event or a document, in bytes: with source and type it must fit a `DynamoDB` key of 2,048.
pub const MAX_ID_BYTES: usize = 1024;

/// The longest type of an event or a document, in bytes.
pub const MAX_TYPE_BYTES: usize = 256;

/// The longest key of a `DynamoDB` table, in bytes ("Quotas", developer guide, partition keys).
pub const MAX_KEY_BYTES: usize = 2048;

/// The key of an event's record, `source#hash`: scoped, so that one sender can never claim another's ids, and hashed,
/// so that any id fits.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Key(String);

impl Key {
    /// The key of an event of `source`. `parts` tell the event from the source's other events.
    #[must_use]
    pub fn new(source: &str, parts: &[&[u8]]) -> Self {
        Self(format!("{source}#{}", hash(parts)))
    }

    /// The key as the tables write it.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The key of the event's copy for a destination. Neither the name of a source nor a hash has a `>`.
    #[must_use]
    pub(super) fn for_destination(&self, destination: &str) -> Self {
        Self(format!("{}>{destination}", self.0))
    }

    /// The key without its source; `None` when the key belongs to another source.
    #[must_use]
    pub(super) fn of(&self, source: &str) -> Option<&str> {
        self.0.strip_prefix(source)?.strip_prefix('#')
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

/// A name of any length in at most `max` bytes: itself, or its beginning and a hash of the whole, so that two names are never
/// taken for one.
#[must_use]
pub fn bounded(name: String, max: usize) -> String {
    if name.len() <= max {
        return name;
    }
    let end = format!("~{}", hash(&[name.as_bytes()]));
    let room = max.saturating_sub(end.len());
    format!("{}{end}", beginning(&name, room))
}

/// Order between events of a document with the same time, as their sender gives it.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize,
)]
#[serde(rename_all = "lowercase")]
pub enum Rank {
    /// Before all other ranks: the creation of a document whose id the sender never uses again.
    First,
    /// Between the first rank and the last: any other event of a document whose id the sender never uses again.
    Middle,
    /// After all other ranks: the deletion of a document whose id the sender never uses again.
    Last,
    /// By arrival. Where a sender may use an id again, a create can come after a delete.
    #[default]
    Arrival,
}

impl Rank {
    /// True when arrival decides; messages leave this rank out.
    #[must_use]
    pub fn is_arrival(&self) -> bool {
        *self == Self::Arrival
    }
}

/// The place of an event among all events of its document: text that sorts by the event's time, then by its rank, then by
/// its first reception with its place in that delivery, then by a hash of its key. Two events have the same version only
/// when they are the same event.
///
/// The form is `{time:015}~{rank}~~{reception:015}.{place:06}~{hash:16}`, with rank 3 where arrival decides. Versions that
/// were written before November 2026 are `{time:015}~{rank:0..3}~{hash:16}`: of the same time and rank they sort before
/// every one of this form, because `~` sorts after every character of a hash (design.md, Order).
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Version(String);

/// The digits of a time in a version.
const TIME_DIGITS: usize = 15;

/// A time as versions write it.
fn digits(time: Millis) -> String {
    format!("{:0TIME_DIGITS$}", time.clamp(0, 999_999_999_999_999))
}

impl Version {
    /// The version of an event that happened at `time`, was first received at `reception`, and was number `place` of the
    /// events of that delivery.
    #[must_use]
    pub fn new(time: Millis, rank: Rank, reception: Millis, place: u32, key: &Key) -> Self {
        let hash: String = hash(&[key.as_str().as_bytes()]).chars().take(16).collect();
        let rank = match rank {
            Rank::First => 0,
            Rank::Middle => 1,
            Rank::Last => 2,
            Rank::Arrival => 3,
        };
        Self(format!(
            "{}~{rank}~~{}.{:06}~{hash}",
            digits(time),
            digits(reception),
            place.min(999_999)
        ))
    }

    /// Upper bound, as a text, of all versions up to this time: larger than each of them, and no larger than any later one.
    #[must_use]
    pub fn after(time: Millis) -> String {
        digits(time.saturating_add(1))
    }

    /// True when two events of a document have the same time, so that something else decides which is newer.
    #[must_use]
    pub fn ties_with(&self, other: &Self) -> bool {
        let time = |version: &Self| version.0.get(..TIME_DIGITS).map(str::to_owned);
        self != other && time(self) == time(other)
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

/// The key of a document, `source#type#id`. The type keeps `user 1` and `order 1` of one sender apart. A `#` in the type is
/// written `%23` and a `%` before `23` or `25` as `%25`, so that two documents never have one key.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct DocumentKey(String);

impl DocumentKey {
    /// The key of the document `id` of that type.
    #[must_use]
    pub fn new(source: &str, document_type: &str, id: &str) -> Self {
        Self(format!("{source}#{}#{id}", escaped(document_type)))
    }

    /// The key as the documents table writes it.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// A document type without `#`. A type that has neither `#` nor one of the two escapes is itself, as in the keys of tables
/// that are live.
fn escaped(document_type: &str) -> Cow<'_, str> {
    if !document_type.contains('#') && !document_type.contains("%2") {
        return Cow::Borrowed(document_type);
    }
    let mut text = String::new();
    for (at, character) in document_type.char_indices() {
        let rest = document_type.get(at..).unwrap_or_default();
        match character {
            '#' => text.push_str("%23"),
            '%' if rest.starts_with("%23") || rest.starts_with("%25") => text.push_str("%25"),
            other => text.push(other),
        }
    }
    Cow::Owned(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_sort_by_time_then_reception_then_place_then_key() {
        let key = |id: &str| Key::new("s", &[id.as_bytes()]);
        let version = |time, reception, place, id| {
            Version::new(time, Rank::Arrival, reception, place, &key(id))
        };
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
                    let new =
                        Version::new(10, Rank::Arrival, 10, 0, &Key::new("s", &[id.as_bytes()]));
                    assert!(
                        old(9) < new && old(10) < new && new < old(11),
                        "{rank} {hash}"
                    );
                }
            }
        }
    }

    #[test]
    fn where_ids_are_never_used_again_a_create_comes_first_and_a_delete_last() {
        let key = Key::new("s", &[b"a"]);
        let ranks = [Rank::First, Rank::Middle, Rank::Last, Rank::Arrival];
        let of = |time, rank, reception| Version::new(time, rank, reception, 0, &key);
        for (lower, rank) in ranks.into_iter().enumerate() {
            for higher in ranks.into_iter().skip(lower + 1) {
                assert!(of(9, rank, 99) < of(9, higher, 10));
                assert!(of(9, higher, 10) < of(10, rank, 10));
            }
            let before = format!("{:015}~{lower}~zzzzzzzzzzzzzzzz", 9);
            assert!(Version::recorded(before) < of(9, rank, 0), "{rank:?}");
        }
    }

    #[test]
    fn a_bound_on_versions_lies_behind_every_one_of_its_time() {
        let key = Key::new("s", &[b"a"]);
        let version = |time| Version::new(time, Rank::Arrival, i64::MAX, u32::MAX, &key);
        let bound = Version::after(10);
        assert!(version(10).as_str() < bound.as_str() && bound.as_str() < version(11).as_str());
    }

    #[test]
    fn two_events_of_one_time_tie_unless_they_are_the_same() {
        let version = |time, id: &str| {
            Version::new(time, Rank::Arrival, 10, 0, &Key::new("s", &[id.as_bytes()]))
        };
        assert!(version(9, "a").ties_with(&version(9, "b")));
        assert!(!version(9, "a").ties_with(&version(9, "a")));
        assert!(!version(9, "a").ties_with(&version(8, "b")));
    }

    #[test]
    fn no_two_documents_have_one_key() {
        let key = |kind: &str, id: &str| DocumentKey::new("s", kind, id);
        let kinds = [
            "", "a", "a#b", "a#", "#", "##", "%", "%2", "%23", "%25", "%2523", "%2525", "%#",
            "a%23b",
        ];
        let ids = ["", "1", "b#1", "#1", "23", "#", "##"];
        let mut all = std::collections::BTreeSet::new();
        for kind in kinds {
            for id in ids {
                assert!(all.insert(key(kind, id)), "{kind:?} {id:?}");
            }
        }
        assert_eq!(
            key("order", "a#7").as_str(),
            "s#order#a#7",
            "as live tables have it"
        );
        assert_eq!(
            key("50% off", "7").as_str(),
            "s#50% off#7",
            "as live tables have it"
        );
    }

    #[test]
    fn keys_are_scoped_by_source_and_keep_the_borders_of_their_parts() {
        assert_ne!(Key::new("a", &[b"1"]), Key::new("b", &[b"1"]));
        assert_ne!(Key::new("a", &[b"1", b"2"]), Key::new("a", &[b"12"]));
    }
}
