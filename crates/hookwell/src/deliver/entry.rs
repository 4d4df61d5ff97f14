//! An event as one JSON object, for a bus or a queue.

use serde::Serialize;
use serde_json::value::RawValue;

use crate::event::Event;
use crate::event::body::{Body, escape_refused};
use crate::event::identity::Key;
use crate::format::json::Json;
use crate::format::time::{Millis, to_rfc3339};

/// The object: what Hookwell knows of the event, and the sender's body.
#[derive(Serialize)]
struct Entry<'e> {
    key: &'e Key,
    source: &'e str,
    #[serde(rename = "type")]
    kind: &'e str,
    operation: &'static str,
    document_id: Option<&'e str>,
    time: String,
    #[serde(flatten)]
    body: Content<'e>,
}

#[derive(Serialize)]
enum Content<'e> {
    /// The sender's own JSON, so that a rule can look into it.
    #[serde(rename = "body")]
    Json(&'e RawValue),
    /// A body that is no JSON, as the queue's own messages hold it: `body` or `body_base64`.
    #[serde(untagged)]
    Other(&'e Body),
}

/// The event as a JSON object `{key, source, type, operation, document_id, time, body}`. The time is the sender's, else that
/// of the first reception.
#[must_use]
pub fn entry(event: &Event) -> String {
    let json = Json::parse(&event.body.0).ok();
    let body = match &json {
        Some(json) => Content::Json(json.root()),
        None => Content::Other(&event.body),
    };
    let entry = Entry {
        key: &event.key,
        source: &event.source,
        kind: &event.kind,
        operation: event.operation.name(),
        document_id: event.document_id.as_deref(),
        time: to_rfc3339(time(event)),
        body,
    };
    // A map with text keys and no float always serialises.
    escape_refused(serde_json::to_string(&entry).unwrap_or_default())
}

/// Time of the event: the sender's, else that of the first reception.
fn time(event: &Event) -> Millis {
    event.time.unwrap_or(event.received_at)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::Operation;

    fn event(body: &[u8]) -> Event {
        Event {
            kind: "order.created".into(),
            operation: Operation::Create,
            time: Some(1_790_000_000_000),
            document_id: Some("7".into()),
            body: Body(body.to_vec()),
            ..Event::bare("shop", "evt_1")
        }
    }

    #[test]
    fn an_entry_holds_the_body_as_the_sender_wrote_it() {
        let key = Key::new("shop", &[b"evt_1"]);
        let expected = format!(
            concat!(
                r#"{{"key":"{}","source":"shop","type":"order.created","operation":"create","document_id":"7","#,
                r#""time":"2026-09-21T14:13:20.000Z","body":{{ "n":1.0, "big":12345678901234567890 }}}}"#
            ),
            key.as_str()
        );
        assert_eq!(
            entry(&event(br#"{ "n":1.0, "big":12345678901234567890 }"#)),
            expected
        );
    }

    #[test]
    fn a_body_that_is_no_json_is_a_text_or_base64() {
        assert!(entry(&event(b"a=1")).ends_with(r#""body":"a=1"}"#));
        assert!(entry(&event(b"\xff\xfe")).ends_with(r#""body_base64":"//4="}"#));
    }

    #[test]
    fn what_sqs_refuses_is_escaped() {
        let entry = entry(&event("{\"a\":\"\u{FFFE}\u{FFFF}\"}".as_bytes()));
        assert!(
            entry.ends_with(r#""body":{"a":"\uFFFE\uFFFF"}}"#),
            "{entry}"
        );
    }
}
