//! The seam for your code: an event in, an outcome out.

use std::fmt::Display;

use crate::event::Event;
use crate::event::typed::Misfit;

/// Outcome of an event.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Outcome {
    /// The event took effect.
    Applied,
    /// A newer event of the same document was there before it.
    Stale,
    /// The event is nothing to act on.
    Ignored,
    /// The event can never be applied; the dead-letter queue holds it, with the reason.
    Rejected,
}

impl Outcome {
    /// Every outcome by the name that logs, metrics and tables use.
    pub const NAMES: [(&'static str, Self); 4] = [
        ("applied", Self::Applied),
        ("stale", Self::Stale),
        ("ignored", Self::Ignored),
        ("rejected", Self::Rejected),
    ];

    /// Name of the outcome.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Applied => "applied",
            Self::Stale => "stale",
            Self::Ignored => "ignored",
            Self::Rejected => "rejected",
        }
    }
}

/// Result of a handler's call. Make one of an [`Outcome`]: `Ok(Outcome::Applied.into())`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Handled {
    /// The outcome.
    pub outcome: Outcome,
    /// True when the event before or after it in its document has the same time: arrival decided which is newer.
    pub tie: bool,
}

impl From<Outcome> for Handled {
    fn from(outcome: Outcome) -> Self {
        Self {
            outcome,
            tie: false,
        }
    }
}

/// Applies events.
///
/// An implementation MUST be safe to call again with the same event: a crash after the effect and before the record
/// looks like no call at all. [`Event::key`] is the same every time, so a service that takes an idempotency key can
/// tell.
pub trait Handler: Send + Sync {
    /// Applies one event.
    ///
    /// # Errors
    /// [`HandleError::Retry`], [`HandleError::RetryEnded`] or [`HandleError::RetryAfter`] to be called again later, [`HandleError::Reject`] when that
    /// can never help. A panic is a retry.
    fn handle(&self, event: &Event) -> impl Future<Output = Result<Handled, HandleError>> + Send;

    /// True when this event has effects outside the documents table: a mail, a payment, another service. Then no two
    /// calls work on it at once and none starts after one has finished, at the price of one more write.
    ///
    /// It still runs again when a call ends between the effect and its record. Only the service that is called can
    /// tell, by [`Event::key`].
    fn reaches_outside(&self, event: &Event) -> bool {
        let _ = event;
        false
    }
}

/// Reason why an event was not applied.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum HandleError {
    /// Something passing: call again later, for as long as the source's `retry_for` says. What the call started elsewhere
    /// may still be running, so the next call waits for the end of this one's lease.
    #[error("{0}")]
    Retry(String),
    /// As [`Self::Retry`], and nothing of the call is running any more: the service has answered that it cannot do it
    /// now, or was not reached. The next call need not wait for the lease.
    #[error("{0}")]
    RetryEnded(String),
    /// As [`Self::RetryEnded`], and not before so many seconds are over, at most 15 minutes: the service has asked for
    /// the pause.
    #[error("{why}")]
    RetryAfter {
        /// Reason why it was not applied.
        why: String,
        /// Time that the service asks for, in seconds.
        seconds: u32,
    },
    /// Nothing will help: the event goes to the dead-letter queue now.
    #[error("{0}")]
    Reject(String),
}

impl HandleError {
    /// [`Self::Retry`] for any error: `.map_err(HandleError::retry)?`.
    pub fn retry(why: impl Display) -> Self {
        Self::Retry(why.to_string())
    }
}

impl From<Misfit> for HandleError {
    /// Rejected: the same body never fits.
    fn from(misfit: Misfit) -> Self {
        Self::Reject(misfit.to_string())
    }
}
