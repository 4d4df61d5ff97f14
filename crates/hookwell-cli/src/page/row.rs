//! One line of the list: a delivery as it was answered, or, from before the start, an event of the table.

use std::time::Duration;

use hookwell::delivery::Delivery;
use hookwell::event::Event;
use hookwell::handler::Outcome;
use hookwell::process::{Fate, Processed};
use hookwell::reply::Receipt;
use hookwell::time::Millis;
use hookwell_aws::admin::Item;
use serde_json::Value;

use super::effects::Effects;
use super::recorder::Arrived;

/// The longest text of a sender that a line keeps, in characters.
const MAX_TEXT: usize = 200;

/// One line.
#[derive(Debug, Clone)]
pub(super) struct Row {
    /// Its place among all lines.
    pub(super) place: i64,
    /// The delivery's number; `None` for an event from before the start.
    pub(super) number: Option<u64>,
    pub(super) at: Millis,
    pub(super) source: String,
    pub(super) kind: String,
    pub(super) event_id: String,
    pub(super) document_id: String,
    pub(super) receipt: Option<Receipt>,
    pub(super) status: Option<u16>,
    pub(super) ack: Option<Duration>,
    pub(super) reason: Option<String>,
    /// The keys of its events.
    pub(super) keys: Vec<String>,
    /// Where what became of them is.
    pub(super) places: Vec<usize>,
    /// What a search looks through, in small letters.
    text: String,
}

/// One try at applying an event, or a person's hand in between.
#[derive(Debug, Clone)]
pub(super) struct Try {
    pub(super) at: Millis,
    /// Which one; `None` for what was no try.
    pub(super) number: Option<u32>,
    pub(super) what: &'static str,
    pub(super) reason: Option<String>,
}

/// What became of an event.
#[derive(Debug, Clone)]
pub(super) struct Effect {
    pub(super) outcome: &'static str,
    pub(super) ended_at: Option<Millis>,
    pub(super) reason: Option<String>,
    pub(super) tries: Vec<Try>,
}

/// Every outcome of an event, the one that needs a person most first. A delivery of many shows the first that it has.
pub(super) const OUTCOMES: [&str; 7] = [
    "rejected",
    "out of tries",
    "retrying",
    "queued",
    "stale",
    "ignored",
    "applied",
];

/// Those that a record of the events table can tell.
pub(super) const RECORDED: [&str; 5] = ["rejected", "queued", "stale", "ignored", "applied"];

impl Default for Effect {
    fn default() -> Self {
        Self {
            outcome: "queued",
            ended_at: None,
            reason: None,
            tries: Vec::new(),
        }
    }
}

impl Effect {
    /// As the record of the events table says.
    pub(super) fn of_record(item: &Item) -> Self {
        let text = |name| item.get(name).and_then(Value::as_str).unwrap_or_default();
        let outcome = OUTCOMES.into_iter().find(|it| *it == text("outcome"));
        let is_open = text("status") == "pending";
        Self {
            outcome: outcome.filter(|_| !is_open).unwrap_or("queued"),
            ended_at: item
                .get("finished_at")
                .and_then(Value::as_i64)
                .filter(|_| !is_open),
            reason: Some(clip(text("reason"))).filter(|reason| !reason.is_empty()),
            tries: Vec::new(),
        }
    }

    /// Takes in what came of a try. `tries` is how many there are before the queue gives up.
    pub(super) fn tried(&mut self, done: &Processed, tries: u32) {
        let reason = match &done.fate {
            Fate::Retry(why) => Some(why.clone()),
            _ => done.reason.clone(),
        };
        if let Fate::Finished(outcome) = &done.fate {
            self.outcome = outcome.name();
            self.ended_at = Some(done.at);
            self.reason.clone_from(&reason);
        } else if self.ended_at.is_none() && done.fate.is_failure() {
            let is_last = done.message.receive_count >= tries;
            self.outcome = if is_last { "out of tries" } else { "retrying" };
            self.reason.clone_from(&reason);
        }
        self.tries.push(Try {
            at: done.at,
            number: Some(done.message.receive_count),
            what: done.fate.name(),
            reason,
        });
    }

    /// A person put it back into the queue.
    pub(super) fn put_back(&mut self, at: Millis) {
        self.outcome = "queued";
        self.ended_at = None;
        self.tries.push(Try {
            at,
            number: None,
            what: "put back",
            reason: None,
        });
    }

    /// Whether it changed its document.
    pub(super) fn is_applied(&self) -> bool {
        self.outcome == Outcome::Applied.name()
    }
}

impl Row {
    pub(super) fn of_delivery(arrived: &Arrived) -> Self {
        let Arrived {
            request, received, ..
        } = arrived;
        let event = received.events.first();
        let of = |get: fn(&Event) -> &str| clip(event.map_or("", get));
        let source = Delivery::source_in(&request.path);
        let is_known = matches!(
            received.receipt,
            Receipt::Received | Receipt::Quarantined | Receipt::Duplicate
        );
        Self {
            number: Some(arrived.number),
            receipt: Some(received.receipt),
            status: Some(received.reply.status.as_u16()),
            ack: Some(arrived.ack),
            reason: received.reason.as_deref().map(clip),
            keys: if is_known {
                let events = received.events.iter();
                events.map(|event| event.key.as_str().to_owned()).collect()
            } else {
                Vec::new()
            },
            ..Self::new(
                arrived.at,
                clip(source.unwrap_or(&request.path)),
                of(|event| &event.kind),
                of(|event| &event.id),
                of(|event| event.document_id.as_deref().unwrap_or_default()),
            )
        }
    }

    pub(super) fn of_record(item: &Item) -> Self {
        let text = |name| clip(item.get(name).and_then(Value::as_str).unwrap_or_default());
        Self {
            keys: vec![text("pk")],
            ..Self::new(
                item.get("received_at")
                    .and_then(Value::as_i64)
                    .unwrap_or_default(),
                text("source"),
                text("type"),
                text("event_id"),
                text("document_id"),
            )
        }
    }

    fn new(
        at: Millis,
        source: String,
        kind: String,
        event_id: String,
        document_id: String,
    ) -> Self {
        let text = [&*source, &*kind, &*event_id, &*document_id].join("\n");
        Self {
            place: 0,
            number: None,
            at,
            receipt: None,
            status: None,
            ack: None,
            reason: None,
            keys: Vec::new(),
            places: Vec::new(),
            text: text.to_lowercase(),
            source,
            kind,
            event_id,
            document_id,
        }
    }

    /// Whether a search finds it. `words` are in small letters.
    pub(super) fn holds(&self, words: &str, effect: Option<&Effect>) -> bool {
        let reasons = [
            self.reason.as_deref(),
            effect.and_then(|effect| effect.reason.as_deref()),
        ];
        self.text.contains(words)
            || reasons
                .into_iter()
                .flatten()
                .any(|reason| reason.to_lowercase().contains(words))
    }

    /// What became of it, in a word, and the effect that says so.
    pub(super) fn outcome<'e>(&self, effects: &'e Effects) -> (&'static str, Option<&'e Effect>) {
        if let Some(receipt) = self.receipt
            && !matches!(receipt, Receipt::Received | Receipt::Quarantined)
        {
            return (receipt.name(), None);
        }
        let known = self.places.iter().filter_map(|place| effects.at(*place));
        let rank = |effect: &Effect| OUTCOMES.iter().position(|name| *name == effect.outcome);
        let worst = known.reduce(|one, other| if rank(other) < rank(one) { other } else { one });
        let none = if self.keys.is_empty() {
            "received"
        } else {
            "queued"
        };
        (worst.map_or(none, |effect| effect.outcome), worst)
    }

    /// From the request to the last effect, once there is nothing left to wait for.
    pub(super) fn to_effect(&self, effects: &Effects) -> Option<Duration> {
        if !matches!(
            self.receipt,
            None | Some(Receipt::Received | Receipt::Quarantined)
        ) {
            return None;
        }
        let effects = self.places.iter().map(|place| effects.at(*place));
        let ends: Option<Vec<_>> = effects.map(|effect| effect?.ended_at).collect();
        let took = ends?.into_iter().max()?.saturating_sub(self.at);
        Some(Duration::from_millis(u64::try_from(took).unwrap_or(0)))
    }
}

/// So much of a sender's text as a line shows.
pub(super) fn clip(text: &str) -> String {
    text.chars().take(MAX_TEXT).collect()
}
