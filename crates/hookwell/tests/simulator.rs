//! Days of deliveries in seconds: many events, documents and senders with the retry schedules of real ones, faults at
//! every remote call, deaths of functions, a queue that reorders, repeats, counts and gives up. The code is the one
//! that runs on Lambda; only tables, queue and clock are the model's. One seed is one run, always the same.
//!
//! `SIMULATE_SEEDS=20000 cargo test --release -p hookwell --test simulator -- --nocapture` runs 100 million events;
//! `SIMULATE_FIRST_SEED=7 SIMULATE_SEEDS=1` repeats one run.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::print_stdout
)]

mod support;

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet, BinaryHeap};
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};

use futures_util::FutureExt as _;
use hookwell::config;
use hookwell::event::Event;
use hookwell::event::delivery::Delivery;
use hookwell::ingest::key_cache::Sources;
use hookwell::ingest::receive;
use hookwell::ports::handler::{HandleError, Handler, Outcome};
use hookwell::ports::ledger::{
    Claim, End, Finish, Lease, Ledger, LedgerError, Record, Remembered, Status,
};
use hookwell::ports::memory::{MemoryDocuments, MemoryLedger, StoppedClock};
use hookwell::ports::queue::{Queue, QueueError};
use hookwell::process::Message;
use http::{HeaderMap, Method};
use support::{NOW, invoke};

const SECOND: i64 = 1000;
const MINUTE: i64 = 60 * SECOND;
const HOUR: i64 = 60 * MINUTE;
const EVENTS_PER_SEED: u64 = 5_000;
const SEEDS: u64 = 200;
const VISIBILITY: i64 = 180 * SECOND;
const MAX_RECEIVES: u32 = 8;

/// When senders try again, counted from the try before: `resource`, Standard Webhooks, Shopify (eight in four hours),
/// GitHub (never), Svix, Adyen's first ones.
const SCHEDULES: [&[i64]; 6] = [
    &[MINUTE, 5 * MINUTE, 30 * MINUTE, 2 * HOUR],
    &[
        5 * SECOND,
        5 * MINUTE,
        30 * MINUTE,
        2 * HOUR,
        5 * HOUR,
        10 * HOUR,
        14 * HOUR,
    ],
    &[
        MINUTE,
        2 * MINUTE,
        5 * MINUTE,
        10 * MINUTE,
        30 * MINUTE,
        HOUR,
        2 * HOUR,
    ],
    &[],
    &[
        5 * SECOND,
        5 * MINUTE,
        30 * MINUTE,
        2 * HOUR,
        5 * HOUR,
        10 * HOUR,
        10 * HOUR,
    ],
    &[
        SECOND,
        SECOND,
        SECOND,
        2 * MINUTE,
        5 * MINUTE,
        10 * MINUTE,
        15 * MINUTE,
        30 * MINUTE,
    ],
];

/// Random numbers by SplitMix64 (Steele, Lea and Flood, 2014).
struct Random(Mutex<u64>);

impl Random {
    fn next(&self) -> u64 {
        let mut state = self.0.lock().unwrap();
        *state = state.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = *state;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    fn below(&self, limit: u64) -> u64 {
        self.next() % limit
    }

    fn per_mille(&self, chance: u64) -> bool {
        self.below(1000) < chance
    }
}

/// A message in the queue.
struct Stored {
    body: String,
    receives: u32,
    /// The reception that may hide or delete it.
    receipt: u64,
}

/// Everything between senders and documents.
struct World {
    random: Random,
    /// Of a thousand remote calls, how many go wrong.
    fault_rate: Mutex<u64>,
    faults: Mutex<u64>,
    ledger: MemoryLedger,
    documents: MemoryDocuments,
    /// Messages by their number, and when each is next visible.
    messages: Mutex<BTreeMap<u64, Stored>>,
    visible: Mutex<BTreeSet<(i64, u64)>>,
    visible_at: Mutex<BTreeMap<u64, i64>>,
    next_message: Mutex<u64>,
    now: Mutex<i64>,
    /// Events that reached the queue, by id.
    queued: Mutex<BTreeMap<String, Event>>,
    /// Document writes by event id.
    writes: Mutex<BTreeMap<String, u32>>,
    buried: Mutex<BTreeSet<String>>,
    dead_letters: Mutex<Vec<Stored>>,
}

impl World {
    /// A remote call: works, fails, takes effect unanswered, is repeated by the SDK, or its caller dies.
    async fn call<T>(&self, mut effect: impl FnMut() -> T) -> Option<T> {
        if !self.random.per_mille(*self.fault_rate.lock().unwrap()) {
            return Some(effect());
        }
        *self.faults.lock().unwrap() += 1;
        match self.random.below(5) {
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

    fn delete(&self, number: u64) -> Option<Stored> {
        let at = self.visible_at.lock().unwrap().remove(&number)?;
        self.visible.lock().unwrap().remove(&(at, number));
        self.messages.lock().unwrap().remove(&number)
    }
}

impl Ledger for World {
    async fn remember(&self, event: &Event, now: i64) -> Result<Remembered, LedgerError> {
        let remember = || {
            self.ledger
                .remember(event, now)
                .now_or_never()
                .unwrap()
                .unwrap()
        };
        self.call(remember)
            .await
            .ok_or_else(|| LedgerError("lost".into()))
    }

    async fn recall(
        &self,
        events: &[&Event],
        now: i64,
    ) -> Result<Vec<Option<Record>>, LedgerError> {
        let recall = || {
            let records = self.ledger.recall(events, now).now_or_never();
            records.unwrap().unwrap()
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
            self.queued
                .lock()
                .unwrap()
                .entry(event.id.clone())
                .or_insert_with(|| event.clone());
            let stored = Stored {
                body: event.to_message(),
                receives: 0,
                receipt: 0,
            };
            self.put(stored, *self.now.lock().unwrap());
        };
        self.call(send)
            .await
            .ok_or_else(|| QueueError("lost".into()))
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
    async fn handle(&self, event: &Event) -> Result<Outcome, HandleError> {
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
                *self
                    .writes
                    .lock()
                    .unwrap()
                    .entry(event.id.clone())
                    .or_default() += 1;
            }
            outcome
        };
        self.call(put)
            .await
            .ok_or_else(|| HandleError::Retry("lost".into()))?
    }
}

/// One invocation of process with what is visible, in any order, some of it twice.
fn poll(world: &World) {
    let now = *world.now.lock().unwrap();
    let mut batch = Vec::new();
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
        if world.messages.lock().unwrap()[&number].receives >= MAX_RECEIVES {
            let stored = world.delete(number).unwrap();
            world.dead_letters.lock().unwrap().push(stored);
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
        batch.push(Message {
            id: number.to_string(),
            receipt: format!("{number}.{}", stored.receipt),
            receive_count: stored.receives,
            body: stored.body.clone(),
        });
    }
    let done = invoke(world, world, world, batch, now).now_or_never();
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

/// What one run came to.
#[derive(Debug, Default, Clone, Copy)]
struct Counts {
    events: u64,
    acknowledged: u64,
    given_up: u64,
    rejected: u64,
    dead_letters: u64,
    faults: u64,
    lost: u64,
    doubled: u64,
    wrong_documents: u64,
}

impl Counts {
    fn add(&mut self, other: &Self) {
        self.events += other.events;
        self.acknowledged += other.acknowledged;
        self.given_up += other.given_up;
        self.rejected += other.rejected;
        self.dead_letters += other.dead_letters;
        self.faults += other.faults;
    }
}

fn sources() -> Sources {
    let text = r#"
        [sources.sim]
        allow_ips = ["0.0.0.0/0"]
        [sources.sim.verify]
        alg = "unsigned"
        [sources.sim.event]
        id = "body:/id"
        type = "body:/type"
        time = "body:/at"
        operations = { create = "create", update = "update", delete = "delete" }
        document = "body:/data"
        document_id = "body:/data/id"
    "#;
    let none = hookwell::keys::not_ready::SecretProblem::NotSet;
    Sources::new(config::parse(text).unwrap(), |_| Err(none.clone()))
}

fn delivery(number: u64, random: &Random) -> Delivery {
    let operation =
        ["create", "update", "update", "delete"][usize::try_from(random.below(4)).unwrap()];
    // Few documents and coarse times, so that many events meet.
    let document = if random.per_mille(5) {
        "null".to_owned()
    } else {
        format!(r#""d{}""#, random.below(300))
    };
    let time = 1_790_000_000 + number / 50;
    let time = if document.len() % 2 == 0 {
        format!(r#""at":{time},"#)
    } else {
        String::new()
    };
    let body = format!(
        r#"{{"id":"e{number}","type":"{operation}",{time}"data":{{"id":{document},"n":{number}}}}}"#
    );
    Delivery {
        request_id: String::new(),
        method: Method::POST,
        source: Some("sim".into()),
        path: "/webhooks/sim".into(),
        query: String::new(),
        headers: HeaderMap::new(),
        body: body.into_bytes(),
        source_ip: Some("192.0.2.1".parse().unwrap()),
        trace: None,
    }
}

fn run(seed: u64, sources: &Sources) -> Counts {
    let random = Random(Mutex::new(seed));
    let fault_rate = [0, 10, 50, 200][usize::try_from(random.below(4)).unwrap()];
    let schedule = SCHEDULES[usize::try_from(random.below(6)).unwrap()];
    let deliveries: Vec<_> = (0..EVENTS_PER_SEED)
        .map(|number| delivery(number, &random))
        .collect();
    let world = World {
        random,
        fault_rate: Mutex::new(fault_rate),
        faults: Mutex::default(),
        ledger: MemoryLedger::default(),
        documents: MemoryDocuments::default(),
        messages: Mutex::default(),
        visible: Mutex::default(),
        visible_at: Mutex::default(),
        next_message: Mutex::default(),
        now: Mutex::new(NOW),
        queued: Mutex::default(),
        writes: Mutex::default(),
        buried: Mutex::default(),
        dead_letters: Mutex::default(),
    };
    let mut counts = Counts {
        events: EVENTS_PER_SEED,
        ..Counts::default()
    };
    let mut acknowledged = BTreeSet::new();
    // Tries by time: event, number of the try.
    let mut tries: BinaryHeap<_> = (0..deliveries.len())
        .map(|index| {
            Reverse((
                NOW + i64::try_from(index).unwrap() * 200
                    + i64::try_from(world.random.below(60_000)).unwrap(),
                index,
                0,
            ))
        })
        .collect();
    let mut next_poll = NOW;
    while let Some(Reverse((at, index, attempt))) = tries.pop() {
        while next_poll < at {
            *world.now.lock().unwrap() = next_poll;
            poll(&world);
            // Idle time passes faster.
            let idle = world
                .visible
                .lock()
                .unwrap()
                .first()
                .is_none_or(|(visible, _)| *visible > next_poll);
            next_poll += if idle { MINUTE } else { 500 };
        }
        *world.now.lock().unwrap() = at;
        let clock = StoppedClock::at(at);
        let answer =
            receive(sources, &world, &world, &deliveries[index], clock.clock()).now_or_never();
        let is_ok = answer.is_some_and(|received| received.receipt.reply().status == 200);
        if is_ok {
            acknowledged.insert(format!("e{index}"));
        }
        // One answer in a hundred does not reach the sender.
        if is_ok && !world.random.per_mille(10) {
            continue;
        }
        match schedule.get(attempt) {
            Some(pause) => tries.push(Reverse((at + pause, index, attempt + 1))),
            None if !is_ok => counts.given_up += 1,
            None => {}
        }
    }
    *world.fault_rate.lock().unwrap() = 0;
    drain(&world);
    counts.dead_letters = u64::try_from(world.dead_letters.lock().unwrap().len()).unwrap();
    // The operator sends the dead letters back.
    for stored in std::mem::take(&mut *world.dead_letters.lock().unwrap()) {
        world.put(
            Stored {
                receives: 0,
                ..stored
            },
            *world.now.lock().unwrap(),
        );
    }
    drain(&world);
    assert!(
        world.dead_letters.lock().unwrap().is_empty(),
        "seed {seed}: what is healthy is applied in the end"
    );
    check(&world, &acknowledged, &mut counts);
    counts
}

/// Without faults the queue must empty itself.
fn drain(world: &World) {
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

/// Decides from what went in and what is stored now.
fn check(world: &World, acknowledged: &BTreeSet<String>, counts: &mut Counts) {
    let (queued, buried) = (world.queued.lock().unwrap(), world.buried.lock().unwrap());
    let writes = world.writes.lock().unwrap();
    counts.acknowledged = u64::try_from(acknowledged.len()).unwrap();
    counts.rejected = u64::try_from(buried.len()).unwrap();
    counts.faults = *world.faults.lock().unwrap();
    counts.doubled = u64::try_from(writes.values().filter(|count| **count > 1).count()).unwrap();
    let mut newest = BTreeMap::new();
    for event in queued.values().filter(|event| event.document_id.is_some()) {
        // The time under which all copies of an event are known is the one that its record keeps.
        let received_at = world.ledger.stored(&event.key).unwrap().record.received_at;
        let event = Event {
            received_at,
            ..event.clone()
        };
        let place = newest
            .entry(event.document_key().unwrap())
            .or_insert_with(|| event.clone());
        if event.version() > place.version() {
            *place = event;
        }
    }
    for (key, event) in &newest {
        let document = world.documents.get(key);
        let is_right = document.is_some_and(|it| it.version == event.version());
        counts.wrong_documents += u64::from(!is_right);
    }
    for id in acknowledged {
        let record = queued
            .get(id)
            .and_then(|event| world.ledger.stored(&event.key));
        let ended = record.is_some_and(|record| match record.record.status {
            Status::Done => true,
            Status::Quarantined => buried.contains(id),
            Status::Pending => false,
        });
        counts.lost += u64::from(!ended);
    }
}

#[test]
fn days_of_faults_lose_nothing_and_double_nothing() {
    let number =
        |name: &str, default| std::env::var(name).map_or(default, |text| text.parse().unwrap());
    let (first, seeds) = (
        number("SIMULATE_FIRST_SEED", 1),
        number("SIMULATE_SEEDS", SEEDS),
    );
    let (sources, next) = (sources(), AtomicU64::new(first));
    let total = Mutex::new(Counts::default());
    let work = || {
        loop {
            let seed = next.fetch_add(1, Ordering::Relaxed);
            if seed >= first + seeds {
                return;
            }
            let counts = run(seed, &sources);
            let wrong = (counts.lost, counts.doubled, counts.wrong_documents);
            assert_eq!(wrong, (0, 0, 0), "seed {seed}: {counts:?}");
            total.lock().unwrap().add(&counts);
        }
    };
    std::thread::scope(|scope| {
        for _ in 0..std::thread::available_parallelism().unwrap().get() {
            scope.spawn(work);
        }
    });
    let total = total.into_inner().unwrap();
    println!("{seeds} seeds: {total:?}");
    assert!(total.faults > 0 || seeds < 10);
}
