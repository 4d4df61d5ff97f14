//! The decision about a run.

use std::collections::BTreeMap;

/// The decision.
#[derive(Debug, Default)]
pub(crate) struct Verdict {
    /// Events whose sender got a 200.
    pub(crate) acknowledged: u64,
    /// Events whose sender never got one.
    pub(crate) refused_by_sender_rules: u64,
    /// Events that changed their document.
    pub(crate) applied: u64,
    /// Answers that said duplicate.
    pub(crate) duplicates: u64,
    /// Events that found a newer version and changed nothing.
    pub(crate) stale: u64,
    /// Events in the dead-letter queue.
    pub(crate) dead_lettered: u64,
    /// Acknowledged events without any trace of an effect, or unknown to a destination that takes them.
    pub(crate) lost: u64,
    /// Applied more than once for one life of their record.
    pub(crate) doubled: u64,
    /// Events that destinations took, by destination.
    pub(crate) told: BTreeMap<&'static str, u64>,
    /// Events that a destination took once more, which nobody can prevent.
    pub(crate) repeated: u64,
    /// Calls to a destination beside another one of the same event.
    pub(crate) at_once: u64,
    /// Calls to a destination after the event was done for it.
    pub(crate) after_the_end: u64,
    /// Times until destinations had the events that were acknowledged.
    pub(crate) first_arrivals: FirstArrivals,
    /// Documents that show an older state than the one their sender made last, because nothing in the events could
    /// tell: the events have one time, or none, and were first received the other way round.
    pub(crate) undecidable: u64,
    /// Everything else that must not be, in words.
    pub(crate) wrong: Vec<String>,
}

/// Times from a sender's first 200 to the arrival at a destination that always works, in milliseconds.
#[derive(Debug, Default)]
pub(crate) struct FirstArrivals {
    /// Times of events that were acknowledged while another destination failed.
    pub(crate) while_one_fails: Vec<u64>,
    /// Times of all other events.
    pub(crate) otherwise: Vec<u64>,
}

/// Number of problems that the report spells out.
const EXAMPLES: usize = 5;

impl Verdict {
    /// Notes something that must not be.
    pub(super) fn wrong(&mut self, what: String) {
        self.wrong.push(what);
    }

    /// Text of the first few problems.
    pub(crate) fn examples(&self) -> &[String] {
        self.wrong.get(..EXAMPLES).unwrap_or(&self.wrong)
    }

    /// True when the promise was kept.
    pub(crate) fn is_kept(&self) -> bool {
        let counts = [self.lost, self.doubled, self.at_once, self.after_the_end];
        counts == [0; 4] && self.wrong.is_empty()
    }
}
