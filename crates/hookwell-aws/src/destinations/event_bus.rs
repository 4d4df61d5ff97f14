//! An EventBridge bus: one entry for each event.

use hookwell::deliver::entry;
use hookwell::event::Event;
use hookwell::event::identity::bounded;
use hookwell::ports::handler::HandleError;
use serde_json::{Value, json};

use super::Destinations;
use crate::client::limits::Limits;
use crate::http::signed::{Answer, Request};

/// The most bytes of an entry: what EventBridge counts of it must fit 1 MiB ("Calculating `PutEvents` event entry size").
const MAX_ENTRY: usize = 1024 * 1024;

/// The longest detail type, in bytes (`PutEventsRequestEntry`).
const MAX_DETAIL_TYPE: usize = 128;

impl Destinations {
    /// Puts an event on a bus.
    pub(super) async fn put_event(&self, bus: &str, event: &Event) -> Result<(), HandleError> {
        let body = entries(bus, event)?;
        let request = Request {
            service: "events",
            method: "POST",
            url: &self.connection.service_url("events"),
            headers: &[
                ("content-type", "application/x-amz-json-1.1"),
                ("x-amz-target", "AWSEvents.PutEvents"),
            ],
            body: body.as_bytes(),
        };
        // Boxed: otherwise every enclosing future grows by its size.
        let answer = Box::pin(self.connection.send_signed(&request, Limits::PROCESS)).await;
        judge(&answer.map_err(|why| HandleError::Retry(format!("EventBridge: {why}")))?)
    }
}

/// Body of the call.
fn entries(bus: &str, event: &Event) -> Result<String, HandleError> {
    let source = format!("hookwell.{}", event.source);
    let detail_type = match event.kind.as_str() {
        "" => event.operation.name().to_owned(),
        kind => bounded(kind.to_owned(), MAX_DETAIL_TYPE),
    };
    let detail = entry(event);
    let size = source.len() + detail_type.len() + detail.len() + 14;
    if size > MAX_ENTRY {
        let kb = size.div_ceil(1024);
        return Err(HandleError::Reject(format!(
            "the event has {kb} KiB, and EventBridge takes at most 1,024"
        )));
    }
    let entry = json!({
        "EventBusName": bus,
        "Source": source,
        "DetailType": detail_type,
        "Detail": detail,
    });
    Ok(json!({ "Entries": [entry] }).to_string())
}

/// Result of the put, by its answer. Only an answer that names the entry as put is success: the call can be answered
/// 200 and the entry refused.
fn judge(answer: &Answer) -> Result<(), HandleError> {
    let body: Value = serde_json::from_slice(&answer.body).unwrap_or_default();
    let text = |pointer: &str| body.pointer(pointer).and_then(Value::as_str);
    if answer.status == 200 {
        if text("/Entries/0/EventId").is_some() {
            return Ok(());
        }
        return Err(match text("/Entries/0/ErrorCode") {
            Some("MalformedDetail") => {
                HandleError::Reject("EventBridge cannot read the body: MalformedDetail".to_owned())
            }
            Some(code) => HandleError::RetryEnded(format!("EventBridge: {}", plain(code))),
            None => HandleError::RetryEnded("EventBridge: not confirmed".to_owned()),
        });
    }
    let kind = text("/__type").and_then(|kind| kind.rsplit('#').next());
    let message = text("/message").or_else(|| text("/Message"));
    // Other messages repeat what is wrong, such as a type with this word in it.
    let is_too_large =
        message.is_some_and(|message| message.starts_with("Total size of the entries"));
    if kind == Some("ValidationException") && is_too_large {
        let why = "EventBridge takes no event of this size".to_owned();
        return Err(HandleError::Reject(why));
    }
    let kind = kind.map_or_else(|| format!("status {}", answer.status), plain);
    Err(HandleError::RetryEnded(format!("EventBridge: {kind}")))
}

/// An error's name, if it is one.
fn plain(code: &str) -> String {
    let is_name = code.len() <= 64 && code.chars().all(|c| c.is_ascii_alphanumeric());
    let name = if is_name { code } else { "error" };
    name.to_owned()
}

#[cfg(test)]
mod tests {
    use hookwell::event::body::Body;

    use super::*;

    fn answered(status: u16, body: &str) -> Result<(), HandleError> {
        let body = body.as_bytes().to_vec();
        judge(&Answer {
            status,
            body,
            has_tag: false,
        })
    }

    #[test]
    fn an_event_becomes_an_entry() {
        let event = Event {
            kind: "order.created".into(),
            body: Body(b"{}".to_vec()),
            ..Event::bare("shop", "1")
        };
        let body: Value = serde_json::from_str(&entries("main", &event).unwrap()).unwrap();
        let one = &body["Entries"][0];
        assert_eq!(one["EventBusName"], "main");
        assert_eq!(one["Source"], "hookwell.shop");
        assert_eq!(one["DetailType"], "order.created");
        let detail: Value = serde_json::from_str(one["Detail"].as_str().unwrap()).unwrap();
        assert_eq!(detail["key"], event.key.as_str());
        let unnamed: Value =
            serde_json::from_str(&entries("main", &Event::bare("shop", "1")).unwrap()).unwrap();
        assert_eq!(unnamed["Entries"][0]["DetailType"], "other");
    }

    #[test]
    fn what_no_bus_takes_is_rejected_with_its_size() {
        let event = Event {
            body: Body(format!("{{\"a\":\"{}\"}}", "x".repeat(1024 * 1024)).into_bytes()),
            ..Event::bare("shop", "1")
        };
        let why = "the event has 1025 KiB, and EventBridge takes at most 1,024";
        let end = entries("main", &event);
        assert_eq!(end, Err(HandleError::Reject(why.to_owned())));
    }

    #[test]
    fn only_an_entry_that_has_an_id_is_put() {
        let put = r#"{"FailedEntryCount":0,"Entries":[{"EventId":"e"}]}"#;
        assert_eq!(answered(200, put), Ok(()));
        for (status, body) in [
            (200, "{}"),
            (200, r#"{"Entries":[{"ErrorCode":"ThrottlingException"}]}"#),
            (400, r#"{"__type":"a#AccessDeniedException"}"#),
            (
                400,
                r#"{"__type":"ValidationException","message":"no such bus"}"#,
            ),
            (
                400,
                r#"{"__type":"ValidationException","message":"Value 'image.resized' at 'entries.1' failed"}"#,
            ),
            (500, ""),
        ] {
            let end = answered(status, body);
            assert!(matches!(end, Err(HandleError::RetryEnded(_))), "{body}");
        }
        for (status, body) in [
            (200, r#"{"Entries":[{"ErrorCode":"MalformedDetail"}]}"#),
            (
                400,
                r#"{"__type":"ValidationException","message":"Total size of the entries in the request is over the limit."}"#,
            ),
        ] {
            let end = answered(status, body);
            assert!(matches!(end, Err(HandleError::Reject(_))), "{body}");
        }
    }
}
