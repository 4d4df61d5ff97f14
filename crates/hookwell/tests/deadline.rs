//! A sender's time, however many events it sends at once: 1.2 s, by a clock that passes only when everybody waits.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing)]

mod support;

use futures_util::FutureExt as _;
use futures_util::future::{Either, join_all, select};
use hookwell::config;
use hookwell::event::Event;
use hookwell::event::delivery::Delivery;
use hookwell::ingest::key_cache::Sources;
use hookwell::ingest::receive;
use hookwell::keys::not_ready::SecretProblem;
use hookwell::ports::handler::Outcome;
use hookwell::ports::ledger::{
    Claim, End, Failure, Finish, Lease, Ledger, LedgerError, Record, Remembered,
};
use hookwell::ports::memory::{MemoryLedger, MemoryQueue};
use hookwell::ports::queue::{Queue, QueueError};
use http::{HeaderMap, Method};
use support::NOW;
use support::clock::Clock;

/// Time that a sender may wait, in milliseconds.
const PATIENCE: i64 = 1_200;

const SOURCES: &str = r#"
    [sources.lists]
    allow_ips = ["127.0.0.0/8"]
    verify = { alg = "unsigned" }
    [sources.lists.event]
    each = "body:/events"
    id = "item:/id"
    type = "item:/type"
"#;

/// A ledger and a queue, each of whose calls takes so many milliseconds.
struct Slow<'a, T> {
    inner: T,
    clock: &'a Clock,
    takes: i64,
}

impl Ledger for Slow<'_, MemoryLedger> {
    async fn remember(&self, event: &Event, now: i64) -> Result<Remembered, LedgerError> {
        self.clock.sleep(self.takes).await;
        self.inner.remember(event, now).await
    }

    async fn recall(
        &self,
        events: &[&Event],
        now: i64,
    ) -> Result<Vec<Option<Record>>, LedgerError> {
        self.inner.recall(events, now).await
    }

    async fn claim(&self, event: &Event, lease: &Lease<'_>) -> Result<Claim, LedgerError> {
        self.inner.claim(event, lease).await
    }

    async fn fail(&self, event: &Event, failure: &Failure<'_>) {
        self.inner.fail(event, failure).await;
    }

    async fn keep(&self, event: &Event) -> Result<(), LedgerError> {
        self.inner.keep(event).await
    }

    async fn finish(&self, event: &Event, end: &End) -> Result<Finish, LedgerError> {
        self.inner.finish(event, end).await
    }
}

impl Queue for Slow<'_, MemoryQueue> {
    async fn send(&self, event: &Event) -> Result<(), QueueError> {
        self.clock.sleep(self.takes).await;
        self.inner.send(event).await
    }

    async fn send_all(&self, events: &[&Event]) -> Vec<Result<(), QueueError>> {
        self.clock.sleep(self.takes).await;
        self.inner.send_all(events).await
    }

    async fn bury(&self, event: &Event, reason: &str) -> Result<(), QueueError> {
        self.inner.bury(event, reason).await
    }

    async fn delay(&self, receipt: &str, seconds: u32) {
        self.inner.delay(receipt, seconds).await;
    }
}

fn delivery(events: usize) -> Delivery {
    let items: Vec<String> = (0..events)
        .map(|number| format!(r#"{{"id":"{number}","type":"thing.happened"}}"#))
        .collect();
    Delivery {
        request_id: "request".into(),
        method: Method::POST,
        source: Some("lists".into()),
        path: "/webhooks/lists".into(),
        query: String::new(),
        headers: HeaderMap::new(),
        body: format!(r#"{{"events":[{}]}}"#, items.join(",")).into_bytes(),
        source_ip: Some("127.0.0.1".parse().unwrap()),
        trace: None,
    }
}

/// A world whose puts and sends take so many milliseconds each.
fn slow(clock: &Clock, put: i64, send: i64) -> (Slow<'_, MemoryLedger>, Slow<'_, MemoryQueue>) {
    let ledger = Slow {
        inner: MemoryLedger::default(),
        clock,
        takes: put,
    };
    let queue = Slow {
        inner: MemoryQueue::default(),
        clock,
        takes: send,
    };
    (ledger, queue)
}

fn sources() -> Sources {
    let sources = config::parse(SOURCES).unwrap();
    Sources::new(sources, |_| Err(SecretProblem::NotSet))
}

#[test]
fn a_list_of_a_thousand_events_is_answered_in_time_by_a_slow_table() {
    let (sources, clock) = (sources(), Clock::new(NOW));
    let (ledger, queue) = slow(&clock, 250, 20);
    let delivery = delivery(1000);
    let timers = clock.timers();
    let received = receive(&sources, &ledger, &queue, &delivery, timers.clock());
    let received = clock.run(received);
    assert_eq!(received.reply.status, 200, "the queue took all of them");
    assert_eq!(queue.inner.len(), 1000);
    let took = clock.now() - NOW;
    assert!(took <= PATIENCE, "the sender waited for {took} ms");
}

/// Ingest of another design: puts a hundred events at a time, each hundred with a limit of its own.
#[test]
fn a_limit_for_each_chunk_is_caught() {
    let clock = Clock::new(NOW);
    let (ledger, _) = slow(&clock, 250, 20);
    let sources = sources();
    let (source, keys) = sources.get("lists").unwrap();
    let delivery = delivery(1000);
    let verified = source.verify((*keys).as_ref().unwrap(), &delivery, NOW);
    let events = verified.unwrap().events(NOW).unwrap();
    let chunks = async {
        for chunk in events.chunks(100) {
            let puts = chunk.iter().map(|event| ledger.remember(event, NOW));
            let limit = std::pin::pin!(clock.sleep(400));
            select(std::pin::pin!(join_all(puts)), limit).await;
        }
    };
    clock.run(chunks);
    assert!(clock.now() - NOW > PATIENCE);
}

/// Number of the try that is answered 200, for a sender that sends a list again until it is taken, while process works
/// between the tries.
fn tries(
    send: i64,
    receive: impl Fn(&Clock, &Slow<'_, MemoryLedger>, &Slow<'_, MemoryQueue>) -> bool,
) -> Option<usize> {
    let clock = Clock::new(NOW);
    let (ledger, queue) = slow(&clock, 5, send);
    for number in 1..=40 {
        if receive(&clock, &ledger, &queue) {
            return Some(number);
        }
        while let Some(body) = queue.inner.take() {
            let event = Event::from_message(&body).unwrap();
            let end = End {
                outcome: Outcome::Ignored,
                reason: None,
                tie: false,
                at: clock.now(),
                owner: None,
            };
            ledger
                .inner
                .finish(&event, &end)
                .now_or_never()
                .unwrap()
                .unwrap();
        }
    }
    None
}

#[test]
fn a_list_that_does_not_fit_the_time_gets_further_at_every_try() {
    let (sources, delivery) = (sources(), delivery(1000));
    // A round of sends takes 0.9 s, so each try has the time for one.
    let ours = tries(900, |clock, ledger, queue| {
        let timers = clock.timers();
        let received = receive(&sources, ledger, queue, &delivery, timers.clock());
        clock.run(received).reply.status == 200
    });
    assert_eq!(ours, Some(10), "a hundred events at every try");
    // Another design sends in the order of the list, and sends events that are done again.
    let (source, keys) = sources.get("lists").unwrap();
    let verified = source.verify((*keys).as_ref().unwrap(), &delivery, NOW);
    let events = verified.unwrap().events(NOW).unwrap();
    let rival = tries(900, |clock, _, queue| {
        let sends = async {
            for round in events.chunks(100) {
                let calls = round
                    .chunks(10)
                    .map(|ten| async { queue.send_all(&ten.iter().collect::<Vec<_>>()).await });
                join_all(calls).await;
            }
        };
        let end = clock.now() + 1_150;
        clock.run(async {
            let deadline = std::pin::pin!(clock.sleep(end - clock.now()));
            let sends = std::pin::pin!(sends);
            matches!(select(sends, deadline).await, Either::Left(_))
        })
    });
    assert_eq!(rival, None, "never done");
}
