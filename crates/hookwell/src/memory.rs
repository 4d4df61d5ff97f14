//! The ledger, the queue and the documents in memory: the model that tests and the simulator run the protocol on.
//! The same contract tests hold for it and for the AWS adapters.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::document::{Document, PutResult, change, outcome};
use crate::event::{DocumentKey, Event, Key};
use crate::format::time::Millis;
use crate::handler::{HandleError, Handler, Outcome};
use crate::ledger::{Claim, End, Finish, Lease, Ledger, LedgerError, Remembered, Status};
use crate::queue::{Queue, QueueError};

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// One record of the ledger.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Record {
    /// Where the event is on its way.
    pub status: Status,
    /// How it ended.
    pub outcome: Option<Outcome>,
    /// When it was first received.
    pub received_at: Millis,
    /// When it may be forgotten, in seconds since 1970.
    pub expires_at: i64,
    body_hash: String,
    lease: Option<(String, Millis)>,
}

impl Record {
    fn pending(event: &Event) -> Self {
        Self {
            status: Status::Pending,
            outcome: None,
            received_at: event.received_at,
            expires_at: event.expires_at,
            body_hash: event.body.hash(),
            lease: None,
        }
    }
}

/// A ledger in memory.
#[derive(Debug, Default)]
pub struct MemoryLedger {
    records: Mutex<BTreeMap<Key, Record>>,
    kept: Mutex<BTreeMap<Key, Event>>,
}

impl MemoryLedger {
    /// What was kept of an event.
    #[must_use]
    pub fn kept(&self, key: &Key) -> Option<Event> {
        locked(&self.kept).get(key).cloned()
    }

    /// The record of an event.
    #[must_use]
    pub fn record(&self, key: &Key) -> Option<Record> {
        locked(&self.records).get(key).cloned()
    }

    /// How many records there are.
    #[must_use]
    pub fn len(&self) -> usize {
        locked(&self.records).len()
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

impl Ledger for MemoryLedger {
    async fn remember(&self, event: &Event, now: Millis) -> Result<Remembered, LedgerError> {
        let mut records = locked(&self.records);
        if let Some(record) = records.get(&event.key)
            && record.expires_at >= now / 1000
        {
            let Record {
                status,
                received_at,
                ..
            } = *record;
            let same_body = record.body_hash == event.body.hash();
            return Ok(Remembered::Known {
                status,
                received_at,
                same_body,
            });
        }
        records.insert(event.key.clone(), Record::pending(event));
        Ok(Remembered::New)
    }

    async fn claim(&self, event: &Event, lease: &Lease<'_>) -> Result<Claim, LedgerError> {
        let mut records = locked(&self.records);
        let record = records
            .entry(event.key.clone())
            .or_insert_with(|| Record::pending(event));
        match &record.lease {
            _ if record.status == Status::Done => return Ok(Claim::Finished),
            Some((owner, until)) if owner != lease.owner && *until >= lease.now => {
                return Ok(Claim::Busy { until: *until });
            }
            _ => {}
        }
        record.status = Status::Pending;
        record.lease = Some((lease.owner.to_owned(), lease.until));
        Ok(Claim::Held)
    }

    async fn keep(&self, event: &Event) -> Result<(), LedgerError> {
        locked(&self.kept).insert(event.key.clone(), event.clone());
        Ok(())
    }

    async fn finish(&self, event: &Event, end: &End) -> Result<Finish, LedgerError> {
        let mut records = locked(&self.records);
        let record = records
            .entry(event.key.clone())
            .or_insert_with(|| Record::pending(event));
        if record.status == Status::Done {
            return Ok(Finish::Before);
        }
        let holder = record.lease.as_ref().map(|(owner, _)| owner);
        if end.owner.is_some() && holder != end.owner.as_ref() {
            return Ok(Finish::NotOwner);
        }
        record.status = match end.outcome {
            Outcome::Rejected => Status::Quarantined,
            Outcome::Applied | Outcome::Stale | Outcome::Ignored => Status::Done,
        };
        record.outcome = Some(end.outcome);
        record.expires_at = event.expires_at;
        record.lease = None;
        Ok(Finish::Recorded)
    }
}

/// A queue in memory, with its dead-letter queue.
#[derive(Debug, Default)]
pub struct MemoryQueue {
    messages: Mutex<VecDeque<String>>,
    buried: Mutex<Vec<(Event, String)>>,
}

impl MemoryQueue {
    /// Takes the oldest message out.
    pub fn take(&self) -> Option<String> {
        locked(&self.messages).pop_front()
    }

    /// How many messages wait.
    #[must_use]
    pub fn len(&self) -> usize {
        locked(&self.messages).len()
    }

    /// Whether none waits.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The events in the dead-letter queue, with their reasons.
    #[must_use]
    pub fn buried(&self) -> Vec<(Event, String)> {
        locked(&self.buried).clone()
    }
}

impl Queue for MemoryQueue {
    async fn send(&self, event: &Event) -> Result<(), QueueError> {
        locked(&self.messages).push_back(event.to_message());
        Ok(())
    }

    async fn bury(&self, event: &Event, reason: &str) -> Result<(), QueueError> {
        locked(&self.buried).push((event.clone(), reason.to_owned()));
        Ok(())
    }

    async fn delay(&self, _receipt: &str, _seconds: u32) {}
}

/// The documents handler over a table in memory.
#[derive(Debug, Default)]
pub struct MemoryDocuments(Mutex<BTreeMap<String, Document>>);

impl MemoryDocuments {
    /// One document or tombstone.
    #[must_use]
    pub fn get(&self, key: &DocumentKey) -> Option<Document> {
        locked(&self.0).get(key.as_str()).cloned()
    }

    /// Every document and tombstone, by key.
    #[must_use]
    pub fn all(&self) -> BTreeMap<String, Document> {
        locked(&self.0).clone()
    }
}

impl Handler for MemoryDocuments {
    async fn handle(&self, event: &Event) -> Result<Outcome, HandleError> {
        let Some(document) = change(event)? else {
            return Ok(Outcome::Ignored);
        };
        let mut documents = locked(&self.0);
        let version = document.version.clone();
        let result = match documents.get(document.key.as_str()) {
            Some(there) if there.version >= version => {
                PutResult::Refused(there.version.as_str().to_owned())
            }
            _ => {
                documents.insert(document.key.as_str().to_owned(), document);
                PutResult::Written
            }
        };
        Ok(outcome(&version, &result))
    }
}
