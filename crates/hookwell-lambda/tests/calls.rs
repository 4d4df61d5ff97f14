//! How often the functions call AWS for an event: each further call is a round trip on somebody's bill and in
//! somebody's latency.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing)]

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime};

use axum::Router;
use axum::body::Body;
use axum::extract::Request;
use axum::http::{HeaderMap, StatusCode};
use axum::response::IntoResponse;
use axum::routing::{get, post};
use futures_util::stream::{once, pending};
use hookwell_lambda::ingest::Ingest;
use hookwell_lambda::now::clock;
use hookwell_lambda::process::Process;
use serde_json::{Value, json};

const SOURCES: &str = include_str!("../../../functions/ingest/sources.toml");

/// What `hookwell dev` makes up for `env:HOOKWELL_SECRET_RESOURCE`.
const SECRET: &str = "local_701c2e110a3d9d5be4479772b90b75ec";

/// Both services, which take everything and count.
struct Services {
    url: String,
    calls: Calls,
}

/// What was called, in this order: a put when it was answered, everything else when it came.
type Calls = Arc<Mutex<Vec<String>>>;

/// How the services answer what they do not simply take: after how long, with which status, and what.
type Answer = (Duration, u16, &'static str);

/// How they answer an operation, and the how many of it this is.
type How = fn(&str, usize) -> Answer;

/// What both services say where nothing else is asked for.
const TAKEN: Answer = (Duration::ZERO, 200, r#"{"MessageId":"1"}"#);

/// Who calls, in each call.
const OUR_NAME: &[&str] = &[concat!("hookwell/", env!("CARGO_PKG_VERSION"))];

/// What a call says of its caller: the SDK would have up to four headers for that.
fn about_us(headers: &HeaderMap) -> Vec<&str> {
    let names = [
        "user-agent",
        "x-amz-user-agent",
        "amz-sdk-invocation-id",
        "amz-sdk-request",
    ];
    let given = names.into_iter().filter_map(|name| headers.get(name));
    given.map(|value| value.to_str().unwrap()).collect()
}

/// A body that ends when the message has come.
const UNTIL_SENT: &str = "until sent";

/// A body that never ends.
const ENDLESS: &str = "endless";

async fn until_sent(calls: Calls) -> Result<&'static str, Infallible> {
    while !calls.lock().unwrap().iter().any(|it| it == "SendMessage") {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    tokio::time::sleep(Duration::from_millis(20)).await;
    Ok("{}")
}

impl Services {
    async fn start() -> Self {
        Self::answering(|_, _| TAKEN).await
    }

    async fn answering(how: How) -> Self {
        let calls = Calls::default();
        let noting = calls.clone();
        let answer = move |request: Request| {
            let target = request.headers()["x-amz-target"].to_str().unwrap();
            let operation = target.rsplit('.').next().unwrap().to_owned();
            assert_eq!(about_us(request.headers()), OUR_NAME);
            let noting = noting.clone();
            async move {
                let before = noting.lock().unwrap().clone();
                let number = before.iter().filter(|other| **other == operation).count();
                let (after, status, body) = how(&operation, number);
                if operation == "PutItem" {
                    tokio::time::sleep(after).await;
                }
                noting.lock().unwrap().push(operation);
                let json = [("content-type", "application/x-amz-json-1.0")];
                let body = match body {
                    UNTIL_SENT => Body::from_stream(once(until_sent(noting))),
                    ENDLESS => Body::from_stream(pending::<Result<&str, Infallible>>()),
                    _ => Body::from(body),
                };
                (StatusCode::from_u16(status).unwrap(), json, body).into_response()
            }
        };
        let router = Router::new().route("/", post(answer));
        let router = router.route("/ping", get(|| async { "healthy" }));
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        tokio::spawn(async move { axum::serve(listener, router).await });
        Self { url, calls }
    }

    fn environment(&self, name: &str) -> Option<String> {
        let value = match name {
            "AWS_ENDPOINT_URL_DYNAMODB" | "AWS_ENDPOINT_URL_SQS" => &self.url,
            "AWS_REGION" => "us-east-1",
            "AWS_ACCESS_KEY_ID" | "AWS_SECRET_ACCESS_KEY" => "none",
            "HOOKWELL_SECRET_RESOURCE" => SECRET,
            "HOOKWELL_EVENTS_TABLE" | "HOOKWELL_DOCUMENTS_TABLE" => "table",
            "HOOKWELL_QUEUE_URL" => "http://local/1/queue",
            _ => return None,
        };
        Some(value.to_owned())
    }

    /// What was called since the last time, in its order.
    fn order(&self) -> Vec<String> {
        std::mem::take(&mut *self.calls.lock().unwrap())
    }

    /// How often each operation was called since the last time.
    fn calls(&self) -> Value {
        let mut counts = BTreeMap::<String, usize>::new();
        for operation in self.order() {
            *counts.entry(operation).or_default() += 1;
        }
        json!(counts)
    }
}

fn sample(name: &str) -> Value {
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../../events");
    serde_json::from_slice(&std::fs::read(folder.join(name)).unwrap()).unwrap()
}

#[tokio::test]
async fn ingest_makes_two_calls_for_an_event_and_none_for_a_forged_one() {
    let services: &Services = Box::leak(Box::new(Services::start().await));
    let environment = Box::leak(Box::new(|name: &str| services.environment(name)));
    let ingest = Ingest::from_environment(environment, SOURCES)
        .await
        .unwrap();
    for (file, status, calls) in [
        ("valid", 200, json!({ "PutItem": 1, "SendMessage": 1 })),
        ("forged", 401, json!({})),
    ] {
        let event = sample(&format!("ingest-function-url-{file}.json")).to_string();
        let answer = ingest.respond(&event, "1", None, clock()).await;
        assert_eq!(answer.status_code, status);
        assert_eq!(services.calls(), calls, "{file}");
    }
}

/// What the table says to the put of an event that is finished.
const FINISHED: &str = r#"{"__type":"com.amazonaws.dynamodb.v20120810#ConditionalCheckFailedException","Item":{"status":{"S":"done"}}}"#;

#[tokio::test]
async fn a_message_that_was_made_ready_leaves_after_the_table_has_answered_and_only_when_it_is_needed()
 {
    const ONCE: [&str; 2] = ["PutItem", "SendMessage"];
    let cases: [(&str, How, &str, &[&str]); 7] = [
        (
            "taken, and the rest of the answer is late",
            |operation, _| match operation {
                "PutItem" => (Duration::ZERO, 200, UNTIL_SENT),
                _ => TAKEN,
            },
            "received",
            &ONCE,
        ),
        (
            "soon",
            |_, _| (Duration::from_millis(30), 200, TAKEN.2),
            "received",
            &ONCE,
        ),
        (
            "so late that it is made again",
            |_, _| (Duration::from_millis(200), 200, TAKEN.2),
            "received",
            &ONCE,
        ),
        (
            "not needed",
            |operation, _| match operation {
                "PutItem" => (Duration::from_millis(30), 400, FINISHED),
                _ => TAKEN,
            },
            "duplicate",
            &["PutItem"],
        ),
        (
            "needed because the table is away",
            |operation, _| match operation {
                "PutItem" => (Duration::from_millis(30), 500, "{}"),
                _ => TAKEN,
            },
            "received",
            &["PutItem", "PutItem", "SendMessage"],
        ),
        (
            "in the queue by the status of its answer, whose rest never comes",
            |operation, _| match operation {
                "SendMessage" => (Duration::ZERO, 200, ENDLESS),
                _ => TAKEN,
            },
            "received",
            &ONCE,
        ),
        (
            "refused once",
            |operation, number| match (operation, number) {
                ("SendMessage", 0) => (Duration::ZERO, 500, "{}"),
                _ => (Duration::from_millis(30), 200, TAKEN.2),
            },
            "received",
            &["PutItem", "SendMessage", "SendMessage"],
        ),
    ];
    for (what, how, status, order) in cases {
        let services: &Services = Box::leak(Box::new(Services::answering(how).await));
        let environment = Box::leak(Box::new(|name: &str| services.environment(name)));
        let ingest = Ingest::from_environment(environment, SOURCES)
            .await
            .unwrap();
        let event = sample("ingest-function-url-valid.json").to_string();
        let answer = ingest.respond(&event, "1", None, clock()).await;
        assert_eq!(
            answer.body,
            json!({ "status": status }).to_string(),
            "{what}"
        );
        // Whatever was made ready and not needed has had the time to come.
        tokio::time::sleep(Duration::from_millis(50)).await;
        assert_eq!(services.order(), order, "{what}");
    }
}

#[tokio::test]
async fn process_makes_two_calls_for_each_event_of_a_batch() {
    let services = Services::start().await;
    let environment = |name: &str| services.environment(name);
    let process = Process::from_environment(&environment, |documents| documents).unwrap();
    let record = &sample("process-create.json")["Records"][0];
    let records: Vec<Value> = (0..10)
        .map(|number| {
            let mut event: Value = serde_json::from_str(record["body"].as_str().unwrap()).unwrap();
            event["key"] = json!(format!("resource#{number}"));
            event["document_id"] = json!(format!("res_{number}"));
            let mut record = record.clone();
            record["messageId"] = json!(number.to_string());
            record["body"] = json!(event.to_string());
            record
        })
        .collect();
    let batch = serde_json::from_value(json!({ "Records": records })).unwrap();
    let deadline = SystemTime::now() + Duration::from_secs(30);
    let answer = process.respond(batch, "1", deadline).await.unwrap();
    assert!(answer.batch_item_failures.is_empty());
    assert_eq!(services.calls(), json!({ "PutItem": 10, "UpdateItem": 10 }));
}
