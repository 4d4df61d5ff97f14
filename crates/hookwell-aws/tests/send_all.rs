//! Many events of one delivery, sent by the real client to a stub that refuses some of them: acknowledged only when SQS
//! named every one as sent.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use crate::support::serve;
use axum::body::Bytes;
use axum::extract::State;
use axum::{Json, Router};
use hookwell::event::body::Body;
use hookwell::event::identity::Key;
use hookwell::event::{Event, Operation};
use hookwell::ports::queue::{Queue as _, QueueError};
use hookwell_aws::{Connection, Idle, Limits, SqsQueue};
use http::HeaderMap;
use serde_json::{Value, json};

const NOW: i64 = 1_790_000_000_000;

/// Answer of SQS to one entry of a batch.
#[derive(Clone, Copy)]
enum Says {
    Failed,
    SenderFault,
    Nothing,
}

/// Answers of the stub to each event, one after another, and the requests that it got. It takes an event without an
/// answer.
#[derive(Default)]
struct Stub {
    says: Mutex<BTreeMap<String, Vec<Says>>>,
    /// The events of each request.
    asked: Mutex<Vec<Vec<String>>>,
}

async fn answer(State(stub): State<Arc<Stub>>, headers: HeaderMap, body: Bytes) -> Json<Value> {
    assert_eq!(headers["x-amz-target"], "AmazonSQS.SendMessageBatch");
    let body: Value = serde_json::from_slice(&body).unwrap();
    let (mut asked, mut successful, mut failed) = (vec![], vec![], vec![]);
    for entry in body["Entries"].as_array().unwrap() {
        let event = Event::from_message(entry["MessageBody"].as_str().unwrap()).unwrap();
        asked.push(event.id.clone());
        let mut says = stub.says.lock().unwrap();
        let says = says.get_mut(&event.id).and_then(Vec::pop);
        let fault = |sender| json!({ "Id": entry["Id"], "SenderFault": sender, "Code": "Refused", "Message": "no" });
        match says {
            None => successful
                .push(json!({ "Id": entry["Id"], "MessageId": "m", "MD5OfMessageBody": "0" })),
            Some(Says::Failed) => failed.push(fault(false)),
            Some(Says::SenderFault) => failed.push(fault(true)),
            Some(Says::Nothing) => {}
        }
    }
    stub.asked.lock().unwrap().push(asked);
    Json(json!({ "Successful": successful, "Failed": failed }))
}

fn event(number: usize) -> Event {
    let id = format!("e-{number}");
    Event {
        key: Key::new("s", &[id.as_bytes()]),
        source: "s".into(),
        id,
        kind: "thing.created".into(),
        operation: Operation::Create,
        received_at: NOW,
        expires_at: NOW / 1000 + 1_000_000,
        document_type: String::new(),
        body: Body(b"{}".to_vec()),
        ..Event::bare("", "")
    }
}

/// Sends so many events to a stub that gives these answers for the last one. Returns the result of each event, and the
/// events of each request.
async fn send(events: usize, says: &[Says]) -> (Vec<Result<(), QueueError>>, Vec<Vec<String>>) {
    let events: Vec<_> = (1..=events).map(event).collect();
    let last = events.last().unwrap().id.clone();
    let stub = Arc::new(Stub {
        says: Mutex::new([(last, says.to_vec())].into()),
        ..Stub::default()
    });
    let router = Router::new().fallback(answer).with_state(Arc::clone(&stub));
    let url = serve(router).await;
    let env = |name: &str| match name {
        "AWS_ACCESS_KEY_ID" | "AWS_SECRET_ACCESS_KEY" => Some("local".to_owned()),
        "AWS_REGION" => Some("us-east-1".to_owned()),
        "AWS_ENDPOINT_URL_SQS" => Some(url.clone()),
        _ => None,
    };
    let client = Connection::from_environment(&env, Idle::INGEST).unwrap();
    let client = client.sqs(Limits::INGEST_SEND);
    let queue = SqsQueue::new(client, format!("{url}/000000000000/queue"), None);
    let sent = queue.send_all(&events.iter().collect::<Vec<_>>()).await;
    let mut asked = std::mem::take(&mut *stub.asked.lock().unwrap());
    // The batches of one delivery are sent beside each other.
    asked.sort_by_key(|ids| std::cmp::Reverse(ids.len()));
    (sent, asked)
}

fn ids(numbers: impl IntoIterator<Item = usize>) -> Vec<String> {
    let numbers = numbers.into_iter();
    numbers.map(|number| format!("e-{number}")).collect()
}

/// Results of so many events of which the last one is not sent.
fn all_but_one(events: usize, why: &str) -> Vec<Result<(), QueueError>> {
    let mut sent = vec![Ok(()); events - 1];
    sent.push(Err(QueueError(why.to_owned())));
    sent
}

#[tokio::test]
async fn an_entry_that_fails_once_is_sent_again_and_no_other() {
    let (sent, asked) = send(12, &[Says::Failed]).await;
    assert_eq!(sent, vec![Ok(()); 12]);
    assert_eq!(asked, [ids(1..=10), ids([11, 12]), ids([12])]);
}

#[tokio::test]
async fn an_entry_that_fails_twice_is_not_sent() {
    let (sent, asked) = send(12, &[Says::Failed, Says::Failed]).await;
    assert_eq!(sent, all_but_one(12, "Refused"));
    assert_eq!(asked, [ids(1..=10), ids([11, 12]), ids([12])]);
}

#[tokio::test]
async fn an_entry_that_sqs_will_never_take_is_not_sent_again() {
    let (sent, asked) = send(12, &[Says::SenderFault]).await;
    assert_eq!(sent, all_but_one(12, "Refused"));
    assert_eq!(asked, [ids(1..=10), ids([11, 12])]);
}

#[tokio::test]
async fn an_entry_that_the_answer_leaves_out_is_not_sent() {
    let (sent, asked) = send(12, &[Says::Nothing, Says::Nothing]).await;
    assert_eq!(sent, all_but_one(12, "not confirmed"));
    assert_eq!(asked[2], ids([12]));
    let (sent, _) = send(12, &[Says::Nothing]).await;
    assert_eq!(sent, vec![Ok(()); 12], "the second answer named it");
}
