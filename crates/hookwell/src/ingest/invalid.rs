//! Why a signed body is no event.

use crate::format::json::{JsonError, MAX_ITEMS};

/// Why a signed body is no event.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Invalid {
    /// It cannot be read.
    #[error(transparent)]
    Json(#[from] JsonError),
    /// It is a form where the source says JSON.
    #[error(
        "the body is not JSON; if the sender posts forms, say body = \"form\" in the sources file"
    )]
    Form,
    /// A required key is absent, null or empty.
    #[error("{0} is missing")]
    Missing(String),
    /// More events than one delivery may carry.
    #[error("more than {MAX_ITEMS} events in one delivery")]
    TooMany,
}
