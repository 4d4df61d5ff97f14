//! Events of each sender's deliveries: shortened deliveries in the sender's own shape, signed here, against what a user
//! wants of them. `samples/PRESET.json` says where each shape was seen; what is expected was written from there, not
//! from the preset. The same bytes under any other label are the same events.
#![allow(clippy::unwrap_used, clippy::indexing_slicing)] // helpers of tests

use std::path::Path;

use hookwell::config;
use hookwell::event::delivery::Delivery;
use hookwell::event::{Event, Operation};
use hookwell::format::time::Millis;
use hookwell::keys::key_set::Keys;
use hookwell::source::Source;
use hookwell_sandbox::sender::{Draft, signed_with};
use hookwell_sandbox::test_keys;
use http::{HeaderMap, HeaderName, Method};
use serde_json::{Value, json};

/// When the deliveries come: 2026-11-26.
const NOW: Millis = 1_795_696_000_000;

fn source(preset: &str) -> Source {
    let topics = match preset {
        "aws-sns" => "topics = [\"arn:aws:sns:us-west-2:123456789012:MyTopic\"]\n",
        _ => "",
    };
    let pinned = match preset {
        "aws-sns" | "paypal" | "plaid" => r#"["env:PINNED"]"#,
        _ => "[]",
    };
    let text = format!(
        "[sources.x]\npreset = {preset:?}\nsecrets = [\"env:A\"]\npinned = {pinned}\n{topics}\
         public_url = \"https://hooks.example.com/webhooks/x\"\nallow_ips = [\"0.0.0.0/0\", \"::/0\"]\n"
    );
    let mut sources =
        config::parse(&text).unwrap_or_else(|problems| panic!("{preset}: {problems:?}"));
    sources.remove(0)
}

fn headers<'a>(all: impl Iterator<Item = (&'a str, &'a str)>) -> HeaderMap {
    all.map(|(name, value)| {
        let name = HeaderName::from_bytes(name.as_bytes()).unwrap();
        (name, value.parse().unwrap())
    })
    .collect()
}

/// When a sample comes: where its body holds the signed time, then.
fn at(sample: &Value) -> Millis {
    sample["at"].as_i64().unwrap_or(NOW)
}

/// The delivery of a sample, signed as its sender would.
fn delivery(source: &Source, keys: &Keys, sample: &Value) -> Delivery {
    let body = match sample["text"].as_str() {
        Some(text) => text.as_bytes().to_vec(),
        None => sample["body"].to_string().into_bytes(),
    };
    let own = sample["headers"].as_object().into_iter().flatten();
    let own = own.map(|(name, value)| (name.as_str(), value.as_str().unwrap()));
    let plain = Delivery {
        request_id: "request-1".into(),
        method: Method::POST,
        source: Some("x".into()),
        path: "/webhooks/x".into(),
        query: sample["query"].as_str().unwrap_or_default().into(),
        headers: headers(own),
        body,
        source_ip: None,
        trace: None,
    };
    let signed = signed_with(source, keys, Draft::of(&plain), at(sample))
        .unwrap_or_else(|why| panic!("{:?} {sample}: {why}", source.preset));
    let all = signed.headers.iter();
    Delivery {
        headers: headers(all.map(|(name, value)| (name.as_str(), value.as_str()))),
        query: signed.query,
        body: signed.body,
        ..plain
    }
}

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
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/samples");
    let (mut count, mut wrong) = (0, Vec::new());
    for preset in config::presets() {
        let file = folder.join(format!("{preset}.json"));
        let text = std::fs::read_to_string(&file).unwrap_or_else(|_| panic!("no {file:?}"));
        let samples: Vec<Value> = serde_json::from_str(&text).unwrap();
        let source = source(&preset);
        let keys = source
            .keys(|reference| Ok(test_keys::made_up(&source, reference)))
            .unwrap();
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
