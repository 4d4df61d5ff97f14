//! A model by rates: how many events are where, second by second. It has no single events, so any rate takes the same time.

use crate::failing::Failing;
use crate::money;
use crate::settings::{
    IN_FLIGHT, INVOCATIONS, PAUSES, RETRY_EVERY, RETRY_FOR, RETRY_RATE, Settings, batch_size,
};
use crate::waits::Wait;

/// The second at which something begins to fail.
pub(crate) const BEGINS: u32 = 60;
/// Seconds after which a model that does not drain gives up.
pub(crate) const GIVES_UP: u32 = 40 * 86_400;

/// Numbers of events, by where they wait.
#[derive(Debug, Default)]
struct Places {
    /// Events in the queue: of sources that work, then of sources that fail, by the number of their tries.
    sound: f64,
    visible: [f64; 3],
    /// Events in flight, by the seconds until their pause ends.
    pauses: [Vec<f64>; 2],
    retry_queue: f64,
    /// Messages that the running move task has still to move.
    to_move: f64,
}

impl Places {
    fn paused(&self) -> f64 {
        self.pauses.iter().flatten().sum()
    }

    fn in_queue(&self) -> f64 {
        self.sound + self.visible.iter().sum::<f64>()
    }
}

/// Room for more messages in this second.
struct Room {
    /// Environments of process, each for a second.
    environments: f64,
    /// Messages that SQS still lets be in flight.
    in_flight: f64,
}

impl Room {
    /// Takes as many messages as there is room for. Each keeps an environment busy for a time, and is in flight.
    fn take(&mut self, messages: f64, busy: f64, held: f64) -> f64 {
        let taken = messages
            .min(self.environments / busy)
            .min(self.in_flight / held)
            .max(0.0);
        self.environments -= taken * busy;
        self.in_flight -= taken * held;
        taken
    }
}

fn part(of: f64, all: f64) -> f64 {
    if all > 0.0 { of / all } else { 0.0 }
}

/// Runs until everything has come back.
pub(crate) fn run(settings: &Settings, failing: &Failing) -> Wait {
    let mut places = Places {
        pauses: PAUSES.map(|seconds| vec![0.0; usize::try_from(seconds).unwrap()]),
        ..Places::default()
    };
    let rate = f64::from(settings.rate);
    let failing_rate = rate / f64::from(failing.one_of);
    let shortest = 1.0 / f64::from(INVOCATIONS);
    let batch = batch_size();
    let works = settings.batch.max(shortest) / batch;
    let fails = failing.batch.max(shortest) / batch;
    let mut wait = Wait::default();
    let ends = BEGINS + failing.lasts;
    for now in 0..GIVES_UP {
        let is_failing = (BEGINS..ends).contains(&now);
        places.sound += rate - failing_rate;
        places.visible[0] += failing_rate;
        for (which, pause) in places.pauses.iter_mut().enumerate() {
            let due = usize::try_from(now).unwrap() % pause.len();
            places.visible[which + 1] += std::mem::take(&mut pause[due]);
        }
        if now % RETRY_EVERY == 0 && places.to_move <= 0.0 {
            places.to_move = places.retry_queue;
        }
        let moved = f64::from(RETRY_RATE).min(places.to_move);
        places.to_move -= moved;
        places.retry_queue -= moved;
        places.visible[0] += moved;
        wait.moved += moved;

        let paused = places.paused();
        let mut room = Room {
            environments: f64::from(settings.concurrency),
            in_flight: (f64::from(IN_FLIGHT) - paused).max(0.0),
        };
        // Quiet sources first, then what comes back, then what is new.
        let sound = room.take(places.sound, works, settings.batch);
        places.sound -= sound;
        let [new, second, third] = places.visible;
        let back = if is_failing {
            // A message that will be tried again stays in flight for its pause.
            let held = failing.batch + part(second, second + third);
            room.take(second + third, fails, held)
        } else {
            room.take(second + third, works, settings.batch)
        };
        let new_taken = if is_failing {
            room.take(new, fails, failing.batch + 1.0)
        } else {
            room.take(new, works, settings.batch)
        };
        let back_part = part(back, second + third);
        let taken = [new_taken, second * back_part, third * back_part];
        for (visible, taken) in places.visible.iter_mut().zip(taken) {
            *visible -= taken;
        }
        if is_failing {
            wait.failed_tries += taken.iter().sum::<f64>();
            for (pause, taken) in places.pauses.iter_mut().zip(taken) {
                let due = usize::try_from(now).unwrap() % pause.len();
                pause[due] += taken;
            }
            let [_, _, last] = taken;
            if now - BEGINS > RETRY_FOR {
                wait.letters += last;
            } else {
                places.retry_queue += last;
            }
        }
        let of_sources = if is_failing {
            failing.batch
        } else {
            settings.batch
        };
        let running = sound * settings.batch + taken.iter().sum::<f64>() * of_sources;
        wait.note(places.in_queue(), places.retry_queue, paused + running);
        let oldest = f64::from(now.saturating_sub(BEGINS));
        let elsewhere = places.paused() + places.retry_queue;
        if now >= ends && elsewhere < 0.5 && places.in_queue() < rate {
            wait.drained_after = f64::from(now - ends);
            wait.oldest = oldest;
            wait.cost =
                wait.failed_tries * money::failed_try(failing) + wait.moved * money::moved();
            return wait;
        }
    }
    panic!(
        "{} at {} events/s never drains",
        failing.what, settings.rate
    );
}
