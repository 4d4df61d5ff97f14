//! Replies to senders: the one table from outcome to status.

use std::borrow::Cow;

use http::{Method, StatusCode};

/// Result of a delivery. The name is the log field and the metric label.
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
    /// The sender's check that somebody is there, answered as it asks.
    Handshake,
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
    /// The body is compressed, and signatures cover the uncompressed bytes.
    Compressed,
    /// The source was never given a usable secret.
    NotConfigured,
    /// The source had a usable secret, or its store cannot be asked.
    NotReady,
    /// A certificate or secret that decides cannot be had now. Anybody can cause this, by an address that does not answer or
    /// by a flood that has a store asked too often, so it wakes nobody.
    NoKeyYet,
    /// The delivery names a certificate that its provider does not have.
    NoCertificate,
    /// The queue did not take it.
    Unavailable,
}

/// The answer to a sender.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reply {
    /// The status.
    pub status: StatusCode,
    /// Headers beside the content type.
    pub headers: Vec<(&'static str, Cow<'static, str>)>,
    /// Content type of the body.
    pub content_type: Cow<'static, str>,
    /// The body.
    pub body: Cow<'static, str>,
}

/// JSON, as replies are unless a sender asks for something else.
pub const JSON: &str = "application/json";

impl Reply {
    /// A reply of 200.
    #[must_use]
    pub fn ok(content_type: &'static str, body: impl Into<Cow<'static, str>>) -> Self {
        Self {
            status: StatusCode::OK,
            headers: Vec::new(),
            content_type: Cow::Borrowed(content_type),
            body: body.into(),
        }
    }
}

/// Replies that a sender expects in place of the default ones.
#[derive(Debug, Clone, Default)]
pub struct Replies {
    /// Reply to a delivery that was taken, new or not.
    pub success: Option<Reply>,
    /// Status of the reply to a wrong signature.
    pub refused_status: Option<StatusCode>,
    /// Body of the reply to a wrong signature.
    pub refused_body: Option<String>,
}

impl Replies {
    /// The reply to a delivery of a source that takes `more` methods beside POST.
    #[must_use]
    pub fn reply(&self, receipt: Receipt, more: &[Method]) -> Reply {
        let mut reply = receipt.reply();
        match receipt {
            Receipt::Received | Receipt::Filtered | Receipt::Quarantined | Receipt::Duplicate => {
                if let Some(success) = &self.success {
                    reply.clone_from(success);
                }
            }
            Receipt::Unverified | Receipt::NoCertificate => {
                reply.status = self.refused_status.unwrap_or(reply.status);
                if let Some(body) = &self.refused_body {
                    reply.body = Cow::Owned(body.clone());
                }
            }
            Receipt::MethodNotAllowed => {
                let names = [Method::POST];
                let names: Vec<_> = names.iter().chain(more).map(Method::as_str).collect();
                reply.headers = vec![("allow", Cow::Owned(names.join(", ")))];
            }
            _ => {}
        }
        reply
    }
}

/// Time that a sender should wait after a 503, in seconds.
pub const RETRY_AFTER: &str = "30";

impl Receipt {
    /// Name of the result.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Received => "received",
            Self::Duplicate => "duplicate",
            Self::Filtered => "filtered",
            Self::Quarantined => "quarantined",
            Self::Handshake => "handshake",
            Self::BadRequest => "bad_request",
            Self::Invalid => "invalid",
            Self::Unverified => "unverified",
            Self::AddressNotAllowed => "address_not_allowed",
            Self::UnknownSource => "unknown_source",
            Self::MethodNotAllowed => "method_not_allowed",
            Self::TooLarge => "too_large",
            Self::Compressed => "compressed",
            Self::NotConfigured => "not_configured",
            Self::NotReady => "not_ready",
            Self::NoKeyYet => "no_key_yet",
            Self::NoCertificate => "no_certificate",
            Self::Unavailable => "unavailable",
        }
    }

    /// True when the request has no valid signature, so that anybody may have sent it.
    #[must_use]
    pub fn may_be_anybodys(self) -> bool {
        match self {
            Self::BadRequest
            | Self::Unverified
            | Self::AddressNotAllowed
            | Self::UnknownSource
            | Self::MethodNotAllowed
            | Self::TooLarge
            | Self::Compressed
            | Self::NotConfigured
            | Self::NotReady
            | Self::NoKeyYet
            | Self::NoCertificate => true,
            Self::Received
            | Self::Duplicate
            | Self::Filtered
            | Self::Quarantined
            | Self::Handshake
            | Self::Invalid
            | Self::Unavailable => false,
        }
    }

    /// Answer to a sender, unless its source says otherwise. A source that is not ready answers 503, not 401: senders
    /// disable a webhook after a few 401s and retry after a 503.
    #[must_use]
    pub fn reply(self) -> Reply {
        let (status, body) = match self {
            Self::Received | Self::Filtered | Self::Quarantined | Self::Handshake => {
                (StatusCode::OK, r#"{"status":"received"}"#)
            }
            Self::Duplicate => (StatusCode::OK, r#"{"status":"duplicate"}"#),
            Self::BadRequest => (StatusCode::BAD_REQUEST, r#"{"error":"Malformed request"}"#),
            Self::Invalid => (
                StatusCode::BAD_REQUEST,
                r#"{"error":"Invalid event payload"}"#,
            ),
            Self::Unverified | Self::NoCertificate => {
                (StatusCode::UNAUTHORIZED, r#"{"error":"Invalid signature"}"#)
            }
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
            Self::NotConfigured | Self::NotReady | Self::NoKeyYet | Self::Unavailable => (
                StatusCode::SERVICE_UNAVAILABLE,
                r#"{"error":"Temporarily unavailable"}"#,
            ),
        };
        let headers = match self {
            Self::MethodNotAllowed => vec![("allow", Cow::Borrowed("POST"))],
            Self::NotConfigured | Self::NotReady | Self::NoKeyYet | Self::Unavailable => {
                vec![("retry-after", Cow::Borrowed(RETRY_AFTER))]
            }
            _ => Vec::new(),
        };
        Reply {
            status,
            headers,
            content_type: Cow::Borrowed(JSON),
            body: Cow::Borrowed(body),
        }
    }
}
