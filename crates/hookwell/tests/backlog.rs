//! Many messages at once: ten thousand updates of one document, and a hundred thousand messages of many. The code is the
//! one that runs on Lambda, between a queue and a table of the model that take their time, so what is asserted is virtual
//! time, the same on every machine.
//!
//! `BACKLOG=5000000 cargo test --release -p hookwell --test backlog -- --nocapture` takes a larger one.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::print_stdout
)]

mod support;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Mutex;

use futures_util::future::join_all;
use hookwell::event::{Event, Operation};
use hookwell::ports::handler::{HandleError, Handled, Handler};
use hookwell::ports::memory::{MemoryDocuments, MemoryLedger};
use hookwell::ports::queue::{Queue, QueueError};
use hookwell::process::{Message, TRIES_IN_PLACE};
use support::clock::Clock;
use support::{NOW, event, invoke};

const SECOND: i64 = 1000;
/// `MaximumConcurrency`, the size of a batch, the visibility timeout and the receive limit of template.yaml.
const INVOCATIONS: usize = 5;
const BATCH: usize = 10;
const VISIBILITY: i64 = 180 * SECOND;
const MAX_RECEIVES: u32 = TRIES_IN_PLACE;
/// Time that a write of a document takes, in milliseconds.
const WRITE: i64 = 5;

struct Stored {
    body: String,
    receives: u32,
    sent_at: i64,
}

/// The queue, the tables, and who waited how long.
struct World {
    clock: Clock,
    ledger: MemoryLedger,
    documents: MemoryDocuments,
    messages: Mutex<BTreeMap<usize, Stored>>,
    /// The messages by the time from which they can be received.
    visible: Mutex<BTreeSet<(i64, usize)>>,
    /// Writes of one document that the table takes in a second.
    limit: u32,
    /// The writes of a document in a second.
    writes: Mutex<BTreeMap<(String, i64), u32>>,
    throttled: Mutex<u32>,
    /// Time that each message was in the queue, by its number.
    waits: Mutex<BTreeMap<usize, i64>>,
}

impl World {
    fn new(limit: u32) -> Self {
        Self {
            clock: Clock::new(NOW),
            ledger: MemoryLedger::default(),
            documents: MemoryDocuments::default(),
            messages: Mutex::default(),
            visible: Mutex::default(),
            limit,
            writes: Mutex::default(),
            throttled: Mutex::default(),
            waits: Mutex::default(),
        }
    }

    /// Queues event `number`, which is the `number`th of its sender, `at` milliseconds from now.
    fn send(&self, number: usize, document: &str, at: i64) {
        let time = i64::try_from(number).unwrap();
        let event = event(&number.to_string(), Operation::Update, time, document);
        let stored = Stored {
            body: event.to_message(),
            receives: 0,
            sent_at: NOW + at,
        };
        self.messages.lock().unwrap().insert(number, stored);
        self.visible.lock().unwrap().insert((NOW + at, number));
    }

    fn receive(&self) -> Vec<Message> {
        let (now, mut visible) = (self.clock.now(), self.visible.lock().unwrap());
        let due = visible.iter().take_while(|(at, _)| *at <= now).take(BATCH);
        let due: Vec<_> = due.copied().collect();
        let mut messages = self.messages.lock().unwrap();
        let take = |(at, number): (i64, usize)| {
            visible.remove(&(at, number));
            visible.insert((now + VISIBILITY, number));
            let stored = messages.get_mut(&number).unwrap();
            stored.receives += 1;
            assert!(stored.receives <= MAX_RECEIVES, "{number} is a dead letter");
            Message {
                id: number.to_string(),
                receipt: format!("{number} {}", now + VISIBILITY),
                receive_count: stored.receives,
                body: stored.body.clone(),
            }
        };
        due.into_iter().map(take).collect()
    }

    /// Polls until the queue is empty.
    async fn poll(&self) {
        while !self.messages.lock().unwrap().is_empty() {
            let batch = self.receive();
            if batch.is_empty() {
                self.clock.sleep(10).await;
                continue;
            }
            let now = self.clock.now();
            for done in invoke(&self.ledger, self, self, batch, now).await {
                if !done.fate.is_failure() {
                    self.delete(&done.message);
                }
            }
        }
    }

    fn delete(&self, message: &Message) {
        let (number, hidden) = message.receipt.split_once(' ').unwrap();
        let (number, hidden) = (number.parse().unwrap(), hidden.parse().unwrap());
        self.visible.lock().unwrap().remove(&(hidden, number));
        let stored = self.messages.lock().unwrap().remove(&number).unwrap();
        let wait = self.clock.now() - stored.sent_at;
        self.waits.lock().unwrap().insert(number, wait);
    }

    /// Lets the functions work until the queue is empty, and says how long that took in milliseconds.
    fn drain(&self) -> i64 {
        self.clock
            .run(join_all((0..INVOCATIONS).map(|_| self.poll())));
        self.clock.now() - NOW
    }

    fn longest_wait(&self, is_it: impl Fn(usize) -> bool) -> i64 {
        let waits = self.waits.lock().unwrap();
        let those = waits.iter().filter(|(number, _)| is_it(**number));
        those.map(|(_, wait)| *wait).max().unwrap()
    }

    fn is_newest(&self, number: usize, document: &str) -> bool {
        let time = i64::try_from(number).unwrap();
        let newest = event(&number.to_string(), Operation::Update, time, document);
        let there = self.documents.get(&newest.document_key().unwrap()).unwrap();
        there.version == newest.version()
    }
}

impl Queue for World {
    async fn send(&self, _: &Event) -> Result<(), QueueError> {
        unreachable!("process sends nothing")
    }

    async fn bury(&self, _: &Event, _: &str) -> Result<(), QueueError> {
        unreachable!("every event is good")
    }

    async fn delay(&self, receipt: &str, seconds: u32) {
        let (number, hidden) = receipt.split_once(' ').unwrap();
        let (number, hidden) = (number.parse().unwrap(), hidden.parse().unwrap());
        let mut visible = self.visible.lock().unwrap();
        visible.remove(&(hidden, number));
        visible.insert((self.clock.now() + i64::from(seconds) * SECOND, number));
    }
}

impl Handler for World {
    /// A write that takes its time, and is throttled when its document had too many in this second.
    async fn handle(&self, event: &Event) -> Result<Handled, HandleError> {
        self.clock.sleep(WRITE).await;
        let document = event.document_key().unwrap().as_str().to_owned();
        let second = self.clock.now() / SECOND;
        let too_many = {
            let mut writes = self.writes.lock().unwrap();
            let count = writes.entry((document, second)).or_default();
            *count += 1;
            *count > self.limit
        };
        if too_many {
            *self.throttled.lock().unwrap() += 1;
            return Err(HandleError::Retry("throttled".into()));
        }
        self.documents.handle(event).await
    }
}

/// A document is one item, so one partition, which takes 1,000 writes of 1 KB in a second ("Best practices for designing
/// and using partition keys effectively", DynamoDB developer guide). Half of that here: items of up to 2 KB.
const PARTITION: u32 = 500;

#[test]
fn ten_thousand_updates_of_one_document_drain_and_starve_nobody() {
    let world = World::new(PARTITION);
    let (hot, others) = (10_000, 1_000);
    for number in 0..hot {
        world.send(number, "hot", 0);
    }
    // Meanwhile others send, fifty events a second, each of a document of its own.
    for number in hot..hot + others {
        let at = i64::try_from(number - hot).unwrap() * 20;
        world.send(number, &format!("d{number}"), at);
    }
    let took = world.drain();
    let longest = world.longest_wait(|number| number >= hot);
    let throttled = *world.throttled.lock().unwrap();
    println!("drained in {took} ms, {throttled} throttled; the others waited {longest} ms at most");
    assert!(throttled > 0, "the document is hot");
    assert!(world.is_newest(hot - 1, "hot"));
    for number in hot..hot + others {
        assert!(world.is_newest(number, &format!("d{number}")));
    }
    assert!(longest < 15 * SECOND, "{longest}");
}

#[test]
fn a_backlog_drains_at_the_speed_of_its_writes_and_nobody_comes_back() {
    let size = std::env::var("BACKLOG").map_or(100_000, |text| text.parse().unwrap());
    let documents = size / 20;
    let world = World::new(PARTITION);
    for number in 0..size {
        world.send(number, &(number % documents).to_string(), 0);
    }
    let took = world.drain();
    println!("{size} messages drained in {took} ms");
    for document in 0..documents {
        let last = size - documents + document;
        assert!(world.is_newest(last, &document.to_string()), "{document}");
    }
    // All messages under way are written at once, and there are exactly as many writes as messages.
    let at_best = i64::try_from(size / (INVOCATIONS * BATCH)).unwrap() * WRITE;
    assert_eq!((took - at_best) / SECOND, 0, "{took} for {at_best}");
    assert_eq!(
        world.writes.lock().unwrap().values().sum::<u32>(),
        u32::try_from(size).unwrap()
    );
}
