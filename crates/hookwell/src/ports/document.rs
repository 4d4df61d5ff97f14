//! Documents of the documents table, and the effect of an event on them.

use crate::event::identity::{DocumentKey, Version};
use crate::event::{Event, LIFE_DAYS, Operation};
use crate::format::time::{DAY, Millis};
use crate::ports::handler::{HandleError, Handled, Outcome};

/// Lifetime of a tombstone, in days: an older event of the document may still come after a month of its sender's
/// retries (Adyen: 30 days), 14 days in the queue and 14 in the dead-letter queue.
pub const TOMBSTONE_DAYS: i64 = 70;

/// A document as the newest event left it, or the tombstone of one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Document {
    /// Key of the document.
    pub key: DocumentKey,
    /// The version that made it so. A put MUST be refused unless the version there is smaller.
    pub version: Version,
    /// The sender's own count of its states, where it has one. It decides before the version where the document there has
    /// one, too: `attribute_not_exists(pk) OR #seq < :s OR ((attribute_not_exists(#seq) OR #seq = :s) AND #version < :v)`.
    pub sequence: Option<i64>,
    /// State of the document, the JSON text as the sender wrote it; `None` for a tombstone, which stays so that an
    /// older event that arrives late cannot bring the document back.
    pub state: Option<String>,
    /// Time at which a tombstone may be forgotten, in seconds since 1970. No record outlives it, so then no copy of an
    /// older event is left.
    pub expires_at: Option<i64>,
}

/// The state that was there when a document was put.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Before {
    /// Version of that state.
    pub version: Version,
    /// Sequence of that state, where it has one.
    pub sequence: Option<i64>,
}

/// Time by which a stored version may be ahead of the clock, in milliseconds. A version further ahead counts as absent:
/// no event of today reaches it, so the clock that it was written by was wrong, and no newer state would ever be kept.
pub const MAX_AHEAD: Millis = 2 * DAY;

impl Document {
    /// Version and sequence, with which a newer document is compared.
    #[must_use]
    pub fn before(&self) -> Before {
        Before {
            version: self.version.clone(),
            sequence: self.sequence,
        }
    }

    /// True when this document may replace the stored one: the rule that every put MUST keep in one atomic step.
    #[must_use]
    pub fn replaces(&self, before: Option<&Before>, now: Millis) -> bool {
        let Some(before) = before else { return true };
        let is_newer = before.version < self.version
            || before.version.as_str() > Version::after(now.saturating_add(MAX_AHEAD)).as_str();
        match (self.sequence, before.sequence) {
            (Some(ours), Some(theirs)) if ours != theirs => ours > theirs,
            _ => is_newer,
        }
    }

    /// Result of a put: `written` over this state, or refused because of it.
    #[must_use]
    pub fn outcome(&self, written: bool, before: Option<&Before>) -> Handled {
        let is_copy = before.is_some_and(|before| before.version == self.version);
        let decided_by_sequence = |before: &Before| matches!((self.sequence, before.sequence), (Some(ours), Some(theirs)) if ours != theirs);
        let tie = before.is_some_and(|before| {
            !decided_by_sequence(before) && self.version.ties_with(&before.version)
        });
        Handled {
            // The same version there means that an earlier call got through and its answer was lost.
            outcome: if written || is_copy {
                Outcome::Applied
            } else {
                Outcome::Stale
            },
            tie,
        }
    }
}

/// The document that `event` makes; `None` when it changes none. Its body is the whole new state: a partial update cannot
/// be told from a full one here, and applying it over a version that is not its base would lose fields.
///
/// # Errors
/// [`HandleError::Reject`] when the event says that a document changed but not which, or not to what. Events of a preset
/// never do: a guess that finds nothing is [`WithoutState`](crate::event::WithoutState).
pub fn change(event: &Event) -> Result<Option<Document>, HandleError> {
    // A deletion needs no state.
    let is_deletion = event.operation == Operation::Delete && event.document_id.is_some();
    let is_about_one = event.document_at.is_some() || is_deletion;
    if event.operation == Operation::Other || event.without_state.is_some() || !is_about_one {
        return Ok(None);
    }
    let key = event.document_key();
    let key = key.ok_or_else(|| HandleError::Reject("the event names no document".to_owned()))?;
    let (state, expires_at) = if event.operation == Operation::Delete {
        let life = (event.received_at / 1000).saturating_add(TOMBSTONE_DAYS * DAY / 1000);
        // The record's life is counted from when process writes it, so the tombstone's is too.
        let longer = (TOMBSTONE_DAYS - LIFE_DAYS).saturating_mul(DAY / 1000);
        (
            None,
            Some(life.max(event.record_end().saturating_add(longer))),
        )
    } else {
        let state = event.document().map(str::to_owned);
        let reason = "the event holds no state of its document";
        (
            Some(state.ok_or_else(|| HandleError::Reject(reason.to_owned()))?),
            None,
        )
    };
    Ok(Some(Document {
        key,
        version: event.version(),
        sequence: event.sequence,
        state,
        expires_at,
    }))
}
