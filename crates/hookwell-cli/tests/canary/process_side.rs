//! Messages of every outcome, and a queue that fails those who work on it.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant, SystemTime};

use aws_lambda_events::event::sqs::{SqsEvent, SqsMessage};
use axum::Router;
use axum::extract::{Request, State};
use axum::response::{IntoResponse as _, Response};
use hookwell::event::Event;
use hookwell::ports::handler::{HandleError, Handled, Handler, Outcome};
use hookwell_aws::tools::dead_letters::DeadLetters;
use hookwell_aws::tools::mapping::EventSourceMapping;
use hookwell_aws::{Bucket, DocumentsTable, EventsTable, Limits, SqsQueue};
use hookwell_cli::machine::Functions;
use hookwell_lambda::process::Process;
use hookwell_local::storage::Endpoints;
use http::StatusCode;
use serde_json::{Value, json};
use tokio::net::TcpListener;

use crate::World;
use crate::support::{PATIENCE, senders};

/// A handler that does what the type of an event says.
struct Told {
    documents: DocumentsTable,
}

impl Handler for Told {
    async fn handle(&self, event: &Event) -> Result<Handled, HandleError> {
        match event.kind.as_str() {
            "panic" => panic!("as it was told"),
            "retry" | "outside.retry" => Err(HandleError::Retry("not now".to_owned())),
            "outside.done" => Ok(Outcome::Applied.into()),
            _ => self.documents.handle(event).await,
        }
    }

    fn reaches_outside(&self, event: &Event) -> bool {
        event.kind.starts_with("outside.")
    }
}

type Tested = Process<EventsTable, SqsQueue, Told>;

fn process(world: &World) -> Tested {
    let connection = world.endpoints.connection().unwrap();
    let tables = connection.dynamodb(Limits::PROCESS);
    let Endpoints {
        events_table,
        documents_table,
        queue_url,
        dead_letter_queue_url,
        bucket,
        ..
    } = world.endpoints.clone();
    let bucket = Some(Bucket::new(connection.clone(), bucket, Limits::PROCESS));
    let queue = SqsQueue::new(connection.sqs(Limits::PROCESS), queue_url, bucket.clone());
    Process::new(
        EventsTable::new(tables.clone(), events_table, bucket),
        queue.with_dead_letters(dead_letter_queue_url),
        Told {
            documents: DocumentsTable::new(tables, documents_table),
        },
    )
}

/// A message with a canary in its body.
fn message(id: &str, change: impl FnOnce(&mut Value)) -> String {
    let mut event = json!({
        "key": format!("shop#{id}"), "source": "shop", "id": id, "type": "order.created", "operation": "create",
        "time": 1_795_251_600_000_i64, "received_at": hookwell_lambda::now::now(), "expires_at": hookwell_lambda::now::now() / 1000 + 86_400,
        "document_id": format!("p-{id}"), "document_at": "/data",
        "body": r#"{"data":{"note":"canary-body"}}"#,
    });
    change(&mut event);
    event.to_string()
}

async fn respond(process: &Tested, call: &str, left: Duration, messages: Vec<String>) -> usize {
    let mut batch = SqsEvent::default();
    let records = messages.into_iter().enumerate().map(|(index, body)| {
        let mut record = SqsMessage::default();
        record.message_id = Some(format!("m{index}"));
        record.receipt_handle = Some(format!("canary-receipt-{index}"));
        record.body = Some(body);
        record
    });
    batch.records = records.collect();
    let deadline = SystemTime::now() + left;
    let answer = process.respond(batch, call, deadline).await.unwrap();
    answer.batch_item_failures.len()
}

pub(crate) async fn run(world: &World) {
    let process = &process(world);
    what_ingest_queued(world, process).await;
    every_fate(world, process).await;
    a_queue_that_fails(world).await;
    tables_that_are_away(world).await;
    dead_letters_that_cannot_be_released(world).await;
}

/// The messages of ingest, in the batches in which they come.
async fn what_ingest_queued(world: &World, process: &Tested) {
    let connection = world.endpoints.connection().unwrap();
    let url = world.endpoints.queue_url.clone();
    let queue = EventSourceMapping::new(connection.sqs(Limits::TOOL), url);
    let started = Instant::now();
    while !world
        .log
        .values("event", "trace_id")
        .contains(super::ingest_side::TRACE_ID)
    {
        assert!(started.elapsed() < PATIENCE);
        let batch = queue.receive().await.unwrap();
        let bodies = batch.iter().map(|one| one.body.clone()).collect();
        let receipts = batch.into_iter().map(|one| one.receipt).collect();
        respond(process, "1", Duration::from_secs(30), bodies).await;
        queue.delete(receipts).await.unwrap();
    }
}

async fn every_fate(world: &World, process: &Tested) {
    let long = Duration::from_secs(30);
    let typed = |id: &str, kind: &str| message(id, |event| event["type"] = json!(kind));
    let about = |id: &str, time: i64| {
        message(id, |event| {
            event["document_id"] = json!("p");
            event["time"] = json!(time);
        })
    };
    let good = vec![about("1", 1_795_251_600_002)];
    assert_eq!(respond(process, "1", long, good).await, 0);
    let tie = vec![about("1-again", 1_795_251_600_002)];
    assert_eq!(respond(process, "1", long, tie).await, 0);
    let stale = about("2", 1_795_251_600_001);
    let ignored = message("3", |event| event["operation"] = json!("other"));
    let rejected = message("4", |event| event["document_id"] = Value::Null);
    let ended = vec![stale, ignored, rejected, typed("5", "outside.done")];
    assert_eq!(respond(process, "1", long, ended).await, 0);
    let duplicate = vec![typed("5", "outside.done")];
    assert_eq!(respond(process, "2", long, duplicate).await, 0);

    let malformed = r#"{"body":"canary-body"}"#.to_owned();
    let failing = vec![typed("6", "panic"), typed("7", "outside.retry"), malformed];
    assert_eq!(respond(process, "1", long, failing).await, 2);
    let busy = vec![typed("7", "outside.retry")];
    assert_eq!(respond(process, "2", long, busy).await, 1);
    // The sources file of this process names no destination.
    let unknown = message("13", |event| {
        event["message_version"] = json!(2);
        event["destination"] = json!("billing");
    });
    assert_eq!(respond(process, "1", long, vec![unknown]).await, 1);
    let newer = message("14", |event| event["message_version"] = json!(3));
    assert_eq!(respond(process, "1", long, vec![newer]).await, 1);
    let late = vec![typed("8", "order.created")];
    assert_eq!(respond(process, "1", Duration::from_secs(4), late).await, 1);

    world.tables.close().await;
    world.queues.close().await;
    let away = vec![typed("9", "order.created")];
    assert_eq!(respond(process, "1", long, away).await, 1);
    world.tables.open();
    let unburied = vec![message("10", |event| event["document_id"] = Value::Null)];
    assert_eq!(respond(process, "1", long, unburied).await, 1);
    world.queues.open();
}

async fn dead_letters_that_cannot_be_released(world: &World) {
    let connection = world.endpoints.connection().unwrap();
    let Endpoints {
        queue_url,
        dead_letter_queue_url,
        ..
    } = &world.endpoints;
    let queue = DeadLetters::new(&connection, queue_url, dead_letter_queue_url, None);
    let letters = queue.receive().await.unwrap();
    assert!(!letters.is_empty(), "the rejected one");
    world.queues.close().await;
    queue.release(&letters).await;
    world.queues.open();
}

/// Makes an event one of a source that the machine has.
fn of_resource(event: &mut Value) {
    event["source"] = json!("resource");
    event["key"] = json!("resource#12");
}

/// Answers of the queue to its pollers, each given once.
type Answers = Arc<Mutex<VecDeque<(StatusCode, Value)>>>;

/// A queue that hands out a message without an id, then one that it does not let be deleted, then nothing at all.
async fn a_queue_that_fails(world: &World) {
    let received = |id: &str, body: String| {
        let message = json!({ "MessageId": id, "ReceiptHandle": "canary-receipt", "Body": body });
        (StatusCode::OK, json!({ "Messages": [message] }))
    };
    let fault = json!({ "__type": "com.amazonaws.sqs#AccessDenied", "message": "canary" });
    let answers = [
        received("", message("11", |_| {})),
        received("m", message("12", of_resource)),
        (StatusCode::BAD_REQUEST, fault),
    ];
    let functions = functions(world, answers.into()).await;
    let expected = ["a batch failed", "deleting failed", "polling failed"];
    logged(world, &expected).await;
    functions.stop().await;
}

/// Tables that the page cannot read when the machine starts.
async fn tables_that_are_away(world: &World) {
    world.tables.close().await;
    let functions = functions(world, VecDeque::new()).await;
    logged(world, &["the page waits for the tables"]).await;
    world.tables.open();
    functions.stop().await;
}

/// A machine over a queue that answers its pollers so.
async fn functions(world: &World, answers: VecDeque<(StatusCode, Value)>) -> Functions {
    let answers: Answers = Arc::new(Mutex::new(answers));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let sqs_endpoint = format!("http://{}", listener.local_addr().unwrap());
    let router = Router::new().fallback(answer).with_state(answers);
    tokio::spawn(async move { axum::serve(listener, router).await });
    let endpoints = Endpoints {
        sqs_endpoint,
        ..world.endpoints.clone()
    };
    Functions::start(0, senders(), &endpoints, |context| Ok(context.documents))
        .await
        .unwrap()
}

/// Waits until all of these are in the log.
async fn logged(world: &World, expected: &[&str]) {
    let started = Instant::now();
    while !expected.iter().all(|text| world.log.text().contains(text)) {
        assert!(started.elapsed() < PATIENCE, "{}", world.log.text());
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

async fn answer(State(answers): State<Answers>, request: Request) -> Response {
    let operation = request.headers().get("x-amz-target").cloned();
    let is_poll = operation.is_some_and(|name| name == "AmazonSQS.ReceiveMessage");
    if !is_poll {
        return (StatusCode::BAD_REQUEST, "{}").into_response();
    }
    let next = answers.lock().unwrap().pop_front();
    match next {
        Some((status, body)) => (status, body.to_string()).into_response(),
        None => std::future::pending().await,
    }
}
