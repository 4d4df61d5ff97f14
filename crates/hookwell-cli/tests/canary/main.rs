//! No secret, signature or body is ever in the log, and every place that logs is reached to show it.
//!
//! One test, because there is one log: with a subscriber per thread, tracing asks the thread that comes to a line first
//! whether anybody wants it.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing)]

#[path = "../support/mod.rs"]
mod support;

mod ingest_side;
mod log;
mod process_side;

use std::collections::BTreeSet;
use std::time::Duration;

use hookwell_local::gate::Gate;
use hookwell_local::storage::{Endpoints, QueueSettings, Storage};
use ingest_side::Senders;
use log::{Log, sites};

/// Beginning of every text that must never be in the log.
const CANARY: &str = "canary";

/// Places that log and that the test does not reach, each with the reason.
const UNREACHED: [(&str, &str); 6] = [
    (
        r#"location, "panic""#,
        "needs a hook for all threads; hookwell-lambda tests it by itself",
    ),
    (r#""the front stopped""#, "needs a listener that breaks"),
    (r#""the tables stopped""#, "needs a listener that breaks"),
    (r#""the queues stopped""#, "needs a listener that breaks"),
    (r#""the bucket stopped""#, "needs a listener that breaks"),
    (
        "is taken: {what} at {url}",
        "needs a port that another program has; a test of dev reads the line",
    ),
];

/// Tables and queues behind gates that can be closed.
struct World {
    log: Log,
    storage: Storage,
    /// The addresses of the tables and queues, through the gates.
    endpoints: Endpoints,
    tables: Gate,
    queues: Gate,
}

impl World {
    async fn start() -> Self {
        let log = Log::start();
        let queue = QueueSettings {
            visibility_timeout: 60,
            retry_every: Duration::from_hours(1),
        };
        let storage = Storage::start(0, None, queue).await.unwrap();
        let tables = Gate::start(&storage.endpoints.dynamodb_endpoint)
            .await
            .unwrap();
        let queues = Gate::start(&storage.endpoints.sqs_endpoint).await.unwrap();
        let endpoints = Endpoints {
            dynamodb_endpoint: tables.url.clone(),
            sqs_endpoint: queues.url.clone(),
            ..storage.endpoints.clone()
        };
        Self {
            log,
            storage,
            endpoints,
            tables,
            queues,
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_secret_is_logged_and_every_place_that_logs_was_reached() {
    let world = World::start().await;
    let senders = Box::pin(Senders::start(&world)).await;
    process_side::run(&world).await;
    let hidden = senders.end().await;
    let World { log, storage, .. } = world;
    storage.stop().await;

    let text = log.text();
    for line in text.lines() {
        // The one secret that is logged, because nobody else ever tells it to the operator: docs/adding-a-source.md.
        let is_notion = line.contains("ANYBODY CAN SEND THIS TOKEN");
        assert!(is_notion || !line.to_lowercase().contains(CANARY), "{line}");
        for signature in &hidden {
            assert!(!line.contains(signature.as_str()), "{line}");
        }
    }
    assert!(hidden.len() > 10, "signatures were made: {}", hidden.len());

    let reached = log.reached();
    println!("places that log, and were reached:");
    for place in &reached {
        println!("  {place}");
    }
    let unreached: Vec<_> = sites()
        .into_iter()
        .filter(|(place, _)| !reached.contains(place))
        .filter(|(_, code)| !UNREACHED.iter().any(|(text, _)| code.contains(text)))
        .map(|(place, _)| place)
        .collect();
    assert!(unreached.is_empty(), "never reached: {unreached:#?}");

    the_page_has_every_field_and_outcome(&log);
    one_trace_has_the_delivery_and_its_event(&log);
}

/// Compares the log with the tables of docs/operations.md.
fn the_page_has_every_field_and_outcome(log: &Log) {
    let page = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/operations.md");
    let page = std::fs::read_to_string(page).unwrap();
    let (_, section) = page.split_once("\n## Log lines\n").unwrap();
    let section = section.split("\n## ").next().unwrap();
    let quoted = |text: &str| -> BTreeSet<String> {
        let words = text.split('`').skip(1).step_by(2);
        words.map(str::to_owned).collect()
    };
    let rows = section.lines().filter(|line| line.starts_with("| `"));
    let fields = rows.map(|row| row.split('|').nth(1).unwrap().trim().replace('`', ""));
    assert_eq!(fields.collect::<BTreeSet<_>>(), log.fields());
    for (message, start) in [
        ("delivery", "Outcomes of a delivery: "),
        ("event", "Outcomes of an event: "),
    ] {
        let mut lines = section.lines().skip_while(|line| !line.starts_with(start));
        let listed = lines.by_ref().take_while(|line| !line.is_empty());
        let listed = quoted(&listed.collect::<Vec<_>>().join(" "));
        assert_eq!(listed, log.values(message, "outcome"), "{message}");
    }
}

fn one_trace_has_the_delivery_and_its_event(log: &Log) {
    for message in ["delivery", "event"] {
        let traces = log.values(message, "trace_id");
        assert!(
            traces.contains(ingest_side::TRACE_ID),
            "{message}: {traces:?}"
        );
    }
}
