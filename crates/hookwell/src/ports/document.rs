//! What the documents table holds, and what an event does to it.

use crate::event::identity::{DocumentKey, Version};
use crate::event::{Event, LIFE_DAYS, Operation};
use crate::format::time::DAY;
use crate::ports::handler::{HandleError, Outcome};

/// How long a tombstone lives, in days: an older event of the document may still come after a month of its sender's
/// retries (Adyen: 30 days), 14 days in the queue and 14 in the dead-letter queue.
pub const TOMBSTONE_DAYS: i64 = 70;

/// A document as the newest event left it, or the tombstone of one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Document {
    /// Its key.
    pub key: DocumentKey,
    /// The version that made it so. A put MUST be refused unless the version there is smaller.
    pub version: Version,
    /// Its state, the JSON text as the sender wrote it; `None` for a tombstone, which stays so that an older event
    /// that arrives late cannot bring the document back.
    pub state: Option<String>,
    /// When a tombstone may be forgotten, in seconds since 1970. No record outlives it, so by then no copy of an
    /// older event is left.
    pub expires_at: Option<i64>,
}

/// What came of a conditional put.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PutResult {
    /// Written.
    Written,
    /// Refused, because this version is there.
    Refused(String),
}

/// What `event` makes of its document; `None` when it is about none. Its body is the whole new state: a partial update cannot be told from a full
/// one here, and applying it over a version that is not its base would lose fields.
///
/// # Errors
/// [`HandleError::Reject`] when the event says that a document changed but not which, or not to what.
pub fn change(event: &Event) -> Result<Option<Document>, HandleError> {
    if event.operation == Operation::Other || event.document_at.is_none() {
        return Ok(None);
    }
    let key = event.document_key();
    let key = key.ok_or_else(|| HandleError::Reject("the event names no document".to_owned()))?;
    let version = event.version();
    let (state, expires_at) = if event.operation == Operation::Delete {
        let life = (event.received_at / 1000).saturating_add(TOMBSTONE_DAYS * DAY / 1000);
        // The record's life is counted from when process writes it, so the tombstone's is too.
        let longer = (TOMBSTONE_DAYS - LIFE_DAYS).saturating_mul(DAY / 1000);
        (
            None,
            Some(life.max(event.expires_at.saturating_add(longer))),
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
        version,
        state,
        expires_at,
    }))
}

/// The outcome of a put. The same version there means that an earlier call got through and its answer was lost.
#[must_use]
pub fn outcome(version: &Version, result: &PutResult) -> Outcome {
    match result {
        PutResult::Written => Outcome::Applied,
        PutResult::Refused(there) if there == version.as_str() => Outcome::Applied,
        PutResult::Refused(_) => Outcome::Stale,
    }
}
