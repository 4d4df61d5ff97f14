//! Effects in the storage as the proxy saw them: evidence that no function writes.

use std::collections::{HashMap, HashSet};
use std::sync::Mutex;
use std::time::SystemTime;

use serde_json::Value;

use crate::fault::{Site, lock};
use crate::sources::Destination;

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
    /// Key of the record of its event, or of the event's copy for a destination.
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
    /// The records that were finished, by key; false for those that were rejected, whose letters may be put back.
    finished: Mutex<HashMap<String, bool>>,
}

/// Key of the record that a message or a letter is about.
pub(crate) fn record_key(message: &Value) -> Option<String> {
    let text = |name: &str| message.get(name).and_then(Value::as_str);
    if let Some(key) = text("key") {
        let copy = text("destination").map(|destination| format!("{key}>{destination}"));
        return Some(copy.unwrap_or_else(|| key.to_owned()));
    }
    // The message of a large event only names its object: `SOURCE/HASH OF THE KEY/HASH OF THE BODY`, with the
    // destination before the last part for a copy.
    let mut parts = text("stored")?.split('/');
    let (source, hash, next) = (parts.next()?, parts.next()?, parts.next()?);
    let key = format!("{source}#{hash}");
    Some(match parts.next() {
        Some(_) => format!("{key}>{next}"),
        None => key,
    })
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
            Site::Finish if status == 200 => {
                let is_done = text("/ExpressionAttributeValues/:outcome/S") != "rejected";
                lock(&self.finished).insert(text("/Key/pk/S"), is_done);
            }
            Site::Send if status == 200 => self.sent_one(request),
            Site::SendMany | Site::Copy if status == 200 => {
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
        let message = serde_json::from_str(body.unwrap_or_default()).unwrap_or_default();
        lock(&self.sent).push(Message {
            key: record_key(&message).unwrap_or_default(),
            at: now(),
        });
    }

    /// True when the record of this key is done.
    pub(crate) fn is_done(&self, key: &str) -> bool {
        lock(&self.finished).get(key) == Some(&true)
    }

    /// Number of events and copies that were queued and never finished, but for those that wait for the failing destination.
    pub(crate) fn open_elsewhere(&self) -> usize {
        let finished = lock(&self.finished);
        let end = Destination::Failing.record_key("");
        let sent = lock(&self.sent);
        let keys: HashSet<_> = sent.iter().map(|message| &message.key).collect();
        let is_open = |key: &&&String| !finished.contains_key(**key) && !key.ends_with(&end);
        keys.iter().filter(is_open).count()
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
