//! Reasons why a source has no usable key.

use crate::keys::reference::SecretRef;
use crate::keys::secret::SecretError;

/// Reason why a source cannot verify anything now. The source answers 503 until that changes.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{reference} {problem}")]
pub struct NotReady {
    /// The secret, as the sources file names it.
    pub reference: SecretRef,
    /// Problem of the secret.
    pub problem: SecretProblem,
    /// True when the source had usable keys at some time since this function started.
    pub was_ready: bool,
}

/// Cause of missing keys, which decides the status and the alarm.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Lack {
    /// Nobody has ever given the source its secret: whoever posts to it is nobody's sender yet.
    NeverGiven,
    /// The store is asked too often, which anybody can cause.
    Crowded,
    /// The secret was there before, or its store does not answer: the source's senders are refused.
    Lost,
}

impl NotReady {
    /// Cause of the missing keys.
    #[must_use]
    pub fn lack(&self) -> Lack {
        match &self.problem {
            SecretProblem::Crowded => Lack::Crowded,
            SecretProblem::NotSet | SecretProblem::Unusable(_) if !self.was_ready => {
                Lack::NeverGiven
            }
            SecretProblem::NotSet | SecretProblem::Unusable(_) | SecretProblem::Unavailable(_) => {
                Lack::Lost
            }
        }
    }
}

/// Problem of a secret.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SecretProblem {
    /// The store has no secret under that name.
    #[error("is not set")]
    NotSet,
    /// The store did not answer; the text is the store's, without the value.
    #[error("cannot be fetched: {0}")]
    Unavailable(String),
    /// The store refuses because it is asked too often.
    #[error("cannot be fetched: its store is asked too often")]
    Crowded,
    /// The text is there and cannot be a key.
    #[error(transparent)]
    Unusable(#[from] SecretError),
}
