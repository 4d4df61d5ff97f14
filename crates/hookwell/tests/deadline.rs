//! A sender's time, however many events it sends at once: 1.2 s, by a clock that passes only when everybody waits.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing)]

mod support;

use hookwell::config;
use hookwell::event::Event;
use hookwell::event::delivery::Delivery;
use hookwell::ingest::key_cache::Sources;
use hookwell::ingest::receive;
use hookwell::keys::not_ready::SecretProblem;
use hookwell::ports::ledger::{Claim, End, Finish, Lease, Ledger, LedgerError, Record, Remembered};
use hookwell::ports::memory::{MemoryLedger, MemoryQueue};
use hookwell::ports::queue::{Queue, QueueError};
use http::{HeaderMap, Method};
use support::NOW;
use support::clock::Clock;

/// How long a sender may wait, in milliseconds.
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

#[test]
fn a_list_of_a_thousand_events_is_answered_in_time_by_a_slow_table() {
    let sources = config::parse(SOURCES).unwrap();
    let sources = Sources::new(sources, |_| Err(SecretProblem::NotSet));
    let clock = Clock::new(NOW);
    let ledger = Slow {
        inner: MemoryLedger::default(),
        clock: &clock,
        takes: 250,
    };
    let queue = Slow {
        inner: MemoryQueue::default(),
        clock: &clock,
        takes: 20,
    };
    let delivery = delivery(1000);
    let timers = clock.timers();
    let received = receive(&sources, &ledger, &queue, &delivery, timers.clock());
    let received = clock.run(received);
    assert_eq!(received.reply.status, 200, "the queue took all of them");
    assert_eq!(queue.inner.len(), 1000);
    let took = clock.now() - NOW;
    assert!(took <= PATIENCE, "the sender waited for {took} ms");
}
