//! Days of deliveries in seconds: many events, documents and senders with the retry schedules of real ones, faults at
//! every remote call, deaths of functions, a queue that reorders, repeats, counts and moves what fails to the retry queue,
//! from which a schedule moves it back. The code is the one
//! that runs on Lambda; only tables, queue and clock are the model's. One seed is one run, always the same.
//!
//! Senders come again after days, also when the record of their event has expired, and an operator throws letters away.
//! The checker knows what each sender did last by the sender's own log, what was sent and answered, what the storage did,
//! and nothing of the code. Designs that trust a record or an answer for too much, or that order the events of one second
//! by a hash, run over the same days and must be caught.
//!
//! A document that does not show what its sender did last is wrong, unless nothing in the events could tell: two of one
//! second that arrived the other way round, or a sender's clock that went back. Those are counted by the clock.
//!
//! `SIMULATE_SEEDS=20000 cargo test --release -p hookwell --test simulator -- --nocapture` runs 100 million events;
//! `SIMULATE_FIRST_SEED=7 SIMULATE_SEEDS=1` repeats one run.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::print_stdout
)]

mod checker;
mod senders;
#[path = "../support/mod.rs"]
mod support;
mod world;

use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap};
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};

use checker::{Counts, Undecidable, check};
use futures_util::FutureExt as _;
use hookwell::ingest::key_cache::Sources;
use hookwell::ingest::receive;
use hookwell::ports::memory::StoppedClock;
use senders::{EVENTS_PER_SEED, HOUR, Plan, SCHEDULES, delivery, sources};
use support::NOW;
use world::{Design, Random, World, drain, poll};

const SEEDS: u64 = 40;

/// The number of a try that comes long after the event was acknowledged.
const LATE: usize = 1_000;

fn run(design: Design, seed: u64, sources: &Sources) -> (Counts, Undecidable) {
    let random = Random::new(seed);
    let fault_rate = [0, 10, 50, 200][usize::try_from(random.below(4)).unwrap()];
    let schedule = SCHEDULES[usize::try_from(random.below(6)).unwrap()];
    let plans = Plan::all(&random);
    let world = World::new(design, random, fault_rate);
    let mut counts = Counts {
        events: EVENTS_PER_SEED,
        ..Counts::default()
    };
    let mut acknowledged = BTreeMap::new();
    // Tries by time: event, number of the try.
    let mut tries: BinaryHeap<_> = (0..plans.len())
        .map(|index| {
            let delay = i64::try_from(world.random.below(plans[index].delay)).unwrap();
            Reverse((plans[index].acted_at + delay, index, 0))
        })
        .collect();
    let mut next_poll = NOW;
    while let Some(Reverse((at, index, attempt))) = tries.pop() {
        while next_poll < at {
            *world.now.lock().unwrap() = next_poll;
            poll(&world);
            // Idle time passes at once.
            let first = world.visible.lock().unwrap().first().copied();
            let busy = first.map_or(at, |(visible, _)| visible.min(at));
            next_poll = busy.max(next_poll + 500);
        }
        *world.now.lock().unwrap() = at;
        world.first_tries.lock().unwrap().entry(index).or_insert(at);
        if world.random.per_mille(2) {
            let letters = std::mem::take(&mut *world.buried.lock().unwrap());
            let mut thrown_away = world.thrown_away.lock().unwrap();
            thrown_away.extend(letters.into_iter().map(|id| (id, at)));
        }
        *world.is_dead.lock().unwrap() = false;
        let (delivery, clock) = (delivery(index, &plans[index]), StoppedClock::at(at));
        let answer = receive(sources, &world, &world, &delivery, clock.clock()).now_or_never();
        let is_ok = answer.is_some_and(|received| received.receipt.reply().status == 200);
        if is_ok {
            acknowledged.insert(index, at);
        }
        // One answer in a hundred does not reach the sender, and now and then one comes again days or weeks later.
        if is_ok && !world.random.per_mille(10) {
            let is_poison = plans[index].document.is_none();
            if world.random.per_mille(if is_poison { 500 } else { 5 }) && attempt < LATE {
                let later = i64::try_from(world.random.below(40 * 24)).unwrap() * HOUR;
                tries.push(Reverse((at + later, index, LATE)));
            }
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
    counts.waited = *world.waited.lock().unwrap();
    let undecidable = check(&world, &plans, &acknowledged, &mut counts);
    (counts, undecidable)
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
    let undecidable = Mutex::new(Undecidable::new());
    let work = || {
        loop {
            let seed = next.fetch_add(1, Ordering::Relaxed);
            if seed >= first + seeds {
                return;
            }
            let (counts, ties) = run(Design::Ours, seed, &sources);
            let wrong = [
                counts.lost,
                counts.doubled,
                counts.wrong_documents,
                counts.dead_letters,
            ];
            assert_eq!(wrong, [0; 4], "seed {seed}: {counts:?}");
            total.lock().unwrap().add(&counts);
            for (clock, some) in ties {
                let mut all = undecidable.lock().unwrap();
                let all: &mut [u64; 3] = all.entry(clock).or_default();
                for (sum, count) in all.iter_mut().zip(some) {
                    *sum += count;
                }
            }
        }
    };
    std::thread::scope(|scope| {
        for _ in 0..std::thread::available_parallelism().unwrap().get() {
            scope.spawn(work);
        }
    });
    let total = total.into_inner().unwrap();
    println!("{seeds} seeds: {total:?}");
    for (clock, [all, reversed, unrecorded]) in undecidable.into_inner().unwrap() {
        println!("clock {clock:?}: {all} documents, undecidable {reversed} and {unrecorded}");
    }
    assert!(total.faults > 0 || seeds < 10);
}

#[test]
fn the_days_of_other_designs_lose_events_or_leave_documents_wrong() {
    let sources = sources();
    let rivals = [
        Design::ExistsIsEnough,
        Design::StatusIsEnough,
        Design::QuarantinedIsFinished,
        Design::ExpiredIsThere,
        Design::VersionOfEachCopy,
        Design::HashOfOneTime,
    ];
    for design in rivals {
        let (mut found, mut documents) = ((0, 0), 0);
        let mut seeds = 0;
        while seeds < 8 && found == (0, 0) {
            seeds += 1;
            let (counts, _) = run(design, seeds, &sources);
            found = (counts.lost, counts.wrong_documents);
            documents += counts.documents;
        }
        println!(
            "{design:?}, {seeds} seeds: {} lost, {} of {documents} documents wrong",
            found.0, found.1
        );
        assert!(found.0 + found.1 > 0, "{design:?}");
    }
}
