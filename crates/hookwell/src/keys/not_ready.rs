//! Why a source has no usable key.

use crate::keys::reference::SecretRef;
use crate::keys::secret::SecretError;

/// Why a source cannot verify anything now. It answers 503 until that changes.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{reference} {problem}")]
pub struct NotReady {
    /// The secret, as the sources file names it.
    pub reference: SecretRef,
    /// What is wrong with it.
    pub problem: SecretProblem,
}

/// What is wrong with a secret.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SecretProblem {
    /// There is none under that name.
    #[error("is not set")]
    NotSet,
    /// Its store did not answer; the text is the store's, without the value.
    #[error("cannot be fetched: {0}")]
    Unavailable(String),
    /// It is there and unusable.
    #[error(transparent)]
    Unusable(#[from] SecretError),
}
