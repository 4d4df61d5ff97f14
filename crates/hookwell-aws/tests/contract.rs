//! What every ledger and every documents handler must do, run on the model in memory and on the AWS adapters with the
//! embedded tables and queues. What holds for one holds for the other, so the proofs on the model count.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing)]

use hookwell::event::body::Body;
use hookwell::event::identity::Key;
use hookwell::event::{Event, Operation};
use hookwell::ports::handler::{HandleError, Handler, Outcome};
use hookwell::ports::ledger::{Claim, End, Finish, Lease, Ledger, Record, Remembered, Status};
use hookwell::ports::memory::{MemoryDocuments, MemoryLedger};
use hookwell::ports::queue::Queue as _;
use hookwell_aws::admin::{Admin, QueueSettings};
use hookwell_aws::{Bucket, DocumentsTable, EventsTable, Limits, SqsQueue};
use hookwell_local::storage::Storage;

const NOW: i64 = 1_790_000_000_000;
const LIFE: i64 = 1000;

fn event(id: &str, operation: Operation, time: i64, document: &str) -> Event {
    Event {
        key: Key::new("s", &[id.as_bytes()]),
        source: "s".into(),
        id: id.into(),
        kind: format!("thing.{}", operation.name()),
        operation,
        time: Some(time),
        received_at: NOW,
        place: 0,
        expires_at: NOW / 1000 + LIFE,
        retain_until: None,
        document_type: "thing".into(),
        document_id: Some(document.into()),
        document_at: Some("/data".into()),
        invalid: None,
        trace: None,
        settled: None,
        body: Body(format!(r#"{{"data":{{"from":"{id}"}}}}"#).into_bytes()),
    }
}

fn end(outcome: Outcome) -> End {
    let reason = (outcome == Outcome::Rejected).then(|| "because".to_owned());
    End {
        outcome,
        reason,
        at: NOW,
        owner: None,
    }
}

/// The record of an event that was first received at [`NOW`].
fn known(first: &Event, status: Status) -> Remembered {
    Remembered::Known(Record {
        status,
        version: first.version(),
        received_at: NOW,
        body_hash: first.body.hash(),
    })
}

fn bucket(storage: &Storage) -> Bucket {
    let connection = storage.endpoints.connection().unwrap();
    Bucket::new(connection, storage.endpoints.bucket.clone(), Limits::TOOL)
}

async fn a_ledger_remembers(ledger: &impl Ledger) {
    let first = event("first", Operation::Create, 1, "d");
    assert_eq!(ledger.remember(&first, NOW).await, Ok(Remembered::New));
    let later = Event {
        received_at: NOW + 5,
        ..first.clone()
    };
    assert_eq!(
        ledger.remember(&later, NOW + 5).await,
        Ok(known(&first, Status::Pending))
    );
    let changed = Event {
        body: Body(b"{}".to_vec()),
        ..first.clone()
    };
    assert_eq!(
        ledger.remember(&changed, NOW).await,
        Ok(known(&first, Status::Pending)),
        "the record has the hash of the body that came first"
    );

    assert_eq!(
        ledger.finish(&first, &end(Outcome::Applied)).await,
        Ok(Finish::Recorded)
    );
    assert_eq!(
        ledger.remember(&first, NOW).await,
        Ok(known(&first, Status::Done))
    );
    for outcome in [Outcome::Stale, Outcome::Rejected] {
        assert_eq!(
            ledger.finish(&first, &end(outcome)).await,
            Ok(Finish::Before),
            "done stays done"
        );
    }
    assert_eq!(
        ledger.remember(&first, NOW).await,
        Ok(known(&first, Status::Done))
    );
}

async fn a_ledger_forgets_on_time(ledger: &impl Ledger) {
    let event = event("short", Operation::Create, 1, "d");
    assert_eq!(ledger.remember(&event, NOW).await, Ok(Remembered::New));
    assert_eq!(
        ledger.finish(&event, &end(Outcome::Applied)).await,
        Ok(Finish::Recorded)
    );
    let at = |seconds: i64| NOW + seconds * 1000;
    assert_eq!(
        ledger.remember(&event, at(LIFE)).await,
        Ok(known(&event, Status::Done))
    );
    let again = Event {
        received_at: at(LIFE + 1),
        expires_at: NOW / 1000 + 2 * LIFE,
        ..event
    };
    assert_eq!(
        ledger.remember(&again, at(LIFE + 1)).await,
        Ok(Remembered::New)
    );
    assert_eq!(
        ledger.finish(&again, &end(Outcome::Stale)).await,
        Ok(Finish::Recorded),
        "a new life"
    );
}

async fn a_ledger_writes_what_ingest_could_not(ledger: &impl Ledger) {
    let event = event("unseen", Operation::Create, 1, "d");
    assert_eq!(
        ledger.finish(&event, &end(Outcome::Applied)).await,
        Ok(Finish::Recorded)
    );
    assert_eq!(
        ledger.remember(&event, NOW + 1).await,
        Ok(known(&event, Status::Done))
    );
}

async fn a_ledger_closes_what_was_quarantined(ledger: &impl Ledger) {
    let event = event("sick", Operation::Create, 1, "d");
    assert_eq!(ledger.remember(&event, NOW).await, Ok(Remembered::New));
    assert_eq!(
        ledger.finish(&event, &end(Outcome::Rejected)).await,
        Ok(Finish::Recorded)
    );
    assert_eq!(
        ledger.remember(&event, NOW).await,
        Ok(known(&event, Status::Quarantined))
    );
    assert_eq!(
        ledger.finish(&event, &end(Outcome::Applied)).await,
        Ok(Finish::Recorded)
    );
    assert_eq!(
        ledger.remember(&event, NOW).await,
        Ok(known(&event, Status::Done))
    );
}

async fn a_ledger_lends_an_event_to_one_owner_at_a_time(ledger: &impl Ledger) {
    let event = event("lent", Operation::Other, 1, "d");
    let lease = |owner, now, until| Lease {
        owner,
        now: NOW + now,
        until: NOW + until,
    };
    let finish = |owner: &str| End {
        owner: Some(owner.to_owned()),
        ..end(Outcome::Applied)
    };
    let unknown = ledger.claim(&event, &lease("a", 0, 10)).await;
    assert!(unknown.is_err(), "there is no record");
    assert_eq!(ledger.remember(&event, NOW).await, Ok(Remembered::New));
    assert_eq!(
        ledger.claim(&event, &lease("a", 0, 10)).await,
        Ok(Claim::Held)
    );
    assert_eq!(
        ledger.claim(&event, &lease("a", 1, 10)).await,
        Ok(Claim::Held),
        "the same again"
    );
    assert_eq!(
        ledger.claim(&event, &lease("b", 10, 20)).await,
        Ok(Claim::Busy { until: NOW + 10 })
    );
    assert_eq!(
        ledger.claim(&event, &lease("b", 11, 20)).await,
        Ok(Claim::Held),
        "it ended"
    );
    assert_eq!(
        ledger.finish(&event, &finish("a")).await,
        Ok(Finish::NotOwner)
    );
    assert_eq!(
        ledger.finish(&event, &finish("b")).await,
        Ok(Finish::Recorded)
    );
    assert_eq!(
        ledger.finish(&event, &finish("b")).await,
        Ok(Finish::Before)
    );
    assert_eq!(
        ledger.claim(&event, &lease("c", 99, 100)).await,
        Ok(Claim::Finished)
    );
}

async fn a_ledger_lets_one_of_many_in(ledger: &(impl Ledger + Clone + 'static)) {
    let event = event("crowd", Operation::Create, 1, "d");
    let mut crowd = tokio::task::JoinSet::new();
    for _ in 0..30 {
        let (ledger, event) = (ledger.clone(), event.clone());
        crowd.spawn(async move { ledger.remember(&event, NOW).await.unwrap() });
    }
    let new = crowd
        .join_all()
        .await
        .into_iter()
        .filter(|it| *it == Remembered::New)
        .count();
    assert_eq!(new, 1);
}

async fn documents_follow_their_newest_version(documents: &impl Handler) {
    use Operation::{Create, Delete, Other, Update};
    let steps = [
        (event("2", Update, 2, "a"), Outcome::Applied),
        (event("2", Update, 2, "a"), Outcome::Applied),
        (event("1", Create, 1, "a"), Outcome::Stale),
        (event("3", Delete, 3, "a"), Outcome::Applied),
        (event("2b", Update, 2, "a"), Outcome::Stale),
        (event("3", Delete, 3, "a"), Outcome::Applied),
        (event("4", Create, 4, "a"), Outcome::Applied),
        (event("5", Other, 5, "a"), Outcome::Ignored),
        (event("6", Create, 1, "b"), Outcome::Applied),
    ];
    for (event, outcome) in steps {
        assert_eq!(documents.handle(&event).await, Ok(outcome), "{event:?}");
    }
    let nameless = Event {
        document_id: None,
        ..event("7", Create, 1, "c")
    };
    assert!(matches!(
        documents.handle(&nameless).await,
        Err(HandleError::Reject(_))
    ));
}

#[tokio::test]
async fn the_model_keeps_the_contract() {
    let ledger = MemoryLedger::default();
    a_ledger_remembers(&ledger).await;
    a_ledger_forgets_on_time(&ledger).await;
    a_ledger_writes_what_ingest_could_not(&ledger).await;
    a_ledger_closes_what_was_quarantined(&ledger).await;
    a_ledger_lends_an_event_to_one_owner_at_a_time(&ledger).await;
    documents_follow_their_newest_version(&MemoryDocuments::default()).await;
}

async fn storage() -> Storage {
    let queue = QueueSettings {
        visibility_timeout: 10,
        max_receive_count: 3,
    };
    Storage::start(0, None, queue).await.unwrap()
}

/// Small ones in the table and large ones in the bucket, whatever is in them.
async fn a_table_keeps_whole_events_until_their_time(storage: &Storage, ledger: &EventsTable) {
    let admin = Admin::new(&storage.endpoints.connection().unwrap());
    let (table, bucket) = (&storage.endpoints.events_table, bucket(storage));
    let mut random = vec![0; 20_000];
    getrandom::fill(&mut random).unwrap();
    let until = NOW / 1000 + 60;
    for (id, body) in [("small", b"{}".to_vec()), ("large", random)] {
        let event = Event {
            retain_until: Some(until),
            body: Body(body),
            ..event(id, Operation::Create, 1, "kept")
        };
        let kept = async |bucket, now| {
            let pk = event.key.as_str();
            admin.kept(table, pk, bucket, now).await
        };
        assert_eq!(kept(None, NOW).await, Ok(None), "{id}: not yet");
        ledger.keep(&event).await.unwrap();
        ledger.keep(&event).await.unwrap();
        assert_eq!(kept(Some(&bucket), NOW).await, Ok(Some(event.clone())));
        assert_eq!(kept(None, NOW).await.is_ok(), id == "small");
        let late = kept(Some(&bucket), (until + 1) * 1000).await;
        assert_eq!(late, Ok(None), "{id}: not after its time");
    }
    let listed = admin.scan(table, None).await.unwrap();
    assert!(listed.iter().all(|item| item.contains_key("status")));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_tables_keep_the_contract() {
    let storage = storage().await;
    let tables = storage
        .endpoints
        .connection()
        .unwrap()
        .dynamodb(Limits::TOOL);
    let table = storage.endpoints.events_table.clone();
    let ledger = EventsTable::new(tables.clone(), table, Some(bucket(&storage)));
    a_ledger_remembers(&ledger).await;
    a_ledger_forgets_on_time(&ledger).await;
    a_ledger_writes_what_ingest_could_not(&ledger).await;
    a_ledger_closes_what_was_quarantined(&ledger).await;
    a_ledger_lends_an_event_to_one_owner_at_a_time(&ledger).await;
    a_ledger_lets_one_of_many_in(&ledger).await;
    a_table_keeps_whole_events_until_their_time(&storage, &ledger).await;
    let documents = DocumentsTable::new(tables, storage.endpoints.documents_table.clone());
    documents_follow_their_newest_version(&documents).await;

    let large = format!(r#"{{"data":"{}"}}"#, "x".repeat(450_000));
    let large = Event {
        body: Body(large.into_bytes()),
        ..event("large", Operation::Create, 1, "l")
    };
    assert!(
        matches!(documents.handle(&large).await, Err(HandleError::Reject(_))),
        "over 400 KB"
    );
    storage.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_queue_takes_every_body_and_finds_its_dead_letter_queue() {
    let storage = storage().await;
    let connection = storage.endpoints.connection().unwrap();
    let queue = SqsQueue::new(
        connection.sqs(Limits::TOOL),
        storage.endpoints.queue_url.clone(),
        Some(bucket(&storage)),
    );
    let bodies: [&[u8]; 4] = [
        b"{}",
        b"\xff\x00",
        "\u{FFFE}\u{1}".as_bytes(),
        &vec![b'"'; 700 * 1024],
    ];
    for body in bodies {
        let event = Event {
            body: Body(body.to_vec()),
            ..event("e", Operation::Create, 1, "d")
        };
        queue.send(&event).await.unwrap();
        queue
            .bury(&event, "odd \u{1}\u{FFFF} reason")
            .await
            .unwrap();
    }
    let admin = Admin::new(&connection);
    assert_eq!(
        admin
            .queue_depth(&storage.endpoints.queue_url)
            .await
            .unwrap()
            .0,
        4
    );
    assert_eq!(
        admin
            .queue_depth(&storage.endpoints.dead_letter_queue_url)
            .await
            .unwrap()
            .0,
        4
    );
    storage.stop().await;
}
