//! An event: what a verified delivery says happened. It is also the queue's message, so that process needs nothing
//! else to apply it.

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::format::json::{Json, Pointer, count};
use crate::format::time::Millis;
use crate::format::trace::Trace;

/// How long a record and a tombstone live, in days: longer than any sender's retries (Adyen: 30 days) and than a
/// message can wait in the queue, be moved to the dead-letter queue and be redriven (14 days and more).
pub const LIFE_DAYS: i64 = 35;

/// What an event does to its document.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Operation {
    /// It is there now.
    Create,
    /// It changed; the event holds its full state.
    Update,
    /// It is gone.
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

    /// Its name.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Create => "create",
            Self::Update => "update",
            Self::Delete => "delete",
            Self::Other => "other",
        }
    }

    /// Its place among events of one instant: a document is created before it is updated, and updated before it is
    /// deleted.
    fn rank(self) -> u8 {
        match self {
            Self::Create => 0,
            Self::Update => 1,
            Self::Delete => 2,
            Self::Other => 3,
        }
    }
}

/// The key of an event's record, `source#hash`: scoped, so that one sender can never claim another's ids, and hashed,
/// so that any id fits.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Key(String);

impl Key {
    /// The key of event `id` of `source`. `parts` are what tells it from other events of that id.
    #[must_use]
    pub fn new(source: &str, parts: &[&[u8]]) -> Self {
        Self(format!("{source}#{}", hash(parts)))
    }

    /// As the tables write it.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// SHA-256 of the parts in base64url; a zero byte between them keeps their borders.
#[must_use]
pub fn hash(parts: &[&[u8]]) -> String {
    let mut sha = Sha256::new();
    for (index, part) in parts.iter().enumerate() {
        if index > 0 {
            sha.update([0]);
        }
        sha.update(part);
    }
    URL_SAFE_NO_PAD.encode(sha.finalize())
}

/// Where an event stands among all events of its document: a string that sorts by time, then operation, then id.
/// Two events have the same version only when they are the same event.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Version(String);

impl Version {
    /// The version of an event.
    #[must_use]
    pub fn new(at: Millis, operation: Operation, key: &Key) -> Self {
        let tie: String = hash(&[key.as_str().as_bytes()]).chars().take(16).collect();
        Self(format!(
            "{:015}~{}~{tie}",
            at.clamp(0, 999_999_999_999_999),
            operation.rank()
        ))
    }

    /// As the documents table writes and compares it.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// The key of a document, `source#type#id`. The type keeps `user 1` and `order 1` of one sender apart.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct DocumentKey(String);

impl DocumentKey {
    /// As the documents table writes it.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// What happened, as one verified delivery tells it.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Event {
    /// The key of its record; also the idempotency key for effects elsewhere.
    pub key: Key,
    /// The source it came from.
    pub source: String,
    /// The sender's id of it; for senders without ids, the request's.
    pub id: String,
    /// The sender's word for what happened, `customer.created`.
    #[serde(rename = "type")]
    pub kind: String,
    /// What that does to the document.
    pub operation: Operation,
    /// When it happened, by the sender's clock.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub time: Option<Millis>,
    /// When ingest received it. Of an event without a time, process takes the time of its first copy from the record.
    pub received_at: Millis,
    /// When its record may be forgotten, in seconds since 1970 (DynamoDB TTL counts seconds).
    pub expires_at: i64,
    /// Until when it is kept whole, in seconds since 1970, so that it can be replayed; not at all when `None`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retain_until: Option<i64>,
    /// What sort of document it is about; empty when the sender has only one.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub document_type: String,
    /// The document's id.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub document_id: Option<String>,
    /// Where the document's state is in the body, a JSON pointer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub document_at: Option<String>,
    /// Why ingest could not read it, for sources that keep what they cannot read.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub invalid: Option<String>,
    /// The trace of its delivery: for a log line, or to pass on with a call.
    #[serde(
        default,
        deserialize_with = "Trace::of_message",
        skip_serializing_if = "Option::is_none"
    )]
    pub trace: Option<Trace>,
    /// The body as sent.
    #[serde(flatten)]
    pub body: Body,
}

impl Event {
    /// Where it stands among the events of its document.
    #[must_use]
    pub fn version(&self) -> Version {
        Version::new(
            self.time.unwrap_or(self.received_at),
            self.operation,
            &self.key,
        )
    }

    /// The key of its document, when it is about one.
    #[must_use]
    pub fn document_key(&self) -> Option<DocumentKey> {
        let id = self.document_id.as_ref()?;
        Some(DocumentKey(format!(
            "{}#{}#{id}",
            self.source, self.document_type
        )))
    }

    /// The document's state as the sender wrote it.
    #[must_use]
    pub fn document(&self) -> Option<&str> {
        let body = Json::parse(&self.body.0).ok()?;
        let pointer = Pointer::parse(self.document_at.as_deref()?)?;
        Some(body.find(&pointer).ok()??.get())
    }

    /// The event as a queue message.
    #[must_use]
    pub fn to_message(&self) -> String {
        // A map with text keys and no float always serialises.
        let message = serde_json::to_string(self).unwrap_or_default();
        if may_hold_refused(&message) {
            return message
                .replace('\u{FFFE}', "\\uFFFE")
                .replace('\u{FFFF}', "\\uFFFF");
        }
        message
    }

    /// Reads a queue message.
    ///
    /// # Errors
    /// When it is not one of ours.
    pub fn from_message(message: &str) -> Result<Self, Malformed> {
        serde_json::from_str(message).map_err(|_| Malformed)
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

/// Characters that JSON allows in a string, and SQS nowhere in a message (`SendMessage`).
pub const REFUSED: [char; 2] = ['\u{FFFE}', '\u{FFFF}'];

/// Whether it is worth looking for [`REFUSED`]: both begin with this byte, and bytes are looked at many times faster than
/// characters.
fn may_hold_refused(text: &str) -> bool {
    text.as_bytes().contains(&0xEF)
}

/// A message that is not one of ours.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the message is not an event")]
pub struct Malformed;

/// The bytes of a body. In a message they are text under `body` where that is possible and shorter, else base64 under
/// `body_base64`: a message has at most 1 MiB (`SendMessage`).
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "WireBody", into = "WireBody")]
pub struct Body(pub Vec<u8>);

#[derive(Serialize, Deserialize)]
enum WireBody {
    #[serde(rename = "body")]
    Text(String),
    #[serde(rename = "body_base64")]
    Base64(String),
}

impl From<Body> for WireBody {
    fn from(body: Body) -> Self {
        match String::from_utf8(body.0) {
            Ok(text) if is_cheap_text(&text) => Self::Text(text),
            Ok(text) => Self::Base64(STANDARD.encode(text)),
            Err(error) => Self::Base64(STANDARD.encode(error.as_bytes())),
        }
    }
}

impl TryFrom<WireBody> for Body {
    type Error = base64::DecodeError;

    fn try_from(wire: WireBody) -> Result<Self, Self::Error> {
        match wire {
            WireBody::Text(text) => Ok(Self(text.into_bytes())),
            WireBody::Base64(text) => STANDARD.decode(text).map(Self),
        }
    }
}

/// Whether the escapes of a JSON string add less than base64 would, a third.
fn is_cheap_text(text: &str) -> bool {
    let is_short = |byte| matches!(byte, b'"' | b'\\' | b'\n' | b'\r' | b'\t');
    let backslashes = count(text, is_short);
    // As \u00XX: six bytes for one.
    let codes = count(text, |byte| byte < b' ' && !is_short(byte)).saturating_mul(5);
    let refused = if may_hold_refused(text) {
        text.matches(REFUSED).count().saturating_mul(3)
    } else {
        0
    };
    backslashes.saturating_add(codes).saturating_add(refused) <= text.len() / 3
}

impl Body {
    /// A hash of the bytes, to tell whether two are the same.
    #[must_use]
    pub fn hash(&self) -> String {
        hash(&[&self.0])
    }
}

impl fmt::Debug for Body {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Body({} bytes)", self.0.len())
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
            received_at: 1_700_000_000_500,
            expires_at: 1_703_024_000,
            retain_until: None,
            document_type: "order".into(),
            document_id: Some("7".into()),
            document_at: Some("/data".into()),
            invalid: None,
            trace: None,
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
    fn versions_sort_by_time_then_operation_then_id() {
        let key = |id: &str| Key::new("s", &[id.as_bytes()]);
        let version = |at, operation, id| Version::new(at, operation, &key(id));
        assert!(version(9, Operation::Delete, "z") < version(10, Operation::Create, "a"));
        // Of two ids one comes first by itself, so both are tried in both places.
        for (one, other) in [("a", "z"), ("z", "a")] {
            assert!(version(9, Operation::Create, one) < version(9, Operation::Update, other));
            assert!(version(9, Operation::Update, one) < version(9, Operation::Delete, other));
        }
        assert_ne!(
            version(9, Operation::Update, "a"),
            version(9, Operation::Update, "b")
        );
        assert_eq!(
            version(-5, Operation::Update, "a"),
            version(0, Operation::Update, "a"),
            "never before 1970"
        );
        assert_eq!(
            version(i64::MAX, Operation::Create, "a").as_str().len(),
            version(0, Operation::Create, "a").as_str().len()
        );
    }

    #[test]
    fn keys_are_scoped_by_source_and_keep_the_borders_of_their_parts() {
        assert_ne!(Key::new("a", &[b"1"]), Key::new("b", &[b"1"]));
        assert_ne!(Key::new("a", &[b"1", b"2"]), Key::new("a", &[b"12"]));
    }

    #[test]
    fn the_document_is_the_text_the_sender_wrote() {
        assert_eq!(
            event(br#"{"data":{"n": 1.0}}"#).document(),
            Some(r#"{"n": 1.0}"#)
        );
        assert_eq!(event(b"{}").document(), None);
    }
}
