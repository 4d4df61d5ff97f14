//! Every payload in `events/process-*.json` through the function.

use std::path::Path;
use std::time::{Duration, SystemTime};

use aws_lambda_events::event::sqs::{SqsEvent, SqsMessage};
use hookwell::ports::memory::{MemoryDocuments, MemoryLedger, MemoryQueue};
use hookwell_lambda::process::Process;
use serde_json::{Value, json};

type Tested = Process<MemoryLedger, MemoryQueue, MemoryDocuments>;

fn process() -> Tested {
    let documents = MemoryDocuments::default();
    Process::new(MemoryLedger::default(), MemoryQueue::default(), documents)
}

fn payload(name: &str) -> SqsEvent {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../events");
    let text = std::fs::read_to_string(folder.join(format!("process-{name}.json"))).unwrap();
    serde_json::from_str(&text).unwrap()
}

async fn respond(process: &Tested, event: SqsEvent) -> Value {
    let deadline = SystemTime::now() + Duration::from_secs(30);
    serde_json::to_value(process.respond(event, "request-1", deadline).await.unwrap()).unwrap()
}

#[tokio::test]
async fn create_update_and_delete_succeed() {
    let process = process();
    for name in ["create", "update", "delete"] {
        assert_eq!(
            respond(&process, payload(name)).await,
            json!({ "batchItemFailures": [] })
        );
    }
}

#[tokio::test]
async fn of_good_malformed_and_rejected_none_comes_back() {
    let answer = respond(&process(), payload("good-malformed-rejected")).await;
    assert_eq!(answer, json!({ "batchItemFailures": [] }));
}

#[tokio::test]
async fn an_event_of_a_source_that_the_file_does_not_have_is_rejected_and_its_neighbours_are_applied()
 {
    let process = process().of(["resource".to_owned()].into());
    let mut event = payload("create");
    let mut foreign = event.records[0].clone();
    foreign.message_id = Some("foreign".to_owned());
    let body = foreign.body.unwrap().replace("resource#", "made-up#");
    foreign.body = Some(body.replace(r#""source":"resource""#, r#""source":"made-up""#));
    event.records.push(foreign);
    let deadline = SystemTime::now() + Duration::from_secs(30);
    let done = process.process(event, "request-1", deadline).await.unwrap();
    let said: Vec<_> = done
        .iter()
        .map(|done| {
            (
                done.message.id.as_str(),
                done.fate.name(),
                done.reason.as_deref(),
            )
        })
        .collect();
    let reason = Some("the sources file has no source of this name");
    assert!(said.contains(&("foreign", "rejected", reason)), "{said:?}");
    assert!(
        said.iter().any(|(_, name, _)| *name == "applied"),
        "{said:?}"
    );
    assert_eq!(said.len(), 2);
}

#[tokio::test]
async fn a_batch_with_a_message_that_has_no_id_fails_as_a_whole() {
    let mut event = payload("create");
    event.records.push(SqsMessage::default());
    let deadline = SystemTime::now() + Duration::from_secs(30);
    assert!(
        process()
            .respond(event, "request-1", deadline)
            .await
            .is_err()
    );
}

#[tokio::test]
async fn with_the_deadline_near_nothing_is_started() {
    let deadline = SystemTime::now() + Duration::from_secs(4);
    let response = process()
        .respond(payload("create"), "request-1", deadline)
        .await
        .unwrap();
    assert_eq!(response.batch_item_failures.len(), 1);
}

#[tokio::test]
async fn a_deadline_that_was_over_before_the_invocation_is_none() {
    let process = process();
    let response = process
        .respond(payload("create"), "request-1", SystemTime::UNIX_EPOCH)
        .await
        .unwrap();
    assert_eq!(response.batch_item_failures.len(), 0);
}
