//! Reasons a signed body is no event.

use crate::format::json::{JsonError, MAX_ITEMS};

/// Reason a signed body is no event.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Invalid {
    /// The body cannot be read.
    #[error(transparent)]
    Json(#[from] JsonError),
    /// The content type says form, but `body` of the source is `json`.
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
