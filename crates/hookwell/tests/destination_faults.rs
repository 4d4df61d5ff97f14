//! Five thousand events and four destinations, one of which fails for as long as it is asked, while functions are killed at
//! random places, calls fail and answers are lost. The code is the one that runs on Lambda; tables, queue and endpoints are in
//! memory, and a seed decides every fault.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::print_stdout
)]

mod support;

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::pin::pin;
use std::sync::Mutex;
use std::task::{Context, Poll, Waker};

use futures_util::FutureExt as _;
use hookwell::config;
use hookwell::deliver::Destination;
use hookwell::event::identity::Key;
use hookwell::event::{Event, Operation};
use hookwell::ports::handler::{HandleError, Handled, Handler, Outcome};
use hookwell::ports::ledger::{
    Claim, End, Failure, Finish, Lease, Ledger, LedgerError, Record, Remembered, Status,
};
use hookwell::ports::memory::{MemoryDocuments, MemoryLedger, StoppedClock};
use hookwell::ports::queue::{Queue, QueueError};
use hookwell::process::{Invocation, Message, TRIES_IN_PLACE, process};
use support::{NOW, TIMEOUT};

const BATCH: usize = 10;
/// Invocations at once.
const CONCURRENCY: usize = 5;
/// Time between two rounds of invocations, in milliseconds.
const ROUND: i64 = 1_000;
/// The schedule that moves waiting messages back, and the visibility timeout, in milliseconds.
const RETRY_EVERY: i64 = 600_000;
const VISIBILITY: i64 = 180_000;
/// One call in so many is killed, one fails, and one takes effect without an answer.
const ONE_IN: u64 = 60;

const FILE: &str = r#"
    [sources.s]
    preset = "plain"
    allow_ips = ["0.0.0.0/0"]
    [destinations.bus]
    to = "eventbridge:main"
    [destinations.down]
    to = "https://down.example"
    secret = "env:DOWN"
    [destinations.endpoint]
    to = "https://endpoint.example"
    secret = "env:ENDPOINT"
    [destinations.queue]
    to = "sqs:https://sqs.eu-west-1.amazonaws.com/1/orders"
    types = ["thing.create"]
"#;

/// A generator of numbers (splitmix64).
struct Seed(Mutex<u64>);

impl Seed {
    fn next(&self) -> u64 {
        let mut state = self.0.lock().unwrap();
        *state = state.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = *state;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }
}

/// A message in the queue.
struct Waiting {
    body: String,
    group: String,
    receive_count: u32,
}

#[derive(Default)]
struct Counts {
    kills: usize,
    faults: usize,
    after_end: usize,
    /// Events that the destinations beside `down` were told of.
    others: usize,
}

struct World {
    /// Number of events.
    events: usize,
    seed: Seed,
    destinations: Vec<Destination>,
    /// True while the destination `down` fails.
    fails: bool,
    ledger: MemoryLedger,
    documents: MemoryDocuments,
    sent: Mutex<Vec<Event>>,
    letters: Mutex<Vec<Event>>,
    /// Requests that each destination got, by key.
    told: Mutex<BTreeMap<(String, Key), usize>>,
    counts: Mutex<Counts>,
}

impl World {
    fn new(events: usize, seed: u64, fails: bool) -> Self {
        Self {
            events,
            seed: Seed(Mutex::new(seed)),
            destinations: config::destinations(FILE).unwrap(),
            fails,
            ledger: MemoryLedger::default(),
            documents: MemoryDocuments::default(),
            sent: Mutex::default(),
            letters: Mutex::default(),
            told: Mutex::default(),
            counts: Mutex::default(),
        }
    }

    /// A remote call: `None` when it fails or is not answered. A caller that is killed never comes back.
    async fn call<T>(&self, effect: impl FnOnce() -> T) -> Option<T> {
        let luck = self.seed.next() % ONE_IN;
        let effective = luck != 0 && luck != 1;
        let done = effective.then(effect);
        match luck {
            // Killed before the call, or after it.
            0 | 2 => {
                self.counts.lock().unwrap().kills += 1;
                std::future::pending().await
            }
            // Failed, or took effect and the answer is lost.
            1 | 3 => {
                self.counts.lock().unwrap().faults += 1;
                None
            }
            _ => done,
        }
    }
}

fn lost() -> LedgerError {
    LedgerError("lost".into())
}

impl Ledger for World {
    async fn remember(&self, event: &Event, now: i64) -> Result<Remembered, LedgerError> {
        let call = || self.ledger.remember(event, now).now_or_never().unwrap();
        self.call(call).await.ok_or_else(lost)?
    }

    async fn recall(
        &self,
        events: &[&Event],
        now: i64,
    ) -> Result<Vec<Option<Record>>, LedgerError> {
        let call = || self.ledger.recall(events, now).now_or_never().unwrap();
        self.call(call).await.ok_or_else(lost)?
    }

    async fn claim(&self, event: &Event, lease: &Lease<'_>) -> Result<Claim, LedgerError> {
        let call = || self.ledger.claim(event, lease).now_or_never().unwrap();
        self.call(call).await.ok_or_else(lost)?
    }

    async fn fail(&self, event: &Event, failure: &Failure<'_>) {
        let call = || self.ledger.fail(event, failure).now_or_never().unwrap();
        self.call(call).await;
    }

    async fn keep(&self, event: &Event) -> Result<(), LedgerError> {
        self.ledger.keep(event).await
    }

    async fn finish(&self, event: &Event, end: &End) -> Result<Finish, LedgerError> {
        let call = || self.ledger.finish(event, end).now_or_never().unwrap();
        self.call(call).await.ok_or_else(lost)?
    }
}

impl Queue for World {
    async fn send(&self, event: &Event) -> Result<(), QueueError> {
        let call = || self.sent.lock().unwrap().push(event.clone());
        let lost = || QueueError("lost".into());
        self.call(call).await.ok_or_else(lost)
    }

    async fn bury(&self, event: &Event, _: &str) -> Result<(), QueueError> {
        self.letters.lock().unwrap().push(event.clone());
        Ok(())
    }

    async fn delay(&self, _: &str, _: u32) {}
}

impl Handler for World {
    async fn handle(&self, event: &Event) -> Result<Handled, HandleError> {
        let retry = || HandleError::Retry("lost".into());
        let Some(destination) = event.destination.clone() else {
            let put = || self.documents.handle(event).now_or_never().unwrap();
            return self.call(put).await.ok_or_else(retry)?;
        };
        if destination == "down" && self.fails {
            let why = "the endpoint answered 500".to_owned();
            return Err(HandleError::RetryEnded(why));
        }
        let tell = || {
            let record = self.ledger.stored(&event.record_key()).unwrap().record;
            let is_done = record.status == Status::Done;
            let told = (destination, event.key.clone());
            let mut counts = self.counts.lock().unwrap();
            counts.after_end += usize::from(is_done);
            let mut all = self.told.lock().unwrap();
            counts.others += usize::from(told.0 != "down" && !all.contains_key(&told));
            *all.entry(told).or_default() += 1;
        };
        self.call(tell).await.ok_or_else(retry)?;
        Ok(Outcome::Applied.into())
    }

    fn reaches_outside(&self, event: &Event) -> bool {
        event.destination.is_some()
    }
}

/// The queue with its retry queue: groups are served in turn, and what failed three times waits for the schedule.
#[derive(Default)]
struct Fair {
    groups: BTreeMap<String, VecDeque<Waiting>>,
    /// Hidden messages, by when they are visible again.
    hidden: BTreeMap<i64, Vec<Waiting>>,
    retry: Vec<Waiting>,
}

impl Fair {
    fn put(&mut self, waiting: Waiting) {
        let group = self.groups.entry(waiting.group.clone()).or_default();
        group.push_back(waiting);
    }

    fn send(&mut self, event: &Event) {
        self.put(Waiting {
            body: event.to_message(),
            group: event.group().into_owned(),
            receive_count: 0,
        });
    }

    /// One message of each group in turn, until the batch is full.
    fn receive(&mut self, now: i64) -> Vec<Waiting> {
        let later = self.hidden.split_off(&(now + 1));
        for waiting in std::mem::replace(&mut self.hidden, later)
            .into_values()
            .flatten()
        {
            self.put(waiting);
        }
        let mut batch = Vec::new();
        loop {
            let before = batch.len();
            for group in self.groups.values_mut() {
                if batch.len() < BATCH {
                    batch.extend(group.pop_front());
                }
            }
            if batch.len() == before {
                return batch;
            }
        }
    }

    /// Takes a message that failed back, hidden until then.
    fn fail(&mut self, mut waiting: Waiting, until: i64) {
        if waiting.receive_count >= TRIES_IN_PLACE {
            waiting.receive_count = 0;
            self.retry.push(waiting);
        } else {
            self.hidden.entry(until).or_default().push(waiting);
        }
    }

    fn move_back(&mut self) {
        for waiting in std::mem::take(&mut self.retry) {
            self.put(waiting);
        }
    }

    fn is_empty(&self) -> bool {
        self.retry.is_empty()
            && self.hidden.is_empty()
            && self.groups.values().all(VecDeque::is_empty)
    }
}

/// One invocation: which messages were deleted; none where it was killed.
fn invoke(world: &World, batch: &[Waiting], id: &str, now: i64) -> Option<BTreeSet<usize>> {
    let message = |(index, waiting): (usize, &Waiting)| Message {
        id: index.to_string(),
        receipt: format!("{id} {index}"),
        receive_count: waiting.receive_count,
        body: waiting.body.clone(),
    };
    let messages = batch.iter().enumerate().map(message).collect();
    let deadline = now + TIMEOUT;
    let (invocation, clock) = (Invocation { id, deadline }, StoppedClock::at(now));
    let all = &world.destinations;
    let call = process(
        world,
        world,
        world,
        all,
        messages,
        invocation,
        clock.clock(),
    );
    let mut call = pin!(call);
    match call.as_mut().poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(done) => {
            let deleted = done.iter().filter(|done| !done.fate.is_failure());
            Some(
                deleted
                    .map(|done| done.message.id.parse().unwrap())
                    .collect(),
            )
        }
        Poll::Pending => None,
    }
}

/// Runs until only the work for `down` is left, and gives the time at which the other destinations had every event.
fn run(world: &World) -> i64 {
    let mut queue = Fair::default();
    for number in 0..world.events {
        let operation = [Operation::Create, Operation::Update][number % 2];
        let event = support::event(&number.to_string(), operation, NOW, &number.to_string());
        queue.send(&event);
    }
    let healthy = world.events * 2 + world.events / 2;
    let (mut now, mut last, mut told_before) = (NOW, NOW, 0);
    for round in 0..20_000_i64 {
        now = NOW + round * ROUND;
        if (now - NOW) % RETRY_EVERY == 0 {
            queue.move_back();
        }
        for number in 0..CONCURRENCY {
            let mut batch = queue.receive(now);
            if batch.is_empty() {
                break;
            }
            for waiting in &mut batch {
                waiting.receive_count += 1;
            }
            let deleted = invoke(world, &batch, &format!("{round} {number}"), now);
            for event in std::mem::take(&mut *world.sent.lock().unwrap()) {
                queue.send(&event);
            }
            for (index, waiting) in batch.into_iter().enumerate() {
                match &deleted {
                    Some(deleted) if deleted.contains(&index) => {}
                    Some(_) => queue.fail(waiting, now + 5_000),
                    None => queue.fail(waiting, now + VISIBILITY),
                }
            }
        }
        let others = world.counts.lock().unwrap().others;
        if others > told_before {
            (last, told_before) = (now, others);
        }
        if queue.is_empty() || (world.fails && others == healthy && now > last + RETRY_EVERY) {
            break;
        }
    }
    assert!(now < NOW + 19_999 * ROUND, "it comes to an end");
    last - NOW
}

fn check(world: &World, expected: &[(&str, usize)]) {
    let told = world.told.lock().unwrap();
    let keys = |name: &str| -> BTreeSet<_> {
        let of = told.keys().filter(|(destination, _)| destination == name);
        of.map(|(_, key)| key.clone()).collect()
    };
    for (name, count) in expected {
        assert_eq!(
            keys(name).len(),
            *count,
            "{name}: every event at least once"
        );
    }
    let known: BTreeSet<_> = (0..world.events)
        .map(|number| Key::new("s", &[number.to_string().as_bytes()]))
        .collect();
    assert!(
        told.keys().all(|(_, key)| known.contains(key)),
        "keys are stable"
    );
    let counts = world.counts.lock().unwrap();
    assert_eq!(counts.after_end, 0, "nothing after a finished one");
    assert_eq!(
        world.documents.all().len(),
        world.events,
        "the own handler is as before"
    );
    assert!(world.letters.lock().unwrap().is_empty());
    let repeated: usize = told.values().map(|count| count - 1).sum();
    println!(
        "{} kills, {} faults, {} requests, {repeated} of them repeated",
        counts.kills,
        counts.faults,
        told.values().sum::<usize>(),
    );
    assert!(counts.kills > 100 && counts.faults > 100, "there were some");
}

#[test]
fn under_kills_and_faults_every_destination_is_told_of_every_event() {
    let world = World::new(5_000, 1, false);
    run(&world);
    let all = [("bus", 5_000), ("down", 5_000), ("endpoint", 5_000)];
    check(&world, &all);
    check(&world, &[("queue", 2_500)]);
}

#[test]
fn a_destination_that_answers_an_error_delays_no_other() {
    let calm = run(&World::new(1_000, 4, false));
    let world = World::new(1_000, 4, true);
    let took = run(&world);
    let others = [("bus", 1_000), ("endpoint", 1_000), ("queue", 500)];
    check(&world, &others);
    check(&world, &[("down", 0)]);
    println!(
        "the others: {} s, beside one that fails {} s",
        calm / 1000,
        took / 1000
    );
    assert!(took <= calm + RETRY_EVERY, "{calm} and {took} ms");
}
