//! Process while the queue takes connections and never answers. Lambda kills what is still at work at the deadline, and
//! then nothing of the batch is reported: everything that process does ends before.

use std::net::TcpListener;
use std::time::{Duration, SystemTime};

use aws_lambda_events::event::sqs::{SqsEvent, SqsMessage};
use futures_util::future::join_all;
use hookwell::event::body::Body;
use hookwell::event::identity::Key;
use hookwell::event::{Event, Operation};
use hookwell::ports::handler::{HandleError, Handled, Handler, Outcome};
use hookwell_aws::settings::Environment;
use hookwell_lambda::now::now;
use hookwell_lambda::process::Process;
use hookwell_local::storage::{QueueSettings, Storage};

/// Time that Lambda gives an invocation.
const TIME: Duration = Duration::from_secs(7);

/// Takes so long, then fails or rejects by the event's type.
struct Late(Duration);

impl Handler for Late {
    async fn handle(&self, event: &Event) -> Result<Handled, HandleError> {
        tokio::time::sleep(self.0).await;
        let why = "because".to_owned();
        match event.kind.as_str() {
            "fails" => Err(HandleError::Retry(why)),
            "rejected" => Err(HandleError::Reject(why)),
            _ => Ok(Outcome::Applied.into()),
        }
    }
}

/// A server that takes connections and is silent.
fn silent() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    std::thread::spawn(move || {
        let taken: Vec<_> = listener.incoming().collect();
        drop(taken);
    });
    url
}

fn record(id: &str, kind: &str) -> SqsMessage {
    let now = now();
    let event = Event {
        key: Key::new("s", &[id.as_bytes()]),
        source: "s".into(),
        id: id.into(),
        kind: kind.into(),
        operation: Operation::Other,
        time: Some(now),
        received_at: now,
        expires_at: now / 1000 + 1_000_000,
        document_type: String::new(),
        document_id: Some(id.into()),
        document_at: Some("/data".into()),
        body: Body(br#"{"data":{}}"#.to_vec()),
        ..Event::bare("", "")
    };
    let mut record = SqsMessage::default();
    record.message_id = Some(id.to_owned());
    record.receipt_handle = Some(format!("receipt of {id}"));
    record.body = Some(event.to_message());
    record
}

#[tokio::test(flavor = "multi_thread")]
async fn everything_ends_before_the_deadline_while_the_queue_is_silent() {
    let queue = QueueSettings {
        visibility_timeout: 10,
        retry_every: Duration::from_hours(1),
    };
    let storage = Storage::start(0, None, queue).await.unwrap();
    let (endpoints, silent) = (storage.endpoints.clone(), silent());
    let environment = move |name: &str| {
        if name == "AWS_ENDPOINT_URL_SQS" {
            return Some(silent.clone());
        }
        let all = endpoints.environment();
        let mut found = all.iter().filter(|(other, _)| *other == name);
        found.next().map(|(_, value)| (*value).to_owned())
    };
    let environment: Environment<'static> = Box::leak(Box::new(environment));
    let cases = [0, 2, 3, 4, 5, 6].map(|seconds| {
        let process = Process::from_environment(environment, "[sources.s]", |_| {
            Ok(Late(Duration::from_secs(seconds)))
        })
        .unwrap();
        async move {
            let mut batch = SqsEvent::default();
            let id = |kind: &str| format!("{kind} after {seconds} s");
            batch.records = ["fails", "rejected", "applied"]
                .map(|kind| record(&id(kind), kind))
                .into();
            let deadline = SystemTime::now() + TIME;
            let answer = process
                .respond(batch, &format!("invocation {seconds}"), deadline)
                .await
                .unwrap();
            let late = SystemTime::now().duration_since(deadline).ok();
            let failures = answer.batch_item_failures.into_iter();
            let mut failed: Vec<_> = failures.map(|failure| failure.item_identifier).collect();
            failed.sort();
            (seconds, late, failed, [id("fails"), id("rejected")])
        }
    });
    let ended = join_all(cases).await;
    for (seconds, _, failed, expected) in &ended {
        assert!(
            expected.iter().all(|id| failed.contains(id)),
            "after {seconds} s: {failed:?}"
        );
    }
    let hurried = ended.iter().filter(|(seconds, ..)| *seconds <= 3);
    for (seconds, _, failed, expected) in hurried {
        assert_eq!(failed, expected, "after {seconds} s: only those failed");
    }
    let late = ended
        .iter()
        .filter_map(|(seconds, late, ..)| Some((*seconds, (*late)?)));
    let late: Vec<_> = late
        .map(|(seconds, late)| format!("a handler of {seconds} s: {late:?} after the deadline"))
        .collect();
    assert!(late.is_empty(), "{late:#?}");
    storage.stop().await;
}
