//! Every payload in `events/ingest-*.json`, and requests that would end `lambda_http`, through the function.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing)]

use std::collections::BTreeMap;
use std::path::Path;

use futures_util::FutureExt as _;
use hookwell::config;
use hookwell::ingest::Sources;
use hookwell::memory::{MemoryLedger, MemoryQueue};
use hookwell::source::SecretProblem;
use hookwell_lambda::ingest::{Ingest, Response};
use serde_json::{Value, json};

/// What `hookwell dev` makes up for `env:HOOKWELL_SECRET_RESOURCE`.
const SECRET: &str = "local_701c2e110a3d9d5be4479772b90b75ec";

const SOURCES: &str = include_str!("../../../functions/ingest/sources.toml");

fn respond(event: &str) -> Response {
    let sources = config::parse(SOURCES).unwrap();
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

/// The sample of a function URL, changed.
fn with(change: impl Fn(&mut Value)) -> Value {
    let mut event: Value = serde_json::from_str(&payload("function-url-valid")).unwrap();
    change(&mut event);
    event
}

/// The same request as a REST API hands it over.
fn from_rest_api(event: &Value) -> Value {
    let parameters =
        json!({ "stage": "prod", "httpMethod": "POST", "identity": { "sourceIp": "192.0.2.1" } });
    json!({
        "httpMethod": "POST", "path": event["rawPath"], "headers": event["headers"], "multiValueHeaders": {},
        "body": event["body"], "isBase64Encoded": event["isBase64Encoded"], "requestContext": parameters,
    })
}

/// The same request as a load balancer hands it over.
fn from_load_balancer(event: &Value) -> Value {
    json!({
        "httpMethod": "POST", "path": event["rawPath"], "headers": event["headers"],
        "body": event["body"], "isBase64Encoded": event["isBase64Encoded"],
        "requestContext": { "elb": { "targetGroupArn": "arn:aws:elasticloadbalancing:us-east-1:1:targetgroup/a/b" } },
    })
}

#[test]
fn every_trigger_hands_over_the_same_request() {
    let valid = with(|_| ());
    for event in [from_rest_api(&valid), from_load_balancer(&valid), valid] {
        assert_eq!(respond(&event.to_string()).status_code, 200, "{event}");
    }
}

#[test]
fn a_request_that_no_trigger_can_mean_gets_400_and_the_function_lives() {
    let not_base64 = with(|event| {
        event["body"] = json!("not base64!");
        event["isBase64Encoded"] = json!(true);
    });
    let hosts = ["a b", "[::1"].map(|host| with(|event| event["headers"]["host"] = json!(host)));
    let protocol = with(|event| {
        event["headers"]["host"] = json!("example.com");
        event["headers"]["x-forwarded-proto"] = json!("a b");
    });
    let urls = [hosts[0].clone(), hosts[1].clone(), protocol];
    let others = urls.iter().chain([&not_base64]);
    let mut broken: Vec<String> = others
        .flat_map(|event| [from_rest_api(event), from_load_balancer(event)])
        .map(|event| event.to_string())
        .collect();
    broken.extend([
        not_base64.to_string(),
        with(|event| event["headers"]["bad name"] = json!("x")).to_string(),
        with(|event| event["headers"]["x"] = json!("a\nb")).to_string(),
        with(|event| event["requestContext"]["http"]["method"] = json!("a b")).to_string(),
        "{}".to_owned(),
        "[1]".to_owned(),
        "no JSON".to_owned(),
    ]);
    for event in broken {
        assert_eq!(respond(&event).status_code, 400, "{event}");
    }
    // No URL is made of what a function URL hands over: the signature decides, and nothing else is asked.
    for event in urls {
        assert_eq!(respond(&event.to_string()).status_code, 200, "{event}");
    }
}
