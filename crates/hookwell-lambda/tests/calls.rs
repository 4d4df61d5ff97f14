//! Counts the calls of the functions to AWS for an event, and checks their order: each further call is a round trip on
//! somebody's bill and in somebody's latency.

use std::collections::BTreeMap;
use std::time::{Duration, SystemTime};

use axum::Router;
use axum::extract::Request;
use axum::http::StatusCode;
use axum::routing::{get, post};
use hookwell_aws::{EventsTable, Limits, SqsQueue};
use hookwell_lambda::ingest::Ingest;
use hookwell_lambda::now::clock;
use hookwell_lambda::process::Process;
use serde_json::{Value, json};
use tokio::sync::watch;

const SOURCES: &str = include_str!("../../../functions/ingest/sources.toml");

/// Secret that `hookwell dev` makes up for `env:HOOKWELL_SECRET_RESOURCE`.
const SECRET: &str = "local_701c2e110a3d9d5be4479772b90b75ec";

/// Both services, which take everything and count.
struct Services {
    url: String,
    calls: Calls,
}

/// Operations that were called, in the order in which they came.
type Calls = watch::Sender<Vec<String>>;

/// Answers to an operation, by the number of earlier calls of it: the status, the body, and another operation that must
/// come first.
type How = fn(&str, usize) -> Answer;

struct Answer {
    after: Option<&'static str>,
    status: u16,
    body: String,
}

impl Answer {
    fn of(status: u16, body: impl Into<String>) -> Self {
        Self {
            after: None,
            status,
            body: body.into(),
        }
    }

    /// Success of both services, where nothing else is asked for.
    fn taken() -> Self {
        Self::of(200, r#"{"MessageId":"1"}"#)
    }

    /// Success, answered only once the other operation has come.
    fn taken_after(other: &'static str) -> Self {
        Self {
            after: Some(other),
            ..Self::taken()
        }
    }
}

impl Services {
    async fn start(how: How) -> Self {
        let calls = Calls::default();
        let noting = calls.clone();
        let answer = move |request: Request| {
            let target = request.headers()["x-amz-target"].to_str().unwrap();
            let operation = target.rsplit('.').next().unwrap().to_owned();
            let noting = noting.clone();
            async move {
                let before = noting.borrow().clone();
                let number = before.iter().filter(|other| **other == operation).count();
                let Answer {
                    after,
                    status,
                    body,
                } = how(&operation, number);
                noting.send_modify(|calls| calls.push(operation));
                if let Some(other) = after {
                    let mut coming = noting.subscribe();
                    let has_come = |calls: &Vec<String>| calls.iter().any(|it| it == other);
                    coming.wait_for(has_come).await.unwrap();
                }
                let json = [("content-type", "application/x-amz-json-1.0")];
                (StatusCode::from_u16(status).unwrap(), json, body)
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
            "HOOKWELL_DEAD_LETTER_QUEUE_URL" => "http://local/1/letters",
            _ => return None,
        };
        Some(value.to_owned())
    }

    /// Counts the calls of each operation since the last time.
    fn calls(&self) -> Value {
        let mut counts = BTreeMap::<String, usize>::new();
        for operation in self.calls.send_replace(Vec::new()) {
            *counts.entry(operation).or_default() += 1;
        }
        json!(counts)
    }
}

fn sample(name: &str) -> Value {
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../../events");
    serde_json::from_slice(&std::fs::read(folder.join(name)).unwrap()).unwrap()
}

/// The function over services that live as long as the test.
async fn ingest(how: How) -> (&'static Services, Ingest<EventsTable, SqsQueue>) {
    let services: &Services = Box::leak(Box::new(Services::start(how).await));
    let environment = Box::leak(Box::new(|name: &str| services.environment(name)));
    let ingest = Ingest::from_environment(environment, SOURCES).await;
    (services, ingest.unwrap())
}

#[tokio::test]
async fn ingest_makes_two_calls_for_an_event_and_none_for_a_forged_one() {
    let (services, ingest) = ingest(|_, _| Answer::taken()).await;
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

/// Answer of the table to the put of an event that is done.
const DONE: &str = r#"{"__type":"com.amazonaws.dynamodb.v20120810#ConditionalCheckFailedException","Item":{"status":{"S":"done"},"received_at":{"N":"1"}}}"#;

/// Answer to the put of an event whose record is there and does not say whether its message was sent.
const PENDING: &str = r#"{"__type":"com.amazonaws.dynamodb.v20120810#ConditionalCheckFailedException","Item":{"status":{"S":"pending"}}}"#;

/// A put and a send of which one waits for the other would not end here: each is answered once the other has come.
#[tokio::test]
async fn an_event_is_put_and_sent_at_once() {
    let hows: [How; 3] = [
        |operation, _| match operation {
            "PutItem" => Answer::taken_after("SendMessage"),
            _ => Answer::taken(),
        },
        |operation, _| match operation {
            "SendMessage" => Answer::taken_after("PutItem"),
            _ => Answer::taken(),
        },
        |operation, _| match operation {
            "PutItem" => Answer::taken_after("SendMessage"),
            _ => Answer::taken_after("PutItem"),
        },
    ];
    for how in hows {
        let (services, ingest) = ingest(how).await;
        let event = sample("ingest-function-url-valid.json").to_string();
        let answer = ingest.respond(&event, "1", None, clock()).await;
        assert_eq!(answer.body, r#"{"status":"received"}"#);
        assert_eq!(services.calls(), json!({ "PutItem": 1, "SendMessage": 1 }));
    }
}

/// By the record alone when it is done, else by the queue alone.
#[tokio::test]
async fn an_event_is_answered_by_what_is_done_or_else_by_what_is_queued() {
    let cases: [(&str, How, u16, &str); 7] = [
        (
            "done, and sent all the same",
            |operation, _| match operation {
                "PutItem" => Answer::of(400, DONE),
                _ => Answer::taken(),
            },
            200,
            r#"{"status":"duplicate"}"#,
        ),
        (
            "done, and the queue is away",
            |operation, _| match operation {
                "PutItem" => Answer::of(400, DONE),
                _ => Answer::of(500, "{}"),
            },
            200,
            r#"{"status":"duplicate"}"#,
        ),
        (
            "known, and sent",
            |operation, _| match operation {
                "PutItem" => Answer::of(400, PENDING),
                _ => Answer::taken(),
            },
            200,
            r#"{"status":"received"}"#,
        ),
        (
            "known, and the queue is away",
            |operation, _| match operation {
                "PutItem" => Answer::of(400, PENDING),
                _ => Answer::of(500, "{}"),
            },
            503,
            "",
        ),
        (
            "new, and the queue is away",
            |operation, _| match operation {
                "PutItem" => Answer::taken(),
                _ => Answer::of(500, "{}"),
            },
            503,
            "",
        ),
        (
            "the table is away",
            |operation, _| match operation {
                "PutItem" => Answer::of(500, "{}"),
                _ => Answer::taken(),
            },
            200,
            r#"{"status":"received"}"#,
        ),
        (
            "the queue refuses once",
            |operation, number| match (operation, number) {
                ("SendMessage", 0) => Answer::of(500, "{}"),
                _ => Answer::taken(),
            },
            200,
            r#"{"status":"received"}"#,
        ),
    ];
    for (what, how, status, body) in cases {
        let (_, ingest) = ingest(how).await;
        let event = sample("ingest-function-url-valid.json").to_string();
        let answer = ingest.respond(&event, "1", None, clock()).await;
        assert_eq!(answer.status_code, status, "{what}: {}", answer.body);
        if status == 200 {
            assert_eq!(answer.body, body, "{what}");
        } else {
            assert!(answer.headers.contains_key("retry-after"), "{what}");
        }
    }
}

/// The SDK shares a quota of 500 among the retries of a client and takes 5 or more for each, so an outage of 50 deliveries leaves the
/// later ones a single try. Success alone gives it back.
#[tokio::test]
async fn failures_of_earlier_deliveries_take_no_try_from_a_later_one() {
    let (services, ingest) = ingest(|operation, _| match operation {
        "SendMessage" => Answer::of(500, "{}"),
        _ => Answer::taken(),
    })
    .await;
    let event = sample("ingest-function-url-valid.json").to_string();
    let tries = async || {
        let answer = ingest.respond(&event, "1", None, clock()).await;
        assert_eq!(answer.status_code, 503);
        services.calls()["SendMessage"].as_u64().unwrap_or(0)
    };
    let mut retries = 0;
    for delivery in 1.. {
        if retries > 100 {
            break;
        }
        assert!(delivery < 250, "only {retries} retries");
        retries += tries().await.saturating_sub(1);
    }
    // On a busy machine the time of a delivery may be over before its last try.
    let mut most = 0;
    for _ in 0..20 {
        most = most.max(tries().await);
    }
    assert_eq!(most, u64::from(Limits::INGEST_SEND.attempts));
}

/// Answer of the table about the events `resource#0` to `resource#9`: ingest wrote their records.
fn records() -> String {
    let record = |number| {
        json!({
            "pk": { "S": format!("resource#{number}") },
            "status": { "S": "pending" },
            "version": { "S": "001795251601000~3~~001795251602000.000000~0123456789abcdef" },
            "received_at": { "N": "1795251602000" },
            "expires_at": { "N": "4102444800" }, // in 2100
        })
    };
    let records: Vec<_> = (0..10).map(record).collect();
    json!({ "Responses": { "table": records } }).to_string()
}

#[tokio::test]
async fn process_asks_once_for_a_batch_and_makes_two_calls_for_each_event() {
    let services = Services::start(|operation, _| match operation {
        "BatchGetItem" => Answer::of(200, records()),
        _ => Answer::taken(),
    })
    .await;
    let services: &Services = Box::leak(Box::new(services));
    let environment = Box::leak(Box::new(|name: &str| services.environment(name)));
    let process =
        Process::from_environment(environment, SOURCES, |context| Ok(context.documents)).unwrap();
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
    assert_eq!(
        services.calls(),
        json!({ "BatchGetItem": 1, "PutItem": 10, "UpdateItem": 10 })
    );
}
