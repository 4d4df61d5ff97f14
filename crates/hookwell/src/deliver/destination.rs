//! One destination as the sources file has it.

use std::fmt;
use std::net::IpAddr;
use std::time::Duration;

use http::Uri;

use crate::event::Event;
use crate::format::pattern::Pattern;
use crate::keys::reference::SecretRef;

/// Address of a destination.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Target {
    /// An HTTP endpoint, which gets signed requests.
    Http {
        /// URL of the endpoint.
        url: String,
        /// Place of the secret that signs the requests.
        secret: SecretRef,
        /// Time until the status of the answer to one request.
        timeout: Duration,
    },
    /// An EventBridge bus, by its name or ARN.
    EventBridge(String),
    /// An SQS queue, by its URL.
    Sqs(String),
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Http { url, .. } => f.write_str(url),
            Self::EventBridge(bus) => write!(f, "eventbridge:{bus}"),
            Self::Sqs(url) => write!(f, "sqs:{url}"),
        }
    }
}

/// Somebody else who gets events.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Destination {
    /// Name of the destination.
    pub name: String,
    /// Address of the destination.
    pub to: Target,
    /// Names of the sources whose events it gets; all, where `None`.
    pub sources: Option<Vec<String>>,
    /// Patterns of the types that it gets; all, where `None`.
    pub types: Option<Vec<Pattern>>,
}

impl Destination {
    /// True when the destination gets this event. What ingest could not read goes nowhere.
    #[must_use]
    pub fn takes(&self, event: &Event) -> bool {
        let sources = self.sources.as_ref();
        let types = self.types.as_ref();
        let fits = |pattern: &Pattern| pattern.capture(&event.kind).is_some();
        event.invalid.is_none()
            && sources.is_none_or(|names| names.contains(&event.source))
            && types.is_none_or(|patterns| patterns.iter().any(fits))
    }
}

/// Checks an address. Without encryption anybody on the way could read and change what is sent, so only
/// this machine is reached by http.
///
/// # Errors
/// Reason why nothing is sent there, and what to do.
pub fn check_address(text: &str) -> Result<(), &'static str> {
    const NEITHER: &str =
        "is no https:// address (http:// on this machine only), eventbridge:BUS or sqs:QUEUE_URL";
    let uri: Uri = text.parse().map_err(|_| NEITHER)?;
    let host = uri.host().ok_or(NEITHER)?;
    match uri.scheme_str() {
        Some("https") => {}
        Some("http") if is_loopback(host) => {}
        Some("http") => {
            return Err("is not encrypted: use https://, http:// is for this machine only");
        }
        _ => return Err(NEITHER),
    }
    if uri
        .authority()
        .is_some_and(|all| all.as_str().contains('@'))
    {
        return Err("holds a name or a password: the secret signs the requests");
    }
    Ok(())
}

fn is_loopback(host: &str) -> bool {
    let address = host.trim_start_matches('[').trim_end_matches(']');
    host == "localhost" || address.parse().is_ok_and(|one: IpAddr| one.is_loopback())
}
