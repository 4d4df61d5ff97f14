//! Every payload in `events/ingest-*.json`, and requests that would end `lambda_http`, through the function.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing)]

use std::collections::BTreeMap;
use std::path::Path;

use futures_util::FutureExt as _;
use hookwell::config;
use hookwell::ingest::Sources;
use hookwell::memory::{MemoryLedger, MemoryQueue};
use hookwell::source::SecretProblem;
use ingest::{Ingest, Response};
use serde_json::{Value, json};

/// What `hookwell dev` makes up for `env:HOOKWELL_SECRET_RESOURCE`.
const SECRET: &str = "local_701c2e110a3d9d5be4479772b90b75ec";

fn respond(event: &str) -> Response {
    let sources = config::parse(ingest::SOURCES).unwrap();
    let sources = Sources::new(sources, |reference| match reference.to_string().as_str() {
        "env:HOOKWELL_SECRET_RESOURCE" => Ok(SECRET.to_owned()),
        _ => Err(SecretProblem::NotSet),
    });
    let ingest = Ingest::new(sources, MemoryLedger::default(), MemoryQueue::default());
    ingest
        .respond(event, "request-1", None, 1_795_251_601_000)
        .now_or_never()
        .unwrap()
}

fn payload(name: &str) -> String {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../events");
    std::fs::read_to_string(folder.join(format!("ingest-{name}.json"))).unwrap()
}

#[test]
fn every_payload_is_answered_as_its_name_says() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../events");
    let mut statuses = BTreeMap::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let file = entry.unwrap().file_name().into_string().unwrap();
        let Some(name) = file
            .strip_prefix("ingest-")
            .and_then(|file| file.strip_suffix(".json"))
        else {
            continue;
        };
        statuses.insert(name.to_owned(), respond(&payload(name)).status_code);
    }
    let expected = ["function-url", "http-api"].into_iter().flat_map(|shape| {
        [("base64", 200), ("forged", 401), ("valid", 200)]
            .map(|(kind, status)| (format!("{shape}-{kind}"), status))
    });
    assert_eq!(statuses, expected.collect());
}

#[test]
fn the_answer_has_the_form_that_every_trigger_takes() {
    let answer = serde_json::to_value(respond(&payload("function-url-valid"))).unwrap();
    let expected = json!({
        "statusCode": 200,
        "headers": { "content-type": "application/json", "x-content-type-options": "nosniff" },
        "body": "{\"status\":\"received\"}",
        "isBase64Encoded": false,
    });
    assert_eq!(answer, expected);
}

#[test]
fn a_request_that_no_trigger_can_mean_gets_400_and_the_function_lives() {
    let with = |change: &dyn Fn(&mut Value)| {
        let mut event: Value = serde_json::from_str(&payload("function-url-valid")).unwrap();
        change(&mut event);
        event.to_string()
    };
    let broken = [
        with(&|event| event["headers"]["host"] = json!("a b")),
        with(&|event| event["headers"]["host"] = json!("[::1")),
        with(&|event| {
            event["headers"]["host"] = json!("example.com");
            event["headers"]["x-forwarded-proto"] = json!("a b");
        }),
        with(&|event| event["headers"]["bad name"] = json!("x")),
        with(&|event| event["rawQueryString"] = json!("a b\u{7f}")),
        with(&|event| {
            event["body"] = json!("not base64!");
            event["isBase64Encoded"] = json!(true);
        }),
        "{}".to_owned(),
        "[1]".to_owned(),
        "no JSON".to_owned(),
    ];
    for event in broken {
        assert_eq!(respond(&event).status_code, 400, "{event}");
    }
}
