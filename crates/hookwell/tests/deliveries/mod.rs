//! The deliveries in `samples/PRESET.json`, signed as their senders would.
#![allow(dead_code)] // each test file uses a part of it

use std::path::Path;

use hookwell::config;
use hookwell::event::delivery::Delivery;
use hookwell::format::time::Millis;
use hookwell::keys::key_set::Keys;
use hookwell::source::Source;
use hookwell_sandbox::sender::{Draft, signed_with};
use hookwell_sandbox::test_keys;
use http::{HeaderMap, HeaderName, Method};
use serde_json::Value;

/// When the deliveries come: 2026-11-26.
pub(crate) const NOW: Millis = 1_795_696_000_000;

/// The source of a preset, with everything that only its user knows.
pub(crate) fn source(preset: &str) -> Source {
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

pub(crate) fn headers<'a>(all: impl Iterator<Item = (&'a str, &'a str)>) -> HeaderMap {
    all.map(|(name, value)| {
        let name = HeaderName::from_bytes(name.as_bytes()).unwrap();
        (name, value.parse().unwrap())
    })
    .collect()
}

/// Time at which a sample arrives: the one that it names, for bodies that hold a signed time.
pub(crate) fn at(sample: &Value) -> Millis {
    sample["at"].as_i64().unwrap_or(NOW)
}

/// The delivery of a sample, signed as its sender would.
pub(crate) fn delivery(source: &Source, keys: &Keys, sample: &Value) -> Delivery {
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

/// The samples of a preset.
pub(crate) fn samples(preset: &str) -> Vec<Value> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/samples");
    let file = folder.join(format!("{preset}.json"));
    let text = std::fs::read_to_string(&file).unwrap_or_else(|_| panic!("no {}", file.display()));
    serde_json::from_str(&text).unwrap()
}

/// The keys that a source's samples are signed with.
pub(crate) fn keys(source: &Source) -> Keys {
    source
        .keys(|reference| Ok(test_keys::made_up(source, reference)))
        .unwrap()
}
