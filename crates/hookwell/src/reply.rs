//! What a sender is told: the one table from outcome to status.

use http::StatusCode;

/// What came of a delivery. The name is the log field and the metric label.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Receipt {
    /// Queued.
    Received,
    /// Finished before; nothing was sent.
    Duplicate,
    /// Of a type that the source does not queue.
    Filtered,
    /// Signed but unreadable, and kept with its reason.
    Quarantined,
    /// The request itself is broken.
    BadRequest,
    /// Signed but unreadable, or a required key is missing.
    Invalid,
    /// Not signed by anyone who holds a secret, or too old.
    Unverified,
    /// From an address that may not send.
    AddressNotAllowed,
    /// No such source.
    UnknownSource,
    /// Not a POST.
    MethodNotAllowed,
    /// Larger than the source takes.
    TooLarge,
    /// Compressed; the signature is over other bytes.
    Compressed,
    /// The source has no usable secret.
    NotReady,
    /// The queue did not take it.
    Unavailable,
}

/// The answer to a sender.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reply {
    /// The status.
    pub status: StatusCode,
    /// Headers beside the content type.
    pub headers: Vec<(&'static str, &'static str)>,
    /// A JSON body.
    pub body: &'static str,
}

/// How long a sender should wait after a 503, in seconds.
pub const RETRY_AFTER: &str = "30";

impl Receipt {
    /// Its name.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Received => "received",
            Self::Duplicate => "duplicate",
            Self::Filtered => "filtered",
            Self::Quarantined => "quarantined",
            Self::BadRequest => "bad_request",
            Self::Invalid => "invalid",
            Self::Unverified => "unverified",
            Self::AddressNotAllowed => "address_not_allowed",
            Self::UnknownSource => "unknown_source",
            Self::MethodNotAllowed => "method_not_allowed",
            Self::TooLarge => "too_large",
            Self::Compressed => "compressed",
            Self::NotReady => "not_ready",
            Self::Unavailable => "unavailable",
        }
    }

    /// What the sender is told. A source that is not ready answers 503, not 401: senders disable a webhook after a
    /// few 401s and retry after a 503.
    #[must_use]
    pub fn reply(self) -> Reply {
        let (status, body) = match self {
            Self::Received | Self::Filtered | Self::Quarantined => {
                (StatusCode::OK, r#"{"status":"received"}"#)
            }
            Self::Duplicate => (StatusCode::OK, r#"{"status":"duplicate"}"#),
            Self::BadRequest => (StatusCode::BAD_REQUEST, r#"{"error":"Malformed request"}"#),
            Self::Invalid => (
                StatusCode::BAD_REQUEST,
                r#"{"error":"Invalid event payload"}"#,
            ),
            Self::Unverified => (StatusCode::UNAUTHORIZED, r#"{"error":"Invalid signature"}"#),
            Self::AddressNotAllowed => {
                (StatusCode::FORBIDDEN, r#"{"error":"Address not allowed"}"#)
            }
            Self::UnknownSource => (StatusCode::NOT_FOUND, r#"{"error":"Unknown source"}"#),
            Self::MethodNotAllowed => (
                StatusCode::METHOD_NOT_ALLOWED,
                r#"{"error":"Method not allowed"}"#,
            ),
            Self::TooLarge => (
                StatusCode::PAYLOAD_TOO_LARGE,
                r#"{"error":"Payload too large"}"#,
            ),
            Self::Compressed => (
                StatusCode::UNSUPPORTED_MEDIA_TYPE,
                r#"{"error":"Compressed body not supported"}"#,
            ),
            Self::NotReady | Self::Unavailable => (
                StatusCode::SERVICE_UNAVAILABLE,
                r#"{"error":"Temporarily unavailable"}"#,
            ),
        };
        let headers = match self {
            Self::MethodNotAllowed => vec![("allow", "POST")],
            Self::NotReady | Self::Unavailable => vec![("retry-after", RETRY_AFTER)],
            _ => Vec::new(),
        };
        Reply {
            status,
            headers,
            body,
        }
    }
}
