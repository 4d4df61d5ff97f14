//! The plan of the senders: histories of documents, shuffled, some without times, with copies, poison and forgeries.

use hmac::{Hmac, KeyInit as _, Mac as _};
use serde_json::{Value, json};
use sha2::Sha256;

use crate::rng::Rng;

/// The secret of the source.
pub(crate) const SECRET: &str = "chaos_4f0f6f9d1c7e4b52a2f4c1d8";

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
    /// The event's id.
    pub(crate) id: String,
    /// Kind of the event.
    pub(crate) nature: Nature,
    /// The body that is sent.
    pub(crate) body: String,
    /// Signature of the body.
    pub(crate) signature: String,
}

/// A run.
#[derive(Debug)]
pub(crate) struct Plan {
    /// Every event once.
    pub(crate) events: Vec<Planned>,
    /// Indices into `events` in the order of sending. A sixteenth of the events are sent twice, by a sender that
    /// does not know better.
    pub(crate) sendings: Vec<usize>,
    /// The events that are sent again after all that: the records of the good ones have expired by then, and the letters
    /// of the poison have been taken away.
    pub(crate) returns: Vec<usize>,
}

impl Plan {
    /// The plan of a seed.
    pub(crate) fn new(count: usize, seed: u64) -> Self {
        let mut rng = Rng::new(seed, 1);
        let mut events = Vec::with_capacity(count);
        for _ in 0..count.div_ceil(200) {
            events.push(planned(
                Nature::Poison,
                &without_document(&mut rng, events.len()),
            ));
            events.push(planned(
                Nature::Forged,
                &without_document(&mut rng, events.len()),
            ));
        }
        let mut document = 0_u64;
        while events.len() < count {
            // One document takes a fiftieth of all events, the others one to eight each.
            let length = if document == 0 {
                count.div_ceil(50)
            } else {
                rng.index(8).saturating_add(1)
            };
            history(
                &mut rng,
                document,
                length.min(count.saturating_sub(events.len())),
                &mut events,
            );
            document = document.saturating_add(1);
        }
        let mut sendings: Vec<_> = (0..events.len()).collect();
        for index in 0..events.len() {
            if rng.below(16) == 0 {
                sendings.push(index);
            }
        }
        rng.shuffle(&mut sendings);
        // Half of the copies follow at once, so that they overlap.
        let twice: Vec<_> = sendings
            .iter()
            .flat_map(|index| {
                let copies = if rng.below(32) == 0 { 2 } else { 1 };
                std::iter::repeat_n(*index, copies)
            })
            .collect();
        let mut returns = Vec::new();
        for (index, planned) in events.iter().enumerate() {
            let comes_again = match planned.nature {
                Nature::Good => rng.below(20) == 0,
                Nature::Poison => rng.below(2) == 0,
                Nature::Forged => false,
            };
            if comes_again {
                returns.push(index);
            }
        }
        rng.shuffle(&mut returns);
        Self {
            events,
            sendings: twice,
            returns,
        }
    }
}

fn planned(nature: Nature, body: &Value) -> Planned {
    let id = body.get("id").and_then(Value::as_str);
    let id = id.unwrap_or_default().to_owned();
    let body = body.to_string();
    let secret = match nature {
        Nature::Forged => "chaos_but_not_the_right_one",
        Nature::Good | Nature::Poison => SECRET,
    };
    let mac = Hmac::<Sha256>::new_from_slice(secret.as_bytes());
    let signature = mac.map_or_else(
        |_| String::new(), // a key of any length is taken
        |mac| hex::encode(mac.chain_update(&body).finalize().into_bytes()),
    );
    Planned {
        id,
        nature,
        body,
        signature,
    }
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
    // Of some events nobody says when they happened: their order is that of their first receptions.
    if rng.below(10) == 0
        && let Some(body) = body.as_object_mut()
    {
        body.remove("created_at");
    }
    body
}

fn without_document(rng: &mut Rng, number: usize) -> Value {
    event(rng, number, "update", 0, &json!({ "name": "nameless" }))
}

/// Creates, updates, deletes and creates again. Some instants are shared, as senders' clocks are coarse.
fn history(rng: &mut Rng, document: u64, length: usize, events: &mut Vec<Planned>) {
    let mut millis = rng.below(20 * 24 * 3_600_000);
    let mut is_there = false;
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
        let body = event(rng, events.len(), operation, millis, &state);
        events.push(planned(Nature::Good, &body));
        if !rng.below(6).is_multiple_of(6) {
            millis = millis.saturating_add(rng.below(2_000));
        }
    }
}
