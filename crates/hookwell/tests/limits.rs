//! A signed event may hold ids, types and reasons of any length. What becomes of it fits the queue and both tables, and two
//! events, or two documents, are never taken for one.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing)] // helpers of tests

mod support;

use std::collections::BTreeSet;

use futures_util::FutureExt as _;
use hookwell::config;
use hookwell::event::Event;
use hookwell::event::delivery::Delivery;
use hookwell::event::identity::bounded;
use hookwell::format::cut::cut;
use hookwell::ingest::key_cache::Sources;
use hookwell::ingest::receive;
use hookwell::ports::handler::Outcome;
use hookwell::ports::memory::{MemoryDocuments, MemoryLedger, MemoryQueue, StoppedClock};
use hookwell::process::Fate;
use http::{HeaderMap, HeaderValue, Method};
use proptest::prelude::*;
use serde_json::json;
use support::{NOW, invoke, message};

const SOURCE: &str = r#"
[sources.shop]
preset = "generic"
secrets = ["env:S"]
[sources.shop.event]
id = "body:/id"
type = "body:/type"
document = "body:/data"
document_id = "body:/data/id"
document_type = "body:/data/kind"
operations = { "*" = "update" }
"#;

const SECRET: &str = "a secret that is long enough";

/// The message that ingest queues for an event with these parts.
fn queued(id: &str, kind: &str, document: &str, document_type: &str) -> String {
    let sources = config::parse(SOURCE).unwrap();
    let keys = sources[0].keys(|_| Ok(SECRET.to_owned())).unwrap();
    let body = json!({ "id": id, "type": kind, "data": { "id": document, "kind": document_type } });
    let mut delivery = Delivery {
        request_id: "request-1".into(),
        method: Method::POST,
        source: Some("shop".into()),
        path: "/webhooks/shop".into(),
        query: String::new(),
        headers: HeaderMap::new(),
        body: body.to_string().into_bytes(),
        source_ip: None,
        trace: None,
    };
    for (name, value) in sources[0].sign(&keys, None, &mut delivery, NOW).unwrap() {
        let name = http::HeaderName::from_bytes(name.as_bytes()).unwrap();
        delivery
            .headers
            .insert(name, HeaderValue::try_from(value).unwrap());
    }
    let (ledger, queue) = (MemoryLedger::default(), MemoryQueue::default());
    let sources = Sources::new(sources, |_| Ok(SECRET.to_owned()));
    let clock = StoppedClock::at(NOW);
    let received = receive(&sources, &ledger, &queue, &delivery, clock.clock());
    let received = received.now_or_never().unwrap();
    assert_eq!(
        received.reply.status.as_u16(),
        200,
        "{:.300?}",
        received.reason
    );
    queue.take().unwrap()
}

/// DynamoDB, "Quotas": a partition key has at most 2,048 bytes. SQS: a message at most 1 MiB, of which its body has a share.
fn fits_everywhere(text: &str) -> Event {
    let event = Event::from_message(text).unwrap();
    let body = event.body.0.len();
    let beside = event.key.as_str().len() + event.id.len() + event.kind.len();
    assert!(beside < 4_096, "{beside} bytes beside the body");
    assert!(
        text.len() < 2 * body + 16_384,
        "{} bytes for a body of {body}",
        text.len()
    );
    let document = event.document_key().unwrap();
    assert!((1..=2_048).contains(&document.as_str().len()));
    assert!(event.key.as_str().len() <= 2_048);
    event
}

#[test]
fn names_of_any_length_are_queued_applied_and_told_apart() {
    let mut keys = BTreeSet::new();
    let mut documents = BTreeSet::new();
    let (mut count, mut applied) = (0, 0);
    for character in ["x", "\u{e9}", "\u{20ac}", "\u{1f600}", "#", "%23", "\n"] {
        for length in [1, 300, 1_023, 1_024, 1_025, 100_000] {
            // Two names that differ in their last character only.
            for end in ["1", "2"] {
                let long = character.repeat(length) + end;
                let text = queued(&long, &long, &long, &long);
                let event = fits_everywhere(&text);
                keys.insert(event.key.clone());
                documents.insert(event.document_key().unwrap());
                count += 1;
                let (ledger, queue) = (MemoryLedger::default(), MemoryQueue::default());
                let handler = MemoryDocuments::default();
                let done = invoke(&ledger, &queue, &handler, vec![message(&text)], NOW);
                let fate = done.now_or_never().unwrap().remove(0).fate;
                applied += usize::from(fate == Fate::Finished(Outcome::Applied));
            }
        }
    }
    assert_eq!(
        (keys.len(), documents.len(), applied),
        (count, count, count)
    );
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    #[test]
    fn a_cut_is_a_beginning_within_the_limit(text in "\\PC{0,400}", max in 0_usize..600) {
        let short = cut(&text, max);
        prop_assert!(short.len() <= max);
        let beginning = short.strip_suffix('\u{2026}').unwrap_or(&short);
        prop_assert!(text.starts_with(beginning));
        prop_assert_eq!(text.len() <= max, short == text);
    }

    #[test]
    fn a_bounded_name_is_itself_or_one_that_no_other_name_becomes(
        start in "\\PC{0,300}", one in "\\PC{0,20}", other in "\\PC{0,20}", max in 64_usize..300
    ) {
        let (one, other) = (format!("{start}{one}"), format!("{start}{other}"));
        let short = bounded(one.clone(), max);
        prop_assert!(short.len() <= max);
        prop_assert_eq!(one.len() <= max, short == one);
        prop_assert_eq!(one == other, short == bounded(other, max));
        prop_assert_eq!(bounded(short.clone(), max), short, "cut again, it stays");
    }
}
