//! A model by rates: how many events are where, second by second. It has no single events, so any rate takes the same time.

use crate::failing::Failing;
use crate::money;
use crate::settings::{
    BATCH, IN_FLIGHT, INVOCATIONS, PAUSES, RETRY_EVERY, RETRY_FOR, RETRY_RATE, Settings,
};
use crate::waits::Wait;

/// The second at which something begins to fail.
pub(crate) const BEGINS: u32 = 60;
/// Seconds after which a model that does not drain gives up.
pub(crate) const GIVES_UP: u32 = 40 * 86_400;

/// Numbers of events, by where they wait.
#[derive(Debug, Default)]
struct Places {
    /// In the queue: of sources that work, then of those that fail, by the tries that they had.
    sound: f64,
    visible: [f64; 3],
    /// In flight until a pause ends, one place for each second of it.
    pauses: [Vec<f64>; 2],
    retry_queue: f64,
    /// What the running move task has still to move.
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

/// Runs until everything has come back.
pub(crate) fn run(settings: &Settings, failing: &Failing) -> Wait {
    let mut places = Places {
        pauses: PAUSES.map(|seconds| vec![0.0; usize::try_from(seconds).unwrap()]),
        ..Places::default()
    };
    let rate = f64::from(settings.rate);
    let failing_rate = rate / f64::from(failing.one_of);
    let shortest = 1.0 / f64::from(INVOCATIONS);
    let batch = f64::from(BATCH);
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

        let mut environments = f64::from(settings.concurrency);
        let mut free = (f64::from(IN_FLIGHT) - places.paused()).max(0.0);
        let mut running = 0.0;
        // Quiet sources first, then what has waited longest.
        let sound = places
            .sound
            .min(environments / works)
            .min(free / settings.batch);
        places.sound -= sound;
        environments -= sound * works;
        free -= sound * settings.batch;
        running += sound * settings.batch;
        for tried in (0..3).rev() {
            let (busy, held) = if is_failing {
                // A pause keeps the message in flight as long as nothing frees it.
                (fails, if tried < 2 { 1.0 } else { failing.batch })
            } else {
                (works, settings.batch)
            };
            let taken = places.visible[tried]
                .min(environments / busy)
                .min(free / held)
                .max(0.0);
            places.visible[tried] -= taken;
            environments -= taken * busy;
            free -= taken * held;
            running += taken * if is_failing { failing.batch } else { settings.batch };
            if is_failing {
                wait.failed_tries += taken;
                if tried < 2 {
                    let pause = &mut places.pauses[tried];
                    let due = usize::try_from(now).unwrap() % pause.len();
                    pause[due] += taken;
                } else if now - BEGINS > RETRY_FOR {
                    wait.letters += taken;
                } else {
                    places.retry_queue += taken;
                }
            }
        }
        wait.note(
            places.in_queue(),
            places.retry_queue,
            places.paused() + running,
        );
        let oldest = f64::from(now.saturating_sub(BEGINS));
        let elsewhere = places.paused() + places.retry_queue;
        if now >= ends && elsewhere < 0.5 && places.in_queue() < rate {
            wait.drained_after = f64::from(now - ends);
            wait.oldest = oldest;
            wait.cost = wait.failed_tries * money::failed_try(failing) + wait.moved * money::moved();
            return wait;
        }
    }
    panic!("{} at {} events/s never drains", failing.what, settings.rate);
}
