//! Every path of an event with two destinations, from its own message to the last of its copies, while each remote call works,
//! fails, takes effect without an answer, is repeated by the SDK, or the function dies before or after it. Run over the
//! code itself, and over the orders of steps that others use, which must be caught.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::print_stdout
)]

mod support;

use std::collections::BTreeMap;
use std::pin::pin;
use std::sync::Mutex;
use std::task::{Context, Poll, Waker};

use futures_util::FutureExt as _;
use hookwell::config;
use hookwell::deliver::Destination;
use hookwell::event::{Event, Operation};
use hookwell::ports::handler::{HandleError, Handled, Handler, Outcome};
use hookwell::ports::ledger::{
    Claim, End, Failure, Finish, Lease, Ledger, LedgerError, Record, Remembered, Status,
};
use hookwell::ports::memory::{MemoryDocuments, MemoryLedger, MemoryQueue, StoppedClock};
use hookwell::ports::queue::{Queue, QueueError};
use hookwell::process::{Invocation, Message, process};
use support::script::{Script, every_path};
use support::{NOW, TIMEOUT};

/// The queue's visibility timeout, in milliseconds.
const VISIBILITY: i64 = 180_000;
/// Receives of a message, as the queue counts them, until SQS would move it to the retry queue.
const RECEPTIONS: u32 = 3;

/// Steps by which process queues an event's copies.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Design {
    /// The code of this crate.
    Ours,
    /// Mark the event done, then queue its copies.
    MarkFirst,
    /// Queue the copies, and take an error for success.
    IgnoreErrors,
}

struct World<'s> {
    script: &'s Script,
    design: Design,
    destinations: Vec<Destination>,
    ledger: MemoryLedger,
    documents: MemoryDocuments,
    queue: MemoryQueue,
    /// Effects at each destination, and those after its record was done.
    effects: Mutex<BTreeMap<String, usize>>,
    after_end: Mutex<usize>,
    other_keys: Mutex<usize>,
}

fn event() -> Event {
    support::event("1", Operation::Create, NOW, "d")
}

fn lost() -> LedgerError {
    LedgerError("lost".into())
}

impl Ledger for World<'_> {
    async fn remember(&self, event: &Event, now: i64) -> Result<Remembered, LedgerError> {
        let call = || self.ledger.remember(event, now).now_or_never().unwrap();
        self.script.call(call).await.ok_or_else(lost)?
    }

    async fn recall(
        &self,
        events: &[&Event],
        now: i64,
    ) -> Result<Vec<Option<Record>>, LedgerError> {
        let call = || self.ledger.recall(events, now).now_or_never().unwrap();
        self.script.call(call).await.ok_or_else(lost)?
    }

    async fn claim(&self, event: &Event, lease: &Lease<'_>) -> Result<Claim, LedgerError> {
        let call = || self.ledger.claim(event, lease).now_or_never().unwrap();
        self.script.call(call).await.ok_or_else(lost)?
    }

    async fn fail(&self, event: &Event, failure: &Failure<'_>) {
        self.ledger.fail(event, failure).await;
    }

    async fn keep(&self, event: &Event) -> Result<(), LedgerError> {
        self.ledger.keep(event).await
    }

    async fn finish(&self, event: &Event, end: &End) -> Result<Finish, LedgerError> {
        let call = || self.ledger.finish(event, end).now_or_never().unwrap();
        self.script.call(call).await.ok_or_else(lost)?
    }
}

impl Queue for World<'_> {
    async fn send(&self, event: &Event) -> Result<(), QueueError> {
        let call = || self.queue.send(event).now_or_never().unwrap();
        let lost = || QueueError("lost".into());
        let sent = self.script.call(call).await.ok_or_else(lost);
        if self.design == Design::IgnoreErrors {
            return Ok(());
        }
        sent?
    }

    async fn bury(&self, event: &Event, reason: &str) -> Result<(), QueueError> {
        self.queue.bury(event, reason).await
    }

    async fn delay(&self, _: &str, _: u32) {}
}

impl Handler for World<'_> {
    async fn handle(&self, event: &Event) -> Result<Handled, HandleError> {
        let retry = || HandleError::Retry("lost".into());
        let Some(destination) = &event.destination else {
            let put = || self.documents.handle(event).now_or_never().unwrap();
            return self.script.call(put).await.ok_or_else(retry)?;
        };
        let tell = || {
            let record = self.ledger.stored(&event.record_key()).unwrap().record;
            *self.after_end.lock().unwrap() += usize::from(record.status == Status::Done);
            *self.other_keys.lock().unwrap() += usize::from(event.key != self::event().key);
            *self
                .effects
                .lock()
                .unwrap()
                .entry(destination.clone())
                .or_default() += 1;
        };
        self.script.call(tell).await.ok_or_else(retry)?;
        Ok(Outcome::Applied.into())
    }

    fn reaches_outside(&self, event: &Event) -> bool {
        event.destination.is_some()
    }
}

impl World<'_> {
    /// Receives a message until it is deleted or its tries in place are over; whether it was deleted.
    fn deliver(&self, body: &str, from: i64) -> bool {
        (1..=RECEPTIONS).any(|receive_count| {
            let now = from + i64::from(receive_count) * VISIBILITY;
            let deaths = self.script.deaths();
            let mut call = pin!(self.invocation(body, receive_count, now));
            match call.as_mut().poll(&mut Context::from_waker(Waker::noop())) {
                Poll::Ready(deleted) => deleted,
                Poll::Pending => {
                    assert!(self.script.deaths() > deaths, "it waits for nothing");
                    false
                }
            }
        })
    }

    async fn invocation(&self, body: &str, receive_count: u32, now: i64) -> bool {
        if self.design == Design::MarkFirst && !body.contains("destination") {
            return self.mark_first(body, now).await.is_some();
        }
        let id = &format!("{body} {now}");
        let message = Message {
            id: id.clone(),
            receipt: id.clone(),
            receive_count,
            body: body.into(),
        };
        let deadline = now + TIMEOUT;
        let invocation = Invocation { id, deadline };
        let clock = StoppedClock::at(now);
        let all = &self.destinations;
        let done = process(
            self,
            self,
            self,
            all,
            vec![message],
            invocation,
            clock.clock(),
        )
        .await;
        !done[0].fate.is_failure()
    }

    async fn mark_first(&self, body: &str, now: i64) -> Option<()> {
        let event = Event::from_message(body).unwrap();
        let record = self.recall(&[&event], now).await.ok()?.remove(0);
        if record.is_some_and(|record| record.status == Status::Done) {
            return Some(());
        }
        self.handle(&event).await.ok()?;
        let end = End {
            outcome: Outcome::Applied,
            reason: None,
            tie: false,
            at: now,
            owner: None,
        };
        self.finish(&event, &end).await.ok()?;
        for destination in &self.destinations {
            let copy = event.copy_for(&destination.name, now);
            self.send(&copy).await.ok()?;
        }
        Some(())
    }
}

/// Results of all paths of a design.
#[derive(Debug, Default)]
struct Found {
    paths: usize,
    /// Destinations that were never told of an event although its message was deleted, and whose copy was not kept.
    lost: usize,
    doubled: usize,
    after_end: usize,
    other_keys: usize,
    letters: usize,
    /// Copies that wait in the retry queue.
    waiting: usize,
}

fn enumerate(design: Design, faults: usize) -> Found {
    let file = r#"
        [sources.s]
        preset = "plain"
        allow_ips = ["0.0.0.0/0"]
        [destinations.one]
        to = "https://one.example"
        secret = "env:ONE"
        [destinations.two]
        to = "sqs:https://sqs.eu-west-1.amazonaws.com/1/two"
    "#;
    let mut found = Found::default();
    found.paths = every_path(faults, |script| {
        let world = World {
            script,
            design,
            destinations: config::destinations(file).unwrap(),
            ledger: MemoryLedger::default(),
            documents: MemoryDocuments::default(),
            queue: MemoryQueue::default(),
            effects: Mutex::default(),
            after_end: Mutex::default(),
            other_keys: Mutex::default(),
        };
        let deleted = world.deliver(&event().to_message(), NOW);
        let mut waiting: BTreeMap<String, usize> = BTreeMap::new();
        let mut from = NOW + 10 * VISIBILITY;
        while let Some(copy) = world.queue.take() {
            if !world.deliver(&copy, from) {
                let destination = Event::from_message(&copy).unwrap().destination;
                *waiting.entry(destination.unwrap()).or_default() += 1;
            }
            from += 10 * VISIBILITY;
        }
        let effects = world.effects.lock().unwrap();
        for destination in ["one", "two"] {
            let count = effects.get(destination).copied().unwrap_or(0);
            let waits = waiting.contains_key(destination);
            found.lost += usize::from(deleted && count == 0 && !waits);
            found.doubled += usize::from(count > 1);
        }
        found.waiting += waiting.len();
        found.letters += world.queue.buried().len();
        found.after_end += *world.after_end.lock().unwrap();
        found.other_keys += *world.other_keys.lock().unwrap();
    });
    println!("{design:?}, {faults} faults: {found:?}");
    found
}

#[test]
fn every_destination_is_told_on_every_path_and_none_after_its_end() {
    let calm = enumerate(Design::Ours, 0);
    assert_eq!((calm.lost, calm.doubled, calm.waiting), (0, 0, 0));
    for faults in 1..=2 {
        let found = enumerate(Design::Ours, faults);
        assert_eq!((found.lost, found.letters), (0, 0));
        assert_eq!((found.after_end, found.other_keys), (0, 0));
        assert!(
            found.doubled > 0,
            "a request whose answer is lost: nobody can do better"
        );
    }
}

#[test]
fn the_orders_of_others_are_caught() {
    assert!(enumerate(Design::MarkFirst, 1).lost > 0);
    assert!(enumerate(Design::IgnoreErrors, 1).lost > 0);
}
