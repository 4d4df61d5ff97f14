//! The ledger, the queue and the documents in memory: the model that tests and the simulator run the protocol on.
//! The same contract tests hold for it and for the AWS adapters.

use std::collections::{BTreeMap, VecDeque};
use std::fmt;
use std::future::pending;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use futures_util::FutureExt as _;

use crate::event::Event;
use crate::event::identity::{DocumentKey, Key};
use crate::format::time::Millis;
use crate::ports::clock::Clock;
use crate::ports::document::{Document, change};
use crate::ports::handler::{HandleError, Handled, Handler, Outcome};
use crate::ports::ledger::{
    Claim, End, Failure, Finish, Lease, Ledger, LedgerError, Record, Remembered, Status, Tries,
};
use crate::ports::queue::{Queue, QueueError};

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A clock that stands still, without timers: nothing is ever too late.
pub struct StoppedClock(Box<dyn Fn() -> Millis + Send + Sync>);

impl StoppedClock {
    /// A clock that shows this time.
    #[must_use]
    pub fn at(now: Millis) -> Self {
        Self(Box::new(move || now))
    }

    /// The clock as a call of a function takes it.
    #[must_use]
    pub fn clock(&self) -> Clock<'_> {
        Clock {
            now: &*self.0,
            reception: &*self.0,
            instant: &Instant::now,
            until: &|_| pending().boxed(),
        }
    }
}

impl fmt::Debug for StoppedClock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "StoppedClock({})", (self.0)())
    }
}

/// One stored record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stored {
    /// Record that the ledger's callers see.
    pub record: Record,
    /// Outcome of the event, once it has ended.
    pub outcome: Option<Outcome>,
    /// True when another event of its document has the same time.
    pub tie: bool,
    /// Time at which the record may be forgotten, in seconds since 1970.
    pub expires_at: i64,
    /// Number of leases that were taken.
    pub tries: u32,
    /// Time until which it is tried again, while it waits in the retry queue.
    pub waits_until: Option<Millis>,
    lease: Option<(String, Millis)>,
}

impl Stored {
    fn pending(event: &Event) -> Self {
        Self {
            record: Record {
                status: Status::Pending,
                version: event.version(),
                received_at: event.received_at,
                body_hash: event.body.hash(),
                tries: Tries::default(),
            },
            outcome: None,
            tie: false,
            expires_at: event.record_end(),
            tries: 0,
            waits_until: None,
            lease: None,
        }
    }

    fn is_live(&self, now: Millis) -> bool {
        self.expires_at >= now / 1000
    }
}

/// A ledger in memory.
#[derive(Debug, Default)]
pub struct MemoryLedger {
    records: Mutex<BTreeMap<Key, Stored>>,
    kept: Mutex<BTreeMap<Key, Event>>,
}

impl MemoryLedger {
    /// Event that was kept whole.
    #[must_use]
    pub fn kept(&self, key: &Key) -> Option<Event> {
        locked(&self.kept).get(key).cloned()
    }

    /// The record of an event, also an expired one.
    #[must_use]
    pub fn stored(&self, key: &Key) -> Option<Stored> {
        locked(&self.records).get(key).cloned()
    }

    /// Opens the record of an event that ended, as an operator does who puts it back into the queue.
    pub fn reopen(&self, key: &Key, now: Millis) {
        if let Some(stored) = locked(&self.records).get_mut(key) {
            stored.record.status = Status::Pending;
            stored.record.tries.reopened_at = Some(now);
        }
    }

    /// Number of records.
    #[must_use]
    pub fn len(&self) -> usize {
        locked(&self.records).len()
    }

    /// True when there is no record.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

impl Ledger for MemoryLedger {
    async fn remember(&self, event: &Event, now: Millis) -> Result<Remembered, LedgerError> {
        let mut records = locked(&self.records);
        let live = records
            .get(&*event.record_key())
            .filter(|stored| stored.is_live(now));
        let is_of_it = |stored: &&Stored| {
            let repeats_after = event.repeats_after.unwrap_or(Millis::MIN);
            stored.record.received_at >= repeats_after
        };
        if let Some(stored) = live.filter(is_of_it) {
            return Ok(Remembered::Known(stored.record.clone()));
        }
        records.insert(event.record_key().into_owned(), Stored::pending(event));
        Ok(Remembered::New)
    }

    async fn recall(
        &self,
        events: &[&Event],
        now: Millis,
    ) -> Result<Vec<Option<Record>>, LedgerError> {
        let records = locked(&self.records);
        let live = |event: &&Event| {
            let stored = records
                .get(&*event.record_key())
                .filter(|stored| stored.is_live(now));
            stored.map(|stored| stored.record.clone())
        };
        Ok(events.iter().map(live).collect())
    }

    async fn claim(&self, event: &Event, lease: &Lease<'_>) -> Result<Claim, LedgerError> {
        let mut records = locked(&self.records);
        let live = records.get_mut(&*event.record_key());
        let Some(stored) = live.filter(|stored| stored.is_live(lease.now)) else {
            return Err(LedgerError("there is no record".to_owned()));
        };
        match &stored.lease {
            _ if stored.record.status == Status::Done => return Ok(Claim::Finished),
            Some((owner, until)) if owner != lease.owner && *until >= lease.now => {
                return Ok(Claim::Busy { until: *until });
            }
            _ => {}
        }
        stored.record.status = Status::Pending;
        stored.tries = stored.tries.saturating_add(1);
        stored.record.tries.unended = stored.record.tries.unended.saturating_add(1);
        stored.expires_at = event.record_end();
        stored.lease = Some((lease.owner.to_owned(), lease.until));
        Ok(Claim::Held)
    }

    async fn fail(&self, event: &Event, failure: &Failure<'_>) {
        let mut records = locked(&self.records);
        let Some(stored) = records.get_mut(&*event.record_key()) else {
            return;
        };
        let is_done = stored.record.status == Status::Done;
        let Some((owner, until)) = &mut stored.lease else {
            return;
        };
        if is_done || owner != failure.owner {
            return;
        }
        *until = failure.lease_end;
        stored.record.tries.reason = Some(failure.reason.to_owned());
        stored.record.tries.unended = 0;
        if failure.waits_until.is_some() {
            stored.waits_until = failure.waits_until;
        }
        stored.expires_at = event.record_end();
    }

    async fn keep(&self, event: &Event) -> Result<(), LedgerError> {
        locked(&self.kept).insert(event.key.clone(), event.clone());
        Ok(())
    }

    async fn finish(&self, event: &Event, end: &End) -> Result<Finish, LedgerError> {
        let mut records = locked(&self.records);
        let live = records.get(&*event.record_key());
        if !live.is_some_and(|stored| stored.is_live(end.at)) {
            if end.owner.is_some() {
                return Ok(Finish::NotOwner);
            }
            records.insert(event.record_key().into_owned(), Stored::pending(event));
        }
        let stored = records
            .entry(event.record_key().into_owned())
            .or_insert_with(|| Stored::pending(event));
        let holder = stored.lease.as_ref().map(|(owner, _)| owner);
        let is_holder = end.owner.is_some() && holder == end.owner.as_ref();
        if stored.record.status == Status::Done {
            // The holder asks again when the answer to its first try was lost.
            return Ok(if is_holder {
                Finish::Recorded
            } else {
                Finish::Before
            });
        }
        if end.owner.is_some() && !is_holder {
            return Ok(Finish::NotOwner);
        }
        stored.record.status = match end.outcome {
            Outcome::Rejected => Status::Quarantined,
            Outcome::Applied | Outcome::Stale | Outcome::Ignored => Status::Done,
        };
        stored.outcome = Some(end.outcome);
        stored.record.tries.reason.clone_from(&end.reason);
        stored.waits_until = None;
        stored.tie = end.tie;
        stored.expires_at = event.record_end();
        if let Some((_, until)) = &mut stored.lease {
            *until = end.at;
        }
        Ok(Finish::Recorded)
    }
}

/// A queue in memory, with its dead-letter queue.
#[derive(Debug, Default)]
pub struct MemoryQueue {
    messages: Mutex<VecDeque<String>>,
    buried: Mutex<Vec<(Event, String)>>,
    damaged: Mutex<Vec<(String, String)>>,
}

impl MemoryQueue {
    /// Takes the oldest message out.
    pub fn take(&self) -> Option<String> {
        locked(&self.messages).pop_front()
    }

    /// Number of messages that wait.
    #[must_use]
    pub fn len(&self) -> usize {
        locked(&self.messages).len()
    }

    /// True when no message waits.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The events in the dead-letter queue, with their reasons.
    #[must_use]
    pub fn buried(&self) -> Vec<(Event, String)> {
        locked(&self.buried).clone()
    }

    /// The messages in the dead-letter queue that are no events, with their reasons.
    #[must_use]
    pub fn damaged(&self) -> Vec<(String, String)> {
        locked(&self.damaged).clone()
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

    async fn bury_damaged(&self, message: &str, reason: &str) -> Result<(), QueueError> {
        locked(&self.damaged).push((message.to_owned(), reason.to_owned()));
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
    async fn handle(&self, event: &Event) -> Result<Handled, HandleError> {
        let Some(document) = change(event)? else {
            return Ok(Outcome::Ignored.into());
        };
        let mut documents = locked(&self.0);
        let before = documents.get(document.key.as_str()).map(Document::before);
        // Without a clock no version is too far ahead.
        let written = document.replaces(before.as_ref(), Millis::MAX);
        let handled = document.outcome(written, before.as_ref());
        if written {
            documents.insert(document.key.as_str().to_owned(), document);
        }
        Ok(handled)
    }
}
