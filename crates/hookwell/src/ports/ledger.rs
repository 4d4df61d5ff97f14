//! The ledger: what we remember of every event. It makes answers cheap and duplicates visible; it is never what
//! keeps an event alive, the queue is.

use crate::event::Event;
use crate::event::identity::Version;
use crate::format::time::Millis;
use crate::ports::handler::Outcome;

/// Status of an event, as its record says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Status {
    /// Seen; perhaps queued, perhaps not. A crash between the two leaves exactly this.
    Pending,
    /// Finished.
    Done,
    /// Rejected, and put into the dead-letter queue for an operator. That is no end: the letter may be gone before the
    /// record is, so an event that comes again is judged again.
    Quarantined,
}

impl Status {
    /// Every status by the name the events table uses.
    pub const NAMES: [(&'static str, Self); 3] = [
        ("pending", Self::Pending),
        ("done", Self::Done),
        ("quarantined", Self::Quarantined),
    ];

    /// Name of the status in the events table.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Done => "done",
            Self::Quarantined => "quarantined",
        }
    }
}

/// Record of an event.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Record {
    /// Status of the event.
    pub status: Status,
    /// The event's version, settled by whoever wrote the record first.
    pub version: Version,
    /// Time at which the event was first received.
    pub received_at: Millis,
    /// The [hash](crate::event::body::Body::hash) of the body that came first.
    pub body_hash: String,
    /// Tries of the event.
    pub tries: Tries,
}

/// Tries of an event, as its record tells them.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Tries {
    /// Time at which an operator last put the event back into the queue.
    pub reopened_at: Option<Millis>,
    /// Reason of the last failure, or of the rejection.
    pub reason: Option<String>,
    /// Number of tries under a lease that have not ended, since the last try that did: tries that the function did not
    /// survive, and the try that runs now.
    pub unended: u32,
}

/// Result of writing the first record of an event.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Remembered {
    /// The record was written now.
    New,
    /// A record was there before.
    Known(Record),
}

/// End of an event.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct End {
    /// The outcome to record.
    pub outcome: Outcome,
    /// Reason, for rejected events and those that changed nothing.
    pub reason: Option<String>,
    /// True when another event of its document has the same time, so that arrival decided which is newer.
    pub tie: bool,
    /// Time of the end.
    pub at: Millis,
    /// The owner of the lease under which it ended, for events with effects outside the documents table.
    pub owner: Option<String>,
}

/// Result of recording an end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Finish {
    /// The end is recorded.
    Recorded,
    /// The event had ended before.
    Before,
    /// The lease is somebody else's now.
    NotOwner,
}

/// A lease: until it ends, nobody else may work on the event.
#[derive(Debug, Clone, Copy)]
pub struct Lease<'a> {
    /// Owner of the lease; unique for every call.
    pub owner: &'a str,
    /// Time at which the lease is asked for.
    pub now: Millis,
    /// End of the lease, never before the end of the call that holds it.
    pub until: Millis,
}

/// A try under a lease that failed.
#[derive(Debug, Clone, Copy)]
pub struct Failure<'a> {
    /// The owner of the lease.
    pub owner: &'a str,
    /// Reason of the failure.
    pub reason: &'a str,
    /// Time of the failure.
    pub at: Millis,
    /// New end of the lease: at once, or as it was, because something of the try may still be running.
    pub lease_end: Millis,
    /// Time until which the event is tried again, where it waits in the retry queue from now on.
    pub waits_until: Option<Millis>,
}

/// Result of taking a lease.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Claim {
    /// The lease is ours.
    Held,
    /// The event is done.
    Finished,
    /// Somebody else holds the lease.
    Busy {
        /// End of that lease.
        until: Millis,
    },
}

/// Remembers events.
///
/// In every method a record past its `expires_at` MUST count as absent even when it is still stored: DynamoDB deletes
/// up to days late ("Using time to live", developer guide). In [`Ledger::remember`] a record that was first received
/// before [`Event::repeats_after`] MUST count as absent too. Every write MUST set the record's end to
/// [`Event::record_end`].
pub trait Ledger: Send + Sync {
    /// Writes a pending record unless there is one, and says which. MUST be one atomic step.
    ///
    /// # Errors
    /// When the answer is not known, whatever was written.
    fn remember(
        &self,
        event: &Event,
        now: Millis,
    ) -> impl Future<Output = Result<Remembered, LedgerError>> + Send;

    /// The records of some events, in their order; `None` where there is none. MUST see every write that was answered
    /// before (a consistent read).
    ///
    /// # Errors
    /// When one of them is not known.
    fn recall(
        &self,
        events: &[&Event],
        now: Millis,
    ) -> impl Future<Output = Result<Vec<Option<Record>>, LedgerError>> + Send;

    /// Takes the lease of an event that has a record and is not done, unless somebody holds one that has not ended, and
    /// counts the try as one that has not ended.
    ///
    /// MUST be one atomic step. The holder itself MAY get it again.
    ///
    /// # Errors
    /// When the answer is not known, or there is no record.
    fn claim(
        &self,
        event: &Event,
        lease: &Lease<'_>,
    ) -> impl Future<Output = Result<Claim, LedgerError>> + Send;

    /// Records that a try under a lease failed, that no try is open any more, and when the lease ends.
    ///
    /// MUST change nothing unless that owner still holds the lease and the event is not done. Best effort: without it the
    /// lease ends by itself, and the try counts as one that the function did not survive.
    fn fail(&self, event: &Event, failure: &Failure<'_>) -> impl Future<Output = ()> + Send;

    /// Keeps the whole event until its `retain_until`, so that it can be replayed. `Ok` MUST mean that it is stored
    /// durably. Keeping it again does no harm.
    ///
    /// # Errors
    /// When that is not known.
    fn keep(&self, event: &Event) -> impl Future<Output = Result<(), LedgerError>> + Send;

    /// Records how an event ended, and gives its lease back.
    ///
    /// MUST write the record when there is none, MUST NOT change one that is done, MUST close a quarantined one when
    /// the event was applied after all, and with an owner MUST change nothing unless that owner still holds the lease:
    /// a lease that ended may be somebody else's by now. That owner MAY ask again and gets the same answer: the first
    /// answer may have been lost.
    ///
    /// # Errors
    /// When the answer is not known.
    fn finish(
        &self,
        event: &Event,
        end: &End,
    ) -> impl Future<Output = Result<Finish, LedgerError>> + Send;
}

/// The table did not answer, or not in time.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the events table is unavailable: {0}")]
pub struct LedgerError(pub String);
