//! Decides about a request as ingest would; `hookwell verify` prints it.

use std::collections::BTreeMap;
use std::ops::ControlFlow::{Break, Continue};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hookwell::event::Event;
use hookwell::event::delivery::Delivery;
use hookwell::format::time::Millis;
use hookwell::ingest::key_cache::Sources;
use hookwell::ingest::{Received, admit, read};
use hookwell::source::reply::Receipt;
use http::{HeaderMap, HeaderName, HeaderValue, Method};
use serde::Deserialize;
use serde_json::{Value, json};

/// One line of input.
#[derive(Deserialize)]
struct Line {
    source: String,
    method: Option<String>,
    path: Option<String>,
    query: Option<String>,
    headers: Option<BTreeMap<String, Texts>>,
    body_base64: Option<String>,
}

/// A header that is there once, or more often.
#[derive(Deserialize)]
#[serde(untagged)]
enum Texts {
    One(String),
    Many(Vec<String>),
}

/// Decides about one line of JSON: `{source, method, path, query, headers, body_base64}` in,
/// `{source, verified, status, reason, event}` out, and `events` where a delivery carries many.
#[must_use]
pub(crate) fn decide(sources: &Sources, line: &[u8], now: Millis) -> Value {
    let delivery = match delivery(line) {
        Ok(delivery) => delivery,
        Err((source, why)) => {
            let received = Received::refused(Receipt::BadRequest, Some(why.to_owned()));
            return print(source.as_deref(), &received);
        }
    };
    let received = match admit(sources, &delivery, now) {
        Break(ended) => *ended,
        Continue((source, verified)) => match read(source, &verified, now) {
            Break(ended) => *ended,
            Continue(events) => {
                let reason = events.iter().find_map(|event| event.invalid.clone());
                let receipt = match reason {
                    Some(_) => Receipt::Quarantined,
                    None => Receipt::Received,
                };
                Received {
                    events,
                    verified: true,
                    reply: source.reply(receipt),
                    ..Received::refused(receipt, reason)
                }
            }
        },
    };
    print(delivery.source.as_deref(), &received)
}

/// Reads one line of input.
///
/// # Errors
/// What is wrong with it, and the source that it names.
pub(crate) fn delivery(line: &[u8]) -> Result<Delivery, (Option<String>, &'static str)> {
    let line: Line = serde_json::from_slice(line).map_err(|_| {
        let source = serde_json::from_slice::<Value>(line).ok();
        let source = source.and_then(|value| Some(value.get("source")?.as_str()?.to_owned()));
        (source, "the line is not a request")
    })?;
    let name = line.source.clone();
    let fail = |why| (Some(name.clone()), why);
    let method = line
        .method
        .as_deref()
        .unwrap_or("POST")
        .to_ascii_uppercase();
    let mut headers = HeaderMap::new();
    for (name, texts) in line.headers.unwrap_or_default() {
        let name = HeaderName::from_bytes(name.as_bytes());
        let name = name.map_err(|_| fail("a header has no valid name"))?;
        let texts = match texts {
            Texts::One(text) => vec![text],
            Texts::Many(texts) => texts,
        };
        for text in texts {
            let value = HeaderValue::from_bytes(text.as_bytes());
            headers.append(
                &name,
                value.map_err(|_| fail("a header has no valid value"))?,
            );
        }
    }
    let body = STANDARD.decode(line.body_base64.unwrap_or_default());
    let path = line
        .path
        .unwrap_or_else(|| format!("/webhooks/{}", line.source));
    let (path, query) = match path.split_once('?') {
        Some((path, query)) if line.query.is_none() => (path.to_owned(), query.to_owned()),
        _ => (path, line.query.unwrap_or_default()),
    };
    Ok(Delivery {
        request_id: "verify".to_owned(),
        method: Method::from_bytes(method.as_bytes()).map_err(|_| fail("the method is none"))?,
        source: Some(line.source),
        path,
        query: query.trim_start_matches('?').to_owned(),
        headers,
        body: body.map_err(|_| fail("body_base64 is not base64"))?,
        source_ip: None,
        trace: None,
    })
}

/// Words of a recording beside the request itself.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct Recording {
    /// Time at which the request came.
    pub(crate) received_at: Option<Millis>,
    /// Places whose text was masked.
    pub(crate) masked: Vec<String>,
}

impl Recording {
    /// Reads what one line of input says; nothing where it is no recording.
    pub(crate) fn of(line: &[u8]) -> Self {
        serde_json::from_slice(line).unwrap_or_default()
    }

    /// The masked places whose bytes a signature may cover, in words; `None` when there is none.
    pub(crate) fn changed(&self) -> Option<String> {
        let is_signed =
            |place: &&String| !place.starts_with("header ") || place.contains("signature");
        let places: Vec<_> = self
            .masked
            .iter()
            .filter(is_signed)
            .map(String::as_str)
            .collect();
        (!places.is_empty()).then(|| places.join(", "))
    }
}

fn print(source: Option<&str>, received: &Received) -> Value {
    let reason = received.reason.clone().or_else(|| {
        let is_plain = matches!(received.receipt, Receipt::Received);
        (!is_plain).then(|| received.receipt.name().to_owned())
    });
    let mut answer = json!({
        "source": source,
        "verified": received.verified,
        "status": received.reply.status.as_u16(),
        "reason": reason,
        "event": received.events.first().map(event),
    });
    if let (Value::Object(answer), true) = (&mut answer, received.events.len() > 1) {
        let events: Vec<_> = received.events.iter().map(event).collect();
        answer.insert("events".to_owned(), json!(events));
    }
    answer
}

fn event(event: &Event) -> Value {
    json!({
        "key": event.key,
        "id": event.id,
        "type": event.kind,
        "operation": event.operation,
        "time": event.time,
        "unusable_time": event.unusable_time,
        "document_type": event.document_type,
        "document_id": event.document_id,
        "document_at": event.document_at,
        "without_state": event.without_state,
        "invalid": event.invalid,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use hookwell::config;

    fn sources() -> Sources {
        let text = "[sources.shop]\npreset = \"stripe\"\nsecrets = [\"env:A\"]\n\
                    [sources.away]\npreset = \"stripe\"\nsecrets = [\"env:B\"]\n\
                    [sources.open]\npreset = \"plain\"\nallow_ips = [\"0.0.0.0/0\"]\n\
                    [sources.open.event]\nstrict = false\n";
        let mut sources = config::parse(text).unwrap();
        for source in &mut sources {
            source.allow_ips.clear();
        }
        Sources::new(sources, |reference| match reference.to_string().as_str() {
            "env:A" => Ok("whsec_0123456789abcdef".to_owned()),
            _ => Err(hookwell::keys::not_ready::SecretProblem::NotSet),
        })
    }

    fn decided(line: &str) -> (Option<bool>, Option<u64>) {
        let answer = decide(&sources(), line.as_bytes(), 1_700_000_000_000);
        (answer["verified"].as_bool(), answer["status"].as_u64())
    }

    #[test]
    fn every_line_gets_an_answer() {
        let no = Some(false);
        for (line, expected) in [
            ("not json", (no, Some(400))),
            ("{}", (no, Some(400))),
            (r#"{"source":"shop","body_base64":"!"}"#, (no, Some(400))),
            (r#"{"source":"shop"}"#, (no, Some(401))),
            (r#"{"source":"away"}"#, (no, Some(503))),
            (r#"{"source":"nobody"}"#, (no, Some(404))),
            (r#"{"source":"shop","method":"GET"}"#, (no, Some(405))),
            (
                r#"{"source":"open","body_base64":"e30="}"#,
                (Some(true), Some(400)),
            ),
            (
                r#"{"source":"open","headers":{"A":["b","c"]},"body_base64":"eyJldmVudCI6ImEiLCJkYXRhIjp7ImlkIjoxfX0="}"#,
                (Some(true), Some(200)),
            ),
        ] {
            assert_eq!(decided(line), expected, "{line}");
        }
    }

    #[test]
    fn an_event_says_why_it_leaves_no_state() {
        for (body, expected) in [
            (r#"{"event":"created","data":{"id":1}}"#, Value::Null),
            (r#"{"event":"created","data":{}}"#, json!("unnamed")),
        ] {
            let line = json!({ "source": "open", "body_base64": STANDARD.encode(body) });
            let answer = decide(&sources(), line.to_string().as_bytes(), 1_700_000_000_000);
            assert_eq!(answer["event"]["without_state"], expected, "{body}");
        }
    }
}
