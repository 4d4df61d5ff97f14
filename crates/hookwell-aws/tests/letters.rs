//! Dead letters as an operator has them: read with what is at hand, and put back by whoever holds them.

use std::time::Duration;

use crate::support::serve;
use axum::Router;
use axum::body::to_bytes;
use axum::extract::Request;
use axum::response::{IntoResponse as _, Response};
use hookwell::event::Event;
use hookwell::event::body::Body;
use hookwell::ports::handler::Outcome;
use hookwell::ports::ledger::{End, Finish, Ledger as _};
use hookwell::ports::queue::Queue as _;
use hookwell_aws::tools::admin::Admin;
use hookwell_aws::tools::dead_letters::{DeadLetter, DeadLetters};
use hookwell_aws::{Bucket, EventsTable, Limits, SqsQueue};
use hookwell_local::storage::{Endpoints, QueueSettings, Storage};
use serde_json::{Value, json};

/// A queue, its dead-letter queue and a bucket. Nobody works on the queue.
struct Stack {
    storage: Storage,
    queue: SqsQueue,
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
        let url = endpoints.queue_url.clone();
        let sqs = connection.sqs(Limits::TOOL);
        let queue = SqsQueue::new(sqs, url, Some(bucket(endpoints)))
            .with_dead_letters(endpoints.dead_letter_queue_url.clone());
        Self { storage, queue }
    }

    fn endpoints(&self) -> &Endpoints {
        &self.storage.endpoints
    }

    async fn bury(&self, id: &str) {
        self.queue.bury(&event(id), "no").await.unwrap();
    }

    /// Messages of the queue and of the dead-letter queue, each those that wait and those that are hidden.
    async fn depths(&self) -> [(u64, u64); 2] {
        let admin = Admin::new(&self.endpoints().connection().unwrap());
        let Endpoints {
            queue_url,
            dead_letter_queue_url,
            ..
        } = self.endpoints();
        let queue = admin.queue_depth(queue_url).await.unwrap();
        [
            queue,
            admin.queue_depth(dead_letter_queue_url).await.unwrap(),
        ]
    }
}

fn bucket(endpoints: &Endpoints) -> Bucket {
    let connection = endpoints.connection().unwrap();
    Bucket::new(connection, endpoints.bucket.clone(), Limits::TOOL)
}

fn letters(endpoints: &Endpoints, bucket: Option<Bucket>) -> DeadLetters {
    let connection = endpoints.connection().unwrap();
    let Endpoints {
        queue_url,
        dead_letter_queue_url,
        ..
    } = endpoints;
    DeadLetters::new(&connection, queue_url, dead_letter_queue_url, bucket)
}

fn event(id: &str) -> Event {
    Event {
        received_at: 1_795_700_000_000,
        expires_at: 1_795_700_000 + 1_000_000,
        ..Event::bare("shop", id)
    }
}

/// The only letter of the dead-letter queue; fails when it holds another number.
async fn only(letters: &DeadLetters) -> DeadLetter {
    let mut found = letters.receive().await.unwrap();
    letters.release(&found).await;
    assert_eq!(found.len(), 1);
    found.remove(0)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_good_event_that_cannot_be_read_here_is_not_called_damaged() {
    let stack = Stack::start().await;
    let endpoints = stack.endpoints();
    let large = Event {
        body: Body(vec![b'x'; 1_200_000]),
        ..event("large")
    };
    stack.queue.bury(&large, "no").await.unwrap();
    let without = letters(endpoints, None);
    let letter = only(&without).await;
    assert!(letter.is_unreadable());
    let why = letter.why();
    assert!(
        why.starts_with("no; cannot be read: HOOKWELL_BUCKET is not set"),
        "{why}"
    );
    assert!(why.contains("export HOOKWELL_BUCKET"), "{why}");

    let nobody = {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        format!("http://{}", listener.local_addr().unwrap())
    };
    let closed = Endpoints {
        s3_endpoint: nobody,
        ..endpoints.clone()
    };
    let letter = only(&letters(endpoints, Some(bucket(&closed)))).await;
    let why = letter.why();
    assert!(
        why.starts_with("no; cannot be read: the bucket is unavailable: no connection"),
        "{why}"
    );

    let with = letters(endpoints, Some(bucket(endpoints)));
    let letter = only(&with).await;
    assert_eq!(letter.event.as_ref(), Ok(&large));
    assert_eq!(letter.why(), "no");
    stack.storage.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_message_of_a_later_release_asks_for_an_update_and_a_damaged_one_says_what_is_wrong() {
    let stack = Stack::start().await;
    let mut newer: Value = serde_json::from_str(&event("newer").to_message()).unwrap();
    newer["message_version"] = json!(3);
    let sqs = stack.endpoints().connection().unwrap().sqs(Limits::TOOL);
    let url = &stack.endpoints().dead_letter_queue_url;
    let pointer = json!({ "stored": "shop/../other" });
    for body in [newer, json!([]), pointer] {
        let send = sqs.send_message().queue_url(url);
        send.message_body(body.to_string()).send().await.unwrap();
    }
    let letters = letters(stack.endpoints(), Some(bucket(stack.endpoints())));
    let found = letters.receive().await.unwrap();
    let mut said: Vec<_> = found
        .iter()
        .map(|letter| (letter.is_unreadable(), letter.why()))
        .collect();
    said.sort();
    let expected = [
        (false, "the message is not an event"),
        (false, "the message points to a place where no event can be"),
        (
            true,
            "cannot be read: a later release wrote it, as version 3: update hookwell",
        ),
    ];
    assert_eq!(said, expected.map(|(is, why)| (is, why.to_owned())));
    stack.storage.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_letter_that_somebody_else_has_by_now_is_not_sent() {
    let stack = Stack::start().await;
    stack.bury("1").await;
    let (one, other) = (
        letters(stack.endpoints(), None),
        letters(stack.endpoints(), None),
    );
    let lost = one.receive().await.unwrap();
    one.release(&lost).await;
    let held = other.receive().await.unwrap();
    let refused = one.redrive(&lost[0]).await.unwrap_err().to_string();
    assert!(refused.contains("somebody else may have it"), "{refused}");
    assert_eq!(stack.depths().await, [(0, 0), (0, 1)]);
    other.redrive(&held[0]).await.unwrap();
    assert_eq!(stack.depths().await, [(1, 0), (0, 0)]);
    stack.storage.stop().await;
}

/// A way to the queues on which the first receive hides nothing.
async fn first_receive_hides_nothing(sqs: &str) -> String {
    let sqs = format!("{sqs}/");
    let is_first = std::sync::Arc::new(std::sync::atomic::AtomicBool::new(true));
    let pass = move |request: Request| {
        let (sqs, is_first) = (sqs.clone(), is_first.clone());
        async move {
            let (parts, body) = request.into_parts();
            let target = parts.headers["x-amz-target"].to_str().unwrap().to_owned();
            let body = to_bytes(body, usize::MAX).await.unwrap();
            let mut body: Value = serde_json::from_slice(&body).unwrap();
            let is_receive = target.ends_with(".ReceiveMessage");
            if is_receive && is_first.swap(false, std::sync::atomic::Ordering::SeqCst) {
                body["VisibilityTimeout"] = json!(0);
            }
            let ask = move || -> Response {
                let asked = ureq::post(&sqs).header("x-amz-target", &target);
                let asked = asked.header("content-type", "application/x-amz-json-1.0");
                let mut answer = asked.send(body.to_string()).unwrap();
                let json = [("content-type", "application/x-amz-json-1.0")];
                (json, answer.body_mut().read_to_vec().unwrap()).into_response()
            };
            tokio::task::spawn_blocking(ask).await.unwrap()
        }
    };
    serve(Router::new().fallback(pass)).await
}

/// SQS delivers at least once, and a look at many letters may take longer than they are hidden.
#[tokio::test(flavor = "multi_thread")]
async fn of_a_letter_that_comes_twice_the_newer_receipt_counts() {
    let stack = Stack::start().await;
    stack.bury("1").await;
    let twice = Endpoints {
        sqs_endpoint: first_receive_hides_nothing(&stack.endpoints().sqs_endpoint).await,
        ..stack.endpoints().clone()
    };
    let letters = letters(&twice, None);
    let found = letters.receive().await.unwrap();
    assert_eq!(found.len(), 1);
    letters.redrive(&found[0]).await.unwrap();
    assert_eq!(stack.depths().await, [(1, 0), (0, 0)]);
    stack.storage.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_letter_of_a_destination_opens_its_own_record_however_large_the_event_is() {
    let stack = Stack::start().await;
    let endpoints = stack.endpoints();
    let connection = endpoints.connection().unwrap();
    let (admin, table) = (Admin::new(&connection), &endpoints.events_table);
    let ledger = EventsTable::new(connection.dynamodb(Limits::TOOL), table.clone(), None);
    let large = Event {
        body: Body(vec![b'x'; 1_200_000]),
        ..event("large")
    };
    let now = large.received_at;
    let copy = large.copy_for("billing", now);
    let end = End {
        outcome: Outcome::Rejected,
        reason: Some("the endpoint answered 410".to_owned()),
        tie: false,
        at: now,
        owner: None,
    };
    for one in [&large, &copy] {
        let finished = ledger.finish(one, &end).await;
        assert_eq!(finished, Ok(Finish::Recorded), "a record each");
    }
    stack
        .queue
        .bury(&copy, "the endpoint answered 410")
        .await
        .unwrap();
    let letters = letters(endpoints, Some(bucket(endpoints)));
    let letter = letters.receive().await.unwrap().remove(0);
    assert_eq!(letter.event.as_ref(), Ok(&copy));
    let reopened = letters.reopen(&admin, table, &letter, "ada", now).await;
    assert_eq!(reopened, Ok(true));
    let status = async |pk: &str| {
        let item = admin.get(table, pk).await.unwrap().unwrap();
        (item["status"].clone(), item.get("destination").cloned())
    };
    let own = status(large.key.as_str()).await;
    assert_eq!(own, (json!("quarantined"), None), "none of its business");
    let its = status(&format!("{}>billing", large.key.as_str())).await;
    assert_eq!(its, (json!("pending"), Some(json!("billing"))));
    assert_eq!(stack.depths().await, [(1, 0), (0, 0)]);
    stack.storage.stop().await;
}
