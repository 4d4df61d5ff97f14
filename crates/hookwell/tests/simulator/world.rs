//! Everything between senders and documents: the tables, the queue and the schedule, with faults at every call.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Mutex;

use futures_util::FutureExt as _;
use hookwell::event::Event;
use hookwell::event::identity::{Key, Version, hash};
use hookwell::ports::handler::{HandleError, Handled, Handler};
use hookwell::ports::ledger::{
    Claim, End, Failure, Finish, Lease, Ledger, LedgerError, Record, Remembered, Status,
};
use hookwell::ports::memory::{MemoryDocuments, MemoryLedger};
use hookwell::ports::queue::{Queue, QueueError};
use hookwell::process::{Message, TRIES_IN_PLACE};

use crate::senders::{MINUTE, SECOND};
use crate::support::{NOW, invoke};

/// Time for which a message that was received is hidden.
const VISIBILITY: i64 = 180 * SECOND;

/// Pause after which the schedule moves messages back from the retry queue.
const SCHEDULE: i64 = 10 * MINUTE;

/// Trust that a receiver has in its records and answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Design {
    /// The code of this crate.
    Ours,
    /// A record that exists answers for its event.
    ExistsIsEnough,
    /// An answer of status 200 to a send is enough, whoever gave it.
    StatusIsEnough,
    /// A quarantined event is finished.
    QuarantinedIsFinished,
    /// A record counts until it is deleted.
    ExpiredIsThere,
    /// Each copy of an event has the version that it was received with.
    VersionOfEachCopy,
    /// Events of one time are ordered by what they do and a hash: the versions of before November 2026.
    HashOfOneTime,
}

/// Random numbers by SplitMix64 (Steele, Lea and Flood, 2014).
pub(crate) struct Random(Mutex<u64>);

impl Random {
    pub(crate) fn new(seed: u64) -> Self {
        Self(Mutex::new(seed))
    }

    pub(crate) fn next(&self) -> u64 {
        let mut state = self.0.lock().unwrap();
        *state = state.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = *state;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    pub(crate) fn below(&self, limit: u64) -> u64 {
        self.next() % limit
    }

    pub(crate) fn per_mille(&self, chance: u64) -> bool {
        self.below(1000) < chance
    }
}

/// A message in the queue.
struct Stored {
    body: String,
    id: String,
    key: Key,
    receives: u32,
    /// The reception that may hide or delete it.
    receipt: u64,
}

/// One life of a record: from its first write to its end.
pub(crate) struct Life {
    pub(crate) reception: i64,
    /// True when a message of the event was queued meanwhile.
    pub(crate) is_queued: bool,
}

/// Everything between senders and documents.
pub(crate) struct World {
    design: Design,
    pub(crate) random: Random,
    /// The number of remote calls that go wrong, of a thousand.
    pub(crate) fault_rate: Mutex<u64>,
    pub(crate) faults: Mutex<u64>,
    /// True when the running function has died: its other calls may or may not happen.
    pub(crate) is_dead: Mutex<bool>,
    ledger: MemoryLedger,
    pub(crate) documents: MemoryDocuments,
    /// Messages by their number, and when each is next visible.
    messages: Mutex<BTreeMap<u64, Stored>>,
    pub(crate) visible: Mutex<BTreeSet<(i64, u64)>>,
    visible_at: Mutex<BTreeMap<u64, i64>>,
    next_message: Mutex<u64>,
    pub(crate) now: Mutex<i64>,
    /// Effects in the storage by event id: lives of records, document writes, the last judgement of the handler.
    pub(crate) lives: Mutex<BTreeMap<String, Vec<Life>>>,
    pub(crate) writes: Mutex<BTreeMap<String, usize>>,
    pub(crate) judged: Mutex<BTreeMap<String, i64>>,
    /// The letters, and when an operator threw one away.
    pub(crate) buried: Mutex<BTreeSet<String>>,
    pub(crate) thrown_away: Mutex<BTreeMap<String, i64>>,
    /// Number of messages that were moved to the retry queue.
    pub(crate) waited: Mutex<u64>,
    /// When each event was first tried.
    pub(crate) first_tries: Mutex<BTreeMap<usize, i64>>,
}

impl World {
    pub(crate) fn new(design: Design, random: Random, fault_rate: u64) -> Self {
        Self {
            design,
            random,
            fault_rate: Mutex::new(fault_rate),
            faults: Mutex::default(),
            is_dead: Mutex::default(),
            ledger: MemoryLedger::default(),
            documents: MemoryDocuments::default(),
            messages: Mutex::default(),
            visible: Mutex::default(),
            visible_at: Mutex::default(),
            next_message: Mutex::default(),
            now: Mutex::new(NOW),
            lives: Mutex::default(),
            writes: Mutex::default(),
            judged: Mutex::default(),
            buried: Mutex::default(),
            thrown_away: Mutex::default(),
            waited: Mutex::default(),
            first_tries: Mutex::default(),
        }
    }

    pub(crate) fn first_try(&self, number: usize) -> i64 {
        self.first_tries.lock().unwrap()[&number]
    }

    /// A remote call: works, fails, takes effect unanswered, is repeated by the SDK, or its caller dies.
    async fn call<T>(&self, mut effect: impl FnMut() -> T) -> Option<T> {
        if *self.is_dead.lock().unwrap() {
            if self.random.per_mille(500) {
                effect();
            }
            return std::future::pending().await;
        }
        if !self.random.per_mille(*self.fault_rate.lock().unwrap()) {
            return Some(effect());
        }
        *self.faults.lock().unwrap() += 1;
        let luck = self.random.below(5);
        *self.is_dead.lock().unwrap() = luck >= 3;
        match luck {
            0 => None,
            1 => {
                effect();
                None
            }
            2 => {
                effect();
                Some(effect())
            }
            3 => std::future::pending().await,
            _ => {
                effect();
                std::future::pending().await
            }
        }
    }

    /// The time by which this design decides whether a record has expired.
    fn seen(&self, now: i64) -> i64 {
        if self.design == Design::ExpiredIsThere {
            0
        } else {
            now
        }
    }

    /// A record as this design reads it.
    fn read(&self, mut record: Record, event: &Event) -> Record {
        match (self.design, record.status) {
            (Design::ExistsIsEnough, _) | (Design::QuarantinedIsFinished, Status::Quarantined) => {
                record.status = Status::Done;
            }
            (Design::VersionOfEachCopy, _) => record.version = event.version(),
            (Design::HashOfOneTime, _) => {
                let time = event.time.unwrap_or(record.received_at);
                let rank =
                    ["create", "update", "delete"].map(|name| name == event.operation.name());
                let rank = rank.iter().position(|is_it| *is_it).unwrap_or(3);
                let hash: String = hash(&[event.key.as_str().as_bytes()])
                    .chars()
                    .take(16)
                    .collect();
                record.version = Version::recorded(format!("{time:015}~{rank}~{hash}"));
            }
            _ => {}
        }
        record
    }

    /// True when the record of an event is there and has not expired.
    fn is_live(&self, key: &Key) -> bool {
        let now = *self.now.lock().unwrap();
        let stored = self.ledger.stored(key);
        stored.is_some_and(|stored| stored.expires_at >= now / SECOND)
    }

    /// Notes that a message of the event is in the queue.
    fn note_queued(&self, key: &Key, id: &str) {
        if self.is_live(key)
            && let Some(lives) = self.lives.lock().unwrap().get_mut(id)
            && let Some(life) = lives.last_mut()
        {
            life.is_queued = true;
        }
    }

    fn put(&self, stored: Stored, at: i64) {
        let mut next = self.next_message.lock().unwrap();
        *next += 1;
        self.messages.lock().unwrap().insert(*next, stored);
        self.show(*next, at);
    }

    fn show(&self, number: u64, at: i64) {
        let old = self.visible_at.lock().unwrap().insert(number, at);
        let mut visible = self.visible.lock().unwrap();
        old.map(|old| visible.remove(&(old, number)));
        visible.insert((at, number));
    }

    /// Moves a message to the retry queue, from which the schedule moves it back as a new one, and one in fifty twice.
    fn wait(&self, number: u64, now: i64) {
        let stored = self.delete(number).unwrap();
        *self.waited.lock().unwrap() += 1;
        let back_at = now - now % SCHEDULE + SCHEDULE;
        for _ in 0..if self.random.per_mille(20) { 2 } else { 1 } {
            let moved = Stored {
                body: stored.body.clone(),
                id: stored.id.clone(),
                key: stored.key.clone(),
                receives: 0,
                receipt: 0,
            };
            self.put(moved, back_at);
        }
    }

    fn delete(&self, number: u64) -> Option<Stored> {
        let at = self.visible_at.lock().unwrap().remove(&number)?;
        self.visible.lock().unwrap().remove(&(at, number));
        self.messages.lock().unwrap().remove(&number)
    }
}

impl Ledger for World {
    async fn remember(&self, event: &Event, now: i64) -> Result<Remembered, LedgerError> {
        let remember = || {
            let was_there = self.is_live(&event.key);
            let remembered = self.ledger.remember(event, self.seen(now)).now_or_never();
            if !was_there && self.is_live(&event.key) {
                let life = Life {
                    reception: event.received_at,
                    is_queued: false,
                };
                let mut lives = self.lives.lock().unwrap();
                lives.entry(event.id.clone()).or_default().push(life);
            }
            match remembered.unwrap().unwrap() {
                Remembered::Known(record) => Remembered::Known(self.read(record, event)),
                Remembered::New => Remembered::New,
            }
        };
        let remembered = self.call(remember).await;
        remembered.ok_or_else(|| LedgerError("lost".into()))
    }

    async fn recall(
        &self,
        events: &[&Event],
        now: i64,
    ) -> Result<Vec<Option<Record>>, LedgerError> {
        let recall = || {
            let records = self.ledger.recall(events, self.seen(now)).now_or_never();
            let both = records.unwrap().unwrap().into_iter().zip(events);
            // Process would do nothing at all if it took every existing record for done: that design is ingest's.
            let read = |record, event: &Event| match self.design {
                Design::ExistsIsEnough => record,
                _ => self.read(record, event),
            };
            both.map(|(record, event)| record.map(|record| read(record, event)))
                .collect()
        };
        self.call(recall)
            .await
            .ok_or_else(|| LedgerError("lost".into()))
    }

    async fn claim(&self, event: &Event, lease: &Lease<'_>) -> Result<Claim, LedgerError> {
        let claim = || {
            self.ledger
                .claim(event, lease)
                .now_or_never()
                .unwrap()
                .unwrap()
        };
        self.call(claim)
            .await
            .ok_or_else(|| LedgerError("lost".into()))
    }

    async fn fail(&self, event: &Event, failure: &Failure<'_>) {
        let fail = || self.ledger.fail(event, failure).now_or_never().unwrap();
        self.call(fail).await;
    }

    async fn keep(&self, event: &Event) -> Result<(), LedgerError> {
        let keep = || self.ledger.keep(event).now_or_never().unwrap().unwrap();
        self.call(keep)
            .await
            .ok_or_else(|| LedgerError("lost".into()))
    }

    async fn finish(&self, event: &Event, end: &End) -> Result<Finish, LedgerError> {
        let finish = || {
            self.ledger
                .finish(event, end)
                .now_or_never()
                .unwrap()
                .unwrap()
        };
        self.call(finish)
            .await
            .ok_or_else(|| LedgerError("lost".into()))
    }
}

impl Queue for World {
    async fn send(&self, event: &Event) -> Result<(), QueueError> {
        let send = || {
            self.note_queued(&event.key, &event.id);
            let stored = Stored {
                body: event.to_message(),
                id: event.id.clone(),
                key: event.key.clone(),
                receives: 0,
                receipt: 0,
            };
            self.put(stored, *self.now.lock().unwrap());
        };
        let answer = self.call(send).await;
        if answer.is_none() && self.design == Design::StatusIsEnough && self.random.per_mille(100) {
            return Ok(());
        }
        answer.ok_or_else(|| QueueError("lost".into()))
    }

    async fn bury(&self, event: &Event, _: &str) -> Result<(), QueueError> {
        let bury = || self.buried.lock().unwrap().extend([event.id.clone()]);
        self.call(bury)
            .await
            .ok_or_else(|| QueueError("lost".into()))
    }

    async fn delay(&self, receipt: &str, seconds: u32) {
        let (number, reception) = receipt.split_once('.').unwrap();
        let (number, reception) = (number.parse().unwrap(), reception.parse::<u64>().unwrap());
        let is_current = self
            .messages
            .lock()
            .unwrap()
            .get(&number)
            .is_some_and(|it| it.receipt == reception);
        if is_current {
            self.show(
                number,
                *self.now.lock().unwrap() + i64::from(seconds) * SECOND,
            );
        }
    }
}

impl Handler for World {
    async fn handle(&self, event: &Event) -> Result<Handled, HandleError> {
        let put = || {
            let key = event.document_key();
            let version = || {
                self.documents
                    .get(key.as_ref()?)
                    .map(|document| document.version)
            };
            let before = version();
            let outcome = self.documents.handle(event).now_or_never().unwrap();
            if before != version() {
                let mut writes = self.writes.lock().unwrap();
                *writes.entry(event.id.clone()).or_default() += 1;
            }
            let now = *self.now.lock().unwrap();
            self.judged.lock().unwrap().insert(event.id.clone(), now);
            outcome
        };
        self.call(put)
            .await
            .ok_or_else(|| HandleError::Retry("lost".into()))?
    }
}

/// One invocation of process with what is visible, in any order, some of it twice.
pub(crate) fn poll(world: &World) {
    let now = *world.now.lock().unwrap();
    let (mut batch, mut queued) = (Vec::new(), Vec::new());
    let size = 1 + world.random.below(10);
    let visible: Vec<_> = {
        let visible = world.visible.lock().unwrap();
        let window = visible.iter().take_while(|(at, _)| *at <= now).take(40);
        let all: Vec<_> = window.map(|(_, number)| *number).collect();
        all.into_iter()
            .filter(|_| world.random.per_mille(500))
            .take(usize::try_from(size).unwrap())
            .collect()
    };
    for number in visible {
        if world.messages.lock().unwrap()[&number].receives >= TRIES_IN_PLACE {
            world.wait(number, now);
            continue;
        }
        // One in ten is shown again at once, as if the queue had not noticed.
        let hidden = if world.random.per_mille(100) {
            SECOND
        } else {
            VISIBILITY
        };
        world.show(number, now + hidden);
        let mut messages = world.messages.lock().unwrap();
        let stored = messages.get_mut(&number).unwrap();
        stored.receives += 1;
        stored.receipt += 1;
        queued.push((stored.key.clone(), stored.id.clone()));
        batch.push(Message {
            id: number.to_string(),
            receipt: format!("{number}.{}", stored.receipt),
            receive_count: stored.receives,
            body: stored.body.clone(),
        });
    }
    let note_queued = || {
        for (key, id) in &queued {
            world.note_queued(key, id);
        }
    };
    note_queued();
    *world.is_dead.lock().unwrap() = false;
    let done = invoke(world, world, world, batch, now).now_or_never();
    // Where there was no record, process has written one for the message it has.
    note_queued();
    for done in done
        .into_iter()
        .flatten()
        .filter(|done| !done.fate.is_failure())
    {
        // One delete in twenty is missed.
        if !world.random.per_mille(50) {
            world.delete(done.message.id.parse().unwrap());
        }
    }
}

/// Without faults the queue must empty itself.
pub(crate) fn drain(world: &World) {
    for _ in 0..1_000_000 {
        let Some((at, _)) = world.visible.lock().unwrap().first().copied() else {
            return;
        };
        let mut now = world.now.lock().unwrap();
        *now = at.max(*now) + 500;
        drop(now);
        poll(world);
    }
    panic!("the queue does not drain");
}
