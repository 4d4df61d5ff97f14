//! An event: what a verified delivery says happened. It is also the queue's message, so that process needs nothing
//! else to apply it.

pub mod body;
pub mod delivery;
pub mod identity;
pub mod message;
pub mod typed;

use std::borrow::Cow;
use std::fmt;

use serde::{Deserialize, Serialize};

use self::body::Body;
use self::identity::{DocumentKey, Key, Rank, Version};
use crate::format::json::{Json, Pointer};
use crate::format::time::{DAY, Millis};
use crate::format::trace::Trace;

/// Life of a record, in days: longer than any sender's retries (Adyen: 30 days) and than a
/// message can wait in the queue, be moved to the dead-letter queue and be redriven (14 days and more).
pub const LIFE_DAYS: i64 = 35;

/// Largest time of an event after its reception, in milliseconds. A clock that is further ahead is wrong, and every
/// later event of the document would look older than this one.
pub(crate) const MAX_FUTURE: Millis = DAY;

/// Time for which a failing event is tried again unless its source says otherwise, in milliseconds.
pub const RETRY_FOR: Millis = 3 * DAY;

/// Effect of an event on its document.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Operation {
    /// The document is there now.
    Create,
    /// The document changed; the event holds its full state.
    Update,
    /// The document is gone.
    Delete,
    /// Something else happened: a payment, a push. For a handler to know.
    Other,
}

impl Operation {
    /// Every operation by its name.
    pub const NAMES: [(&'static str, Self); 4] = [
        ("create", Self::Create),
        ("update", Self::Update),
        ("delete", Self::Delete),
        ("other", Self::Other),
    ];

    /// Name of the operation.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Create => "create",
            Self::Update => "update",
            Self::Delete => "delete",
            Self::Other => "other",
        }
    }
}

/// Reason why a sender's time is not the event's time, so that its first reception stands for it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum UnusableTime {
    /// The time is in none of the [forms](crate::format::time::event_time) that are read.
    Unreadable,
    /// The time lies more than a day after the reception.
    Future,
}

impl UnusableTime {
    /// Name of the reason, in logs and tables.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Unreadable => "unreadable",
            Self::Future => "future",
        }
    }
}

/// Reason why an event that creates, updates or deletes leaves the documents table as it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum WithoutState {
    /// The event names its document and holds no state of it: a notice to fetch it.
    Thin,
    /// The preset expects the id of a document, and the event has none.
    Unnamed,
    /// Only an unsigned place, such as a header, tells the type or document, and the signed body does not prove it.
    Unproven,
}

impl WithoutState {
    /// The reason that logs and records give.
    #[must_use]
    pub fn reason(self) -> &'static str {
        match self {
            Self::Thin => "the event names its document and holds no state of it",
            Self::Unnamed => "the event names no document",
            Self::Unproven => {
                "only a header that is not signed says what this event is, and its body does not bear that out"
            }
        }
    }
}

/// Something that happened at a sender, as one verified delivery tells it.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Event {
    /// Key of the event's record; also the idempotency key for effects elsewhere.
    pub key: Key,
    /// The source it came from.
    pub source: String,
    /// Id that the sender gave the event; where the sender gives none, the id that ingest made up.
    pub id: String,
    /// The sender's word for what happened, `customer.created`.
    #[serde(rename = "type")]
    pub kind: String,
    /// Effect on the document.
    pub operation: Operation,
    /// Time of the event by the sender's clock, in milliseconds since 1970.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub time: Option<Millis>,
    /// Reason why the sender's time is not the event's time.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unusable_time: Option<UnusableTime>,
    /// The sender's own count of the document's states. Where the stored document has a count too, the count decides
    /// before the time.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sequence: Option<i64>,
    /// Place among the events of one instant.
    #[serde(default, skip_serializing_if = "Rank::is_arrival")]
    pub rank: Rank,
    /// Time at which ingest received this copy; once the event is [settled](Self::settle), the time at which ingest
    /// received the first copy.
    pub received_at: Millis,
    /// Place among the events of the delivery, from 0.
    #[serde(default, skip_serializing_if = "is_first")]
    pub place: u32,
    /// Time at which a record that ingest writes may be forgotten, in seconds since 1970; [`Event::record_end`] has the one
    /// that counts.
    pub expires_at: i64,
    /// Time of reception: a record of this key that was received earlier belongs to an earlier event with the same
    /// body; `None` where a key stands for one event only. Only ingest uses it: once a message is sent, the stored
    /// record is the event's own.
    #[serde(skip)]
    pub repeats_after: Option<Millis>,
    /// Time until which the event is kept whole for a replay, in seconds since 1970; `None` when it is not kept.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retain_until: Option<i64>,
    /// Time for which a failing event is tried again, in milliseconds, counted from its reception or from when an
    /// operator put it back.
    #[serde(default = "retry_for", skip_serializing_if = "is_retry_for")]
    pub retry_for: Millis,
    /// Type of the document; empty when the sender has only one.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub document_type: String,
    /// The document's id.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub document_id: Option<String>,
    /// Place of the document's state in the body, a JSON pointer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub document_at: Option<String>,
    /// Reason why the documents table stays as it is, though the operation says otherwise.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub without_state: Option<WithoutState>,
    /// Reason why ingest could not read the event, for sources that keep what they cannot read.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub invalid: Option<String>,
    /// Destination that this copy of the event is for; `None` for the project's own handler.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub destination: Option<String>,
    /// Time at which process queued this copy for its destination; [`Event::retry_for`] counts from then.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub queued_at: Option<Millis>,
    /// Trace of the delivery: for a log line, or to pass on with a call.
    #[serde(
        default,
        deserialize_with = "Trace::of_message",
        skip_serializing_if = "Option::is_none"
    )]
    pub trace: Option<Trace>,
    /// Version in the event's record, once process has read it.
    #[serde(skip)]
    pub settled: Option<Version>,
    /// End of the record's life counted anew by [`Event::renew`], in seconds since 1970; `None` before.
    #[serde(skip)]
    pub renewed: Option<i64>,
    /// The body as sent.
    #[serde(flatten)]
    pub body: Body,
}

fn retry_for() -> Millis {
    RETRY_FOR
}

/// True for the usual time, which messages leave out.
#[allow(clippy::trivially_copy_pass_by_ref)] // serde passes a reference
fn is_retry_for(time: &Millis) -> bool {
    *time == RETRY_FOR
}

/// True for the first place, which messages leave out.
#[allow(clippy::trivially_copy_pass_by_ref)] // serde passes a reference
fn is_first(place: &u32) -> bool {
    *place == 0
}

impl Event {
    /// An event with nothing but a source and an id, received at the beginning of 1970: a base for events that cannot
    /// be read, and for tests, which set the fields that they are about.
    #[must_use]
    pub fn bare(source: &str, id: &str) -> Self {
        Self {
            key: Key::new(source, &[id.as_bytes()]),
            source: source.to_owned(),
            id: id.to_owned(),
            kind: String::new(),
            operation: Operation::Other,
            time: None,
            unusable_time: None,
            sequence: None,
            rank: Rank::Arrival,
            received_at: 0,
            place: 0,
            expires_at: LIFE_DAYS * 86_400,
            repeats_after: None,
            retain_until: None,
            retry_for: RETRY_FOR,
            document_type: String::new(),
            document_id: None,
            document_at: None,
            without_state: None,
            invalid: None,
            destination: None,
            queued_at: None,
            trace: None,
            settled: None,
            renewed: None,
            body: Body(Vec::new()),
        }
    }

    /// The version in the event's record, or the one that a record of this copy would have.
    #[must_use]
    pub fn version(&self) -> Version {
        let of_this_copy = || {
            let time = self.time.unwrap_or(self.received_at);
            Version::new(time, self.rank, self.received_at, self.place, &self.key)
        };
        self.settled.clone().unwrap_or_else(of_this_copy)
    }

    /// Counts the life of the event's record from `now`: every write of a record does, because the message may have
    /// waited long. A message or letter made from the event keeps the original end, or each round would add to it.
    pub fn renew(&mut self, now: Millis) {
        let life = self.expires_at.saturating_sub(self.received_at / 1000);
        self.renewed = Some((now / 1000).saturating_add(life));
    }

    /// Time at which a record that is written now may be forgotten, in seconds since 1970, as DynamoDB's TTL counts.
    #[must_use]
    pub fn record_end(&self) -> i64 {
        self.renewed.unwrap_or(self.expires_at)
    }

    /// Takes over the version and the reception of the record that was written first, so that every copy of an event is
    /// the same event.
    pub fn settle(&mut self, version: Version, received_at: Millis) {
        self.received_at = received_at;
        self.settled = Some(version);
    }

    /// The copy of the event for a destination, queued at this time: with a record, a lease and tries of its own. Only
    /// the original event is kept for a replay, no copy of it.
    #[must_use]
    pub fn copy_for(&self, destination: &str, queued_at: Millis) -> Self {
        Self {
            destination: Some(destination.to_owned()),
            queued_at: Some(queued_at),
            retain_until: None,
            settled: None,
            renewed: None,
            ..self.clone()
        }
    }

    /// Key of the record: the event's, or the one of its copy for a destination.
    #[must_use]
    pub fn record_key(&self) -> Cow<'_, Key> {
        match &self.destination {
            Some(destination) => Cow::Owned(self.key.for_destination(destination)),
            None => Cow::Borrowed(&self.key),
        }
    }

    /// The group of its messages: the source, or the source and the destination. SQS serves the groups of a queue in turn,
    /// so that the backlog of one does not delay the others ("Amazon SQS fair queues").
    #[must_use]
    pub fn group(&self) -> Cow<'_, str> {
        match &self.destination {
            Some(destination) => Cow::Owned(format!("{}/{destination}", self.source)),
            None => Cow::Borrowed(&self.source),
        }
    }

    /// Time from which [`Event::retry_for`] counts, unless an operator has put the event back since.
    #[must_use]
    pub fn tried_from(&self) -> Millis {
        self.queued_at.unwrap_or(self.received_at)
    }

    /// Key of the document that the event is about, if any.
    #[must_use]
    pub fn document_key(&self) -> Option<DocumentKey> {
        let id = self.document_id.as_ref()?;
        Some(DocumentKey::new(&self.source, &self.document_type, id))
    }

    /// The document's state as the sender wrote it; `None` where the event holds none. `null` is no state.
    #[must_use]
    pub fn document(&self) -> Option<&str> {
        let body = Json::parse(&self.body.0).ok()?;
        let pointer = Pointer::parse(self.document_at.as_deref()?)?;
        let state = body.find(&pointer).ok()??.get();
        (state != "null").then_some(state)
    }
}

impl fmt::Debug for Event {
    /// Without the body.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Event")
            .field("key", &self.key)
            .field("id", &self.id)
            .field("type", &self.kind)
            .field("operation", &self.operation)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn event(body: &[u8]) -> Event {
        Event {
            key: Key::new("shop", &[b"evt_1"]),
            source: "shop".into(),
            id: "evt_1".into(),
            kind: "order.created".into(),
            operation: Operation::Create,
            time: Some(1_700_000_000_000),
            unusable_time: None,
            sequence: None,
            rank: Rank::Arrival,
            received_at: 1_700_000_000_500,
            place: 0,
            expires_at: 1_703_024_000,
            repeats_after: None,
            retain_until: None,
            retry_for: RETRY_FOR,
            document_type: "order".into(),
            document_id: Some("7".into()),
            document_at: Some("/data".into()),
            without_state: None,
            invalid: None,
            destination: None,
            queued_at: None,
            trace: None,
            settled: None,
            renewed: None,
            body: Body(body.to_vec()),
        }
    }

    #[test]
    fn the_message_is_this_and_stays_this() {
        assert_eq!(
            event(br#"{"data":{"n":1.0}}"#).to_message(),
            concat!(
                r#"{"key":"shop#fU5adurm2MFlQQrBn-Z1ZSG6hu2WdS0BJrGVOxVa8FI","source":"shop","id":"evt_1","#,
                r#""type":"order.created","operation":"create","time":1700000000000,"received_at":1700000000500,"#,
                r#""expires_at":1703024000,"document_type":"order","document_id":"7","document_at":"/data","#,
                r#""body":"{\"data\":{\"n\":1.0}}"}"#
            )
        );
    }

    #[test]
    fn a_message_carries_the_trace_of_its_delivery_and_no_event_fails_by_it() {
        let traceparent = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
        let traced = Event {
            trace: Trace::parse(traceparent),
            ..event(b"{}")
        };
        let message = traced.to_message();
        assert!(message.contains(&format!(r#""trace":"{traceparent}","body":"{{}}""#)));
        assert_eq!(Event::from_message(&message).unwrap(), traced);
        let broken = message.replace(traceparent, "00-none");
        assert_eq!(Event::from_message(&broken).unwrap(), event(b"{}"));
    }

    #[test]
    fn every_body_comes_out_of_the_queue_as_it_went_in() {
        let bodies: [&[u8]; 7] = [
            b"",
            b"{}",
            b"\xff\xfe",
            "\u{FFFE}".as_bytes(),
            "\u{FFFF}".as_bytes(),
            b"\x00\x01",
            b"\"\"\"\"\"\"",
        ];
        for body in bodies {
            let message = event(body).to_message();
            assert_eq!(Event::from_message(&message).unwrap(), event(body));
            let allowed = |c: char| matches!(c, '\t' | '\n' | '\r' | ' '..='\u{D7FF}' | '\u{E000}'..='\u{FFFD}' | '\u{10000}'..);
            assert!(message.chars().all(allowed), "{message}");
            let odd = Event {
                id: "a\u{FFFF}\0".into(),
                ..event(body)
            };
            assert!(odd.to_message().chars().all(allowed));
            assert_eq!(Event::from_message(&odd.to_message()).unwrap().id, odd.id);
        }
    }

    #[test]
    fn a_body_is_text_unless_base64_is_shorter() {
        let message = |body: &str| event(body.as_bytes()).to_message();
        for text in [
            "{\n    \"spaces\": 1\n}",
            "\u{FFFE} among many others",
            "\u{1} too, now and then",
        ] {
            assert!(message(text).contains(r#""body":""#), "{text}");
        }
        for costly in ["\u{FFFE}", "\u{1}", "\"", "\n"] {
            let message = message(&costly.repeat(99));
            assert!(message.contains(r#""body_base64":""#), "{costly:?}");
        }
    }

    #[test]
    fn what_is_printed_names_the_event_and_keeps_its_body_back() {
        let printed = format!("{:?} {:?}", event(b"private"), Body(b"private".to_vec()));
        assert!(printed.contains("evt_1") && printed.ends_with("Body(7 bytes)"));
        assert!(!printed.contains("private"), "{printed}");
    }

    #[test]
    fn every_operation_has_the_name_that_tables_and_messages_use() {
        for (name, operation) in Operation::NAMES {
            assert_eq!(operation.name(), name);
            assert_eq!(serde_json::to_value(operation).unwrap(), name);
        }
    }

    #[test]
    fn the_largest_body_of_the_worst_kind_fits_a_message() {
        for byte in *b"\"\\\x01a\xff" {
            let message = event(&vec![byte; 700 * 1024]).to_message();
            assert!(message.len() < 1_048_576, "{byte} takes {}", message.len());
        }
    }

    #[test]
    fn a_settled_event_has_the_version_and_the_reception_of_its_record() {
        let mut copy = event(b"{}");
        let first = Version::new(1, Rank::Arrival, 2, 3, &copy.key);
        copy.settle(first.clone(), copy.received_at - 5_000);
        assert_eq!(
            (copy.version(), copy.received_at),
            (first, 1_699_999_995_500)
        );
    }

    #[test]
    fn the_life_of_a_record_counts_from_when_it_is_written() {
        let (mut late, life) = (event(b"{}"), 1_703_024_000 - 1_700_000_000);
        late.renew(late.received_at + 28 * crate::format::time::DAY);
        assert_eq!(late.record_end(), 1_700_000_000 + 28 * 86_400 + life);
        assert!(
            late.to_message().contains(r#""expires_at":1703024000"#),
            "as it came"
        );
    }

    #[test]
    fn the_document_is_the_text_the_sender_wrote() {
        assert_eq!(
            event(br#"{"data":{"n": 1.0}}"#).document(),
            Some(r#"{"n": 1.0}"#)
        );
        assert_eq!(event(b"{}").document(), None);
        assert_eq!(event(br#"{"data": null}"#).document(), None);
    }
}
