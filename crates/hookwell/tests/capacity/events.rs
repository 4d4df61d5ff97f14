//! A model event by event, in steps of 10 ms: every event is in one place, is received, fails or takes effect by itself.

use std::collections::{BTreeMap, VecDeque};

use crate::failing::Failing;
use crate::money;
use crate::rates::{BEGINS, GIVES_UP};
use crate::settings::{
    BATCH, IN_FLIGHT, INVOCATIONS, PAUSES, RETRY_EVERY, RETRY_FOR, RETRY_RATE, Settings, TRIES,
};
use crate::waits::Wait;

/// Steps of a second.
const STEPS: u32 = 100;
/// Sources, which send in turn; where one fails it is the first.
const SOURCES: usize = 5;

/// One event.
#[derive(Debug, Clone, Copy)]
struct Event {
    /// Step in which it was sent.
    sent: u32,
    source: u8,
    /// Tries since it came into the queue.
    tries: u8,
}

/// An environment of process.
#[derive(Debug, Default)]
struct Environment {
    /// Step in which its batch ends.
    ends: u32,
    /// Step from which it can have another.
    free: u32,
    /// Events of its batch, each with whether it failed.
    batch: Vec<(Event, bool)>,
}

/// Events of a lane that can be received; events that come back are received before new ones.
#[derive(Debug, Default)]
struct Lane {
    back: VecDeque<Event>,
    new: VecDeque<Event>,
    in_flight: u32,
}

impl Lane {
    fn is_empty(&self) -> bool {
        self.back.is_empty() && self.new.is_empty()
    }

    fn len(&self) -> usize {
        self.back.len() + self.new.len()
    }
}

/// Times from the delivery to the effect, for the sources that never fail.
#[derive(Debug, Default)]
pub(crate) struct Effects(BTreeMap<u32, u32>);

impl Effects {
    /// The time that a part of the events needed at most, in seconds.
    pub(crate) fn at_most(&self, part: f64) -> f64 {
        let all: u32 = self.0.values().sum();
        let mut left = f64::from(all) * part;
        for (steps, events) in &self.0 {
            left -= f64::from(*events);
            if left <= 0.0 {
                return f64::from(*steps) / f64::from(STEPS);
            }
        }
        0.0
    }
}

/// Outcome of a run.
#[derive(Debug, Default)]
pub(crate) struct Run {
    pub(crate) wait: Wait,
    /// Effects before the failure, during the failure, and after it until every event has come back.
    pub(crate) effects: [Effects; 3],
}

/// The queues, and the environments that process their events.
struct World<'a> {
    settings: &'a Settings,
    failing: &'a Failing,
    now: u32,
    lanes: Vec<Lane>,
    pauses: [VecDeque<(u32, Event)>; 2],
    retry_queue: VecDeque<Event>,
    to_move: usize,
    environments: Vec<Environment>,
    in_flight: u32,
    failed_tries: u32,
    moved: u32,
    letters: u32,
    /// Steps of a batch without and with a failing event.
    works: u32,
    fails: u32,
    /// Step in which the failure is over.
    over: u32,
    run: Run,
}

/// Runs until everything has come back.
pub(crate) fn run(settings: &Settings, failing: &Failing) -> Run {
    let lanes = if settings.lanes { SOURCES } else { 1 };
    let mut world = World {
        settings,
        failing,
        now: 0,
        lanes: (0..lanes).map(|_| Lane::default()).collect(),
        pauses: [VecDeque::new(), VecDeque::new()],
        retry_queue: VecDeque::new(),
        to_move: 0,
        environments: (0..settings.concurrency)
            .map(|_| Environment::default())
            .collect(),
        in_flight: 0,
        failed_tries: 0,
        moved: 0,
        letters: 0,
        works: steps(settings.batch),
        fails: steps(failing.batch),
        over: (BEGINS + failing.lasts) * STEPS,
        run: Run::default(),
    };
    world.run();
    let mut run = world.run;
    let wait = &mut run.wait;
    wait.failed_tries = f64::from(world.failed_tries);
    wait.moved = f64::from(world.moved);
    wait.letters = f64::from(world.letters);
    wait.cost = wait.failed_tries * money::failed_try(failing) + wait.moved * money::moved();
    run
}

impl World<'_> {
    fn run(&mut self) {
        let mut number = 0_usize;
        while self.now < GIVES_UP * STEPS {
            for _ in 0..self.settings.rate / STEPS {
                let source = number % SOURCES;
                number += 1;
                let event = Event {
                    sent: self.now,
                    source: u8::try_from(source).unwrap(),
                    tries: 0,
                };
                self.lane(source).new.push_back(event);
            }
            self.end_pauses();
            self.move_back();
            for which in 0..self.environments.len() {
                if self.environments[which].ends == self.now {
                    self.end(which);
                }
                if self.environments[which].free <= self.now {
                    self.begin(which);
                }
            }
            self.now += 1;
            if self.now.is_multiple_of(STEPS) && self.note() {
                return;
            }
        }
        panic!("{} never drains", self.failing.what);
    }

    /// Notes the number of waiting events. True when the failure is over and nothing that failed waits any more.
    fn note(&mut self) -> bool {
        let number = |places: usize| f64::from(u32::try_from(places).unwrap());
        let in_queue = number(self.lanes.iter().map(Lane::len).sum());
        let retry_queue = self.retry_queue.len();
        let wait = &mut self.run.wait;
        wait.note(in_queue, number(retry_queue), f64::from(self.in_flight));
        let elsewhere = retry_queue + self.pauses[0].len() + self.pauses[1].len();
        let drained = elsewhere == 0 && in_queue < f64::from(self.settings.rate);
        if self.now < self.over || !drained {
            return false;
        }
        wait.drained_after = f64::from(self.now - self.over) / f64::from(STEPS);
        wait.oldest = f64::from(self.now) / f64::from(STEPS);
        true
    }

    fn lane(&mut self, source: usize) -> &mut Lane {
        let last = self.lanes.len() - 1;
        &mut self.lanes[source.min(last)]
    }

    fn is_failing(&self, event: Event) -> bool {
        let fails = self.failing.one_of == 1 || event.source == 0;
        fails && (BEGINS * STEPS..self.over).contains(&self.now)
    }

    fn end_pauses(&mut self) {
        for which in 0..self.pauses.len() {
            while self.pauses[which]
                .front()
                .is_some_and(|(due, _)| *due <= self.now)
            {
                let (_, event) = self.pauses[which].pop_front().unwrap();
                self.in_flight -= 1;
                let lane = self.lane(event.source.into());
                lane.in_flight -= 1;
                lane.back.push_back(event);
            }
        }
    }

    /// A move task is started at the times of the schedule unless one runs, and moves what is there when it starts.
    fn move_back(&mut self) {
        if self.now.is_multiple_of(RETRY_EVERY * STEPS) && self.to_move == 0 {
            self.to_move = self.retry_queue.len();
        }
        for _ in 0..RETRY_RATE / STEPS {
            if self.to_move == 0 {
                return;
            }
            self.to_move -= 1;
            self.moved += 1;
            let event = self.retry_queue.pop_front().unwrap();
            let event = Event { tries: 0, ..event };
            self.lane(event.source.into()).new.push_back(event);
        }
    }

    fn begin(&mut self, which: usize) {
        let mut batch = std::mem::take(&mut self.environments[which].batch);
        let mut failed = 0;
        while batch.len() < BATCH && self.in_flight < IN_FLIGHT {
            // SQS serves the group first that has the fewest messages in flight.
            let lanes = self.lanes.iter_mut().filter(|lane| !lane.is_empty());
            let Some(lane) = lanes.min_by_key(|lane| lane.in_flight) else {
                break;
            };
            let event = lane.back.pop_front().or_else(|| lane.new.pop_front());
            let event = event.unwrap();
            lane.in_flight += 1;
            self.in_flight += 1;
            let fails = self.is_failing(event);
            failed += u32::from(fails);
            batch.push((event, fails));
        }
        let environment = &mut self.environments[which];
        if !batch.is_empty() {
            let takes = if failed > 0 { self.fails } else { self.works };
            environment.ends = self.now + takes;
            environment.free = self.now + takes.max(STEPS / INVOCATIONS);
            self.failed_tries += failed;
            let period =
                usize::from(self.now >= BEGINS * STEPS) + usize::from(self.now >= self.over);
            // An event takes effect when it is through, whatever its neighbours wait for.
            let took_effect = batch
                .iter()
                .filter(|(event, fails)| !fails && event.source > 0);
            for (event, _) in took_effect {
                let took = self.now + self.works - event.sent;
                *self.run.effects[period].0.entry(took).or_default() += 1;
            }
        }
        environment.batch = batch;
    }

    fn end(&mut self, which: usize) {
        let mut batch = std::mem::take(&mut self.environments[which].batch);
        for (event, fails) in batch.drain(..) {
            let tries = event.tries + 1;
            if fails && u32::from(tries) < TRIES {
                let pause = usize::from(tries) - 1;
                let due = self.now + PAUSES[pause] * STEPS;
                self.pauses[pause].push_back((due, Event { tries, ..event }));
                continue;
            }
            self.in_flight -= 1;
            self.lane(event.source.into()).in_flight -= 1;
            if fails && self.now - event.sent > RETRY_FOR * STEPS {
                self.letters += 1;
            } else if fails {
                self.retry_queue.push_back(event);
            }
        }
        self.environments[which].batch = batch;
    }
}

/// The next whole number of steps.
fn steps(seconds: f64) -> u32 {
    crate::settings::whole(seconds * f64::from(STEPS))
}
