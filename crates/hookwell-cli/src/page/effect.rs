//! The effect of one event: the outcome, and the tries until then.

use std::collections::BTreeMap;

use hookwell::format::time::Millis;
use hookwell::ports::handler::Outcome;
use hookwell::process::{Fate, Processed, TRIES_IN_PLACE};
use hookwell_aws::tools::admin::{Item, waits_until};
use serde_json::Value;

use super::clip::clip;

/// One try at applying an event, or a person's hand in between.
#[derive(Debug, Clone)]
pub(super) struct Try {
    pub(super) at: Millis,
    /// Number of the try; `None` for what was no try.
    pub(super) number: Option<u32>,
    pub(super) what: &'static str,
    pub(super) reason: Option<String>,
}

/// Outcome of an event, and the tries until then.
#[derive(Debug, Clone)]
pub(super) struct Effect {
    pub(super) outcome: &'static str,
    pub(super) ended_at: Option<Millis>,
    /// Time until which it is tried again, while it waits in the retry queue.
    pub(super) waits_until: Option<Millis>,
    /// Time of the next try, while it is tried in place.
    pub(super) next_at: Option<Millis>,
    pub(super) reason: Option<String>,
    pub(super) tries: Vec<Try>,
    /// The effects of its copies, by the names of their destinations.
    pub(super) copies: BTreeMap<String, Effect>,
}

/// Every outcome of an event, the one that needs a person most first. A delivery of many shows the first that it has.
pub(super) const OUTCOMES: [&str; 7] = [
    "rejected", "waiting", "retrying", "queued", "stale", "ignored", "applied",
];

/// Outcomes that a record of the events table can tell.
pub(super) const RECORDED: [&str; 6] = [
    "rejected", "waiting", "queued", "stale", "ignored", "applied",
];

impl Default for Effect {
    fn default() -> Self {
        Self {
            outcome: "queued",
            ended_at: None,
            waits_until: None,
            next_at: None,
            reason: None,
            tries: Vec::new(),
            copies: BTreeMap::new(),
        }
    }
}

impl Effect {
    /// The effect that a record of the events table tells.
    pub(super) fn of_record(item: &Item) -> Self {
        let text = |name| item.get(name).and_then(Value::as_str).unwrap_or_default();
        let outcome = OUTCOMES.into_iter().find(|it| *it == text("outcome"));
        let is_open = text("status") == "pending";
        let time = |name| item.get(name).and_then(Value::as_i64);
        let waits_until = waits_until(item);
        let open = waits_until.map_or("queued", |_| "waiting");
        Self {
            outcome: outcome.filter(|_| !is_open).unwrap_or(open),
            ended_at: time("finished_at").filter(|_| !is_open),
            waits_until,
            next_at: None,
            reason: Some(clip(text("reason"))).filter(|reason| !reason.is_empty()),
            tries: Vec::new(),
            copies: BTreeMap::new(),
        }
    }

    /// Takes in the result of a try.
    pub(super) fn tried(&mut self, done: &Processed) {
        let reason = match &done.fate {
            Fate::Retry(why) => Some(why.clone()),
            _ => done.reason.clone(),
        };
        if let Fate::Finished(outcome) = &done.fate {
            self.outcome = outcome.name();
            self.ended_at = Some(done.at);
            self.waits_until = None;
            self.next_at = None;
            self.reason.clone_from(&reason);
        } else if self.ended_at.is_none() && done.fate.is_failure() {
            let is_last = done.message.receive_count >= TRIES_IN_PLACE;
            self.outcome = if is_last { "waiting" } else { "retrying" };
            self.waits_until = done.waits_until();
            self.next_at = done.next_try_at();
            self.reason.clone_from(&reason);
        }
        self.tries.push(Try {
            at: done.at,
            number: Some(done.message.receive_count),
            what: done.fate.name(),
            reason,
        });
    }

    /// Notes that a person put the event back into the queue at that time. The report comes when the queue has it, and a
    /// try that began since may have been reported before.
    pub(super) fn put_back(&mut self, at: Millis) {
        let later = self.tries.iter().position(|one| one.at >= at);
        if self.ended_at.is_none_or(|end| end < at) {
            self.outcome = if later.is_some() {
                "retrying"
            } else {
                "queued"
            };
            self.ended_at = None;
            self.waits_until = None;
            self.next_at = None;
        }
        let put_back = Try {
            at,
            number: None,
            what: "put back",
            reason: None,
        };
        let place = later.unwrap_or(self.tries.len());
        self.tries.insert(place, put_back);
    }

    /// Number of the last try; 0 before the first.
    pub(super) fn last_try(&self) -> u32 {
        let mut tries = self.tries.iter().rev();
        tries.find_map(|one| one.number).unwrap_or(0)
    }

    /// True when the event changed its document.
    pub(super) fn is_applied(&self) -> bool {
        self.outcome == Outcome::Applied.name()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tried(at: Millis, what: &'static str) -> Try {
        Try {
            at,
            number: Some(1),
            what,
            reason: None,
        }
    }

    /// Process may be quicker than the report that the queue has the event.
    #[test]
    fn what_became_of_an_event_since_it_was_put_back_counts() {
        let rejected = Effect {
            outcome: "rejected",
            ended_at: Some(10),
            waits_until: None,
            next_at: None,
            reason: None,
            tries: vec![tried(10, "rejected")],
            copies: BTreeMap::new(),
        };
        let mut queued = rejected.clone();
        queued.put_back(20);
        assert_eq!((queued.outcome, queued.ended_at), ("queued", None));

        let mut applied = rejected.clone();
        applied.tries.push(tried(21, "applied"));
        (applied.outcome, applied.ended_at) = ("applied", Some(21));
        applied.put_back(20);
        assert_eq!((applied.outcome, applied.ended_at), ("applied", Some(21)));
        let steps: Vec<_> = applied.tries.iter().map(|one| one.what).collect();
        assert_eq!(steps, ["rejected", "put back", "applied"]);

        let mut failed = rejected;
        failed.tries.push(tried(21, "retry"));
        failed.put_back(20);
        assert_eq!((failed.outcome, failed.ended_at), ("retrying", None));
    }
}
