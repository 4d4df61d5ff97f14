//! Every payload in `events/ingest-*.json`, and requests that would end `lambda_http`, through the function.

use std::collections::BTreeMap;
use std::path::Path;

use futures_util::FutureExt as _;
use hookwell::config;
use hookwell::ingest::key_cache::Sources;
use hookwell::keys::not_ready::SecretProblem;
use hookwell::ports::memory::{MemoryLedger, MemoryQueue, StoppedClock};
use hookwell_lambda::ingest::{Ingest, Response};
use serde_json::{Value, json};

/// Secret that `hookwell dev` makes up for `env:HOOKWELL_SECRET_RESOURCE`.
const SECRET: &str = "local_701c2e110a3d9d5be4479772b90b75ec";

const SOURCES: &str = include_str!("../../../functions/ingest/sources.toml");

/// Sources whose sender signs the address, or asks to have a header back.
const MORE: &str = r#"
[sources.form]
preset = "twilio-form"
secrets = ["env:FORM"]
accept = ["shared-secret"]
public_url = "https://hooks.example.com/webhooks/form"
[sources.asana]
preset = "asana"
secrets = ["env:FORM"]
accept = ["shared-secret"]
"#;

fn respond(event: &str) -> Response {
    let sources = config::parse(&format!("{SOURCES}{MORE}")).unwrap();
    let sources = Sources::new(sources, |reference| match reference.to_string().as_str() {
        "env:HOOKWELL_SECRET_RESOURCE" => Ok(SECRET.to_owned()),
        "env:FORM" => Ok("a throw-away secret".to_owned()),
        _ => Err(SecretProblem::NotSet),
    });
    let ingest = Ingest::new(sources, MemoryLedger::default(), MemoryQueue::default());
    ingest
        .respond(
            event,
            "request-1",
            None,
            StoppedClock::at(1_795_251_601_000).clock(),
        )
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

/// The request of a function URL as a REST API hands it over.
fn from_rest_api(event: &Value) -> Value {
    let parameters =
        json!({ "stage": "prod", "httpMethod": "POST", "identity": { "sourceIp": "192.0.2.1" } });
    json!({
        "httpMethod": "POST", "path": event["rawPath"], "headers": event["headers"], "multiValueHeaders": {},
        "body": event["body"], "isBase64Encoded": event["isBase64Encoded"], "requestContext": parameters,
    })
}

/// The request of a function URL as a load balancer hands it over.
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
    let valid = with(|_| ());
    let not_base64 = with(|event| {
        event["body"] = json!("not base64!");
        event["isBase64Encoded"] = json!(true);
    });
    let name = with(|event| event["headers"]["bad name"] = json!("x"));
    let value = with(|event| event["headers"]["x"] = json!("a\nb"));
    let mut broken: Vec<String> = [not_base64, name, value]
        .into_iter()
        .flat_map(|event| [from_rest_api(&event), from_load_balancer(&event), event])
        .map(|event| event.to_string())
        .collect();
    broken.extend([
        with(|event| event["requestContext"]["http"]["method"] = json!("a b")).to_string(),
        valid.to_string().replacen("/json", r"/json\xEE", 1),
        valid.to_string().replacen("/json", r"/json\ud800", 1),
        "{}".to_owned(),
        "[1]".to_owned(),
        "no JSON".to_owned(),
        String::new(),
    ]);
    for event in broken {
        assert_eq!(respond(&event).status_code, 400, "{event}");
        assert_eq!(respond(&valid.to_string()).status_code, 200);
    }
}

/// `lambda_http` builds a URL, which nothing here needs: the signature decides.
#[test]
fn a_host_a_protocol_and_a_query_of_which_no_url_can_be_made_are_good_deliveries() {
    let hosts = ["a b", "[::1", "1234567890.execute-api.{dns_suffix}"]
        .map(|host| with(|event| event["headers"]["Host"] = json!(host)));
    let protocol = with(|event| {
        event["headers"]["host"] = json!("example.com");
        event["headers"]["x-forwarded-proto"] = json!("a b");
    });
    let query = with(|event| event["rawQueryString"] = json!("a=<b> c&d=\u{e9}"));
    for event in hosts.into_iter().chain([protocol, query]) {
        for event in [from_rest_api(&event), from_load_balancer(&event), event] {
            assert_eq!(respond(&event.to_string()).status_code, 200, "{event}");
        }
    }
}

/// A custom domain's base path or mapping key: an HTTP API's event says nowhere what it is.
#[test]
fn a_source_is_found_behind_a_base_path() {
    let event = with(|event| event["rawPath"] = json!("/hooks/v1/webhooks/resource"));
    for event in [from_rest_api(&event), from_load_balancer(&event), event] {
        assert_eq!(respond(&event.to_string()).status_code, 200, "{event}");
    }
}

/// A signed address with this query, as a trigger hands it over; JSON as text, because its order counts.
fn signed_address(trigger: &str, query: &str, signature: &str) -> String {
    let context = match trigger {
        "rest" => {
            r#"{"stage": "prod", "httpMethod": "POST", "identity": {"sourceIp": "192.0.2.1"}}"#
        }
        _ => {
            r#"{"elb": {"targetGroupArn": "arn:aws:elasticloadbalancing:us-east-1:1:targetgroup/a/b"}}"#
        }
    };
    format!(
        r#"{{"httpMethod": "POST", "path": "/webhooks/form", "requestContext": {context}, {query},
        "headers": {{"host": "hooks.example.com", "content-type": "application/x-www-form-urlencoded",
        "x-twilio-signature": "{signature}"}}, "body": "MessageSid=SM1&MessageStatus=sent", "isBase64Encoded": false}}"#
    )
}

#[test]
fn a_signed_query_keeps_its_order_and_from_a_load_balancer_its_escapes() {
    let rest = r#""queryStringParameters": {"b": "2", "a": "1", "c": "x y/z"}"#;
    let rest_lists = r#""queryStringParameters": {"c": "x y/z", "b": "2", "a": "1"},
        "multiValueQueryStringParameters": {"b": ["2"], "a": ["1"], "c": ["x y/z"]}"#;
    let alb = r#""queryStringParameters": {"b": "2", "a": "1", "c": "x%20y%2Fz"}"#;
    let alb_lists =
        r#""multiValueQueryStringParameters": {"b": ["2"], "a": ["1"], "c": ["x%20y%2Fz"]}"#;
    let odd = r#""queryStringParameters": {"b": "2", "a": "1", "c": "x+y%2fz"}"#;
    let (usual, odd_signature) = (
        "QxlwRNkzXVd1jToRZ9jms3GCs8s=",
        "HhshESTYD+ZiSIWNXo4XB/yNdes=",
    );
    for (trigger, query, signature, status) in [
        ("rest", rest, usual, 200),
        ("rest", rest_lists, usual, 200),
        ("alb", alb, usual, 200),
        ("alb", alb_lists, usual, 200),
        ("alb", odd, odd_signature, 200),
        // API Gateway has decoded the query, and the sender's spelling of it is lost.
        ("rest", rest, odd_signature, 401),
    ] {
        let event = signed_address(trigger, query, signature);
        assert_eq!(respond(&event).status_code, status, "{event}");
    }
}

#[test]
fn every_value_of_a_repeated_header_counts() {
    let both = |event: &mut Value, name: &str, values: Value| {
        event["headers"][name] = values.as_array().unwrap().last().unwrap().clone();
        event["multiValueHeaders"] = json!({ name: values });
    };
    let valid = with(|_| ());
    let signature = &valid["headers"]["x-webhook-signature"];
    for mut event in [from_rest_api(&valid), from_load_balancer(&valid)] {
        both(&mut event, "x-webhook-signature", json!([signature, "00"]));
        assert_eq!(respond(&event.to_string()).status_code, 401, "{event}");
        both(&mut event, "x-webhook-signature", json!([signature]));
        assert_eq!(respond(&event.to_string()).status_code, 200, "{event}");
    }
}

#[test]
fn a_load_balancer_that_hands_over_lists_of_headers_gets_lists_back() {
    let handshake = with(|event| {
        event["rawPath"] = json!("/webhooks/asana");
        event["body"] = json!("");
        event["headers"]["x-hook-secret"] = json!("b537207f20cbfa02");
    });
    let plain = from_load_balancer(&handshake);
    let mut lists = plain.clone();
    let headers = lists.as_object_mut().unwrap().remove("headers").unwrap();
    let headers = headers.as_object().unwrap().iter();
    lists["multiValueHeaders"] = headers
        .map(|(name, value)| (name.clone(), json!([value])))
        .collect();
    let answer = serde_json::to_value(respond(&lists.to_string())).unwrap();
    assert_eq!(answer["statusCode"], 200);
    assert_eq!(
        answer["multiValueHeaders"]["x-hook-secret"],
        json!(["b537207f20cbfa02"])
    );
    assert_eq!(
        answer["multiValueHeaders"]["x-content-type-options"],
        json!(["nosniff"])
    );
    for event in [plain, from_rest_api(&handshake), handshake] {
        let answer = serde_json::to_value(respond(&event.to_string())).unwrap();
        assert_eq!(
            answer["headers"]["x-hook-secret"], "b537207f20cbfa02",
            "{event}"
        );
        assert_eq!(answer.get("multiValueHeaders"), None, "{event}");
    }
}
