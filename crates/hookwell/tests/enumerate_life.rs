//! Every path of an event's life beyond its first end: its letter is thrown away, its record expires, its sender sends it
//! again while the events table is there or away. Run over the code itself, and over designs that trust a record for too
//! long or give each copy of an event a version of its own, which must be caught.
//!
//! The checker knows what the sender did and which answers it got. It asks the storage only whether an event waits in a
//! queue, and what the document says.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::print_stdout
)]

mod support;

use std::sync::Mutex;

use futures_util::FutureExt as _;
use hookwell::config;
use hookwell::event::delivery::Delivery;
use hookwell::event::{Event, LIFE_DAYS};
use hookwell::format::time::DAY;
use hookwell::ingest::key_cache::Sources;
use hookwell::ingest::receive;
use hookwell::ports::handler::{HandleError, Handled, Handler};
use hookwell::ports::ledger::{
    Claim, End, Failure, Finish, Lease, Ledger, LedgerError, Record, Remembered, Status,
};
use hookwell::ports::memory::{MemoryDocuments, MemoryLedger, MemoryQueue, StoppedClock};
use hookwell::ports::queue::{Queue, QueueError};
use http::{HeaderMap, Method};
use support::script::{Script, every_path};
use support::{NOW, invoke, message};

const MINUTE: i64 = 60_000;

/// Trust that a receiver has in its records.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Design {
    /// The code of this crate.
    Ours,
    /// A quarantined event is finished: its record answers for it as long as it lives.
    QuarantinedIsFinished,
    /// A record counts until it is deleted, which DynamoDB does days after it has expired.
    ExpiredIsThere,
    /// Each copy of an event has the version that it was received with.
    VersionOfEachCopy,
}

/// The events table of a design, which can be away for ingest, with a queue and documents.
struct World {
    design: Design,
    ledger: MemoryLedger,
    queue: MemoryQueue,
    documents: MemoryDocuments,
    table_away: Mutex<bool>,
    /// The letters of the dead-letter queue that an operator threw away.
    thrown_away: Mutex<usize>,
    /// True when the handler refuses what comes.
    refuses: bool,
    /// Number of times that the handler was asked.
    judged: Mutex<usize>,
}

impl World {
    fn new(design: Design, refuses: bool) -> Self {
        Self {
            design,
            ledger: MemoryLedger::default(),
            queue: MemoryQueue::default(),
            documents: MemoryDocuments::default(),
            table_away: Mutex::new(false),
            thrown_away: Mutex::new(0),
            refuses,
            judged: Mutex::new(0),
        }
    }

    /// A record as this design reads it.
    fn read(&self, record: Record, event: &Event) -> Record {
        let mut record = record;
        if self.design == Design::QuarantinedIsFinished && record.status == Status::Quarantined {
            record.status = Status::Done;
        }
        if self.design == Design::VersionOfEachCopy {
            record.version = event.version();
        }
        record
    }

    /// The time by which this design decides whether a record has expired.
    fn seen(&self, now: i64) -> i64 {
        if self.design == Design::ExpiredIsThere {
            0
        } else {
            now
        }
    }

    /// A try of the sender; whether it was answered 200.
    fn attempt(&self, sources: &Sources, delivery: &Delivery, now: i64) -> bool {
        let clock = StoppedClock::at(now);
        let received = receive(sources, self, self, delivery, clock.clock());
        received.now_or_never().unwrap().reply.status == 200
    }

    /// Process empties the queue, in any order.
    fn drain(&self, script: &Script, now: i64) {
        let mut waiting: Vec<_> = std::iter::from_fn(|| self.queue.take()).collect();
        while !waiting.is_empty() {
            let body = waiting.remove(script.choose(waiting.len()));
            let done = invoke(self, self, self, vec![message(&body)], now);
            assert!(!done.now_or_never().unwrap()[0].fate.is_failure());
        }
    }

    /// Number of letters that an operator sees.
    fn letters(&self) -> usize {
        self.queue.buried().len() - *self.thrown_away.lock().unwrap()
    }
}

impl Ledger for World {
    async fn remember(&self, event: &Event, now: i64) -> Result<Remembered, LedgerError> {
        if *self.table_away.lock().unwrap() {
            return Err(LedgerError("away".into()));
        }
        let remembered = self.ledger.remember(event, self.seen(now)).await?;
        Ok(match remembered {
            Remembered::Known(record) => Remembered::Known(self.read(record, event)),
            Remembered::New => Remembered::New,
        })
    }

    async fn recall(
        &self,
        events: &[&Event],
        now: i64,
    ) -> Result<Vec<Option<Record>>, LedgerError> {
        let records = self.ledger.recall(events, self.seen(now)).await?;
        let both = records.into_iter().zip(events);
        Ok(both
            .map(|(record, event)| record.map(|record| self.read(record, event)))
            .collect())
    }

    async fn claim(&self, event: &Event, lease: &Lease<'_>) -> Result<Claim, LedgerError> {
        self.ledger.claim(event, lease).await
    }

    async fn fail(&self, event: &Event, failure: &Failure<'_>) {
        self.ledger.fail(event, failure).await;
    }

    async fn keep(&self, event: &Event) -> Result<(), LedgerError> {
        self.ledger.keep(event).await
    }

    async fn finish(&self, event: &Event, end: &End) -> Result<Finish, LedgerError> {
        self.ledger.finish(event, end).await
    }
}

impl Queue for World {
    async fn send(&self, event: &Event) -> Result<(), QueueError> {
        self.queue.send(event).await
    }

    async fn bury(&self, event: &Event, reason: &str) -> Result<(), QueueError> {
        self.queue.bury(event, reason).await
    }

    async fn delay(&self, _: &str, _: u32) {}
}

impl Handler for World {
    async fn handle(&self, event: &Event) -> Result<Handled, HandleError> {
        *self.judged.lock().unwrap() += 1;
        if self.refuses {
            return Err(HandleError::Reject("no".into()));
        }
        self.documents.handle(event).await
    }
}

fn sources() -> Sources {
    let text = "[sources.plain]\npreset = \"plain\"\nallow_ips = [\"::/0\", \"0.0.0.0/0\"]\nevent.id = \"body:/id\"\n";
    let none = hookwell::keys::not_ready::SecretProblem::NotSet;
    Sources::new(config::parse(text).unwrap(), |_| Err(none.clone()))
}

/// An event of document `d`, without a time of its own.
fn delivery(id: &str, state: usize) -> Delivery {
    Delivery {
        request_id: "r".into(),
        method: Method::POST,
        source: Some("plain".into()),
        path: "/webhooks/plain".into(),
        query: String::new(),
        headers: HeaderMap::new(),
        body: format!(
            r#"{{"id":"{id}","event":"thing.updated","data":{{"id":"d","state":{state}}}}}"#
        )
        .into_bytes(),
        source_ip: Some("192.0.2.1".parse().unwrap()),
        trace: None,
    }
}

/// A rejected event's letter is thrown away or not, and its sender comes again up to three times, the table away or not.
/// Counts the 200s after which an operator sees nothing.
fn lost_after_quarantine(design: Design) -> (usize, usize) {
    let (sources, delivery) = (sources(), delivery("e", 1));
    let mut lost = 0;
    let paths = every_path(0, |script: &Script| {
        let world = World::new(design, true);
        let mut now = NOW;
        for _ in 0..3 {
            *world.table_away.lock().unwrap() = script.choose(2) == 1;
            let is_ok = world.attempt(&sources, &delivery, now);
            *world.table_away.lock().unwrap() = false;
            world.drain(script, now);
            lost += usize::from(is_ok && world.letters() == 0);
            if script.choose(2) == 1 {
                let letters = world.queue.buried().len();
                *world.thrown_away.lock().unwrap() = letters;
            }
            now += DAY;
        }
    });
    (paths, lost)
}

/// An event is done; its sender sends it again before or after its record has expired, the table there or away for
/// ingest. Counts the resends after the end of the record that nobody judged.
fn ignored_after_expiry(design: Design) -> (usize, usize) {
    let (sources, delivery) = (sources(), delivery("e", 1));
    let mut ignored = 0;
    let paths = every_path(0, |script: &Script| {
        let world = World::new(design, false);
        world.attempt(&sources, &delivery, NOW);
        world.drain(script, NOW);
        let after = [1, LIFE_DAYS - 1, LIFE_DAYS + 1, LIFE_DAYS + 3][script.choose(4)];
        let now = NOW + after * DAY + MINUTE;
        let judged = *world.judged.lock().unwrap();
        *world.table_away.lock().unwrap() = script.choose(2) == 1;
        assert!(world.attempt(&sources, &delivery, now));
        *world.table_away.lock().unwrap() = false;
        world.drain(script, now);
        let is_judged = *world.judged.lock().unwrap() > judged;
        ignored += usize::from(after > LIFE_DAYS && !is_judged);
        assert!(after > LIFE_DAYS || !is_judged, "it is finished");
    });
    (paths, ignored)
}

/// Two events of a document without times of their own, the first of which is sent once more at the end because its
/// sender's answer was lost; the table is there or away for each of the three, and process runs between them or not.
///
/// Counts the documents that are not the second event's: those where a record of the first event was there before its
/// second copy came, and those where nothing was known of it: the table was away and process had not run.
fn older_in_the_end(design: Design) -> [usize; 3] {
    let sources = sources();
    let (first, second) = (delivery("e1", 1), delivery("e2", 2));
    let (mut known, mut unknown) = (0, 0);
    let paths = every_path(0, |script: &Script| {
        let world = World::new(design, false);
        let mut now = NOW;
        let mut is_known = false;
        for (number, delivery) in [&first, &second, &first].into_iter().enumerate() {
            let is_away = script.choose(2) == 1;
            *world.table_away.lock().unwrap() = is_away;
            assert!(world.attempt(&sources, delivery, now));
            *world.table_away.lock().unwrap() = false;
            let drains = script.choose(2) == 1;
            if drains {
                world.drain(script, now);
            }
            is_known |= (number == 0 && !is_away) || (number < 2 && drains);
            now += MINUTE;
        }
        world.drain(script, now);
        let document = world.documents.all().into_values().next().unwrap();
        let is_older = !document.state.unwrap().contains("\"state\":2");
        known += usize::from(is_older && is_known);
        unknown += usize::from(is_older && !is_known);
    });
    [paths, known, unknown]
}

#[test]
fn a_rejected_event_that_comes_again_is_never_acknowledged_and_gone() {
    let (paths, lost) = lost_after_quarantine(Design::Ours);
    println!("quarantined and sent again: {paths} paths, {lost} lost");
    assert_eq!(lost, 0);
    assert!(lost_after_quarantine(Design::QuarantinedIsFinished).1 > 0);
}

#[test]
fn an_expired_record_answers_for_nothing() {
    let (paths, ignored) = ignored_after_expiry(Design::Ours);
    println!("done, expired and sent again: {paths} paths, {ignored} ignored");
    assert_eq!(ignored, 0);
    assert!(ignored_after_expiry(Design::ExpiredIsThere).1 > 0);
}

#[test]
fn a_copy_that_comes_late_does_not_overwrite_what_came_between() {
    let [paths, known, unknown] = older_in_the_end(Design::Ours);
    println!(
        "a copy comes late: {paths} paths, {known} older, {unknown} older where nothing was known"
    );
    assert_eq!(known, 0);
    // The reception of the second copy is the first that a record holds there. It takes a table that is away at the first
    // reception, and a sender that comes again before process has seen either copy.
    assert_eq!(unknown, 36);
    assert!(older_in_the_end(Design::VersionOfEachCopy)[1] > 0);
}
