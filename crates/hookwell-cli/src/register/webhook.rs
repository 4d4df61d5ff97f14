//! One webhook, as its sender tells it.

use serde::Serialize;
use serde_json::Value;

use super::api::Places;

/// A webhook at its sender.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct Webhook {
    /// Id of the sender.
    pub(crate) id: String,
    /// URL to which it posts.
    pub(crate) url: String,
    /// Events that it sends.
    pub(crate) events: Vec<String>,
    /// The sender's word for the state of the webhook, enabled or not; empty where there is none.
    pub(crate) status: String,
}

impl Webhook {
    /// Reads a webhook from an answer; `None` where it has no id.
    pub(super) fn read(places: &Places, answer: &Value) -> Option<Self> {
        let at = |place: &str| answer.pointer(place).map(text).unwrap_or_default();
        let events = answer.pointer(&places.events).and_then(Value::as_array);
        let events = events.map(|all| all.iter().map(text).collect());
        let webhook = Self {
            id: at(&places.id),
            url: at(&places.url),
            events: events.unwrap_or_default(),
            status: match answer.pointer(&places.status) {
                Some(Value::Bool(true)) => "enabled".to_owned(),
                Some(Value::Bool(false)) => "disabled".to_owned(),
                other => other.map(text).unwrap_or_default(),
            },
        };
        (!webhook.id.is_empty()).then_some(webhook)
    }

    /// True when it posts to this URL.
    pub(crate) fn posts_to(&self, url: &str) -> bool {
        self.url.trim_end_matches('/') == url.trim_end_matches('/')
    }

    /// True when it sends these events, in whatever order they are.
    pub(crate) fn sends(&self, events: &[String]) -> bool {
        let has = |all: &[String], some: &[String]| some.iter().all(|one| all.contains(one));
        has(&self.events, events) && has(events, &self.events)
    }
}

/// The text of a value: ids are numbers with some senders.
fn text(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Number(number) => number.to_string(),
        _ => String::new(),
    }
}
