//! Effects in the storage as the proxy saw them: evidence that no function writes.

use std::sync::Mutex;
use std::time::SystemTime;

use serde_json::Value;

use crate::fault::{Site, lock};

/// Milliseconds since 1970, by this machine's clock, which is the functions' as well.
pub(crate) fn now() -> u64 {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
    since.map_or(0, |since| {
        u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
    })
}

/// A first record of an event that the storage took.
#[derive(Debug, Clone)]
pub(crate) struct FirstRecord {
    /// Key of the record.
    pub(crate) pk: String,
    /// Time of the reception, as the record says.
    pub(crate) received_at: u64,
    /// The version that it settles.
    pub(crate) version: String,
    /// Time at which the proxy had the storage's answer.
    pub(crate) at: u64,
}

/// A message that the queue took.
#[derive(Debug, Clone)]
pub(crate) struct Message {
    /// The id of its event.
    pub(crate) event: String,
    /// Time at which the proxy had the queue's answer.
    pub(crate) at: u64,
}

/// A write of a document that the storage decided on.
#[derive(Debug, Clone)]
pub(crate) struct DocumentWrite {
    /// Key of the document.
    pub(crate) pk: String,
    /// Version that the write puts.
    pub(crate) version: String,
    /// Event of the write.
    pub(crate) event: String,
    /// True when written, false when refused by its condition.
    pub(crate) committed: bool,
}

/// Everything that was committed, in the order in which the storage answered.
#[derive(Debug, Default)]
pub(crate) struct Journal {
    records: Mutex<Vec<FirstRecord>>,
    documents: Mutex<Vec<DocumentWrite>>,
    sent: Mutex<Vec<Message>>,
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
            Site::Remember | Site::Settle if status == 200 => {
                lock(&self.records).push(FirstRecord {
                    pk: text("/Item/pk/S"),
                    received_at: text("/Item/received_at/N").parse().unwrap_or(0),
                    version: text("/Item/version/S"),
                    at: now(),
                });
            }
            Site::Send if status == 200 => {
                let message: Value =
                    serde_json::from_str(&text("/MessageBody")).unwrap_or_default();
                let id = message.get("id").and_then(Value::as_str);
                lock(&self.sent).push(Message {
                    event: id.unwrap_or_default().to_owned(),
                    at: now(),
                });
            }
            _ => {}
        }
    }

    /// The first records, one for each life of a record.
    pub(crate) fn records(&self) -> Vec<FirstRecord> {
        lock(&self.records).clone()
    }

    /// The writes of documents.
    pub(crate) fn documents(&self) -> Vec<DocumentWrite> {
        lock(&self.documents).clone()
    }

    /// The messages that the queue took.
    pub(crate) fn sent(&self) -> Vec<Message> {
        lock(&self.sent).clone()
    }
}
