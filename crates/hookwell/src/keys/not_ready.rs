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
    /// The secret is there and unusable.
    #[error(transparent)]
    Unusable(#[from] SecretError),
}
