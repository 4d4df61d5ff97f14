//! Kills of functions, at random or at a named point of the protocol, and freezes.

use std::sync::Mutex;

use crate::fault::{Site, When, lock};
use crate::rng::Rng;
use crate::sandbox::Function;
use crate::sources::Destination;

/// One kill.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kill {
    /// At any time, whatever the function is doing.
    Anywhere(Function),
    /// Just before or just after the next such call took effect.
    At(Site, When),
}

/// The named points.
const POINTS: [(Site, When); 32] = [
    (Site::Remember, When::Before),
    (Site::Remember, When::After),
    (Site::Send, When::Before),
    (Site::Send, When::After),
    (Site::SendMany, When::Before),
    (Site::SendMany, When::After),
    (Site::Store, When::Before), // of an event that is too large for a message
    (Site::Store, When::After),
    (Site::Fetch, When::After),
    (Site::Recall, When::Before),
    (Site::Recall, When::After),
    (Site::Settle, When::Before),
    (Site::Settle, When::After),
    (Site::Keep, When::Before),
    (Site::Keep, When::After),
    (Site::Copy, When::Before), // of the event for its destinations
    (Site::Copy, When::After),
    (Site::Claim, When::Before), // of a call that reaches outside
    (Site::Claim, When::After),
    (Site::Document, When::Before),
    (Site::Document, When::After),
    (Site::Tell(Destination::Endpoint), When::Before),
    (Site::Tell(Destination::Endpoint), When::After),
    (Site::Tell(Destination::Bus), When::Before),
    (Site::Tell(Destination::Bus), When::After),
    (Site::Tell(Destination::Queue), When::Before),
    (Site::Tell(Destination::Queue), When::After),
    (Site::Finish, When::Before),
    (Site::Finish, When::After),
    (Site::Answer, When::Before),
    (Site::Answer, When::After),
    (Site::Bury, When::After),
];

/// The kills of a run, each at its place in the run. Places are uniform, so the gaps between them are exponential.
#[derive(Debug)]
pub(crate) struct Kills {
    /// Planned kills, the latest first.
    planned: Mutex<Vec<(u64, Kill)>>,
    armed: Mutex<Vec<(Site, When)>>,
}

impl Kills {
    /// Plans `count` kills over a run of `events`, every second one at a named point.
    pub(crate) fn plan(count: u64, events: u64, seed: u64) -> Self {
        let mut rng = Rng::new(seed, 3);
        let mut points = POINTS;
        rng.shuffle(&mut points);
        let mut points = points.iter().cycle();
        let mut planned = Vec::new();
        for number in 0..count {
            let kill = match number % 4 {
                0 => Kill::Anywhere(Function::Ingest),
                2 => Kill::Anywhere(Function::Process),
                _ => points
                    .next()
                    .map_or(Kill::Anywhere(Function::Ingest), |(site, when)| {
                        Kill::At(*site, *when)
                    }),
            };
            planned.push((rng.below(events), kill));
        }
        planned.sort_by_key(|(place, _)| std::cmp::Reverse(*place));
        Self {
            planned: Mutex::new(planned),
            armed: Mutex::default(),
        }
    }

    /// Arms the points that are due and gives the next function to kill right now, if any.
    pub(crate) fn due(&self, place: u64) -> Option<Function> {
        let mut planned = lock(&self.planned);
        while let Some((_, kill)) = planned.pop_if(|(due, _)| *due <= place) {
            match kill {
                Kill::Anywhere(function) => return Some(function),
                Kill::At(site, when) => lock(&self.armed).push((site, when)),
            }
        }
        None
    }

    /// Calls `kill` when this point is armed, and disarms the point on success. True when it killed.
    pub(crate) fn trip(&self, site: Site, when: When, kill: impl FnOnce() -> bool) -> bool {
        let mut armed = lock(&self.armed);
        let found = armed.iter().position(|point| *point == (site, when));
        let Some(index) = found else { return false };
        let killed = kill();
        if killed {
            armed.swap_remove(index);
        }
        killed
    }

    /// Number of kills still to come.
    pub(crate) fn left(&self) -> usize {
        lock(&self.planned)
            .len()
            .saturating_add(lock(&self.armed).len())
    }
}

/// The freezes of a run, each at its place in the run.
#[derive(Debug)]
pub(crate) struct Freezes(Mutex<Vec<(u64, Function)>>);

impl Freezes {
    /// Plans `count` freezes over a run of `events`, of both functions in turn.
    pub(crate) fn plan(count: u64, events: u64, seed: u64) -> Self {
        let mut rng = Rng::new(seed, 6);
        let functions = [Function::Ingest, Function::Process].into_iter().cycle();
        let mut planned: Vec<_> = (0..count)
            .zip(functions)
            .map(|(_, function)| (rng.below(events), function))
            .collect();
        planned.sort_by_key(|(place, _)| std::cmp::Reverse(*place));
        Self(Mutex::new(planned))
    }

    /// The next function to freeze right now, if any.
    pub(crate) fn due(&self, place: u64) -> Option<Function> {
        let next = lock(&self.0).pop_if(|(due, _)| *due <= place);
        next.map(|(_, function)| function)
    }

    /// Number of freezes still to come.
    pub(crate) fn left(&self) -> usize {
        lock(&self.0).len()
    }
}
