//! One event as its sender sent it, with the names and the version that the event must have. No answer of the functions
//! is used here.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::Value;
use sha2::{Digest as _, Sha256};

use crate::plan::{Plan, Planned};
use crate::sources::Source;

/// One event, read from the bytes that were sent.
pub(crate) struct Sent {
    /// Id of the event: the sender's, or the made-up id of an item in a list without ids.
    pub(crate) id: String,
    /// Key of the event's record.
    pub(crate) key: String,
    place: usize,
    /// The delivery that brings it, by its place in the plan.
    pub(super) delivery: usize,
    /// Source of the event.
    pub(super) source: Source,
    /// Type of the event.
    pub(super) kind: String,
    /// The event as its sender wrote it.
    pub(super) text: String,
    /// The document that it is about.
    pub(super) document: Option<String>,
    /// The time that it says, in milliseconds since 1970.
    pub(super) time: Option<u64>,
    /// State of the document; `None` for a deletion.
    pub(super) state: Option<Value>,
}

impl Sent {
    /// Reads an event of a plan.
    pub(crate) fn read(plan: &Plan, planned: &Planned) -> Option<Self> {
        let delivery = plan.delivery_of(planned)?;
        let body: Value = serde_json::from_str(&planned.text).ok()?;
        let text = |pointer: &str| body.pointer(pointer)?.as_str();
        let place = planned.place;
        let (id, name) = if delivery.source == Source::Nameless {
            let list = hash(&delivery.body);
            (format!("{list}.{place}"), format!("item\0{list}\0{place}"))
        } else {
            let id = text("/id")?.to_owned();
            (id.clone(), id)
        };
        let state = body.pointer("/data/object")?.clone();
        let kind = text("/type")?.to_owned();
        let time = match text("/created_at") {
            Some(time) => Some(millis(time)?),
            None => None,
        };
        Some(Self {
            key: format!("{}#{}", delivery.source.name(), hash(&name)),
            place,
            delivery: planned.delivery,
            source: delivery.source,
            text: planned.text.clone(),
            document: state.get("id").and_then(Value::as_str).map(str::to_owned),
            time,
            state: (!kind.ends_with(".deleted")).then_some(state),
            kind,
            id,
        })
    }

    /// The version of an event whose delivery was first received at that time.
    pub(super) fn version(&self, received_at: u64) -> String {
        let time = self.time.unwrap_or(received_at);
        let hash: String = hash(&self.key).chars().take(16).collect();
        let place = self.place;
        format!("{time:015}~3~~{received_at:015}.{place:06}~{hash}")
    }
}

fn hash(text: &str) -> String {
    URL_SAFE_NO_PAD.encode(Sha256::digest(text))
}

/// Milliseconds since 1970 of `2026-11-21T09:00:00.000Z`; all events are of that month.
pub(super) fn millis(time: &str) -> Option<u64> {
    let number = |from: usize, to: usize| time.get(from..to)?.parse::<u64>().ok();
    let first_of_november = 1_793_491_200_000;
    let days = number(8, 10)?.checked_sub(1)?;
    let hours = days * 24 + number(11, 13)?;
    let seconds = (hours * 60 + number(14, 16)?) * 60 + number(17, 19)?;
    Some(first_of_november + seconds * 1000 + number(20, 23)?)
}
