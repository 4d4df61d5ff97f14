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
    /// Key of its event's record.
    pub(crate) key: String,
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
            Site::Send if status == 200 => self.sent_one(request),
            Site::SendMany if status == 200 => {
                let answer: Value = serde_json::from_slice(answer).unwrap_or_default();
                let list = |of: &Value, name: &str| {
                    let list = of.get(name).and_then(Value::as_array);
                    list.cloned().unwrap_or_default()
                };
                let successful = list(&answer, "Successful");
                let is_taken = |entry: &&Value| {
                    let mut ids = successful.iter().map(|one| one.get("Id"));
                    ids.any(|id| id == entry.get("Id"))
                };
                let entries = list(request, "Entries");
                entries
                    .iter()
                    .filter(is_taken)
                    .for_each(|entry| self.sent_one(entry));
            }
            _ => {}
        }
    }

    fn sent_one(&self, entry: &Value) {
        let body = entry.get("MessageBody").and_then(Value::as_str);
        let message: Value = serde_json::from_str(body.unwrap_or_default()).unwrap_or_default();
        let text = |name: &str| message.get(name).and_then(Value::as_str);
        // Of a large event the message only says where it is: `SOURCE/HASH OF THE KEY/HASH OF THE BODY`.
        let stored =
            text("stored").and_then(|name| Some(name.rsplit_once('/')?.0.replace('/', "#")));
        let key = text("key").map(str::to_owned).or(stored);
        lock(&self.sent).push(Message {
            key: key.unwrap_or_default(),
            at: now(),
        });
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
