//! Every path of ingest: each remote call works, fails, takes effect without an answer, is repeated by the SDK, or the
//! function dies before or after it; the sender tries up to five times, its 200 may get lost, and process may or may
//! not have finished the event between two tries. Run over the code itself, and over the designs that others use,
//! which must be caught: a checker that catches nothing proves nothing.
//!
//! The whole space, five faults in five tries, takes minutes:
//! `cargo test --release -p hookwell --test enumerate_ingest -- --ignored --nocapture`
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
use hookwell::event::Event;
use hookwell::event::delivery::Delivery;
use hookwell::ingest::key_cache::Sources;
use hookwell::ingest::receive;
use hookwell::ports::handler::{HandleError, Handled, Handler};
use hookwell::ports::ledger::{
    Claim, End, Failure, Finish, Lease, Ledger, LedgerError, Record, Remembered,
};
use hookwell::ports::memory::{MemoryDocuments, MemoryLedger, MemoryQueue, StoppedClock};
use hookwell::ports::queue::{Queue, QueueError};
use hookwell::source::reply::Receipt;
use http::{HeaderMap, Method};
use support::script::{Script, every_path};
use support::{NOW, invoke, message};

const MINUTE: i64 = 60_000;

/// Rule by which ingest answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Design {
    /// The code of this crate.
    Ours,
    /// Put and send at once; 200 when anybody answered the send with status 200, a proxy or an error in JSON too.
    StatusIsEnough,
    /// The id exists: 200.
    ExistsIsEnough,
    /// The id exists: 200; but the record is deleted when the send fails.
    DeleteOnError,
    /// The id exists and is in progress: 200, "already being processed".
    InProgressIsEnough,
    /// Put and send at once; 200 when either says so.
    EitherIsEnough,
    /// 200 as soon as the record is written, the send comes after.
    AnswerBeforeSend,
    /// A table that is away is a reason to answer 200 all the same.
    FailOpenOnTheQueue,
}

/// One sender, one event, and all the storage there is.
struct World<'s> {
    script: &'s Script,
    ledger: MemoryLedger,
    queue: MemoryQueue,
    documents: MemoryDocuments,
    writes: Mutex<usize>,
    /// The record of the other designs: absent, present, or done.
    record: Mutex<Option<bool>>,
    /// Deaths of the function before this try.
    deaths_before: Mutex<usize>,
}

impl Ledger for World<'_> {
    async fn remember(&self, event: &Event, now: i64) -> Result<Remembered, LedgerError> {
        let remember = || {
            let remembered = self.ledger.remember(event, now).now_or_never();
            remembered.unwrap().unwrap()
        };
        let remembered = self.call(remember).await;
        remembered.ok_or_else(|| LedgerError("lost".into()))
    }

    async fn recall(
        &self,
        events: &[&Event],
        now: i64,
    ) -> Result<Vec<Option<Record>>, LedgerError> {
        self.ledger.recall(events, now).await
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

impl Queue for World<'_> {
    async fn send(&self, event: &Event) -> Result<(), QueueError> {
        let send = || self.queue.send(event).now_or_never().unwrap().unwrap();
        let answer = self.call(send).await;
        answer.ok_or_else(|| QueueError("lost".into()))
    }

    async fn bury(&self, event: &Event, reason: &str) -> Result<(), QueueError> {
        self.queue.bury(event, reason).await
    }

    async fn delay(&self, _: &str, _: u32) {}
}

impl Handler for World<'_> {
    async fn handle(&self, event: &Event) -> Result<Handled, HandleError> {
        let before = self.documents.all();
        let outcome = self.documents.handle(event).await;
        *self.writes.lock().unwrap() += usize::from(before != self.documents.all());
        outcome
    }
}

impl World<'_> {
    /// A remote call. Put and send run at once: when the function has died in one of them, the other one may or may not
    /// have left before.
    async fn call<T>(&self, mut effect: impl FnMut() -> T) -> Option<T> {
        if self.script.deaths() > *self.deaths_before.lock().unwrap() {
            if self.script.choose(2) == 1 {
                effect();
            }
            return std::future::pending().await;
        }
        self.script.call(effect).await
    }

    /// True when a try of the sender is answered 200; `None` when the function died.
    fn attempt(
        &self,
        design: Design,
        sources: &Sources,
        delivery: &Delivery,
        now: i64,
    ) -> Option<bool> {
        *self.deaths_before.lock().unwrap() = self.script.deaths();
        if design == Design::Ours {
            let received = {
                let clock = StoppedClock::at(now);
                receive(sources, self, self, delivery, clock.clock()).now_or_never()?
            };
            return Some(matches!(
                received.receipt,
                Receipt::Received | Receipt::Duplicate
            ));
        }
        self.rival(design, delivery, now).now_or_never()
    }

    /// Ingest by another design, which must lose or double an event in some order of failures.
    async fn rival(&self, design: Design, delivery: &Delivery, now: i64) -> bool {
        let event = event(delivery, now);
        if design == Design::StatusIsEnough {
            let sent = self.send(&event).await.is_ok();
            // A failure may be an answer of status 200 that is not the queue's.
            return sent || self.script.choose(2) == 1;
        }
        let put = || {
            let mut record = self.record.lock().unwrap();
            let old = *record;
            *record = Some(old.unwrap_or(false));
            old
        };
        let put = self.script.call(put).await;
        let exists = matches!(put, Some(Some(_)));
        let in_progress = matches!(put, Some(Some(false)));
        match design {
            Design::Ours => unreachable!("is not a rival"),
            Design::ExistsIsEnough | Design::DeleteOnError if exists => return true,
            Design::InProgressIsEnough if in_progress => return true,
            Design::AnswerBeforeSend if put.is_some() => {
                // Nobody waits for this send: its failure and its death change nothing.
                let _ = self.send(&event).now_or_never();
                return true;
            }
            _ => {}
        }
        if put.is_none() && design != Design::EitherIsEnough && design != Design::FailOpenOnTheQueue
        {
            return false;
        }
        let sent = self.send(&event).await.is_ok();
        if !sent && design == Design::DeleteOnError {
            self.script
                .call(|| *self.record.lock().unwrap() = None)
                .await;
        }
        sent || (design == Design::EitherIsEnough && exists) || design == Design::FailOpenOnTheQueue
    }

    /// Process empties the queue.
    fn drain(&self, now: i64) {
        while let Some(body) = self.queue.take() {
            let batch = vec![message(&body)];
            let done = invoke(&self.ledger, &self.queue, self, batch, now);
            assert!(!done.now_or_never().unwrap()[0].fate.is_failure());
            *self.record.lock().unwrap() = Some(true);
        }
    }
}

fn event(delivery: &Delivery, now: i64) -> Event {
    let sources = sources();
    let (source, keys) = sources.get("plain").unwrap();
    source
        .verify((*keys).as_ref().unwrap(), delivery, now)
        .unwrap()
        .events(now)
        .unwrap()
        .remove(0)
}

/// A source with ids and nothing to sign, so that millions of paths do not compute millions of signatures.
fn sources() -> Sources {
    let text = "[sources.plain]\npreset = \"plain\"\nallow_ips = [\"::/0\", \"0.0.0.0/0\"]\nevent.id = \"body:/id\"\nevent.time = \"body:/at\"\n";
    let none = hookwell::keys::not_ready::SecretProblem::NotSet;
    Sources::new(config::parse(text).unwrap(), |_| Err(none.clone()))
}

/// An event with a time of its own, or without.
fn delivery(timed: bool) -> Delivery {
    let time = if timed { r#""at":1790000000,"# } else { "" };
    Delivery {
        request_id: "r".into(),
        method: Method::POST,
        source: Some("plain".into()),
        path: "/webhooks/plain".into(),
        query: String::new(),
        headers: HeaderMap::new(),
        body: format!(r#"{{"id":"evt_1",{time}"event":"thing.created","data":{{"id":"d"}}}}"#)
            .into_bytes(),
        source_ip: Some("192.0.2.1".parse().unwrap()),
        trace: None,
    }
}

/// Results of all paths of a design.
#[derive(Debug, Default)]
struct Found {
    paths: usize,
    /// Acknowledged and neither applied nor in the dead-letter queue.
    lost: usize,
    /// Applied more than once.
    doubled: usize,
    /// Never acknowledged.
    given_up: usize,
    /// The fewest faults that lost an event.
    fewest_to_lose: Option<usize>,
    /// The fewest faults that made the sender give up.
    fewest_to_give_up: Option<usize>,
    /// The most messages that one event was.
    most_messages: usize,
}

fn enumerate(design: Design, timed: bool, tries: i64, faults: usize) -> Found {
    let (sources, delivery) = (sources(), delivery(timed));
    let mut found = Found::default();
    found.paths = every_path(faults, |script| {
        let world = World {
            script,
            ledger: MemoryLedger::default(),
            queue: MemoryQueue::default(),
            documents: MemoryDocuments::default(),
            writes: Mutex::new(0),
            record: Mutex::new(None),
            deaths_before: Mutex::default(),
        };
        let (mut acknowledged, mut messages) = (false, 0);
        for number in 0..tries {
            let now = NOW + number * MINUTE;
            let before = world.queue.len();
            let answer = world.attempt(design, &sources, &delivery, now);
            messages += world.queue.len() - before;
            acknowledged |= answer == Some(true);
            if answer == Some(true) && !script.fault() {
                break;
            }
            if number + 1 < tries && !world.queue.is_empty() && script.choose(2) == 1 {
                world.drain(now);
            }
        }
        world.drain(NOW + tries * MINUTE);
        let (writes, used) = (*world.writes.lock().unwrap(), faults - script.faults_left());
        let fewest = |old: Option<usize>| Some(old.map_or(used, |old| old.min(used)));
        if acknowledged && writes == 0 {
            found.lost += 1;
            found.fewest_to_lose = fewest(found.fewest_to_lose);
        }
        if !acknowledged {
            found.given_up += 1;
            found.fewest_to_give_up = fewest(found.fewest_to_give_up);
        }
        found.doubled += usize::from(writes > 1);
        found.most_messages = found.most_messages.max(messages);
    });
    println!("{design:?}, timed {timed}, {tries} tries, {faults} faults: {found:?}");
    found
}

#[test]
fn no_path_of_ingest_loses_or_doubles_an_acknowledged_event() {
    for (tries, faults) in [(1, 3), (2, 3), (3, 3), (5, 2)] {
        for timed in [true, false] {
            let found = enumerate(Design::Ours, timed, tries, faults);
            assert_eq!((found.lost, found.doubled), (0, 0));
            let one_for_every_try = usize::try_from(tries).unwrap();
            let gives_up = (faults >= one_for_every_try).then_some(one_for_every_try);
            assert_eq!(found.fewest_to_give_up, gives_up);
        }
    }
}

#[test]
#[ignore = "a million paths, minutes without --release: docs/proof.md has the command"]
fn no_path_of_ingest_with_five_faults_in_five_tries_loses_or_doubles() {
    let found = enumerate(Design::Ours, true, 5, 5);
    assert_eq!(
        (found.lost, found.doubled, found.fewest_to_give_up),
        (0, 0, Some(5))
    );
    let found = enumerate(Design::Ours, false, 5, 4);
    assert_eq!(
        (found.lost, found.doubled, found.fewest_to_give_up),
        (0, 0, None)
    );
}

#[test]
fn the_designs_of_others_are_caught() {
    let fewest_faults = [
        (Design::StatusIsEnough, 1),
        (Design::ExistsIsEnough, 1),
        (Design::DeleteOnError, 1),
        (Design::InProgressIsEnough, 1),
        (Design::EitherIsEnough, 2),
        (Design::AnswerBeforeSend, 1),
        (Design::FailOpenOnTheQueue, 1),
    ];
    for (design, faults) in fewest_faults {
        let found = enumerate(design, true, 3, 2);
        assert_eq!(found.fewest_to_lose, Some(faults), "{design:?}");
    }
}
