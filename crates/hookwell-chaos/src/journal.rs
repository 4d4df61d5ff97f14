//! What the storage really did, as the proxy saw it: the evidence that no function writes.

use std::sync::Mutex;

use serde_json::Value;

use crate::fault::{Site, lock};

/// A write of a document that the storage decided on.
#[derive(Debug, Clone)]
pub(crate) struct DocumentWrite {
    /// The document.
    pub(crate) pk: String,
    /// The version that was to be.
    pub(crate) version: String,
    /// The event that wanted it.
    pub(crate) event: String,
    /// Written, or refused by its condition.
    pub(crate) committed: bool,
}

/// Everything that was committed, in the order in which the storage answered.
#[derive(Debug, Default)]
pub(crate) struct Journal {
    documents: Mutex<Vec<DocumentWrite>>,
    sent: Mutex<Vec<String>>,
}

impl Journal {
    /// Notes one call and the storage's true answer.
    pub(crate) fn note(&self, site: Site, request: &Value, status: u16, answer: &[u8]) {
        let text = |pointer: &str| {
            let found = request.pointer(pointer).and_then(Value::as_str);
            found.unwrap_or_default().to_owned()
        };
        match site {
            Site::Document => {
                let refused = answer
                    .windows(b"ConditionalCheckFailed".len())
                    .any(|part| part == b"ConditionalCheckFailed");
                if status == 200 || refused {
                    lock(&self.documents).push(DocumentWrite {
                        pk: text("/Item/pk/S"),
                        version: text("/Item/version/S"),
                        event: text("/Item/event_id/S"),
                        committed: status == 200,
                    });
                }
            }
            Site::Send if status == 200 => {
                let message: Value =
                    serde_json::from_str(&text("/MessageBody")).unwrap_or_default();
                let id = message.get("id").and_then(Value::as_str);
                lock(&self.sent).push(id.unwrap_or_default().to_owned());
            }
            _ => {}
        }
    }

    /// The writes of documents.
    pub(crate) fn documents(&self) -> Vec<DocumentWrite> {
        lock(&self.documents).clone()
    }

    /// The ids of the events that the queue took, once for each message.
    pub(crate) fn sent(&self) -> Vec<String> {
        lock(&self.sent).clone()
    }
}
