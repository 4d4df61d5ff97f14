//! Events of each sender's deliveries: shortened deliveries in the sender's own shape, signed here, against what a user
//! wants of them. `samples/PRESET.json` says where each shape was seen; what is expected was written from there, not
//! from the preset. The same bytes under any other label are the same events.
#![allow(clippy::unwrap_used, clippy::indexing_slicing)] // helpers of tests

mod deliveries;

use deliveries::{at, delivery, keys, samples, source};
use hookwell::config;
use hookwell::event::{Event, Operation};
use serde_json::{Value, json};

/// Labels that a stranger may put on the bytes of somebody else: none of them is signed.
const LABELS: [Option<&str>; 6] = [
    None,
    Some("application/json"),
    Some("application/x-www-form-urlencoded"),
    Some("multipart/form-data; boundary=x"),
    Some("text/plain; charset=utf-16"),
    Some("nonsense"),
];

/// An event in the words of the samples; the id only where the sample has one, and the document only where something
/// happened to one.
fn told(event: &Event, expected: &Value) -> Value {
    let is_about_one = event.operation != Operation::Other && event.document_id.is_some();
    let mut told = json!({
        "type": event.kind,
        "operation": event.operation.name(),
        "document_type": if is_about_one { event.document_type.as_str() } else { "" },
        "document_id": event.document_id.as_ref().filter(|_| is_about_one),
        "state": is_stored(event),
        "time": event.time,
    });
    if expected.get("id").is_some() {
        told["id"] = json!(event.id);
    }
    told
}

/// True when the documents table keeps the event's state.
fn is_stored(event: &Event) -> bool {
    let changes = matches!(event.operation, Operation::Create | Operation::Update);
    changes && event.without_state.is_none() && event.document().is_some()
}

#[test]
fn every_delivery_becomes_what_its_sender_means() {
    let (mut count, mut wrong) = (0, Vec::new());
    for preset in config::presets() {
        let samples = samples(&preset);
        let source = source(&preset);
        let keys = keys(&source);
        for (number, sample) in samples.iter().enumerate() {
            count += 1;
            let delivery = delivery(&source, &keys, sample);
            let expected = sample["events"].as_array().unwrap();
            let events = match source.verify(&keys, &delivery, at(sample)) {
                Ok(verified) => verified.events(at(sample)).map_err(|why| why.to_string()),
                Err(why) => Err(why.to_string()),
            };
            let events = match events {
                Ok(events) => events,
                Err(why) => {
                    wrong.push(format!("{preset} {number}: {why}"));
                    continue;
                }
            };
            if events.len() != expected.len() {
                wrong.push(format!("{preset} {number}: {} events", events.len()));
            }
            for (event, expected) in events.iter().zip(expected) {
                let mut expected = expected.clone();
                if expected["document_id"].is_null() || expected["operation"] == "other" {
                    expected["document_type"] = json!("");
                    expected["document_id"] = Value::Null;
                }
                let told = told(event, &expected);
                if told != expected {
                    wrong.push(format!("{preset} {number}:\n  {told}\n  {expected}"));
                }
            }
            for label in LABELS {
                let mut other = delivery.clone();
                other.headers.remove("content-type");
                if let Some(label) = label {
                    let label = label.parse().unwrap();
                    other.headers.insert("content-type", label);
                }
                let read = source.verify(&keys, &other, at(sample));
                let read = read.map(|verified| verified.events(at(sample)));
                if read != Ok(Ok(events.clone())) {
                    wrong.push(format!("{preset} {number}: another event as {label:?}"));
                }
            }
        }
    }
    assert!(
        wrong.is_empty(),
        "{} wrong:\n{}",
        wrong.len(),
        wrong.join("\n")
    );
    assert!(count > 400, "{count}");
}
