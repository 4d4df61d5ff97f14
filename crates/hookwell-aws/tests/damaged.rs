//! A forged or damaged message or object is a dead letter at once, named as what it is, on the embedded
//! queue, tables and bucket.

use std::time::Duration;

use crate::support::serve;
use axum::Router;
use hookwell::event::body::Body;
use hookwell::event::identity::Key;
use hookwell::event::{Event, Operation};
use hookwell::ports::handler::{HandleError, Handled, Handler};
use hookwell::ports::memory::StoppedClock;
use hookwell::ports::queue::{OpenError, Queue as _};
use hookwell::process::{Invocation, Message, Processed, process};
use hookwell_aws::tools::admin::Admin;
use hookwell_aws::tools::dead_letters::DeadLetters;
use hookwell_aws::{Bucket, DocumentsTable, EventsTable, Limits, SqsQueue};
use hookwell_local::storage::{Endpoints, QueueSettings, Storage};
use serde_json::json;

const NOW: i64 = 1_795_700_000_000;

struct Stack {
    storage: Storage,
    ledger: EventsTable,
    documents: DocumentsTable,
    queue: SqsQueue,
    bucket: Bucket,
    admin: Admin,
    letters: DeadLetters,
}

impl Stack {
    async fn start() -> Self {
        let settings = QueueSettings {
            visibility_timeout: 100,
            retry_every: Duration::from_hours(1),
        };
        let storage = Storage::start(0, None, settings).await.unwrap();
        let endpoints = &storage.endpoints;
        let connection = endpoints.connection().unwrap();
        let bucket = Bucket::new(connection.clone(), endpoints.bucket.clone(), Limits::TOOL);
        let (tables, sqs) = (
            connection.dynamodb(Limits::TOOL),
            connection.sqs(Limits::TOOL),
        );
        let (url, kept) = (endpoints.queue_url.clone(), Some(bucket.clone()));
        let letters = &endpoints.dead_letter_queue_url;
        Self {
            ledger: EventsTable::new(tables.clone(), endpoints.events_table.clone(), None),
            documents: DocumentsTable::new(tables, endpoints.documents_table.clone()),
            letters: DeadLetters::new(&connection, &url, letters, kept.clone()),
            queue: SqsQueue::new(sqs, url, kept).with_dead_letters(letters.clone()),
            admin: Admin::new(&connection),
            bucket,
            storage,
        }
    }

    async fn process(&self, handler: &impl Handler, bodies: &[&str]) -> Vec<Processed> {
        let message = |(number, body): (usize, &&str)| Message {
            id: number.to_string(),
            receipt: format!("receipt {number}"),
            receive_count: 1,
            body: (*body).to_owned(),
        };
        let batch = bodies.iter().enumerate().map(message).collect();
        let invocation = Invocation {
            id: "1",
            deadline: NOW + 30_000,
        };
        let clock = StoppedClock::at(NOW);
        let (ledger, queue) = (&self.ledger, &self.queue);
        let mut done = process(
            ledger,
            queue,
            handler,
            &[],
            batch,
            invocation,
            clock.clock(),
        )
        .await;
        done.sort_by(|one, other| one.message.id.cmp(&other.message.id));
        done
    }

    /// The texts and the reasons of the letters there, which are taken out.
    async fn take_letters(&self) -> Vec<(String, Option<String>)> {
        let letters = self.letters.receive().await.unwrap();
        for letter in &letters {
            self.letters.redrive(letter).await.unwrap();
        }
        let said = letters
            .into_iter()
            .map(|letter| (letter.body, letter.reason));
        said.collect()
    }

    /// The only one.
    async fn take_letter(&self) -> (String, Option<String>) {
        let mut letters = self.take_letters().await;
        assert_eq!(letters.len(), 1);
        letters.remove(0)
    }
}

fn event(id: &str, body: &str) -> Event {
    Event {
        operation: Operation::Create,
        received_at: NOW,
        expires_at: NOW / 1000 + 1_000_000,
        document_id: Some(id.to_owned()),
        document_at: Some(String::new()),
        body: Body(body.into()),
        ..Event::bare("shop", id)
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_damaged_message_is_a_letter_with_its_reason_and_its_neighbours_are_applied() {
    let stack = Stack::start().await;
    let (one, two) = (event("1", "{}").to_message(), event("2", "{}").to_message());
    let foreign = Event {
        key: Key::new("other", &[b"1"]),
        ..event("3", "{}")
    };
    let foreign = foreign.to_message();
    let bodies = [one.as_str(), "not an event", &foreign, &two];
    let done = stack.process(&stack.documents, &bodies).await;
    let fates: Vec<_> = done.iter().map(|done| done.fate.name()).collect();
    assert_eq!(fates, ["applied", "malformed", "malformed", "applied"]);
    assert!(
        done.iter().all(|done| !done.fate.is_failure()),
        "none comes back"
    );
    let mut letters = stack.take_letters().await;
    letters.sort();
    let named = |body: &str, reason: &str| (body.to_owned(), Some(reason.to_owned()));
    let mut expected = [
        named("not an event", "the message is not an event"),
        named(&foreign, "the key of the message belongs to another source"),
    ];
    expected.sort();
    assert_eq!(letters, expected);
    stack.storage.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_message_as_large_as_the_queue_takes_is_buried_without_a_reason() {
    let stack = Stack::start().await;
    for (size, has_reason) in [(1_048_576, false), (1_048_576 - 500, true)] {
        let large = "x".repeat(size);
        let done = stack.process(&stack.documents, &[&large]).await;
        assert_eq!(done[0].fate.name(), "malformed", "{:?}", done[0].fate);
        let (body, reason) = stack.take_letter().await;
        assert!(body == large);
        assert_eq!(reason.is_some(), has_reason);
    }
    stack.storage.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_message_points_to_must_be_that_very_event() {
    let stack = Stack::start().await;
    let pointer = |name: &str| json!({ "stored": name }).to_string();
    let (good, other) = (event("1", r#"{"n":1}"#), event("2", r#"{"n":2}"#));
    let name = stack.bucket.store(&good).await.unwrap();
    let done = stack.process(&stack.documents, &[&pointer(&name)]).await;
    assert_eq!(done[0].fate.name(), "applied");

    let other_name = stack.bucket.store(&other).await.unwrap();
    let swapped = format!(
        "{}/{}",
        &name[..name.rfind('/').unwrap()],
        other.body.hash()
    );
    put(&stack, &swapped, &read(&stack, &other_name).await).await;
    let broken = format!("{}x", &name[..name.len() - 1]);
    put(&stack, &broken, b"not compressed").await;
    let missing = name.replace("shop/", "shop/none");
    let cases = [
        (swapped.as_str(), "not the event that the message points to"),
        (&broken, "not the event that the message points to"),
        (&missing, "an object that is not there"),
        ("../documents/1", "a place where no event can be"),
        ("shop/../other/1", "a place where no event can be"),
        ("shop/1?versionId=2", "a place where no event can be"),
        ("shop//1", "a place where no event can be"),
        ("shop", "a place where no event can be"),
        ("", "a place where no event can be"),
        (
            &format!("shop/{}", "x".repeat(1_024)),
            "a place where no event can be",
        ),
    ];
    for (name, expected) in cases {
        let mut done = stack.process(&stack.documents, &[&pointer(name)]).await;
        // A busy machine may not bury it in time, and then it comes again.
        for _ in 0..20 {
            if done[0].fate.is_failure() {
                done = stack.process(&stack.documents, &[&pointer(name)]).await;
            }
        }
        let (body, reason) = stack.take_letter().await;
        assert_eq!(body, pointer(name), "as it was");
        let reason = reason.unwrap();
        assert!(reason.contains(expected), "{name}: {reason}");
        assert_eq!(done[0].fate.name(), "malformed", "{name}");
    }
    stack.storage.stop().await;
}

/// A server that answers everything with a page, as a proxy on the way may.
async fn pages() -> String {
    serve(Router::new().fallback(|| async { "<!doctype html><title>Please sign in" })).await
}

/// An event must not become a letter because of a page, nor be taken for stored.
#[tokio::test(flavor = "multi_thread")]
async fn a_page_in_place_of_the_buckets_answer_is_no_object_and_stores_none() {
    let stack = Stack::start().await;
    let endpoints = &stack.storage.endpoints;
    let large = event("large", &"x".repeat(1_200_000));
    let astray = Endpoints {
        s3_endpoint: pages().await,
        ..endpoints.clone()
    };
    let queue = |endpoints: &Endpoints| {
        let connection = endpoints.connection().unwrap();
        let bucket = Bucket::new(
            connection.clone(),
            endpoints.bucket.clone(),
            Limits::PROCESS,
        );
        let sqs = connection.sqs(Limits::PROCESS);
        SqsQueue::new(sqs, endpoints.queue_url.clone(), Some(bucket))
    };
    let sent = queue(&astray).send(&large).await;
    let why = sent.unwrap_err().to_string();
    assert!(why.contains("the answer is not S3's"), "{why}");
    queue(endpoints).send(&large).await.unwrap();
    let name = format!(
        "{}/{}",
        large.key.as_str().replace('#', "/"),
        large.body.hash()
    );
    let message = json!({ "stored": name }).to_string();
    let opened = queue(&astray).open(&message).await;
    assert!(
        matches!(opened, Err(OpenError::Unavailable(_))),
        "{opened:?}"
    );
    assert!(queue(endpoints).open(&message).await.is_ok());
    stack.storage.stop().await;
}

async fn put(stack: &Stack, name: &str, bytes: &[u8]) {
    let endpoints = &stack.storage.endpoints;
    let url = format!("{}/{}/{name}", endpoints.s3_endpoint, endpoints.bucket);
    let bytes = bytes.to_vec();
    let put = move || ureq::put(&url).send(&bytes[..]).unwrap();
    tokio::task::spawn_blocking(put).await.unwrap();
}

async fn read(stack: &Stack, name: &str) -> Vec<u8> {
    let endpoints = &stack.storage.endpoints;
    let url = format!("{}/{}/{name}", endpoints.s3_endpoint, endpoints.bucket);
    let get = move || {
        ureq::get(&url)
            .call()
            .unwrap()
            .body_mut()
            .read_to_vec()
            .unwrap()
    };
    tokio::task::spawn_blocking(get).await.unwrap()
}

/// Rejects everything, and says why at length.
struct Talkative;

impl Handler for Talkative {
    async fn handle(&self, _: &Event) -> Result<Handled, HandleError> {
        Err(HandleError::Reject("\u{20ac}".repeat(1_000_000)))
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reason_of_three_megabytes_ends_its_event_in_the_record_and_in_the_letter() {
    let stack = Stack::start().await;
    let event = event("1", "{}");
    let done = stack.process(&Talkative, &[&event.to_message()]).await;
    assert_eq!(done[0].fate.name(), "rejected", "{:.300?}", done[0].fate);
    let table = &stack.storage.endpoints.events_table;
    let record = stack
        .admin
        .get(table, event.key.as_str())
        .await
        .unwrap()
        .unwrap();
    assert_eq!(record["status"], "quarantined");
    let (_, letter) = stack.take_letter().await;
    for reason in [record["reason"].as_str().unwrap(), &letter.unwrap()] {
        assert!(reason.starts_with("\u{20ac}\u{20ac}"), "{reason}");
        assert!(reason.len() <= 1_000, "{}", reason.len());
    }
    stack.storage.stop().await;
}
