//! One message of a batch, and what came of it.

use std::sync::Arc;
use std::time::Duration;

use crate::event::Event;
use crate::event::identity::hash;
use crate::event::message::Damage;
use crate::format::cut;
use crate::format::time::Millis;
use crate::ports::handler::Outcome;

/// Time by which a lease outlives the deadline of the call that holds it, in milliseconds. Lambda ends the call at its
/// deadline, so no effect comes after it; the margin is for clocks that differ.
pub const LEASE_MARGIN: Millis = 1_000;

/// Tries of a message before SQS moves it to the retry queue: the `maxReceiveCount` of the queue MUST be this.
pub const TRIES_IN_PLACE: u32 = 3;

/// The pauses after the tries in place, in seconds. After the last one the message is shown at once, because SQS moves only
/// what is visible.
const PAUSES: [u32; 2] = [5, 30];

/// One message of a batch.
#[derive(Debug, Clone)]
pub struct Message {
    /// Id that the queue gave the message.
    pub id: String,
    /// SQS's receipt handle of this reception.
    pub receipt: String,
    /// Number of receptions, this one included.
    pub receive_count: u32,
    /// Text of the message; empty once it is read.
    pub body: String,
}

impl Message {
    /// A copy of everything but the text.
    pub(super) fn without_body(&self) -> Self {
        Self {
            id: self.id.clone(),
            receipt: self.receipt.clone(),
            receive_count: self.receive_count,
            body: String::new(),
        }
    }

    /// Tells whether SQS moves it to the retry queue after this try.
    pub(super) fn is_last_in_place(&self) -> bool {
        self.receive_count >= TRIES_IN_PLACE
    }

    /// The pause before the next try, in seconds.
    pub(super) fn backoff(&self) -> u32 {
        let tries = usize::try_from(self.receive_count.saturating_sub(1)).unwrap_or(usize::MAX);
        PAUSES.get(tries).copied().unwrap_or(0)
    }
}

/// One call of process.
#[derive(Debug, Clone, Copy)]
pub struct Invocation<'a> {
    /// Id of the call. MUST be new for every call: Lambda may hand the very same reception of a message to two of them
    /// ("Using Lambda with Amazon SQS": at least once).
    pub id: &'a str,
    /// Time at which Lambda ends the call.
    pub deadline: Millis,
}

impl Invocation<'_> {
    /// The end of its leases.
    pub(super) fn lease_end(&self) -> Millis {
        self.deadline.saturating_add(LEASE_MARGIN)
    }

    /// The owner of the lease under which this call tries a message. The owner's name needs both ids: two invocations
    /// may have one reception, and one invocation two messages of the event.
    pub(super) fn owner(&self, message: &Message) -> String {
        hash(&[self.id.as_bytes(), message.receipt.as_bytes()])
    }
}

/// Result of a message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fate {
    /// The event took effect now, and its record says so.
    Finished(Outcome),
    /// The event had ended before; this was a copy.
    Duplicate,
    /// Not now; it comes back.
    Retry(String),
    /// Another call holds the event's lease until this time; the message comes back then.
    Busy {
        /// The end of that call's lease.
        until: Millis,
    },
    /// No event: forged or damaged. The dead-letter queue holds the message, with the reason.
    Malformed(Damage),
    /// There was no time to start it.
    NotStarted,
}

impl Fate {
    /// Name of the fate: the log field and the metric label.
    #[must_use]
    pub fn name(&self) -> &'static str {
        match self {
            Self::Finished(outcome) => outcome.name(),
            Self::Duplicate => "duplicate",
            Self::Retry(_) => "retry",
            Self::Busy { .. } => "busy",
            Self::Malformed(_) => "malformed",
            Self::NotStarted => "not_started",
        }
    }

    /// Comes back for this reason, of any length.
    pub(super) fn retry(why: &(impl ToString + ?Sized)) -> Self {
        Self::Retry(cut::reason(why))
    }

    /// True when the queue must keep the message.
    #[must_use]
    pub fn is_failure(&self) -> bool {
        match self {
            Self::Finished(_) | Self::Duplicate | Self::Malformed(_) => false,
            Self::Retry(_) | Self::Busy { .. } | Self::NotStarted => true,
        }
    }
}

/// The time that process took over an event, by step; `None` for a step that it did not come to the end of.
#[derive(Debug, Clone, Copy, Default)]
pub struct OfEvent {
    /// The whole try, from the batch's records to the event's own.
    pub total: Option<Duration>,
    /// The call of the handler.
    pub handler: Option<Duration>,
    /// Writing its end into the record.
    pub record: Option<Duration>,
}

/// A lease under which an event was tried.
#[derive(Debug, Clone, Copy)]
pub(super) struct Tried {
    /// True when something that the try started elsewhere may still be running.
    pub(super) runs_on: bool,
    /// Time until which the event is tried again.
    pub(super) retry_until: Millis,
}

/// One message and what came of it.
#[derive(Debug, Clone)]
pub struct Processed {
    /// The message.
    pub message: Message,
    /// Event of the message, when it is one of ours.
    pub event: Option<Arc<Event>>,
    /// Result of the message.
    pub fate: Fate,
    /// Reason for a rejected event, for one that changed nothing, and for a message that is no event.
    pub reason: Option<String>,
    /// True when another event of its document has the same time, so that arrival decided which is newer.
    pub tie: bool,
    /// Time of the result.
    pub at: Millis,
    /// Time that each step took.
    pub steps: OfEvent,
    /// The lease under which it was tried, if it was.
    pub(super) tried: Option<Tried>,
    /// Pause that the handler asked for, in seconds.
    pub(super) pause: u32,
    /// Time for which the failed message is hidden, in seconds.
    pub(super) hidden_for: u32,
}

impl Processed {
    /// Time of the next try, where the event failed and is tried again in place.
    #[must_use]
    pub fn next_try_at(&self) -> Option<Millis> {
        let is_tried_again = self.fate.is_failure() && !self.message.is_last_in_place();
        let hidden_for = Millis::from(self.hidden_for).saturating_mul(1000);
        is_tried_again.then(|| self.at.saturating_add(hidden_for))
    }

    /// Time until which the event is tried again, where it waits in the retry queue now.
    #[must_use]
    pub fn waits_until(&self) -> Option<Millis> {
        let is_waiting = matches!(self.fate, Fate::Retry(_)) && self.message.is_last_in_place();
        let tried = self.tried.filter(|_| is_waiting);
        tried.map(|tried| tried.retry_until)
    }
}
