//! Why a signed body is no event.

use crate::format::json::JsonError;

/// The most events that one delivery may carry: more than any known sender puts into one (SendGrid: 768 KB), and what fits
/// the memory of a small function.
pub const MAX_ITEMS: usize = 10_000;

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
