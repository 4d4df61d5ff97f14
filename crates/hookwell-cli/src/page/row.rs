//! One line of the list: a delivery as it was answered, or, from before the start, an event of the table.

use std::time::Duration;

use hookwell::event::Event;
use hookwell::event::delivery::Delivery;
use hookwell::event::identity::DocumentKey;
use hookwell::format::time::Millis;
use hookwell::source::reply::Receipt;
use hookwell_aws::tools::admin::Item;
use serde_json::Value;

use super::clip::clip;
use super::effect::{Effect, OUTCOMES};
use super::effects::Effects;
use crate::news::Arrived;

/// One line.
#[derive(Debug, Clone)]
pub(super) struct Row {
    /// Place of the line among all lines.
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
    /// The keys of the documents that they are about.
    pub(super) documents: Vec<String>,
    /// Places of the effects of its events.
    pub(super) places: Vec<usize>,
    /// Text that a search looks through, in lower case.
    text: String,
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
        let events = received.events.iter().filter(|_| is_known);
        let (keys, documents) = events
            .map(|event| (event.key.as_str().to_owned(), document(event)))
            .unzip();
        Self {
            number: Some(arrived.number),
            receipt: Some(received.receipt),
            status: Some(received.reply.status.as_u16()),
            ack: Some(arrived.ack),
            reason: received.reason.as_deref().map(clip),
            keys,
            documents,
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
        let whole = |name| item.get(name).and_then(Value::as_str).unwrap_or_default();
        let text = |name| clip(whole(name));
        let [source, kind, id] = ["source", "document_type", "document_id"].map(whole);
        Self {
            keys: vec![text("pk")],
            documents: vec![DocumentKey::new(source, kind, id).as_str().to_owned()],
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
            documents: Vec::new(),
            places: Vec::new(),
            text: text.to_lowercase(),
            source,
            kind,
            event_id,
            document_id,
        }
    }

    /// True when a search finds the line. `words` are in lower case.
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

    /// Outcome of the line in a word, and the effect that it comes from.
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

    /// Time from the request to the last effect, once there is nothing left to wait for.
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

/// The key of the document that an event is about.
fn document(event: &Event) -> String {
    let id = event.document_id.as_deref().unwrap_or_default();
    let key = DocumentKey::new(&event.source, &event.document_type, id);
    key.as_str().to_owned()
}
