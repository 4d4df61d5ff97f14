//! The contract of every ledger and every documents handler, run on the model in memory and on the AWS adapters with
//! the embedded tables and queues. A property of one is a property of the other, so the proofs on the model count.

use std::time::Duration;

use hookwell::event::body::Body;
use hookwell::event::identity::Key;
use hookwell::event::{Event, Operation, UnusableTime};
use hookwell::ports::handler::{HandleError, Handler, Outcome};
use hookwell::ports::ledger::{
    Claim, End, Failure, Finish, Lease, Ledger, LedgerError, Record, Remembered, Status, Tries,
};
use hookwell::ports::memory::{MemoryDocuments, MemoryLedger};
use hookwell::ports::queue::{OpenError, Queue as _};
use hookwell_aws::tools::admin::Admin;
use hookwell_aws::tools::mapping::EventSourceMapping;
use hookwell_aws::{Bucket, DocumentsTable, EventsTable, Limits, SqsQueue};
use hookwell_local::storage::{QueueSettings, Storage};

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
        expires_at: NOW / 1000 + LIFE,
        document_type: "thing".into(),
        document_id: Some(document.into()),
        document_at: Some("/data".into()),
        body: Body(format!(r#"{{"data":{{"from":"{id}"}}}}"#).into_bytes()),
        ..Event::bare("", "")
    }
}

fn end(outcome: Outcome) -> End {
    let reason = (outcome == Outcome::Rejected).then(|| "because".to_owned());
    End {
        outcome,
        reason,
        tie: false,
        at: NOW,
        owner: None,
    }
}

/// The record of an event.
fn record(event: &Event, status: Status) -> Record {
    Record {
        status,
        version: event.version(),
        received_at: event.received_at,
        body_hash: event.body.hash(),
        tries: Tries::default(),
    }
}

/// The record without its tries.
fn untried(record: Record) -> Record {
    Record {
        tries: Tries::default(),
        ..record
    }
}

async fn remember(
    ledger: &impl Ledger,
    event: &Event,
    now: i64,
) -> Result<Remembered, LedgerError> {
    Ok(match ledger.remember(event, now).await? {
        Remembered::Known(record) => Remembered::Known(untried(record)),
        Remembered::New => Remembered::New,
    })
}

fn known(event: &Event, status: Status) -> Remembered {
    Remembered::Known(record(event, status))
}

fn lease(owner: &str, now: i64, until: i64) -> Lease<'_> {
    Lease {
        owner,
        now: NOW + now,
        until: NOW + until,
    }
}

fn end_of(owner: &str, outcome: Outcome) -> End {
    End {
        owner: Some(owner.to_owned()),
        ..end(outcome)
    }
}

/// The first moment at which a record of [`event`] counts as absent.
const EXPIRED: i64 = NOW + (LIFE + 1) * 1000;

/// A copy of an event that comes when its record has expired, as process has it: it lives as long again.
fn come_again(event: &Event) -> Event {
    Event {
        received_at: EXPIRED,
        expires_at: EXPIRED / 1000 + LIFE,
        body: Body(b"{\"again\":1}".to_vec()),
        ..event.clone()
    }
}

fn bucket(storage: &Storage) -> Bucket {
    let connection = storage.endpoints.connection().unwrap();
    Bucket::new(connection, storage.endpoints.bucket.clone(), Limits::TOOL)
}

/// The record of one event.
async fn recalled(ledger: &impl Ledger, event: &Event, now: i64) -> Option<Record> {
    let mut records = ledger.recall(&[event], now).await.unwrap();
    assert_eq!(records.len(), 1);
    records.remove(0).map(untried)
}

async fn a_ledger_remembers(ledger: &impl Ledger) {
    let first = event("first", Operation::Create, 1, "d");
    assert_eq!(remember(ledger, &first, NOW).await, Ok(Remembered::New));
    let later = Event {
        received_at: NOW + 5,
        place: 7,
        ..first.clone()
    };
    let changed = Event {
        body: Body(b"{}".to_vec()),
        ..first.clone()
    };
    for copy in [&first, &later, &changed] {
        let pending = known(&first, Status::Pending);
        assert_eq!(remember(ledger, copy, NOW + 5).await, Ok(pending));
    }

    assert_eq!(
        ledger.finish(&first, &end(Outcome::Applied)).await,
        Ok(Finish::Recorded)
    );
    let done = known(&first, Status::Done);
    assert_eq!(remember(ledger, &first, NOW).await, Ok(done.clone()));
    for outcome in [Outcome::Stale, Outcome::Rejected] {
        assert_eq!(
            ledger.finish(&first, &end(outcome)).await,
            Ok(Finish::Before),
            "done stays done"
        );
    }
    assert_eq!(remember(ledger, &first, NOW).await, Ok(done));
}

async fn a_ledger_forgets_on_time(ledger: &impl Ledger) {
    let event = event("short", Operation::Create, 1, "d");
    assert_eq!(remember(ledger, &event, NOW).await, Ok(Remembered::New));
    assert_eq!(
        ledger.finish(&event, &end(Outcome::Applied)).await,
        Ok(Finish::Recorded)
    );
    assert_eq!(
        remember(ledger, &event, EXPIRED - 1000).await,
        Ok(known(&event, Status::Done))
    );
    let again = come_again(&event);
    assert_eq!(remember(ledger, &again, EXPIRED).await, Ok(Remembered::New));
    assert_eq!(
        recalled(ledger, &event, EXPIRED).await,
        Some(record(&again, Status::Pending))
    );
    let stale = End {
        at: EXPIRED,
        ..end(Outcome::Stale)
    };
    assert_eq!(
        ledger.finish(&again, &stale).await,
        Ok(Finish::Recorded),
        "a new life"
    );
}

/// Ingest writes the record of a repetition over that of the earlier event, where equal bodies are one event for a while only.
/// Process never does.
async fn a_ledger_tells_repetitions_from_copies(ledger: &impl Ledger) {
    let first = event("body", Operation::Create, 1, "d");
    assert_eq!(remember(ledger, &first, NOW).await, Ok(Remembered::New));
    let finished = ledger.finish(&first, &end(Outcome::Applied)).await;
    assert_eq!(finished, Ok(Finish::Recorded));
    let received = |after: i64| Event {
        received_at: NOW + after,
        repeats_after: Some(NOW + after - 60_000),
        ..first.clone()
    };
    let done = Ok(known(&first, Status::Done));
    assert_eq!(remember(ledger, &received(60_000), NOW).await, done);
    let repeated = received(60_001);
    let message = Event::from_message(&repeated.to_message()).unwrap();
    assert_eq!(remember(ledger, &message, NOW).await, done);
    assert_eq!(remember(ledger, &repeated, NOW).await, Ok(Remembered::New));
    let pending = Some(record(&repeated, Status::Pending));
    assert_eq!(recalled(ledger, &first, NOW).await, pending);
}

async fn a_ledger_recalls_in_the_order_asked(ledger: &impl Ledger) {
    let numbered = |number: usize| event(&format!("number {number}"), Operation::Create, 1, "d");
    let events: Vec<_> = (0..120).map(numbered).collect();
    assert_eq!(ledger.recall(&[], NOW).await, Ok(vec![]));
    let mut expected = Vec::new();
    for (number, event) in events.iter().enumerate() {
        // Of each three one has no record, one is pending, and one has ended.
        if number % 3 > 0 {
            assert_eq!(remember(ledger, event, NOW).await, Ok(Remembered::New));
        }
        if number % 3 > 1 {
            let finished = ledger.finish(event, &end(Outcome::Applied)).await;
            assert_eq!(finished, Ok(Finish::Recorded));
        }
        expected.push(match number % 3 {
            0 => None,
            1 => Some(record(event, Status::Pending)),
            _ => Some(record(event, Status::Done)),
        });
    }
    // More than one read of DynamoDB takes, in an order that is not that of the keys, and each event twice.
    let copies: Vec<_> = events
        .iter()
        .map(|event| Event {
            received_at: NOW + 9,
            ..event.clone()
        })
        .collect();
    let asked: Vec<_> = events.iter().rev().chain(&copies).collect();
    let backwards = expected.iter().rev().cloned();
    let all: Vec<_> = backwards.chain(expected.clone()).collect();
    assert_eq!(ledger.recall(&asked, NOW).await, Ok(all));
    let late = ledger.recall(&asked, EXPIRED).await;
    assert_eq!(late, Ok(vec![None; 240]), "all of them have expired");
}

async fn a_ledger_lends_nothing_without_a_record(ledger: &impl Ledger) {
    let event = event("unknown", Operation::Other, 1, "d");
    assert!(ledger.claim(&event, &lease("a", 0, 10)).await.is_err());
    assert_eq!(recalled(ledger, &event, NOW).await, None, "nor writes one");

    assert_eq!(remember(ledger, &event, NOW).await, Ok(Remembered::New));
    let late = LIFE * 1000 + 1000;
    let claimed = ledger.claim(&event, &lease("a", late, late + 10)).await;
    assert!(claimed.is_err(), "an expired one is none");
    let finished = ledger.finish(&event, &end(Outcome::Applied)).await;
    assert_eq!(finished, Ok(Finish::Recorded));
    let claimed = ledger.claim(&event, &lease("a", late, late + 10)).await;
    assert!(claimed.is_err(), "also one that was done: {claimed:?}");
    assert_eq!(recalled(ledger, &event, EXPIRED).await, None);
}

async fn a_ledger_writes_what_ingest_could_not(ledger: &impl Ledger) {
    let event = event("unseen", Operation::Create, 1, "d");
    assert_eq!(
        ledger.finish(&event, &end(Outcome::Applied)).await,
        Ok(Finish::Recorded)
    );
    assert_eq!(
        remember(ledger, &event, NOW + 1).await,
        Ok(known(&event, Status::Done))
    );
}

/// The record expires while the event is at work.
async fn a_ledger_writes_the_end_over_an_expired_record(ledger: &impl Ledger) {
    for (id, first) in [("gone", Outcome::Applied), ("ill", Outcome::Rejected)] {
        let event = event(id, Operation::Create, 1, "d");
        assert_eq!(remember(ledger, &event, NOW).await, Ok(Remembered::New));
        assert_eq!(
            ledger.claim(&event, &lease("a", 0, 10)).await,
            Ok(Claim::Held)
        );
        assert_eq!(
            ledger.finish(&event, &end_of("a", first)).await,
            Ok(Finish::Recorded)
        );
        let again = come_again(&event);
        let at = |end| End { at: EXPIRED, ..end };
        let finished = ledger
            .finish(&again, &at(end_of("a", Outcome::Stale)))
            .await;
        assert_eq!(finished, Ok(Finish::NotOwner), "{id}: the lease is gone");
        assert_eq!(recalled(ledger, &event, EXPIRED).await, None, "{id}");
        let finished = ledger.finish(&again, &at(end(Outcome::Stale))).await;
        assert_eq!(finished, Ok(Finish::Recorded), "{id}");
        assert_eq!(
            recalled(ledger, &event, EXPIRED).await,
            Some(record(&again, Status::Done)),
            "{id}: all of it is of the new life"
        );
        let finished = ledger
            .finish(&again, &at(end_of("a", Outcome::Stale)))
            .await;
        assert_eq!(finished, Ok(Finish::Before), "{id}: nobody owns it");
    }
}

/// The first version stays, whichever copy of the event is at work.
async fn a_ledger_keeps_the_first_version(ledger: &impl Ledger) {
    let first = event("copied", Operation::Create, 1, "d");
    assert_eq!(remember(ledger, &first, NOW).await, Ok(Remembered::New));
    let copy = Event {
        received_at: NOW + 5,
        place: 3,
        ..first.clone()
    };
    assert!(copy.version() > first.version());
    assert_eq!(
        ledger.claim(&copy, &lease("a", 5, 10)).await,
        Ok(Claim::Held)
    );
    let pending = Some(record(&first, Status::Pending));
    assert_eq!(recalled(ledger, &copy, NOW).await, pending);
    let finished = ledger.finish(&copy, &end_of("a", Outcome::Applied)).await;
    assert_eq!(finished, Ok(Finish::Recorded));
    let done = Some(record(&first, Status::Done));
    assert_eq!(recalled(ledger, &copy, NOW).await, done);
}

async fn a_ledger_closes_what_was_quarantined(ledger: &impl Ledger) {
    let event = event("sick", Operation::Create, 1, "d");
    assert_eq!(remember(ledger, &event, NOW).await, Ok(Remembered::New));
    for _ in 0..2 {
        assert_eq!(
            ledger.finish(&event, &end(Outcome::Rejected)).await,
            Ok(Finish::Recorded),
            "it is judged as often as it comes"
        );
        assert_eq!(
            remember(ledger, &event, NOW).await,
            Ok(known(&event, Status::Quarantined))
        );
    }
    assert_eq!(
        ledger.finish(&event, &end(Outcome::Applied)).await,
        Ok(Finish::Recorded)
    );
    assert_eq!(
        remember(ledger, &event, NOW).await,
        Ok(known(&event, Status::Done))
    );
}

async fn a_ledger_lends_an_event_to_one_owner_at_a_time(ledger: &impl Ledger) {
    let event = event("lent", Operation::Other, 1, "d");
    assert_eq!(remember(ledger, &event, NOW).await, Ok(Remembered::New));
    assert_eq!(
        ledger.claim(&event, &lease("a", 0, 10)).await,
        Ok(Claim::Held)
    );
    assert_eq!(
        remember(ledger, &event, NOW).await,
        Ok(known(&event, Status::Pending))
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
        ledger.finish(&event, &end_of("a", Outcome::Applied)).await,
        Ok(Finish::NotOwner)
    );
    // The answer to the first try may have been lost.
    for outcome in [Outcome::Rejected, Outcome::Rejected] {
        assert_eq!(
            ledger.finish(&event, &end_of("b", outcome)).await,
            Ok(Finish::Recorded)
        );
    }
    assert_eq!(
        ledger.claim(&event, &lease("c", 21, 30)).await,
        Ok(Claim::Held),
        "a rejected one is judged again"
    );
    for outcome in [Outcome::Applied, Outcome::Applied] {
        assert_eq!(
            ledger.finish(&event, &end_of("c", outcome)).await,
            Ok(Finish::Recorded)
        );
    }
    for other in [
        end_of("b", Outcome::Rejected),
        end_of("a", Outcome::Applied),
        end(Outcome::Applied),
    ] {
        assert_eq!(ledger.finish(&event, &other).await, Ok(Finish::Before));
    }
    assert_eq!(
        ledger.claim(&event, &lease("d", 99, 100)).await,
        Ok(Claim::Finished)
    );
}

async fn a_ledger_notes_how_a_try_failed(ledger: &impl Ledger) {
    let event = event("failing", Operation::Other, 1, "d");
    assert_eq!(remember(ledger, &event, NOW).await, Ok(Remembered::New));
    let tries = async || {
        let records = ledger.recall(&[&event], NOW).await.unwrap();
        records[0].clone().unwrap().tries
    };
    assert_eq!(tries().await, Tries::default());
    for (number, owner) in [(1, "a"), (2, "b"), (3, "c")] {
        let from = i64::from(number) * 100;
        let claimed = ledger.claim(&event, &lease(owner, from, from + 10)).await;
        assert_eq!(claimed, Ok(Claim::Held));
        assert_eq!(tries().await.unended, number, "nobody said how it ended");
    }
    let failure = |owner, lease_end| Failure {
        owner,
        reason: "503",
        at: NOW + 305,
        lease_end: NOW + lease_end,
        waits_until: Some(NOW + 99_000),
    };
    ledger.fail(&event, &failure("b", 305)).await;
    assert_eq!(tries().await.unended, 3, "its lease is somebody else's");
    let busy = Ok(Claim::Busy { until: NOW + 310 });
    assert_eq!(ledger.claim(&event, &lease("d", 306, 400)).await, busy);
    // Something of it may still be running: the lease stays.
    ledger.fail(&event, &failure("c", 310)).await;
    let failed = Tries {
        reason: Some("503".to_owned()),
        ..Tries::default()
    };
    assert_eq!(tries().await, failed);
    assert_eq!(ledger.claim(&event, &lease("d", 306, 400)).await, busy);
    // Nothing of it runs any more.
    ledger.fail(&event, &failure("c", 305)).await;
    let claimed = ledger.claim(&event, &lease("d", 306, 400)).await;
    assert_eq!(claimed, Ok(Claim::Held));
    let finished = ledger.finish(&event, &end_of("d", Outcome::Applied)).await;
    assert_eq!(finished, Ok(Finish::Recorded));
    ledger.fail(&event, &failure("d", 307)).await;
    let known = recalled(ledger, &event, NOW).await.unwrap();
    assert_eq!(known.status, Status::Done, "what is done stays so");
    assert_eq!(tries().await.reason, None);
}

/// The contract of a ledger that one caller asks at a time.
async fn a_ledger_keeps_the_contract(ledger: &impl Ledger) {
    a_ledger_remembers(ledger).await;
    a_ledger_forgets_on_time(ledger).await;
    a_ledger_tells_repetitions_from_copies(ledger).await;
    a_ledger_recalls_in_the_order_asked(ledger).await;
    a_ledger_lends_nothing_without_a_record(ledger).await;
    a_ledger_writes_what_ingest_could_not(ledger).await;
    a_ledger_writes_the_end_over_an_expired_record(ledger).await;
    a_ledger_keeps_the_first_version(ledger).await;
    a_ledger_closes_what_was_quarantined(ledger).await;
    a_ledger_lends_an_event_to_one_owner_at_a_time(ledger).await;
    a_ledger_notes_how_a_try_failed(ledger).await;
}

/// Each lease is a try; `tries` says how many the record counts.
async fn a_ledger_counts_tries(ledger: &impl Ledger, event: &Event, tries: impl AsyncFn() -> i64) {
    assert_eq!(remember(ledger, event, NOW).await, Ok(Remembered::New));
    for (number, owner) in [(1, "a"), (2, "b"), (3, "c")] {
        let from = number * 100;
        let claimed = ledger.claim(event, &lease(owner, from, from + 10)).await;
        assert_eq!(claimed, Ok(Claim::Held));
        assert_eq!(tries().await, number);
        let refused = ledger.claim(event, &lease("other", from, from + 10)).await;
        assert!(matches!(refused, Ok(Claim::Busy { .. })), "{refused:?}");
        assert_eq!(tries().await, number, "only what was given counts");
    }
}

async fn a_ledger_lets_one_of_many_in(ledger: &(impl Ledger + Clone + 'static)) {
    let event = event("crowd", Operation::Create, 1, "d");
    let mut crowd = tokio::task::JoinSet::new();
    for _ in 0..30 {
        let (ledger, event) = (ledger.clone(), event.clone());
        crowd.spawn(async move { remember(&ledger, &event, NOW).await.unwrap() });
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
        let handled = documents.handle(&event).await.unwrap();
        assert_eq!(handled.outcome, outcome, "{event:?}");
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

/// The events of one document, each with what becomes of it, and whether it ties with what was there.
async fn documents_end_so(documents: &impl Handler, steps: &[(Event, Outcome, bool)]) {
    for (event, outcome, tie) in steps {
        let handled = documents.handle(event).await.unwrap();
        assert_eq!(
            (handled.outcome, handled.tie),
            (*outcome, *tie),
            "{event:?}"
        );
    }
}

async fn events_of_one_time_follow_their_reception(documents: &impl Handler) {
    let at = |id, operation, time, reception| Event {
        received_at: NOW + reception,
        ..event(id, operation, time, "tie")
    };
    let steps = [
        (at("a", Operation::Create, 5, 1), Outcome::Applied, false),
        (at("a", Operation::Create, 5, 1), Outcome::Applied, false),
        (at("b", Operation::Update, 5, 3), Outcome::Applied, true),
        (at("c", Operation::Update, 5, 2), Outcome::Stale, true),
        (at("d", Operation::Delete, 5, 4), Outcome::Applied, true),
        (at("e", Operation::Create, 5, 5), Outcome::Applied, true),
        (at("f", Operation::Update, 4, 9), Outcome::Stale, false),
        (at("g", Operation::Update, 6, 0), Outcome::Applied, false),
    ];
    documents_end_so(documents, &steps).await;
}

async fn a_sequence_decides_before_the_time(documents: &impl Handler) {
    let at = |id, sequence, time| Event {
        sequence,
        ..event(id, Operation::Update, time, "counted")
    };
    let steps = [
        (at("a", None, 9), Outcome::Applied, false),
        // Where only one of two has a sequence, the time decides.
        (at("b", Some(1), 8), Outcome::Stale, false),
        (at("c", Some(1), 10), Outcome::Applied, false),
        (at("d", Some(3), 2), Outcome::Applied, false),
        (at("e", Some(2), 20), Outcome::Stale, false),
        (at("f", Some(2), 2), Outcome::Stale, false),
        (at("g", Some(3), 3), Outcome::Applied, false),
        (at("h", Some(3), 1), Outcome::Stale, false),
        (at("i", None, 1), Outcome::Stale, false),
        (at("j", Some(4), 1), Outcome::Applied, false),
    ];
    documents_end_so(documents, &steps).await;
}

#[tokio::test]
async fn the_model_keeps_the_contract() {
    let ledger = MemoryLedger::default();
    a_ledger_keeps_the_contract(&ledger).await;
    let event = event("tried", Operation::Other, 1, "d");
    let tries = || ledger.stored(&event.key).unwrap().tries;
    a_ledger_counts_tries(&ledger, &event, async || i64::from(tries())).await;
    let documents = MemoryDocuments::default();
    documents_follow_their_newest_version(&documents).await;
    events_of_one_time_follow_their_reception(&documents).await;
    a_sequence_decides_before_the_time(&documents).await;
}

async fn storage() -> Storage {
    let queue = QueueSettings {
        visibility_timeout: 10,
        retry_every: Duration::from_hours(1),
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

async fn a_table_counts_tries(storage: &Storage, ledger: &EventsTable) {
    let admin = Admin::new(&storage.endpoints.connection().unwrap());
    let (event, table) = (
        &event("tried", Operation::Other, 1, "d"),
        &storage.endpoints.events_table,
    );
    let stored = async || admin.get(table, event.key.as_str()).await.unwrap().unwrap();
    let tries = async || stored().await["tries"].as_i64().unwrap();
    a_ledger_counts_tries(ledger, event, tries).await;
    // Nothing of a life that is over stays in the record.
    let again = come_again(event);
    let end = End {
        at: EXPIRED,
        ..end(Outcome::Applied)
    };
    assert_eq!(ledger.finish(&again, &end).await, Ok(Finish::Recorded));
    let record = stored().await;
    for name in ["tries", "lease_owner", "lease_expires_at"] {
        assert!(!record.contains_key(name), "{name}: {record:?}");
    }
    assert_eq!(record["body_hash"], again.body.hash());
}

async fn a_table_says_why_a_time_is_not_the_events(storage: &Storage, ledger: &EventsTable) {
    let admin = Admin::new(&storage.endpoints.connection().unwrap());
    for (id, unusable_time, said) in [
        ("usable", None, None),
        (
            "unreadable",
            Some(UnusableTime::Unreadable),
            Some("unreadable"),
        ),
        ("future", Some(UnusableTime::Future), Some("future")),
    ] {
        let event = Event {
            unusable_time,
            ..event(id, Operation::Other, 1, "d")
        };
        remember(ledger, &event, NOW).await.unwrap();
        let table = &storage.endpoints.events_table;
        let record = admin.get(table, event.key.as_str()).await.unwrap().unwrap();
        assert_eq!(
            record.get("unusable_time").and_then(|text| text.as_str()),
            said,
            "{id}"
        );
    }
}

/// Versions that an earlier version of the code wrote for a sender whose clock was wrong.
async fn a_version_from_the_future_counts_as_absent(documents: &impl Handler) {
    let now = hookwell_lambda::now::now();
    let day = 24 * 3600 * 1000;
    let at = |id, time| event(id, Operation::Update, time, "ahead");
    let steps = [
        (at("a", 99_999_999_999_999), Outcome::Applied, false),
        (at("b", now), Outcome::Applied, false),
        (at("c", now + day), Outcome::Applied, false),
        (at("d", now), Outcome::Stale, false),
        (at("e", now + 3 * day), Outcome::Applied, false),
        (at("f", now - day), Outcome::Applied, false),
    ];
    documents_end_so(documents, &steps).await;
}

async fn a_document_that_is_too_large_says_so(documents: &impl Handler) {
    let large = Event {
        body: Body(format!(r#"{{"data":"{}"}}"#, "x".repeat(450_000)).into_bytes()),
        ..event("large", Operation::Update, 1, "large")
    };
    let why = documents.handle(&large).await.unwrap_err();
    let expected = "the document has 450 KB, and an item of a DynamoDB table at most 400 KB";
    assert_eq!(why, HandleError::Reject(expected.to_owned()));
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
    a_ledger_keeps_the_contract(&ledger).await;
    a_table_counts_tries(&storage, &ledger).await;
    a_table_says_why_a_time_is_not_the_events(&storage, &ledger).await;
    a_ledger_lets_one_of_many_in(&ledger).await;
    a_table_keeps_whole_events_until_their_time(&storage, &ledger).await;
    let documents = DocumentsTable::new(tables, storage.endpoints.documents_table.clone());
    documents_follow_their_newest_version(&documents).await;
    events_of_one_time_follow_their_reception(&documents).await;
    a_sequence_decides_before_the_time(&documents).await;
    a_version_from_the_future_counts_as_absent(&documents).await;
    a_document_that_is_too_large_says_so(&documents).await;

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
async fn the_queue_and_its_dead_letter_queue_take_every_body() {
    let storage = storage().await;
    let connection = storage.endpoints.connection().unwrap();
    let queue = SqsQueue::new(
        connection.sqs(Limits::TOOL),
        storage.endpoints.queue_url.clone(),
        Some(bucket(&storage)),
    );
    let queue = queue.with_dead_letters(storage.endpoints.dead_letter_queue_url.clone());
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
    // Each source has a lane of its own.
    let mapping = EventSourceMapping::new(
        connection.sqs(Limits::TOOL),
        storage.endpoints.queue_url.clone(),
    );
    let received = mapping.receive().await.unwrap();
    let lanes = received
        .iter()
        .map(|one| one.attributes["MessageGroupId"].as_str());
    assert_eq!(lanes.collect::<Vec<_>>(), ["s"; 4]);
    storage.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stored_event_that_is_gone_can_never_be_read() {
    let storage = storage().await;
    let connection = storage.endpoints.connection().unwrap();
    let (sqs, url) = (connection.sqs(Limits::TOOL), &storage.endpoints.queue_url);
    let queue = SqsQueue::new(sqs.clone(), url.clone(), Some(bucket(&storage)));
    let queue = queue.with_dead_letters(storage.endpoints.dead_letter_queue_url.clone());
    let pointer = r#"{"stored":"s/gone/body"}"#;
    let opened = queue.open(pointer).await;
    assert!(matches!(opened, Err(OpenError::Damaged(_))), "{opened:?}");
    let without = SqsQueue::new(sqs, url.clone(), None).open(pointer).await;
    assert!(
        matches!(without, Err(OpenError::Unavailable(_))),
        "{without:?}"
    );
    queue.bury_damaged(pointer, "gone").await.unwrap();
    let letters = &storage.endpoints.dead_letter_queue_url;
    let depth = Admin::new(&connection).queue_depth(letters).await;
    assert_eq!(depth.unwrap().0, 1);
    storage.stop().await;
}
