//! Events that are sent again after what was promised for them is gone: they are judged anew.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use crate::support::{PATIENCE, SHIPPED, World, machine};
use aws_lambda_events::event::sqs::{SqsEvent, SqsMessage};
use hookwell::event::body::Body;
use hookwell::event::identity::Key;
use hookwell::event::{Event, Operation};
use hookwell::ports::handler::{HandleError, Handled, Handler, Outcome};
use hookwell::ports::ledger::{End, Finish, Ledger as _};
use hookwell_aws::tools::mapping::EventSourceMapping;
use hookwell_aws::{DocumentsTable, EventsTable, Limits, SqsQueue};
use hookwell_lambda::ingest::Ingest;
use hookwell_lambda::now::{clock, now};
use hookwell_lambda::process::Process;
use hookwell_local::storage::{QueueSettings, Storage};
use serde_json::json;

/// A letter may be gone: after 14 days, or because an operator purged the queue. Its record must not outlive it as an answer.
#[tokio::test(flavor = "multi_thread")]
async fn a_rejected_event_whose_letter_was_purged_is_judged_again() {
    let machine = machine().await;
    let world = World::of(&machine);
    let nameless = json!({
        "id": "evt", "type": "asset.created", "created_at": "2026-11-21T00:00:00Z",
        "data": { "name": "nobody" },
    });
    assert_eq!(world.post("generic", &nameless).await.status, 200);
    world.drained().await;
    assert_eq!(world.dead_letters().await, 1);
    let sqs = world.endpoints.connection().unwrap().sqs(Limits::TOOL);
    let purge = sqs
        .purge_queue()
        .queue_url(&world.endpoints.dead_letter_queue_url);
    purge.send().await.unwrap();
    assert_eq!(world.dead_letters().await, 0);

    let again = world.post("generic", &nameless).await;
    assert_eq!(
        (again.status, again.body.as_str()),
        (200, r#"{"status":"received"}"#)
    );
    let started = Instant::now();
    while world.dead_letters().await == 0 {
        assert!(started.elapsed() < PATIENCE, "there is no new letter");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    world.drained().await;
    assert_eq!(world.dead_letters().await, 1);
    assert_eq!(world.events().await[0]["status"], "quarantined");
    machine.stop().await;
}

/// Secret that `hookwell dev` makes up for `env:HOOKWELL_SECRET_RESOURCE`.
const SECRET: &str = "local_701c2e110a3d9d5be4479772b90b75ec";

/// A handler that counts its calls, with effects elsewhere or not.
struct Counting<D> {
    documents: D,
    reaches_outside: bool,
    calls: AtomicUsize,
}

impl<D: Handler> Handler for Counting<D> {
    async fn handle(&self, event: &Event) -> Result<Handled, HandleError> {
        self.calls.fetch_add(1, Ordering::SeqCst);
        self.documents.handle(event).await
    }

    fn reaches_outside(&self, _: &Event) -> bool {
        self.reaches_outside
    }
}

/// Storage in which an event ended, so long ago that its record has expired and is only not deleted yet.
struct Expired {
    storage: Storage,
    ledger: EventsTable,
    event: String,
}

impl Expired {
    async fn start() -> Self {
        let queue = QueueSettings {
            visibility_timeout: 10,
            retry_every: Duration::from_secs(1),
        };
        let storage = Storage::start(0, None, queue).await.unwrap();
        let tables = storage
            .endpoints
            .connection()
            .unwrap()
            .dynamodb(Limits::TOOL);
        let ledger = EventsTable::new(tables, storage.endpoints.events_table.clone(), None);
        let file = concat!(
            env!("CARGO_MANIFEST_DIR"),
            "/../../events/ingest-function-url-valid.json"
        );
        let event = std::fs::read_to_string(file).unwrap();
        Self {
            storage,
            ledger,
            event,
        }
    }

    /// The function's ingest; with the table away when `table` is another address.
    async fn deliver(&self, table: Option<&str>) -> String {
        let endpoints = &self.storage.endpoints;
        let mut environment = Vec::from(
            endpoints
                .environment()
                .map(|(name, value)| (name, value.to_owned())),
        );
        environment.push(("HOOKWELL_SECRET_RESOURCE", SECRET.to_owned()));
        if let Some(table) = table {
            environment.insert(0, ("AWS_ENDPOINT_URL_DYNAMODB", table.to_owned()));
        }
        let environment = Box::leak(Box::new(move |name: &str| {
            let mut found = environment.iter().filter(|(other, _)| *other == name);
            found.next().map(|(_, value)| value.clone())
        }));
        let ingest = Ingest::from_environment(environment, SHIPPED)
            .await
            .unwrap();
        let answer = ingest.respond(&self.event, "1", None, clock()).await;
        assert_eq!(answer.status_code, 200, "{}", answer.body);
        answer.body
    }

    /// Takes what waits out of the queue.
    async fn receive(&self) -> SqsEvent {
        let endpoints = &self.storage.endpoints;
        let sqs = endpoints.connection().unwrap().sqs(Limits::TOOL);
        let mapping = EventSourceMapping::new(sqs, endpoints.queue_url.clone());
        let records = mapping
            .receive()
            .await
            .unwrap()
            .into_iter()
            .map(|received| {
                let mut record = SqsMessage::default();
                record.message_id = Some(received.id);
                record.receipt_handle = Some(received.receipt);
                record.body = Some(received.body);
                record.attributes = received.attributes.into_iter().collect();
                record
            });
        let mut event = SqsEvent::default();
        event.records = records.collect();
        event
    }

    /// Writes the end of that event as of 36 days ago.
    async fn end_long_ago(&self, event: &Event) {
        let now = SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .unwrap()
            .as_secs();
        let now = i64::try_from(now).unwrap();
        let day = 24 * 60 * 60;
        let event = Event {
            received_at: (now - 36 * day) * 1000,
            expires_at: now - day,
            ..event.clone()
        };
        let end = End {
            outcome: Outcome::Ignored,
            reason: None,
            tie: false,
            at: event.received_at,
            owner: None,
        };
        assert_eq!(self.ledger.finish(&event, &end).await, Ok(Finish::Recorded));
    }

    fn process(
        &self,
        reaches_outside: bool,
    ) -> Process<EventsTable, SqsQueue, Counting<DocumentsTable>> {
        let endpoints = &self.storage.endpoints;
        let connection = endpoints.connection().unwrap();
        let queue = SqsQueue::new(
            connection.sqs(Limits::PROCESS),
            endpoints.queue_url.clone(),
            None,
        );
        let queue = queue.with_dead_letters(endpoints.dead_letter_queue_url.clone());
        let tables = connection.dynamodb(Limits::PROCESS);
        let handler = Counting {
            documents: DocumentsTable::new(tables, endpoints.documents_table.clone()),
            reaches_outside,
            calls: AtomicUsize::new(0),
        };
        Process::new(self.ledger.clone(), queue, handler)
    }
}

/// DynamoDB deletes days late. The sender's event is new to it, and ingest could not ask.
async fn an_expired_record_is_no_end(reaches_outside: bool) {
    let expired = Expired::start().await;
    let nobody = {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        format!("http://{}", listener.local_addr().unwrap())
    };
    assert_eq!(
        expired.deliver(Some(&nobody)).await,
        r#"{"status":"received"}"#
    );
    let batch = expired.receive().await;
    let message = batch.records[0].body.as_deref().unwrap();
    let event = Event::from_message(message).unwrap();
    expired.end_long_ago(&event).await;

    let process = expired.process(reaches_outside);
    let deadline = SystemTime::now() + Duration::from_secs(30);
    let done = process.process(batch, "1", deadline).await.unwrap();
    let fates: Vec<_> = done.iter().map(|done| done.fate.name()).collect();
    assert_eq!(fates, ["applied"]);
    let admin =
        hookwell_aws::tools::admin::Admin::new(&expired.storage.endpoints.connection().unwrap());
    let table = &expired.storage.endpoints.events_table;
    let record = admin.get(table, event.key.as_str()).await.unwrap().unwrap();
    assert_eq!(
        (&record["status"], &record["outcome"]),
        (&json!("done"), &json!("applied"))
    );
    let lives_until = record["expires_at"].as_i64().unwrap();
    assert!(lives_until >= event.expires_at, "it lives again");
    assert_eq!(record["received_at"], json!(event.received_at));
    // From now on it is remembered as any other.
    assert_eq!(expired.deliver(None).await, r#"{"status":"duplicate"}"#);
    expired.storage.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_document_is_written_and_recorded_after_the_record_of_an_earlier_life() {
    an_expired_record_is_no_end(false).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_handler_with_effects_is_called_after_the_record_of_an_earlier_life() {
    an_expired_record_is_no_end(true).await;
}

/// An event without a time has the time of its first reception, of this life and not of the one before.
#[tokio::test(flavor = "multi_thread")]
async fn the_time_of_an_earlier_life_is_not_taken() {
    let expired = Expired::start().await;
    let now = now();
    let event = Event {
        key: Key::new("s", &[b"evt"]),
        source: "s".into(),
        id: "evt".into(),
        kind: "thing.created".into(),
        operation: Operation::Create,
        received_at: now,
        expires_at: now / 1000 + 1_000_000,
        document_type: "thing".into(),
        document_id: Some("d".into()),
        document_at: Some("/data".into()),
        body: Body(br#"{"data":{"id":"d"}}"#.to_vec()),
        ..Event::bare("", "")
    };
    expired.end_long_ago(&event).await;
    let mut record = SqsMessage::default();
    record.message_id = Some("1".into());
    record.receipt_handle = Some("receipt".into());
    record.body = Some(event.to_message());
    let mut batch = SqsEvent::default();
    batch.records = vec![record];
    let process = expired.process(false);
    let deadline = SystemTime::now() + Duration::from_secs(30);
    let done = process.process(batch, "1", deadline).await.unwrap();
    assert_eq!(done[0].fate.name(), "applied");
    let endpoints = &expired.storage.endpoints;
    let admin = hookwell_aws::tools::admin::Admin::new(&endpoints.connection().unwrap());
    let document = admin
        .get(&endpoints.documents_table, "s#thing#d")
        .await
        .unwrap()
        .unwrap();
    let version = document["version"].as_str().unwrap();
    assert!(version.starts_with(&format!("{now:015}~")), "{version}");
    expired.storage.stop().await;
}
