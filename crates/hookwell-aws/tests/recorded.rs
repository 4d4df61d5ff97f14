//! Records and messages of earlier versions are read rightly by this one: a stack is updated in place, with its tables
//! and queues full. `recorded/` has the items, each folder those of one version.

use std::collections::{BTreeMap, HashMap};
use std::time::Duration;

use aws_sdk_dynamodb::types::AttributeValue;
use aws_smithy_types::Blob;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hookwell::event::body::Body;
use hookwell::event::identity::Version;
use hookwell::event::{Event, Operation};
use hookwell::ports::handler::{Handler as _, Outcome};
use hookwell::ports::ledger::{
    Claim, End, Finish, Lease, Ledger as _, Record, Remembered, Status, Tries,
};
use hookwell::ports::memory::StoppedClock;
use hookwell::ports::queue::Queue as _;
use hookwell::process::{Invocation, Message, process};
use hookwell_aws::tools::admin::Admin;
use hookwell_aws::{Bucket, DocumentsTable, EventsTable, Limits, SqsQueue};
use hookwell_local::storage::{QueueSettings, Storage};
use serde_json::Value;

/// When the sender sends again and process is at work: two minutes after the first item was written.
const NOW: i64 = 1_795_694_520_000;

const MINUTE: i64 = 60_000;

const DAY: i64 = 24 * 60 * MINUTE;

type Item = HashMap<String, AttributeValue>;

/// An item from DynamoDB JSON.
fn item(json: &Value) -> Item {
    let attributes = json.as_object().unwrap().iter();
    attributes
        .map(|(name, value)| (name.clone(), attribute(value)))
        .collect()
}

fn attribute(json: &Value) -> AttributeValue {
    let (kind, value) = json.as_object().unwrap().iter().next().unwrap();
    match (kind.as_str(), value) {
        ("S", Value::String(text)) => AttributeValue::S(text.clone()),
        ("N", Value::String(number)) => AttributeValue::N(number.clone()),
        ("BOOL", Value::Bool(value)) => AttributeValue::Bool(*value),
        ("B", Value::String(text)) => AttributeValue::B(Blob::new(STANDARD.decode(text).unwrap())),
        other => panic!("{other:?}"),
    }
}

fn recorded(file: &str) -> BTreeMap<String, Value> {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/recorded/2026-11");
    let text = std::fs::read_to_string(format!("{folder}/{file}")).unwrap();
    serde_json::from_str(&text).unwrap()
}

/// Tables, a queue and a bucket that hold what was recorded.
struct Stack {
    storage: Storage,
    client: aws_sdk_dynamodb::Client,
    ledger: EventsTable,
    documents: DocumentsTable,
    queue: SqsQueue,
    bucket: Bucket,
    admin: Admin,
    records: BTreeMap<String, Value>,
    messages: BTreeMap<String, Value>,
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
        let client = connection.dynamodb(Limits::TOOL);
        let bucket = Bucket::new(connection.clone(), endpoints.bucket.clone(), Limits::TOOL);
        let table = endpoints.events_table.clone();
        let sqs = connection.sqs(Limits::TOOL);
        let stack = Self {
            ledger: EventsTable::new(client.clone(), table, Some(bucket.clone())),
            documents: DocumentsTable::new(client.clone(), endpoints.documents_table.clone()),
            queue: SqsQueue::new(sqs, endpoints.queue_url.clone(), Some(bucket.clone()))
                .with_dead_letters(endpoints.dead_letter_queue_url.clone()),
            admin: Admin::new(&connection),
            client,
            bucket,
            records: recorded("records.json"),
            messages: recorded("messages.json"),
            storage,
        };
        stack.restore().await;
        stack
    }

    /// Puts everything as it was recorded.
    async fn restore(&self) {
        let endpoints = &self.storage.endpoints;
        let records = self.records.values();
        let records = records.map(|json| (&endpoints.events_table, item(json)));
        let documents = recorded("documents.json");
        let documents = documents.values();
        let documents = documents.map(|json| (&endpoints.documents_table, item(json)));
        for (table, item) in records.chain(documents) {
            let put = self.client.put_item().table_name(table);
            put.set_item(Some(item)).send().await.unwrap();
        }
        for (name, bytes) in recorded("objects.json") {
            let url = format!("{}/{}/{name}", endpoints.s3_endpoint, endpoints.bucket);
            let bytes = STANDARD.decode(bytes.as_str().unwrap()).unwrap();
            let put = move || ureq::put(&url).send(&bytes[..]).unwrap();
            tokio::task::spawn_blocking(put).await.unwrap();
        }
    }

    fn message(&self, name: &str) -> String {
        self.messages[name].as_str().unwrap().to_owned()
    }

    /// The event of a message.
    async fn event(&self, name: &str) -> Event {
        let message = self.message(name);
        let message = self.queue.open(&message).await.unwrap();
        Event::from_message(&message).unwrap()
    }

    fn received_at(&self, name: &str) -> i64 {
        let at = self.records[name]["received_at"]["N"].as_str().unwrap();
        at.parse().unwrap()
    }

    fn version(&self, name: &str) -> &str {
        self.records[name]["version"]["S"].as_str().unwrap()
    }

    async fn record(&self, name: &str) -> hookwell_aws::tools::admin::Item {
        let key = self.records[name]["pk"]["S"].as_str().unwrap();
        let table = &self.storage.endpoints.events_table;
        self.admin.get(table, key).await.unwrap().unwrap()
    }

    async fn document(&self, pk: &str) -> hookwell_aws::tools::admin::Item {
        let table = &self.storage.endpoints.documents_table;
        self.admin.get(table, pk).await.unwrap().unwrap()
    }

    /// The fates of the messages of these events when process takes them at [`NOW`] with the documents handler.
    async fn process(&self, names: &[&str]) -> Vec<String> {
        let mut fates = Vec::new();
        for name in names {
            let message = Message {
                id: (*name).to_owned(),
                receipt: format!("receipt of {name}"),
                receive_count: 1,
                body: self.message(name),
            };
            let invocation = Invocation {
                id: name,
                deadline: NOW + 30_000,
            };
            let clock = StoppedClock::at(NOW);
            let done = process(
                &self.ledger,
                &self.queue,
                &self.documents,
                &[],
                vec![message],
                invocation,
                clock.clock(),
            );
            fates.push(format!("{name} {}", done.await[0].fate.name()));
        }
        fates
    }
}

const PENDING: [&str; 10] = [
    "item0",
    "item1",
    "item_nameless",
    "leased",
    "pending",
    "pending_body",
    "pending_unreadable",
    "pending_untimed",
    "reopened",
    "reopened_letter",
];

const QUARANTINED: [&str; 2] = ["quarantined", "quarantined_unreadable"];

/// Names of the recorded records and the status of each, apart from whole events.
fn names(stack: &Stack) -> Vec<(String, Status)> {
    let names = stack
        .records
        .keys()
        .filter(|name| !name.starts_with("kept"));
    let status = |name: &str| match name {
        name if PENDING.contains(&name) => Status::Pending,
        name if QUARANTINED.contains(&name) => Status::Quarantined,
        _ => Status::Done,
    };
    names.map(|name| (name.clone(), status(name))).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn an_event_that_is_sent_again_is_known_by_its_record() {
    let stack = Stack::start().await;
    for (name, status) in names(&stack) {
        let event = Event {
            received_at: NOW,
            ..stack.event(&name).await
        };
        let record = stack.record(&name).await;
        let reason = record.get("reason").and_then(Value::as_str);
        let reason = reason.filter(|reason| !reason.is_empty());
        let known = Record {
            status,
            version: Version::recorded(stack.version(&name)),
            received_at: stack.received_at(&name),
            body_hash: event.body.hash(),
            tries: Tries {
                reopened_at: record.get("reopened_at").and_then(Value::as_i64),
                reason: reason.map(str::to_owned),
                ..Tries::default()
            },
        };
        let changed = Event {
            body: Body(b"{}".to_vec()),
            ..event.clone()
        };
        for copy in [&event, &changed] {
            let remembered = stack.ledger.remember(copy, NOW).await;
            assert_eq!(remembered, Ok(Remembered::Known(known.clone())), "{name}");
            let recalled = stack.ledger.recall(&[copy], NOW).await;
            assert_eq!(recalled, Ok(vec![Some(known.clone())]), "{name}");
        }
        let record = stack.record(&name).await;
        assert_eq!(record["event_id"], event.id, "{name}");
        assert_eq!(record["status"], status.name(), "{name}");
        // An hour for those that are known by their body, 35 days for the others.
        let life = if name.ends_with("_body") {
            DAY / 24
        } else {
            35 * DAY
        };
        let late = stack.received_at(&name) + life + MINUTE;
        let recalled = stack.ledger.recall(&[&event], late).await;
        assert_eq!(recalled, Ok(vec![None]), "{name}: it has expired");
        let remembered = stack.ledger.remember(&event, late).await;
        assert_eq!(remembered, Ok(Remembered::New), "{name}: it has expired");
    }
    stack.storage.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_handler_with_effects_gets_what_is_not_done_and_not_lent() {
    let stack = Stack::start().await;
    for (name, status) in names(&stack) {
        let event = stack.event(&name).await;
        let lease = |now| Lease {
            owner: "somebody else",
            now,
            until: now + 31_000,
        };
        if name == "leased" {
            // By the call that died with it.
            let until = 1_795_694_455_000;
            let claimed = stack.ledger.claim(&event, &lease(until - 1)).await;
            assert_eq!(claimed, Ok(Claim::Busy { until }));
        }
        let expected = match status {
            Status::Done => Claim::Finished,
            Status::Pending | Status::Quarantined => Claim::Held,
        };
        let claimed = stack.ledger.claim(&event, &lease(NOW)).await;
        assert_eq!(claimed, Ok(expected), "{name}");
    }
    stack.storage.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_end_is_recorded_where_there_is_none() {
    let stack = Stack::start().await;
    for (name, status) in names(&stack) {
        let event = stack.event(&name).await;
        let end = End {
            outcome: Outcome::Applied,
            reason: None,
            tie: false,
            at: NOW,
            owner: None,
        };
        let expected = match status {
            Status::Done => Finish::Before,
            Status::Pending | Status::Quarantined => Finish::Recorded,
        };
        let finished = stack.ledger.finish(&event, &end).await;
        assert_eq!(finished, Ok(expected), "{name}");
        let record = stack.record(&name).await;
        assert_eq!(record["status"], "done", "{name}");
        assert_eq!(record["received_at"], stack.received_at(&name), "{name}");
        assert_eq!(record["version"], stack.version(&name), "{name}");
        let is_reopened = name.starts_with("reopened");
        let by = record.get("reopened_by").and_then(Value::as_str);
        assert_eq!(by, is_reopened.then_some("ada"), "{name}");
    }
    stack.storage.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_document_is_changed_by_what_is_newer_and_by_nothing_else() {
    let stack = Stack::start().await;
    for name in [
        "created",
        "updated",
        "deleted",
        "created_untimed",
        "deleted_untimed",
    ] {
        let mut last = stack.event(name).await;
        let version = Version::recorded(stack.version(name));
        last.settle(version, stack.received_at(name));
        let pk = last.document_key().unwrap().as_str().to_owned();
        let before = stack.document(&pk).await;
        let deleted = name.starts_with("deleted");
        assert_eq!(before["deleted"], deleted, "{name}");
        // As process has it when it comes again: with the version of its record.
        let handled = stack.documents.handle(&last).await;
        assert_eq!(handled, Ok(Outcome::Applied.into()), "{name}: again");
        let at = |offset: i64, operation| Event {
            time: last.time.map(|time| time + offset),
            received_at: last.received_at + offset,
            operation,
            document_at: Some("/data".into()),
            settled: None,
            renewed: None,
            body: Body(format!(r#"{{"data":{{"by":"{offset}"}}}}"#).into_bytes()),
            ..last.clone()
        };
        for operation in [Operation::Create, Operation::Update, Operation::Delete] {
            let handled = stack.documents.handle(&at(-1, operation)).await;
            assert_eq!(
                handled,
                Ok(Outcome::Stale.into()),
                "{name}: a late {operation:?}"
            );
        }
        assert_eq!(stack.document(&pk).await, before, "{name}");
        let steps = [
            (1, Operation::Update),
            (2, Operation::Delete),
            (3, Operation::Create),
        ];
        for (offset, operation) in steps {
            let handled = stack.documents.handle(&at(offset, operation)).await;
            assert_eq!(
                handled,
                Ok(Outcome::Applied.into()),
                "{name}: {operation:?}"
            );
            let document = stack.document(&pk).await;
            assert_eq!(
                document["deleted"],
                operation == Operation::Delete,
                "{name}"
            );
        }
        let document = stack.document(&pk).await;
        assert_eq!(document["document"], r#"{"by":"3"}"#, "{name}");
        assert!(
            !document.contains_key("expires_at"),
            "{name}: it is no tombstone"
        );
    }
    stack.storage.stop().await;
}

/// The messages that wait in the queue while the functions are replaced, beside the records that are there.
#[tokio::test(flavor = "multi_thread")]
async fn messages_that_wait_are_processed_by_what_is_recorded_of_them() {
    let stack = Stack::start().await;
    let unfinished = [
        "item0",
        "item1",
        "item_nameless",
        "pending",
        "pending_body",
        "pending_untimed",
        "reopened",
    ];
    let applied = stack.process(&unfinished).await;
    assert_eq!(applied, unfinished.map(|name| format!("{name} applied")));
    let fates = stack.process(&["leased", "traced", "base64"]).await;
    assert_eq!(
        fates,
        ["leased ignored", "traced applied", "base64 applied"]
    );
    let sick = [
        "quarantined",
        "quarantined_unreadable",
        "pending_unreadable",
        "reopened_letter",
    ];
    let rejected = stack.process(&sick).await;
    assert_eq!(rejected, sick.map(|name| format!("{name} rejected")));
    for name in sick {
        assert_eq!(stack.record(name).await["status"], "quarantined", "{name}");
    }
    let letters = &stack.storage.endpoints.dead_letter_queue_url;
    let (letters, _) = stack.admin.queue_depth(letters).await.unwrap();
    assert_eq!(letters, 4);

    // The first reception of an event without a time is its record's, whichever copy of it comes.
    let record = &stack.records["pending_untimed"];
    let document = stack.document("untimed#thing#pending_untimed").await;
    let at = format!("{:015}~", stack.received_at("pending_untimed"));
    assert!(record["version"]["S"].as_str().unwrap().starts_with(&at));
    assert!(document["version"].as_str().unwrap().starts_with(&at));
    stack.storage.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn messages_of_finished_events_are_dropped() {
    let stack = Stack::start().await;
    for (name, status) in names(&stack) {
        if status == Status::Done {
            let before = stack.record(&name).await;
            let fates = stack.process(&[&name]).await;
            assert_eq!(fates, [format!("{name} duplicate")]);
            assert_eq!(stack.record(&name).await, before, "{name}");
        }
    }
    stack.storage.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_message_is_the_event_that_it_was() {
    let stack = Stack::start().await;
    let timed = stack.event("pending").await;
    assert_eq!(
        timed.key.as_str(),
        "timed#YqL-09bgjESDX85x8CIQsd2r-wZuOe3x5sJhmI-CTdM"
    );
    let names = [&timed.source, &timed.id, &timed.kind, &timed.document_type];
    assert_eq!(names, ["timed", "pending", "thing.created", "thing"]);
    assert_eq!(timed.operation, Operation::Create);
    assert_eq!(
        (timed.time, timed.received_at),
        (Some(1_795_690_801_000), 1_795_694_401_000)
    );
    assert_eq!(
        (timed.expires_at, timed.retain_until),
        (1_798_718_401, None)
    );
    assert_eq!(
        (timed.document_id.as_deref(), timed.document_at.as_deref()),
        (Some("pending"), Some("/data"))
    );
    assert_eq!((&timed.invalid, &timed.trace), (&None, &None));
    assert_eq!(timed.document(), Some(r#"{"by":"pending","id":"pending"}"#));

    assert_eq!(stack.event("pending_untimed").await.time, None);
    assert_eq!(stack.event("item1").await.operation, Operation::Update);
    assert_eq!(stack.event("deleted").await.operation, Operation::Delete);
    assert_eq!(stack.event("ignored").await.operation, Operation::Other);
    assert_eq!(stack.event("applied_nameless").await.id, "request-8");
    let kept = stack.event("applied_kept").await;
    assert_eq!(kept.retain_until, Some(1_796_299_213));
    let trace = stack.event("traced").await.trace.unwrap();
    let parent = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
    assert_eq!(serde_json::to_value(trace).unwrap(), parent);
    let base64 = stack.event("base64").await;
    let document: Value = serde_json::from_str(base64.document().unwrap()).unwrap();
    assert_eq!(document["text"], "\"\n\"\u{FFFE}\u{1}".repeat(20));
    let unreadable = stack.event("quarantined_unreadable").await;
    assert_eq!(
        unreadable.invalid.as_deref(),
        Some("the body is not JSON in UTF-8")
    );
    assert_eq!(unreadable.body.0, b"\xff is no JSON");
    let large = stack.event("large").await;
    assert!(large.body.0.len() > 1_000_000, "from the bucket");
    assert_eq!(large.document(), Some(r#"{"by":"large","id":"large"}"#));
    stack.storage.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn whole_events_that_were_kept_can_be_replayed() {
    let stack = Stack::start().await;
    let table = &stack.storage.endpoints.events_table;
    let bucket = Some(&stack.bucket);
    for name in ["applied_kept", "quarantined_unreadable", "large"] {
        let event = stack.event(name).await;
        let kept = async |now| {
            let pk = event.key.as_str();
            stack.admin.kept(table, pk, bucket, now).await.unwrap()
        };
        assert_eq!(kept(NOW).await.as_ref(), Some(&event), "{name}");
        assert_eq!(kept(NOW + 7 * DAY).await, None, "{name}: its time is over");
    }
    // They are no records, and no list shows them.
    let listed = stack.admin.scan(table, None).await.unwrap();
    assert_eq!(listed.len(), names(&stack).len());

    let event = stack.event("applied_kept").await;
    let replayed = stack.admin.replay(table, &stack.queue, &event, "eve", NOW);
    replayed.await.unwrap();
    let record = stack.record("applied_kept").await;
    assert_eq!(
        (&record["status"], &record["reopened_by"]),
        (&"pending".into(), &"eve".into())
    );
    assert_eq!(
        stack.process(&["applied_kept"]).await,
        ["applied_kept applied"]
    );
    stack.storage.stop().await;
}
