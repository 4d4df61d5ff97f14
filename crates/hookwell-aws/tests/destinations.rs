//! Destinations as they are reached: what an endpoint, a bus and a queue get, and what their answers mean.

use std::collections::BTreeMap;
use std::future::{pending, ready};
use std::sync::{Arc, Mutex};

use crate::support::serve;
use axum::Router;
use axum::body::to_bytes;
use axum::extract::{Request, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse as _, Response};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, KeyInit as _, Mac as _};
use hookwell::config::destinations;
use hookwell::event::body::Body;
use hookwell::event::{Event, Operation};
use hookwell::ingest::key_cache::Fetch;
use hookwell::keys::not_ready::SecretProblem;
use hookwell::ports::handler::{HandleError, Handled, Handler as _, Outcome};
use hookwell_aws::{Connection, Destinations, Idle};
use serde_json::{Value, json};
use sha2::Sha256;

const SECRET: &str = "MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";

/// The sender's own bytes, which no parser would write again in the same way.
const BODY: &str = "{ \"n\": 1.0,\n  \"name\": \"\\u00e9\" }";

/// A request that a stub got.
struct Got {
    path: String,
    headers: BTreeMap<String, String>,
    body: String,
}

/// A server in place of endpoints, EventBridge and SQS, which answers by the path or the operation.
#[derive(Default)]
struct Stub {
    got: Mutex<Vec<Got>>,
}

async fn answer(State(stub): State<Arc<Stub>>, request: Request) -> Response {
    let path = request.uri().path().to_owned();
    let headers = request.headers().iter();
    let headers: BTreeMap<_, _> = headers
        .map(|(name, value)| (name.to_string(), value.to_str().unwrap().to_owned()))
        .collect();
    let body = to_bytes(request.into_body(), usize::MAX).await.unwrap();
    let target = headers.get("x-amz-target").cloned().unwrap_or_default();
    stub.got.lock().unwrap().push(Got {
        path: path.clone(),
        headers,
        body: String::from_utf8(body.to_vec()).unwrap(),
    });
    match (path.as_str(), target.as_str()) {
        ("/moved", _) => (StatusCode::FOUND, [("location", "/ok")]).into_response(),
        ("/gone", _) => StatusCode::GONE.into_response(),
        ("/busy", _) => (StatusCode::TOO_MANY_REQUESTS, [("retry-after", "90")]).into_response(),
        ("/broken", _) => StatusCode::INTERNAL_SERVER_ERROR.into_response(),
        ("/silent", _) => pending().await,
        (_, "AWSEvents.PutEvents") => {
            let put = json!({ "FailedEntryCount": 0, "Entries": [{ "EventId": "1" }] });
            put.to_string().into_response()
        }
        (_, "AmazonSQS.SendMessage") => {
            let sent = json!({ "MessageId": "1" }).to_string();
            ([("content-type", "application/x-amz-json-1.0")], sent).into_response()
        }
        _ => StatusCode::NO_CONTENT.into_response(),
    }
}

/// Sends an event to one destination, given by its table, and gives what it got. `URL` in the table is the stub's.
async fn tell(table: &str, event: &Event) -> (Result<Handled, HandleError>, Vec<Got>) {
    let stub = Arc::new(Stub::default());
    let router = Router::new().fallback(answer).with_state(Arc::clone(&stub));
    let url = serve(router).await;
    let env = |name: &str| match name {
        "AWS_ACCESS_KEY_ID" | "AWS_SECRET_ACCESS_KEY" => Some("local".to_owned()),
        "AWS_REGION" => Some("eu-west-1".to_owned()),
        "AWS_ENDPOINT_URL" => Some(url.clone()),
        _ => None,
    };
    let table = table.replace("URL", &url);
    let file = format!("[destinations.one]\n{table}");
    let fetch = Fetch::new(|reference| {
        ready(match reference.to_string().as_str() {
            "env:SET" => Ok(format!("whsec_{SECRET}")),
            _ => Err(SecretProblem::NotSet),
        })
    });
    let connection = Connection::from_environment(&env, Idle::PROCESS).unwrap();
    let all = Destinations::new(destinations(&file).unwrap(), connection, fetch);
    let handled = all.handle(&event.copy_for("one", 1)).await;
    (handled, std::mem::take(&mut *stub.got.lock().unwrap()))
}

fn event() -> Event {
    Event {
        kind: "order.created".into(),
        operation: Operation::Create,
        document_type: "order".into(),
        document_id: Some("7".into()),
        body: Body(BODY.into()),
        ..Event::bare("shop", "evt_1")
    }
}

fn http(path: &str) -> String {
    format!("to = \"URL{path}\"\nsecret = \"env:SET\"\ntimeout = 1")
}

#[tokio::test]
async fn an_endpoint_gets_the_senders_bytes_in_a_request_that_it_can_verify() {
    let (handled, got) = tell(&http("/ok?a=1"), &event()).await;
    assert_eq!(handled, Ok(Outcome::Applied.into()));
    let [got] = got.as_slice() else {
        panic!("{} requests", got.len())
    };
    assert_eq!((got.path.as_str(), got.body.as_str()), ("/ok", BODY));
    let header = |name: &str| got.headers[name].as_str();
    assert_eq!(header("webhook-id"), event().key.as_str());
    assert_eq!(header("content-type"), "application/json");
    assert_eq!(header("hookwell-source"), "shop");
    assert_eq!(header("hookwell-type"), "order.created");
    assert_eq!(header("hookwell-operation"), "create");
    assert_eq!(header("hookwell-document"), "7");
    // As a receiver checks it ("Standard Webhooks", Signature scheme).
    let key = STANDARD.decode(SECRET).unwrap();
    let mut mac = Hmac::<Sha256>::new_from_slice(&key).unwrap();
    let (id, time) = (header("webhook-id"), header("webhook-timestamp"));
    mac.update(format!("{id}.{time}.{BODY}").as_bytes());
    let expected = STANDARD.encode(mac.finalize().into_bytes());
    assert_eq!(header("webhook-signature"), format!("v1,{expected}"));
}

#[tokio::test]
async fn what_an_endpoint_answers_decides_what_becomes_of_the_event() {
    let (gone, _) = tell(&http("/gone"), &event()).await;
    assert!(matches!(gone, Err(HandleError::Reject(_))), "{gone:?}");
    let (busy, _) = tell(&http("/busy"), &event()).await;
    let why = "the endpoint answered 429".to_owned();
    let seconds = 90;
    assert_eq!(busy, Err(HandleError::RetryAfter { why, seconds }));
    let (broken, _) = tell(&http("/broken"), &event()).await;
    let why = "the endpoint answered 500".to_owned();
    assert_eq!(broken, Err(HandleError::RetryEnded(why)));
    let (moved, got) = tell(&http("/moved"), &event()).await;
    let why = "the endpoint answered 302: redirects are not followed".to_owned();
    assert_eq!(moved, Err(HandleError::RetryEnded(why)));
    assert_eq!(got.len(), 1, "nobody was sent to another place");
    let (silent, _) = tell(&http("/silent"), &event()).await;
    let why = "the endpoint has not answered in 1 s".to_owned();
    assert_eq!(silent, Err(HandleError::Retry(why)), "it may be at work");
}

#[tokio::test]
async fn nothing_is_sent_without_a_secret() {
    let (handled, got) = tell("to = \"URL/ok\"\nsecret = \"env:UNSET\"", &event()).await;
    let why = "env:UNSET is not set".to_owned();
    assert_eq!(handled, Err(HandleError::RetryEnded(why)));
    assert!(got.is_empty());
}

#[tokio::test]
async fn a_bus_gets_an_entry_that_rules_can_look_into() {
    let (handled, got) = tell("to = \"eventbridge:main\"", &event()).await;
    assert_eq!(handled, Ok(Outcome::Applied.into()));
    let asked: Value = serde_json::from_str(&got[0].body).unwrap();
    let entry = &asked["Entries"][0];
    assert_eq!(entry["EventBusName"], "main");
    assert_eq!(entry["Source"], "hookwell.shop");
    assert_eq!(entry["DetailType"], "order.created");
    let detail: Value = serde_json::from_str(entry["Detail"].as_str().unwrap()).unwrap();
    assert_eq!(detail["key"], event().key.as_str());
    assert_eq!(detail["body"], json!({ "n": 1.0, "name": "é" }));
    assert!(got[0].headers["authorization"].contains("/eu-west-1/events/aws4_request"));
}

#[tokio::test]
async fn a_queue_gets_a_message_and_a_fifo_queue_one_by_document() {
    let (handled, got) = tell("to = \"sqs:URL/1/orders\"", &event()).await;
    assert_eq!(handled, Ok(Outcome::Applied.into()));
    let asked: Value = serde_json::from_str(&got[0].body).unwrap();
    assert!(asked["QueueUrl"].as_str().unwrap().ends_with("/1/orders"));
    assert_eq!(asked["MessageGroupId"], Value::Null);
    let message: Value = serde_json::from_str(asked["MessageBody"].as_str().unwrap()).unwrap();
    assert_eq!(message["document_id"], "7");

    let asked = async |event: &Event| {
        let (handled, got) = tell("to = \"sqs:URL/1/orders.fifo\"", event).await;
        assert_eq!(handled, Ok(Outcome::Applied.into()));
        serde_json::from_str::<Value>(&got[0].body).unwrap()
    };
    let first = asked(&event()).await;
    assert_eq!(first["MessageDeduplicationId"], event().key.as_str());
    let second = Event {
        document_type: "order".into(),
        document_id: Some("7".into()),
        ..Event::bare("shop", "evt_2")
    };
    let second = asked(&second).await;
    assert_eq!(
        first["MessageGroupId"], second["MessageGroupId"],
        "one after the other"
    );
    let other = Event {
        document_id: Some("é".repeat(500)),
        ..event()
    };
    let other = asked(&other).await;
    assert_ne!(first["MessageGroupId"], other["MessageGroupId"]);
    let group = other["MessageGroupId"].as_str().unwrap();
    assert!(group.len() <= 128 && group.is_ascii(), "as SQS takes it");
}

#[tokio::test]
async fn what_no_queue_takes_is_rejected_and_an_unknown_destination_waits() {
    let large = Event {
        body: Body(format!("\"{}\"", "x".repeat(1024 * 1024)).into_bytes()),
        ..event()
    };
    let (handled, got) = tell("to = \"sqs:URL/1/orders\"", &large).await;
    let why = "the event has 1025 KiB, and SQS takes at most 1,024".to_owned();
    assert_eq!(handled, Err(HandleError::Reject(why)));
    assert!(got.is_empty());
    let connection = Connection::local(
        "http://127.0.0.1:1",
        "http://127.0.0.1:1",
        "http://127.0.0.1:1",
    );
    let fetch = Fetch::new(|_| ready(Err(SecretProblem::NotSet)));
    let none = Destinations::new(Vec::new(), connection.unwrap(), fetch);
    let handled = none.handle(&event().copy_for("new", 1)).await;
    let why = "the sources file has no destination of this name".to_owned();
    assert_eq!(handled, Err(HandleError::RetryEnded(why)));
}
