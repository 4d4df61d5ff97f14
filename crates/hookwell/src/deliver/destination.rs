//! One destination as the sources file has it.

use std::time::Duration;

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
        /// Time that one request may take, its answer included.
        timeout: Duration,
    },
    /// An EventBridge bus, by its name or ARN.
    EventBridge(String),
    /// An SQS queue, by its URL.
    Sqs(String),
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
