//! The plan of the senders: histories of documents, told by senders of every kind, shuffled, some without times, with
//! copies, poison and forgeries.

use std::ops::Range;

use hmac::{Hmac, KeyInit as _, Mac as _};
use serde_json::{Value, json};
use sha2::Sha256;

use crate::rng::Rng;
use crate::sources::Source;

/// Kind of an event: good, poison or forged.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Nature {
    /// Good: it must be applied.
    Good,
    /// Names no document, so it must end in the dead-letter queue.
    Poison,
    /// Signed with another secret, so it must leave nothing behind.
    Forged,
}

/// One event.
#[derive(Debug)]
pub(crate) struct Planned {
    /// Kind of the event.
    pub(crate) nature: Nature,
    /// The event's part of the body.
    pub(crate) text: String,
    /// The delivery that brings it.
    pub(crate) delivery: usize,
    /// Position of the event in its delivery.
    pub(crate) place: usize,
}

/// One request of a sender.
#[derive(Debug)]
pub(crate) struct Delivery {
    /// The source that it goes to.
    pub(crate) source: Source,
    /// The body that is sent.
    pub(crate) body: String,
    /// Signature of the body.
    pub(crate) signature: String,
    /// The events in it.
    pub(crate) events: Range<usize>,
}

/// A run.
#[derive(Debug, Default)]
pub(crate) struct Plan {
    /// Every event once; those of a document in the order in which its sender made them.
    pub(crate) events: Vec<Planned>,
    /// Every delivery once.
    pub(crate) deliveries: Vec<Delivery>,
    /// Indices into `deliveries` in the order of sending. A sixteenth of them are sent twice, by a sender that does not
    /// know better.
    pub(crate) sendings: Vec<usize>,
    /// The deliveries that are sent again after all `sendings`: by then the records of the good events have expired,
    /// and the letters of the poison have been taken away.
    pub(crate) returns: Vec<usize>,
}

/// The longest list of a sender.
const LONGEST: usize = 40;

/// The most events whose bodies are too large for a message: each is sent in 1.1 MB.
const MOST_LARGE: usize = 50;

/// The size of what makes a body too large for a message of SQS, in bytes (1 MiB, `SendMessage`).
const LARGE: usize = 1_100_000;

impl Plan {
    /// The plan of a seed.
    pub(crate) fn new(count: usize, seed: u64) -> Self {
        let mut rng = Rng::new(seed, 1);
        let mut plan = Self::default();
        for _ in 0..count.div_ceil(200) {
            for nature in [Nature::Poison, Nature::Forged] {
                let number = plan.events.len();
                let body = event(
                    &mut rng,
                    number,
                    "update",
                    0,
                    &json!({ "name": "nameless" }),
                );
                plan.deliver(Source::Single, nature, vec![body]);
            }
        }
        let (mut document, mut large) = (0_u64, 0);
        while plan.events.len() < count {
            // One document takes a fiftieth of all events, the others one to eight each.
            let length = if document == 0 {
                count.div_ceil(50)
            } else {
                rng.index(8).saturating_add(1)
            };
            let source = match rng.below(10) {
                0..=4 => Source::Single,
                5 => Source::Kept,
                6 | 7 => Source::List,
                _ => Source::Nameless,
            };
            let length = length.min(count.saturating_sub(plan.events.len()));
            let mut events = history(&mut rng, document, length, plan.events.len());
            if source == Source::Single && large < MOST_LARGE && rng.below(40) == 0 {
                large += 1;
                enlarge(&mut rng, events.first_mut());
            }
            plan.tell(&mut rng, source, events);
            document = document.saturating_add(1);
        }
        plan.send(&mut rng);
        plan
    }

    /// Puts the events of a document into deliveries, as its sender does.
    fn tell(&mut self, rng: &mut Rng, source: Source, events: Vec<Value>) {
        let mut events = events.into_iter();
        loop {
            let length = if source.has_lists() {
                rng.index(LONGEST).saturating_add(1)
            } else {
                1
            };
            let list: Vec<_> = events.by_ref().take(length).collect();
            if list.is_empty() {
                return;
            }
            self.deliver(source, Nature::Good, list);
        }
    }

    fn deliver(&mut self, source: Source, nature: Nature, mut list: Vec<Value>) {
        if source == Source::Nameless {
            for event in list.iter_mut().filter_map(Value::as_object_mut) {
                event.remove("id");
            }
        }
        let (delivery, first) = (self.deliveries.len(), self.events.len());
        let texts: Vec<_> = list.iter().map(Value::to_string).collect();
        let body = if source.has_lists() {
            // A number of its own: no two lists of a sender without ids are the same.
            format!(
                r#"{{"delivery":{delivery},"events":[{}]}}"#,
                texts.join(",")
            )
        } else {
            texts.concat()
        };
        let planned = texts.into_iter().enumerate().map(|(place, text)| Planned {
            nature,
            text,
            delivery,
            place,
        });
        self.events.extend(planned);
        let (_, secret) = match nature {
            Nature::Forged => (String::new(), "chaos_but_not_the_right_one".to_owned()),
            Nature::Good | Nature::Poison => source.secret(),
        };
        self.deliveries.push(Delivery {
            source,
            signature: signature(&secret, &body),
            body,
            events: first..self.events.len(),
        });
    }

    /// Decides in which order and how often the deliveries are sent.
    fn send(&mut self, rng: &mut Rng) {
        let mut sendings: Vec<_> = (0..self.deliveries.len()).collect();
        for index in 0..self.deliveries.len() {
            if rng.below(16) == 0 {
                sendings.push(index);
            }
        }
        rng.shuffle(&mut sendings);
        // Half of the copies follow at once, so that they overlap.
        let twice = sendings.iter().flat_map(|index| {
            let copies = if rng.below(32) == 0 { 2 } else { 1 };
            std::iter::repeat_n(*index, copies)
        });
        self.sendings = twice.collect();
        for (index, delivery) in self.deliveries.iter().enumerate() {
            let nature = self
                .events
                .get(delivery.events.start)
                .map(|first| first.nature);
            let comes_again = match nature {
                Some(Nature::Good) => rng.below(20) == 0,
                Some(Nature::Poison) => rng.below(2) == 0,
                Some(Nature::Forged) | None => false,
            };
            if comes_again {
                self.returns.push(index);
            }
        }
        rng.shuffle(&mut self.returns);
    }

    /// The delivery that brings an event.
    pub(crate) fn delivery_of(&self, planned: &Planned) -> Option<&Delivery> {
        self.deliveries.get(planned.delivery)
    }

    /// The events that are sent again.
    pub(crate) fn returning(&self) -> impl Iterator<Item = &Planned> {
        let deliveries = self
            .returns
            .iter()
            .filter_map(|index| self.deliveries.get(*index));
        deliveries.flat_map(|delivery| self.events.get(delivery.events.clone()).unwrap_or_default())
    }
}

fn signature(secret: &str, body: &str) -> String {
    let mac = Hmac::<Sha256>::new_from_slice(secret.as_bytes());
    mac.map_or_else(
        |_| String::new(), // a key of any length is taken
        |mac| hex::encode(mac.chain_update(body).finalize().into_bytes()),
    )
}

fn event(rng: &mut Rng, number: usize, operation: &str, millis: u64, state: &Value) -> Value {
    let id = format!("evt_{number:07}_{:08x}", rng.next() >> 32);
    let (seconds, millis) = (millis / 1000, millis % 1000);
    let (minutes, second) = (seconds / 60, seconds % 60);
    let (hour, minute) = ((minutes / 60) % 24, minutes % 60);
    let day = (minutes / 60 / 24 % 28).saturating_add(1);
    let mut body = json!({
        "id": id,
        "type": format!("resource.{operation}d"),
        "created_at": format!("2026-11-{day:02}T{hour:02}:{minute:02}:{second:02}.{millis:03}Z"),
        "data": { "object": state },
        "previous_data": null,
    });
    // One event in ten has no time: such events are in the order of their first receptions.
    if rng.below(10) == 0
        && let Some(body) = body.as_object_mut()
    {
        body.remove("created_at");
    }
    body
}

/// Creates, updates, deletes and creates again. Some instants are shared, as senders' clocks are coarse.
fn history(rng: &mut Rng, document: u64, length: usize, first: usize) -> Vec<Value> {
    let mut millis = rng.below(20 * 24 * 3_600_000);
    let mut is_there = false;
    let mut events = Vec::with_capacity(length);
    for step in 0..length {
        let operation = match (is_there, rng.below(5)) {
            (false, _) => "create",
            (true, 0) => "delete",
            (true, _) => "update",
        };
        is_there = operation != "delete";
        let id = format!("doc_{document}");
        let state = if is_there {
            let text = format!("{:016x}", rng.next());
            json!({ "id": id, "step": step, "name": text, "note": "ü \"quoted\" 1.50" })
        } else {
            json!({ "id": id })
        };
        let number = first.saturating_add(step);
        events.push(event(rng, number, operation, millis, &state));
        if !rng.below(6).is_multiple_of(6) {
            millis = millis.saturating_add(rng.below(2_000));
        }
    }
    events
}

/// Makes an event too large for a message, by a field beside the document's state.
fn enlarge(rng: &mut Rng, event: Option<&mut Value>) {
    let digits = std::iter::repeat_with(|| format!("{:016x}", rng.next()));
    let text: String = digits.take(LARGE / 16).collect();
    if let Some(before) = event.and_then(|event| event.get_mut("previous_data")) {
        *before = json!({ "note": text });
    }
}
