//! Outages of hours and days, second by second, with the settings of template.yaml: three tries in place, the retry queue, a
//! schedule every ten minutes. The code is the one that runs on Lambda; queues, schedule and clock are the model's.
//!
//! Other ways to wait run over the same hours and must be caught: backoff by visibility, eight tries and then letters, copies
//! that process sends itself, and a queue without message groups.
//!
//! One event here stands for a thousand, and so do the limits. `OUTAGE_SHARE=10 cargo test --release -p hookwell --test outage --
//! --nocapture` takes a hundred times as many.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::print_stdout
)]

mod support;

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::fmt;
use std::sync::Mutex;

use futures_util::FutureExt as _;
use hookwell::event::identity::Key;
use hookwell::event::{Event, Operation};
use hookwell::ports::handler::{HandleError, Handled, Handler};
use hookwell::ports::memory::{MemoryDocuments, MemoryLedger};
use hookwell::ports::queue::{Queue, QueueError};
use hookwell::process::{Message, TRIES_IN_PLACE};
use support::{NOW, event, invoke};

const SECOND: i64 = 1000;
const MINUTE: i64 = 60 * SECOND;
const HOUR: i64 = 60 * MINUTE;
const DAY: i64 = 24 * HOUR;

/// The size of a batch, `RetryEveryMinutes` and `RetryRate` of template.yaml, the last a second.
const BATCH: usize = 10;
const RETRY_EVERY: i64 = 10 * MINUTE;
const RETRY_RATE: i64 = 500;
/// Messages that the functions take in a second: `MaximumConcurrency` 5, batches of ten, 25 ms for each.
const CAPACITY: i64 = 2_000;
/// Messages that a queue may have in flight ("Amazon SQS standard queue quotas").
const IN_FLIGHT: i64 = 120_000;
/// Events of a source in a second.
const RATE: i64 = 100;

/// Way to wait.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Design {
    /// The code of this crate, and what template.yaml makes.
    Ours,
    /// The code of this crate without message groups: the queue hands out messages by age.
    WithoutGroups,
    /// Pauses of 2, 6, 18 s and so on up to 15 minutes, by visibility, without an end and without message groups.
    ByVisibility,
    /// Pauses as for [`Self::ByVisibility`]; after the eighth try the event becomes a letter.
    EightTries,
    /// A copy for each failure, sent by process, while one delete in twenty is missed.
    Copies,
}

impl Design {
    fn has_retry_queue(self) -> bool {
        matches!(self, Self::Ours | Self::WithoutGroups)
    }
}

/// A message in a queue.
struct Stored {
    source: usize,
    body: String,
    receives: u32,
    sent_at: i64,
}

/// Seconds from the reception of an event to its effect, and how many events took so long.
#[derive(Default)]
struct Waits(BTreeMap<i64, usize>);

impl Waits {
    /// The time within which so many percent took effect.
    fn percentile(&self, percent: usize) -> i64 {
        let count: usize = self.0.values().sum();
        let mut left = (count * percent).div_ceil(100);
        for (wait, count) in &self.0 {
            if *count >= left {
                return *wait;
            }
            left -= count;
        }
        0
    }
}

impl fmt::Display for Waits {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [half, most, all] = [50, 99, 100].map(|percent| self.percentile(percent));
        write!(f, "p50 {half} s, p99 {most} s, all {all} s")
    }
}

/// The queues, the functions and the tables, and what is away.
struct World {
    design: Design,
    /// Events that one event here stands for.
    share: i64,
    now: i64,
    /// Time of the outage, and the source that it concerns; all, where `None`.
    outage: (i64, i64),
    failing: Option<usize>,
    reaches_outside: bool,
    ledger: MemoryLedger,
    documents: MemoryDocuments,
    messages: BTreeMap<u64, Stored>,
    next: u64,
    /// Messages that can be received, by group. SQS serves those in turn that have few messages in flight.
    ready: Vec<VecDeque<u64>>,
    turn: usize,
    /// Messages by the time from which they can be received.
    hidden: BTreeSet<(i64, u64)>,
    in_flight: usize,
    retry: VecDeque<Stored>,
    /// Messages that the running move task has still to move.
    moving: usize,
    /// Pauses that process asked for, by receipt, in seconds.
    pauses: Mutex<BTreeMap<u64, u32>>,
    letters: Mutex<usize>,
    sent: usize,
    tries: usize,
    most_messages: usize,
    /// Waits of the events that never fail: of those received before, during and after the outage.
    waits: [Waits; 3],
}

impl World {
    fn new(design: Design, outage: (i64, i64)) -> Self {
        let share = std::env::var("OUTAGE_SHARE").map_or(1_000, |text| text.parse().unwrap());
        Self {
            design,
            share,
            now: NOW,
            outage: (NOW + outage.0, NOW + outage.1),
            failing: None,
            reaches_outside: false,
            ledger: MemoryLedger::default(),
            documents: MemoryDocuments::default(),
            messages: BTreeMap::new(),
            next: 0,
            ready: Vec::new(),
            turn: 0,
            hidden: BTreeSet::new(),
            in_flight: 0,
            retry: VecDeque::new(),
            moving: 0,
            pauses: Mutex::default(),
            letters: Mutex::default(),
            sent: 0,
            tries: 0,
            most_messages: 0,
            waits: Default::default(),
        }
    }

    /// Events of this second at such a rate; `place` of `places` spreads those of several sources.
    fn of_this_second(&self, rate: i64, place: usize, places: usize) -> usize {
        let [place, places] = [place, places].map(|number| i64::try_from(number).unwrap());
        let until = |second: i64| (second * rate + place * self.share / places) / self.share;
        let second = (self.now - NOW) / SECOND;
        usize::try_from(until(second + 1) - until(second)).unwrap()
    }

    /// Queues a new event.
    fn arrive(&mut self, source: usize) {
        let (name, id) = (format!("s{source}"), self.sent.to_string());
        let event = Event {
            key: Key::new(&name, &[id.as_bytes()]),
            source: name,
            received_at: self.now,
            expires_at: self.now / 1000 + 1_000_000,
            ..event(&id, Operation::Create, self.now, &id)
        };
        let stored = Stored {
            source,
            body: event.to_message(),
            receives: 0,
            sent_at: self.now,
        };
        self.sent += 1;
        self.put(stored, self.now);
    }

    fn put(&mut self, stored: Stored, at: i64) {
        self.next += 1;
        self.messages.insert(self.next, stored);
        self.show(self.next, at);
    }

    /// Shows a message from then on.
    fn show(&mut self, id: u64, at: i64) {
        let stored = &self.messages[&id];
        if at > self.now {
            self.hidden.insert((at, id));
            self.in_flight += usize::from(stored.receives > 0);
            return;
        }
        let group = match self.design {
            Design::WithoutGroups | Design::ByVisibility => 0,
            _ => stored.source,
        };
        if self.ready.len() <= group {
            self.ready.resize_with(group + 1, VecDeque::new);
        }
        self.ready[group].push_back(id);
    }

    /// One second of the schedule, the queue and the functions.
    fn second(&mut self) {
        if (self.now - NOW) % RETRY_EVERY == 0 && self.moving == 0 {
            self.moving = self.retry.len();
        }
        for _ in 0..self.moving.min(self.of_this_second(RETRY_RATE, 0, 1)) {
            let stored = self.retry.pop_front().unwrap();
            self.put(stored, self.now);
            self.moving -= 1;
        }
        while let Some((at, id)) = self.hidden.first().copied()
            && at <= self.now
        {
            self.hidden.pop_first();
            self.in_flight -= usize::from(self.messages[&id].receives > 0);
            self.show(id, at);
        }
        let mut room = self.of_this_second(CAPACITY, 0, 1);
        while room > 0 {
            let batch = self.receive(BATCH.min(room));
            if batch.is_empty() {
                break;
            }
            room -= batch.len();
            self.process(&batch);
        }
        let messages = self.messages.len() + self.retry.len();
        self.most_messages = self.most_messages.max(messages);
        self.now += SECOND;
    }

    /// The next message that can be received, of each group in turn.
    fn next_ready(&mut self) -> Option<u64> {
        let groups = self.ready.len();
        (0..groups).find_map(|_| {
            self.turn = (self.turn + 1) % groups;
            self.ready[self.turn].pop_front()
        })
    }

    /// Hands out messages; moves on those that were handed out often enough.
    fn receive(&mut self, most: usize) -> Vec<u64> {
        let limit = usize::try_from(IN_FLIGHT / self.share).unwrap();
        let mut batch = Vec::new();
        while batch.len() < most
            && self.in_flight + batch.len() < limit
            && let Some(id) = self.next_ready()
        {
            let tries = self.messages[&id].receives;
            if self.design.has_retry_queue() && tries >= TRIES_IN_PLACE {
                let stored = self.messages.remove(&id).unwrap();
                self.retry.push_back(Stored {
                    receives: 0,
                    ..stored
                });
            } else if self.design == Design::EightTries && tries >= 8 {
                self.messages.remove(&id);
                *self.letters.get_mut().unwrap() += 1;
            } else {
                self.messages.get_mut(&id).unwrap().receives += 1;
                batch.push(id);
            }
        }
        batch
    }

    fn process(&mut self, batch: &[u64]) {
        self.tries += batch.len();
        let message = |id: &u64| Message {
            id: id.to_string(),
            receipt: id.to_string(),
            // The others count tries in their own way.
            receive_count: if self.design.has_retry_queue() {
                self.messages[id].receives
            } else {
                1
            },
            body: self.messages[id].body.clone(),
        };
        let messages = batch.iter().map(message).collect();
        let done = invoke(&self.ledger, &*self, &*self, messages, self.now).now_or_never();
        for done in done.unwrap() {
            let id: u64 = done.message.id.parse().unwrap();
            let pause = self.pauses.get_mut().unwrap().remove(&id);
            if done.fate.is_failure() {
                self.failed(id, pause.unwrap().into());
                continue;
            }
            let stored = self.messages.remove(&id).unwrap();
            if self.failing.is_some_and(|failing| failing != stored.source) {
                let (from, until) = self.outage;
                let phase =
                    usize::from(stored.sent_at >= from) + usize::from(stored.sent_at >= until);
                let wait = (self.now - stored.sent_at) / SECOND;
                *self.waits[phase].0.entry(wait).or_default() += 1;
            }
        }
    }

    /// Has a message come back, after a pause in seconds where the design is ours.
    fn failed(&mut self, id: u64, pause: i64) {
        let stored = &self.messages[&id];
        match self.design {
            Design::Ours | Design::WithoutGroups => self.show(id, self.now + pause * SECOND),
            Design::ByVisibility | Design::EightTries => {
                let pause = 2 * 3_i64.saturating_pow(stored.receives - 1);
                self.show(id, self.now + pause.min(900) * SECOND);
            }
            Design::Copies => {
                let copy = Stored {
                    body: stored.body.clone(),
                    receives: 0,
                    ..*stored
                };
                self.put(copy, self.now + RETRY_EVERY);
                if id.is_multiple_of(20) {
                    self.show(id, self.now + 180 * SECOND);
                } else {
                    self.messages.remove(&id);
                }
            }
        }
    }

    /// Lets the sources send for so long.
    fn run(&mut self, sources: usize, time: i64) {
        let end = self.now + time;
        while self.now < end {
            for source in 0..sources {
                for _ in 0..self.of_this_second(RATE, source, sources) {
                    self.arrive(source);
                }
            }
            self.second();
        }
    }

    /// Runs until nothing waits any more, and says how many seconds after the end of the outage that was.
    fn drain(&mut self) -> i64 {
        while !self.messages.is_empty() || !self.retry.is_empty() {
            assert!(self.now < self.outage.1 + 3 * DAY, "it does not drain");
            self.second();
        }
        (self.now - self.outage.1) / SECOND
    }

    fn letters(&self) -> usize {
        *self.letters.lock().unwrap()
    }

    fn applied(&self) -> usize {
        self.documents.all().len()
    }
}

impl Queue for World {
    async fn send(&self, _: &Event) -> Result<(), QueueError> {
        unreachable!("process sends nothing")
    }

    async fn bury(&self, _: &Event, _: &str) -> Result<(), QueueError> {
        *self.letters.lock().unwrap() += 1;
        Ok(())
    }

    async fn delay(&self, receipt: &str, seconds: u32) {
        let mut pauses = self.pauses.lock().unwrap();
        pauses.insert(receipt.parse().unwrap(), seconds);
    }
}

impl Handler for World {
    async fn handle(&self, event: &Event) -> Result<Handled, HandleError> {
        let fails = self
            .failing
            .is_none_or(|failing| event.source == format!("s{failing}"));
        if fails && (self.outage.0..self.outage.1).contains(&self.now) {
            return Err(HandleError::RetryEnded("away".into()));
        }
        self.documents.handle(event).await
    }

    fn reaches_outside(&self, _: &Event) -> bool {
        self.reaches_outside
    }
}

/// Three hours without the documents table, at 100 events a second.
fn three_hours(design: Design) -> World {
    let mut world = World::new(design, (0, 3 * HOUR));
    world.run(1, 3 * HOUR);
    world
}

#[test]
fn three_hours_without_the_table_bury_nothing_and_lose_nothing() {
    let mut world = three_hours(Design::Ours);
    let waiting = world.messages.len() + world.retry.len();
    assert_eq!(waiting, world.sent, "nothing was applied");
    let drained = world.drain();
    println!(
        "documents table away for 3 h: {} events, {} letters, {} applied, drained in {drained} s, {} tries",
        world.sent,
        world.letters(),
        world.applied(),
        world.tries
    );
    assert_eq!(world.letters(), 0);
    assert_eq!(world.applied(), world.sent);
    // At the rate of the schedule, after its next start.
    let backlog = 3 * HOUR / SECOND * RATE / RETRY_RATE;
    assert!(drained <= backlog + 2 * RETRY_EVERY / SECOND, "{drained}");
}

#[test]
fn eight_tries_bury_what_an_outage_of_hours_leaves() {
    let world = three_hours(Design::EightTries);
    println!(
        "eight tries: {} of {} are letters",
        world.letters(),
        world.sent
    );
    // More are on the way: what is in flight holds back the others.
    assert!(world.letters() > world.sent / 4);
}

#[test]
fn copies_whose_originals_are_not_always_deleted_multiply() {
    let world = three_hours(Design::Copies);
    println!(
        "copies: {} messages of {} events",
        world.most_messages, world.sent
    );
    assert!(world.most_messages > 2 * world.sent);
}

#[test]
fn what_is_sent_while_an_endpoint_is_away_for_two_days_is_applied_after_it() {
    let mut world = World::new(Design::Ours, (0, 2 * DAY));
    world.reaches_outside = true;
    while world.now < world.outage.1 {
        if (world.now - NOW) % (20 * MINUTE) == 0 {
            world.arrive(0);
        }
        world.second();
    }
    let drained = world.drain();
    println!(
        "endpoint away for 2 days: {} events, {} letters, {} applied, drained in {drained} s, {} tries",
        world.sent,
        world.letters(),
        world.applied(),
        world.tries
    );
    assert_eq!(world.letters(), 0);
    assert_eq!(world.applied(), world.sent);
    assert!(drained <= 2 * RETRY_EVERY / SECOND, "{drained}");
}

#[test]
fn what_fails_for_longer_than_three_days_is_a_letter_and_what_came_later_is_not() {
    let mut world = World::new(Design::Ours, (0, 4 * DAY));
    while world.now < world.outage.1 {
        if (world.now - NOW) % HOUR == 0 {
            world.arrive(0);
        }
        world.second();
    }
    world.drain();
    assert_eq!(world.letters() + world.applied(), world.sent);
    // The events of the first day are letters, but for what its last hour leaves open.
    assert!((23..=24).contains(&world.letters()), "{}", world.letters());
}

/// Five sources, of which one fails for a day.
fn one_of_five(design: Design, fails_for: i64) -> World {
    let mut world = World::new(design, (HOUR, HOUR + fails_for));
    world.failing = Some(0);
    world.run(5, HOUR + fails_for + HOUR);
    let [before, during, after] = &world.waits;
    println!("{design:?}, one of five sources fails: the others before: {before}");
    println!("  during: {during}");
    println!(
        "  after: {after}; {} events, {} tries, {} messages at most",
        world.sent, world.tries, world.most_messages
    );
    world
}

#[test]
fn a_source_that_fails_for_a_day_delays_no_other() {
    let mut world = one_of_five(Design::Ours, DAY);
    let drained = world.drain();
    println!("  drained in {drained} s");
    for waits in &world.waits {
        assert!(waits.percentile(99) <= 1, "{waits}");
        assert!(waits.percentile(100) <= 10, "{waits}");
    }
    assert_eq!(world.letters(), 0);
    assert_eq!(world.applied(), world.sent);
}

#[test]
fn by_visibility_or_without_message_groups_a_failing_source_delays_the_others() {
    for design in [Design::WithoutGroups, Design::ByVisibility] {
        let world = one_of_five(design, 6 * HOUR);
        let during = &world.waits[1];
        assert!(during.percentile(50) > 60, "{design:?}: {during}");
    }
}
