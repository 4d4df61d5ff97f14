//! Results of process for a batch.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing)]

mod support;

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::future::{Future, ready};
use std::sync::Mutex;

use futures_util::FutureExt as _;
use hookwell::event::body::Body;
use hookwell::event::message::Damage;
use hookwell::event::{Event, Operation, WithoutState};
use hookwell::ports::handler::{HandleError, Handled, Handler, Outcome};
use hookwell::ports::ledger::{
    Claim, End, Failure, Finish, Lease, Ledger, LedgerError, Record, Remembered, Status,
};
use hookwell::ports::memory::{MemoryDocuments, MemoryLedger, MemoryQueue, StoppedClock};
use hookwell::ports::queue::{OpenError, Queue, QueueError};
use hookwell::process::{Fate, Invocation, Message, Processed, TRIES_IN_PLACE, process};
use serde_json::json;
use support::clock::Clock;
use support::{NOW, event, invoke, message, received};

#[derive(Default)]
struct Setup<H> {
    ledger: MemoryLedger,
    queue: MemoryQueue,
    handler: H,
}

impl<H: Handler> Setup<H> {
    fn run(&self, events: &[Event]) -> Vec<Processed> {
        self.run_messages(
            events
                .iter()
                .map(|event| message(&event.to_message()))
                .collect(),
        )
    }

    fn run_messages(&self, batch: Vec<Message>) -> Vec<Processed> {
        let Self {
            ledger,
            queue,
            handler,
        } = self;
        invoke(ledger, queue, handler, batch, NOW)
            .now_or_never()
            .unwrap()
    }
}

fn state(documents: &MemoryDocuments) -> BTreeMap<String, Option<String>> {
    documents
        .all()
        .into_iter()
        .map(|(key, document)| (key, document.state))
        .collect()
}

#[test]
fn every_order_and_number_of_copies_gives_one_final_state() {
    use Operation::{Create, Delete, Update};
    let histories = [
        vec![
            event("1", Create, 1, "d"),
            event("2", Update, 2, "d"),
            event("3", Update, 3, "d"),
        ],
        vec![
            event("1", Create, 1, "d"),
            event("2", Update, 2, "d"),
            event("3", Delete, 3, "d"),
        ],
        vec![
            event("1", Create, 1, "d"),
            event("2", Delete, 2, "d"),
            event("3", Create, 3, "d"),
        ],
        vec![
            event("1", Create, 5, "d"),
            event("2", Update, 5, "d"),
            event("3", Update, 5, "d"),
        ],
        vec![
            event("1", Create, 5, "d"),
            event("2", Update, 5, "d"),
            event("3", Delete, 5, "d"),
        ],
    ];
    for history in histories {
        let in_order = Setup::<MemoryDocuments>::default();
        for event in &history {
            in_order.run(std::slice::from_ref(event));
        }
        let expected = state(&in_order.handler);
        // Of events of one time none is the last: every order must give the same, whatever it is.
        let [first, .., last] = history.as_slice() else {
            panic!("a history has a first and a last event");
        };
        if first.time != last.time {
            let kept = (last.operation != Delete).then(|| last.document().unwrap().to_owned());
            assert_eq!(expected.values().collect::<Vec<_>>(), [&kept]);
        }
        // Every sequence of up to five deliveries of the three events that holds each at least once.
        for code in 0..3_usize.pow(5) {
            let order: Vec<_> = (0..5).map(|digit| code / 3_usize.pow(digit) % 3).collect();
            if (0..3).any(|index| !order.contains(&index)) {
                continue;
            }
            let shuffled = Setup::<MemoryDocuments>::default();
            for index in &order {
                assert!(
                    shuffled
                        .run(&history[*index..=*index])
                        .iter()
                        .all(|done| !done.fate.is_failure())
                );
            }
            assert_eq!(state(&shuffled.handler), expected, "{order:?}");
            let batch: Vec<_> = order.iter().map(|index| history[*index].clone()).collect();
            let at_once = Setup::<MemoryDocuments>::default();
            at_once.run(&batch);
            assert_eq!(state(&at_once.handler), expected, "{order:?} in one batch");
        }
    }
}

#[test]
fn a_copy_changes_nothing_and_does_not_rewrite_the_outcome() {
    let setup = Setup::<MemoryDocuments>::default();
    let (old, new) = (
        event("1", Operation::Create, 1, "d"),
        event("2", Operation::Update, 2, "d"),
    );
    assert_eq!(
        setup.run(std::slice::from_ref(&old))[0].fate,
        Fate::Finished(Outcome::Applied)
    );
    assert_eq!(setup.run(&[new])[0].fate, Fate::Finished(Outcome::Applied));
    assert_eq!(
        setup.run(std::slice::from_ref(&old))[0].fate,
        Fate::Duplicate
    );
    assert_eq!(
        setup.ledger.stored(&old.key).unwrap().outcome,
        Some(Outcome::Applied)
    );
}

#[test]
fn a_write_whose_record_was_lost_counts_as_applied_not_as_stale() {
    let setup = Setup::<MemoryDocuments>::default();
    let event = event("1", Operation::Create, 1, "d");
    setup
        .handler
        .handle(&event)
        .now_or_never()
        .unwrap()
        .unwrap();
    assert_eq!(
        setup.run(&[event])[0].fate,
        Fate::Finished(Outcome::Applied)
    );
}

#[test]
fn a_stale_update_after_a_delete_stays_deleted_and_is_stale() {
    let setup = Setup::<MemoryDocuments>::default();
    setup.run(&[event("2", Operation::Delete, 2, "d")]);
    let done = setup.run(&[event("1", Operation::Update, 1, "d")]);
    assert_eq!(done[0].fate, Fate::Finished(Outcome::Stale));
    assert_eq!(state(&setup.handler)["s#thing#d"], None);
}

#[test]
fn what_is_not_about_a_document_is_ignored() {
    let setup = Setup::<MemoryDocuments>::default();
    let payment = event("1", Operation::Other, 1, "d");
    let done = setup.run(std::slice::from_ref(&payment));
    assert_eq!(done[0].fate, Fate::Finished(Outcome::Ignored));
    let reason = "its type is no create, update or delete of a document";
    assert_eq!(done[0].reason.as_deref(), Some(reason));
    assert_eq!(
        setup.ledger.stored(&payment.key).unwrap().record.status,
        Status::Done
    );
    assert!(setup.handler.all().is_empty());
}

#[test]
fn what_a_preset_does_not_find_in_an_event_is_nobodys_fault() {
    for (why, document_id) in [
        (WithoutState::Unnamed, None),
        (WithoutState::Thin, Some("d".to_owned())),
    ] {
        for operation in [Operation::Create, Operation::Update, Operation::Delete] {
            let setup = Setup::<MemoryDocuments>::default();
            let event = Event {
                document_id: document_id.clone(),
                document_at: None,
                without_state: Some(why),
                ..event("1", operation, 1, "d")
            };
            let done = setup.run(std::slice::from_ref(&event));
            assert_eq!(done[0].fate, Fate::Finished(Outcome::Ignored), "{event:?}");
            assert_eq!(done[0].reason.as_deref(), Some(why.reason()));
            assert_eq!(setup.queue.buried(), [], "{event:?}");
            assert!(setup.handler.all().is_empty(), "{event:?}");
        }
    }
}

#[test]
fn what_can_never_be_applied_goes_to_the_dead_letter_queue_with_its_reason() {
    let setup = Setup::<MemoryDocuments>::default();
    let nameless = Event {
        document_id: None,
        ..event("1", Operation::Create, 1, "d")
    };
    let stateless = Event {
        body: Body(b"{}".to_vec()),
        ..event("2", Operation::Update, 1, "d")
    };
    let unreadable = Event {
        invalid: Some("no JSON".into()),
        ..event("3", Operation::Other, 1, "d")
    };
    for event in [&nameless, &stateless, &unreadable] {
        let done = setup.run(std::slice::from_ref(event));
        assert_eq!(done[0].fate, Fate::Finished(Outcome::Rejected));
        assert_eq!(
            setup.ledger.stored(&event.key).unwrap().record.status,
            Status::Quarantined
        );
    }
    let reasons: Vec<_> = setup
        .queue
        .buried()
        .into_iter()
        .map(|(_, reason)| reason)
        .collect();
    assert_eq!(
        reasons,
        [
            "the event names no document",
            "the event holds no state of its document",
            "no JSON"
        ]
    );
}

#[test]
fn one_bad_message_does_not_fail_its_neighbours() {
    let setup = Setup::<MemoryDocuments>::default();
    let good = message(&event("1", Operation::Create, 1, "d").to_message());
    let bad = message("not one of ours");
    let processed = setup.run_messages(vec![bad.clone(), good.clone()]);
    let fate = |id: &str| {
        let done = processed.iter().find(|done| done.message.id == id);
        done.unwrap().fate.clone()
    };
    assert_eq!(fate(&bad.id), Fate::Malformed(Damage::NotAnEvent));
    assert_eq!(fate(&good.id), Fate::Finished(Outcome::Applied));
    assert_eq!(setup.handler.all().len(), 1);
    let letter = ("not one of ours", "the message is not an event");
    let letter = (letter.0.to_owned(), letter.1.to_owned());
    assert_eq!(setup.queue.damaged(), [letter]);
}

/// The message of a good event with one part of it changed.
fn changed(part: &str, value: serde_json::Value) -> String {
    let event = event("1", Operation::Create, 1, "d").to_message();
    let mut event: serde_json::Value = serde_json::from_str(&event).unwrap();
    event[part] = value;
    event.to_string()
}

#[test]
fn a_forged_or_damaged_message_is_named_and_is_a_letter_at_once_beside_its_neighbours() {
    let far = NOW + 86_400_000 + 1;
    let long = |length| json!("x".repeat(length));
    let whole = event("1", Operation::Create, 1, "d").to_message();
    let cases = [
        (String::new(), "is not an event"),
        ("not an event".to_owned(), "is not an event"),
        ("[]".to_owned(), "is not an event"),
        ("{}".to_owned(), "is not an event"),
        (whole[..whole.len() - 1].to_owned(), "is not an event"),
        (changed("received_at", json!("now")), "is not an event"),
        (changed("operation", json!("destroy")), "is not an event"),
        (
            changed("message_version", json!("2")),
            "a version that is none",
        ),
        (
            changed("message_version", json!(0)),
            "a version that is none",
        ),
        (
            changed("message_version", json!(-1)),
            "a version that is none",
        ),
        (changed("source", json!("")), "a source that cannot be"),
        (
            changed("source", json!("a/../b")),
            "a source that cannot be",
        ),
        (changed("source", long(65)), "a source that cannot be"),
        (
            changed("source", json!("other")),
            "belongs to another source",
        ),
        (
            changed("key", json!("other#1")),
            "belongs to another source",
        ),
        (changed("key", json!("s1#1")), "belongs to another source"),
        (changed("key", json!("")), "has no key"),
        (changed("key", json!("s#")), "has no key"),
        (
            changed("key", json!("s#\u{e9}")),
            "characters that no key has",
        ),
        (
            changed("key", json!(format!("s#{}", "x".repeat(1025)))),
            "is too long",
        ),
        (changed("id", long(1025)), "id of the message is too long"),
        (
            changed("type", long(257)),
            "type of the message is too long",
        ),
        (
            changed("document_type", long(257)),
            "document type of the message is too long",
        ),
        (changed("document_id", long(2041)), "longer than 2048 bytes"),
        (changed("received_at", json!(-1)), "is out of range"),
        (changed("received_at", json!(i64::MAX)), "is out of range"),
        (
            changed("received_at", json!(far)),
            "reception of the message is out of range",
        ),
        (
            changed("time", json!(far)),
            "time of the message is out of range",
        ),
        (
            changed("expires_at", json!(0)),
            "end of life of the message is out of range",
        ),
        (changed("expires_at", json!(i64::MAX)), "is out of range"),
        (
            changed("retain_until", json!(i64::MAX)),
            "time to keep it of the message is out of range",
        ),
        (changed("retry_for", json!(-1)), "is out of range"),
        (
            changed("retry_for", json!(i64::MAX)),
            "time to try it again of the message is out of range",
        ),
    ];
    for (text, expected) in cases {
        let setup = Setup::<MemoryDocuments>::default();
        let neighbours = ["2", "3"].map(|id| event(id, Operation::Create, 1, id).to_message());
        let [before, after] = neighbours.map(|text| message(&text));
        let bad = message(&text);
        let done = setup.run_messages(vec![before, bad.clone(), after]);
        assert!(done.iter().all(|done| !done.fate.is_failure()), "{text}");
        let bad = done.iter().find(|done| done.message.id == bad.id).unwrap();
        assert_eq!(bad.fate.name(), "malformed", "{text}");
        let reason = bad.reason.clone().unwrap();
        assert!(reason.contains(expected), "{text}: {reason}");
        assert_eq!(setup.queue.damaged(), [(text, reason)]);
        assert_eq!(setup.handler.all().len(), 2, "the neighbours");
    }
}

#[test]
fn what_a_later_release_wrote_waits_for_the_update_of_this_function() {
    let setup = Setup::<MemoryDocuments>::default();
    let mut later = vec![changed("message_version", json!(3))];
    later.push(r#"{"message_version":4,"what":"nobody knows yet"}"#.to_owned());
    for text in later {
        let done = setup.run_messages(vec![message(&text)]).remove(0);
        assert!(
            matches!(&done.fate, Fate::Retry(why) if why.contains("update it")),
            "{:?}",
            done.fate
        );
        assert!(setup.queue.damaged().is_empty());
    }
    let ours = changed("message_version", json!(1));
    let done = setup.run_messages(vec![message(&ours)]).remove(0);
    assert_eq!(done.fate, Fate::Finished(Outcome::Applied));
    let more = changed("of_a_later_release", json!({ "that": "may be ignored" }));
    let done = setup.run_messages(vec![message(&more)]).remove(0);
    assert_eq!(done.fate, Fate::Duplicate, "the same event");
}

#[test]
fn a_damaged_message_that_cannot_be_buried_comes_back() {
    let (ledger, documents) = (MemoryLedger::default(), MemoryDocuments::default());
    let batch = vec![message("not an event")];
    let done = invoke(&ledger, &Hidden::default(), &documents, batch, NOW).now_or_never();
    assert!(matches!(done.unwrap()[0].fate, Fate::Retry(_)));
}

/// A handler whose reasons have this many characters.
struct Talkative(usize);

impl Handler for Talkative {
    async fn handle(&self, event: &Event) -> Result<Handled, HandleError> {
        let reason = "\u{20ac}".repeat(self.0);
        match event.operation {
            Operation::Create => Err(HandleError::Reject(reason)),
            _ => Err(HandleError::Retry(reason)),
        }
    }
}

#[test]
fn a_reason_of_any_length_is_cut_before_it_is_written_anywhere() {
    for length in [0, 1, 333, 334, 1_000_000] {
        let (ledger, queue) = (MemoryLedger::default(), MemoryQueue::default());
        let events = [
            event("1", Operation::Create, 1, "d"),
            event("2", Operation::Update, 1, "e"),
        ];
        let batch = events.each_ref().map(|event| message(&event.to_message()));
        let handler = Talkative(length);
        let done = invoke(&ledger, &queue, &handler, batch.to_vec(), NOW);
        let said = done
            .now_or_never()
            .unwrap()
            .into_iter()
            .map(|done| match done.fate {
                Fate::Retry(why) => why,
                _ => done.reason.unwrap(),
            });
        let said: Vec<_> = said.chain([queue.buried()[0].1.clone()]).collect();
        assert_eq!(said.len(), 3);
        for reason in said {
            assert!(reason.len() <= 1_000, "{length}: {} bytes", reason.len());
            let kept = reason.trim_end_matches('…');
            assert!(kept.chars().all(|c| c == '€'), "{reason}");
            assert_eq!(
                kept.chars().count(),
                length.min(if length > 333 { 332 } else { 333 })
            );
        }
    }
}

/// Fails as the event's id says, and notes what it was called with.
#[derive(Default)]
struct Moody(Mutex<Vec<String>>);

impl Handler for Moody {
    async fn handle(&self, event: &Event) -> Result<Handled, HandleError> {
        self.0.lock().unwrap().push(event.id.clone());
        match event.id.as_str() {
            "panic" => panic!("on purpose"),
            "retry" => Err(HandleError::Retry("later".into())),
            "ended" => Err(HandleError::RetryEnded("later".into())),
            "hang" => std::future::pending().await,
            _ => Ok(Outcome::Applied.into()),
        }
    }
}

/// Panics wherever it is asked about one event: before its future is there, and when it is asked about a lease.
struct Rash;

impl Handler for Rash {
    fn handle(&self, event: &Event) -> impl Future<Output = Result<Handled, HandleError>> + Send {
        assert_ne!(event.id, "panic", "on purpose");
        ready(Ok(Outcome::Applied.into()))
    }

    fn reaches_outside(&self, event: &Event) -> bool {
        assert_ne!(event.id, "panic", "on purpose");
        false
    }
}

#[test]
fn a_panic_before_the_future_of_a_handler_fails_that_event_only() {
    let (ledger, queue) = (MemoryLedger::default(), MemoryQueue::default());
    let events = ["panic", "fine"].map(|id| event(id, Operation::Create, 1, id));
    let batch = events.each_ref().map(|event| message(&event.to_message()));
    let done = invoke(&ledger, &queue, &Rash, batch.to_vec(), NOW);
    let done = done.now_or_never().unwrap();
    let fates: BTreeMap<_, _> = done
        .into_iter()
        .map(|done| (done.event.unwrap().id.clone(), done.fate))
        .collect();
    assert_eq!(fates["panic"], Fate::Retry("the handler panicked".into()));
    assert_eq!(fates["fine"], Fate::Finished(Outcome::Applied));
}

#[test]
fn a_letter_that_is_put_back_again_and_again_keeps_its_life() {
    let (ledger, queue) = (MemoryLedger::default(), MemoryQueue::default());
    let mut letter = event("1", Operation::Create, 1, "d").to_message();
    for days in 1..100 {
        let now = NOW + days * 86_400_000;
        let handler = Talkative(1);
        let done = invoke(&ledger, &queue, &handler, vec![message(&letter)], now);
        let fate = done.now_or_never().unwrap().remove(0).fate;
        assert_eq!(fate, Fate::Finished(Outcome::Rejected), "day {days}");
        letter = queue.buried().pop().unwrap().0.to_message();
    }
}

#[test]
fn a_panic_is_a_retry_of_that_event_only() {
    let setup = Setup::<Moody>::default();
    let events = ["panic", "retry", "fine"].map(|id| event(id, Operation::Create, 1, id));
    let fates: BTreeMap<_, _> = setup
        .run(&events)
        .into_iter()
        .map(|done| (done.event.unwrap().id.clone(), done.fate))
        .collect();
    assert_eq!(fates["panic"], Fate::Retry("the handler panicked".into()));
    assert_eq!(fates["retry"], Fate::Retry("later".into()));
    assert_eq!(fates["fine"], Fate::Finished(Outcome::Applied));
    let stored = setup.ledger.stored(&events[0].key).unwrap();
    assert_eq!(
        (stored.record.status, stored.outcome),
        (Status::Pending, None)
    );
}

#[test]
fn what_there_is_no_time_for_is_not_started_and_comes_back() {
    let setup = Setup::<Moody>::default();
    let batch = vec![message(&event("a", Operation::Create, 1, "a").to_message())];
    let Setup {
        ledger,
        queue,
        handler,
    } = &setup;
    let run = |left| {
        let invocation = Invocation {
            id: "late",
            deadline: NOW + left,
        };
        let (batch, clock) = (batch.clone(), StoppedClock::at(NOW));
        let done = process(
            ledger,
            queue,
            handler,
            &[],
            batch,
            invocation,
            clock.clock(),
        );
        done.now_or_never().unwrap().remove(0).fate
    };
    assert_eq!(run(4_999), Fate::NotStarted);
    assert!(setup.handler.0.lock().unwrap().is_empty());
    assert_eq!(run(5_000), Fate::Finished(Outcome::Applied));
}

#[test]
fn at_the_deadline_what_still_runs_comes_back_and_what_is_done_stays_done() {
    let setup = Setup::<Moody>::default();
    let batch =
        ["hang", "fine"].map(|id| message(&event(id, Operation::Create, 1, id).to_message()));
    let hanging = batch[0].id.clone();
    let Setup {
        ledger,
        queue,
        handler,
    } = &setup;
    let (clock, deadline) = (Clock::new(NOW), NOW + 30_000);
    let (timers, invocation) = (clock.timers(), Invocation { id: "1", deadline });
    let batch = batch.to_vec();
    let done = process(
        ledger,
        queue,
        handler,
        &[],
        batch,
        invocation,
        timers.clock(),
    );
    let done = clock.run(done);
    assert!(clock.now() < deadline, "Lambda hears of it");
    let failed: Vec<_> = done.iter().filter(|done| done.fate.is_failure()).collect();
    assert_eq!(
        (done.len(), failed.len(), &failed[0].message.id),
        (2, 1, &hanging)
    );
}

/// A handler with effects elsewhere: counts what is running, and hangs or fails as the event's id says.
#[derive(Default)]
struct Outside(Moody);

impl Handler for Outside {
    async fn handle(&self, event: &Event) -> Result<Handled, HandleError> {
        self.0.handle(event).await
    }

    fn reaches_outside(&self, _: &Event) -> bool {
        true
    }
}

impl Setup<Outside> {
    fn at(&self, now: i64, message: &Message) -> Fate {
        let Self {
            ledger,
            queue,
            handler,
        } = self;
        let batch = vec![message.clone()];
        let done = invoke(ledger, queue, handler, batch, now).now_or_never();
        done.unwrap().remove(0).fate
    }

    fn calls(&self) -> usize {
        self.handler.0.0.lock().unwrap().len()
    }
}

#[test]
fn a_call_with_effects_elsewhere_never_runs_beside_another_nor_after_the_end() {
    let setup = Setup::<Outside>::default();
    let hanging = message(&event("hang", Operation::Other, 1, "d").to_message());
    let Setup {
        ledger,
        queue,
        handler,
    } = &setup;
    let running = invoke(ledger, queue, handler, vec![hanging.clone()], NOW);
    let mut running = std::pin::pin!(running);
    assert!(
        running.as_mut().now_or_never().is_none(),
        "it hangs and holds the lease"
    );
    let another_reception = Message {
        receipt: "another".into(),
        ..hanging.clone()
    };
    let busy = Fate::Busy {
        until: NOW + 31_000,
    };
    assert_eq!(setup.at(NOW + 10, &another_reception), busy);
    assert_eq!(
        setup.at(NOW + 10, &hanging),
        busy,
        "Lambda may hand out one reception twice"
    );
    assert_eq!(setup.calls(), 1);

    let fine = message(&event("fine", Operation::Other, 1, "d").to_message());
    let again = Message {
        receipt: "yet another".into(),
        ..fine.clone()
    };
    assert_eq!(setup.at(NOW, &fine), Fate::Finished(Outcome::Applied));
    assert_eq!(setup.at(NOW + 99_000, &again), Fate::Duplicate);
    assert_eq!(setup.calls(), 2, "the copy was not called");
}

#[test]
fn a_lease_that_ended_is_taken_over_and_its_old_holder_can_no_longer_finish() {
    let setup = Setup::<Outside>::default();
    let event = event("fine", Operation::Other, 1, "d");
    let remembered = setup.ledger.remember(&event, NOW).now_or_never().unwrap();
    assert_eq!(remembered, Ok(Remembered::New));
    let old = Lease {
        owner: "old",
        now: NOW,
        until: NOW + 1_000,
    };
    let claim = |lease| {
        setup
            .ledger
            .claim(&event, lease)
            .now_or_never()
            .unwrap()
            .unwrap()
    };
    assert_eq!(claim(&old), Claim::Held);
    assert_eq!(
        claim(&old),
        Claim::Held,
        "the holder may ask again: its answer may have been lost"
    );
    let new = Lease {
        owner: "new",
        now: NOW + 1_000,
        until: NOW + 2_000,
    };
    assert_eq!(claim(&new), Claim::Busy { until: NOW + 1_000 });
    assert_eq!(
        claim(&Lease {
            now: NOW + 1_001,
            ..new
        }),
        Claim::Held
    );
    let end = |owner: &str| End {
        outcome: Outcome::Applied,
        reason: None,
        tie: false,
        at: NOW,
        owner: Some(owner.into()),
    };
    let finish = |owner| {
        setup
            .ledger
            .finish(&event, &end(owner))
            .now_or_never()
            .unwrap()
            .unwrap()
    };
    assert_eq!(
        (finish("old"), finish("new"), finish("new")),
        (Finish::NotOwner, Finish::Recorded, Finish::Recorded)
    );
}

#[test]
fn events_of_one_document_run_in_order_and_one_after_the_other() {
    let setup = Setup::<Moody>::default();
    let ids = ["c", "a", "b"];
    let events: Vec<_> = ids
        .iter()
        .zip([3, 1, 2])
        .map(|(id, time)| event(id, Operation::Update, time, "d"))
        .collect();
    setup.run(&events);
    assert_eq!(*setup.handler.0.lock().unwrap(), ["a", "b", "c"]);
}

#[test]
fn an_event_without_a_time_of_its_own_counts_from_its_first_copy() {
    let setup = Setup::<MemoryDocuments>::default();
    let first = Event {
        time: None,
        ..event("1", Operation::Update, 0, "d")
    };
    let remembered = setup.ledger.remember(&first, NOW).now_or_never();
    remembered.unwrap().unwrap();
    let copy = Event {
        received_at: NOW + 5_000,
        ..first.clone()
    };
    setup.run(&[copy]);
    let document = setup.handler.get(&first.document_key().unwrap());
    assert_eq!(document.unwrap().version, first.version());
}

/// A ledger that cannot keep events; its other calls work.
struct Keepless(MemoryLedger);

impl Ledger for Keepless {
    async fn remember(&self, event: &Event, now: i64) -> Result<Remembered, LedgerError> {
        self.0.remember(event, now).await
    }

    async fn recall(
        &self,
        events: &[&Event],
        now: i64,
    ) -> Result<Vec<Option<Record>>, LedgerError> {
        self.0.recall(events, now).await
    }

    async fn claim(&self, event: &Event, lease: &Lease<'_>) -> Result<Claim, LedgerError> {
        self.0.claim(event, lease).await
    }

    async fn fail(&self, event: &Event, failure: &Failure<'_>) {
        self.0.fail(event, failure).await;
    }

    async fn keep(&self, _: &Event) -> Result<(), LedgerError> {
        Err(LedgerError("down".into()))
    }

    async fn finish(&self, event: &Event, end: &End) -> Result<Finish, LedgerError> {
        self.0.finish(event, end).await
    }
}

#[test]
fn an_event_is_kept_before_its_handler_is_called() {
    let kept = Event {
        retain_until: Some(NOW / 1000 + 1),
        ..event("1", Operation::Create, 1, "d")
    };
    let setup = Setup::<MemoryDocuments>::default();
    setup.run(&[kept.clone(), event("2", Operation::Create, 1, "e")]);
    let found = setup.ledger.kept(&kept.key).unwrap();
    assert_eq!(found.to_message(), kept.to_message());
    let other = event("2", Operation::Create, 1, "e");
    assert_eq!(setup.ledger.kept(&other.key), None, "nobody asked for it");

    let (ledger, documents) = (
        Keepless(MemoryLedger::default()),
        MemoryDocuments::default(),
    );
    let batch = vec![message(&kept.to_message())];
    let queue = MemoryQueue::default();
    let done = invoke(&ledger, &queue, &documents, batch, NOW).now_or_never();
    let done = done.unwrap();
    assert!(matches!(done[0].fate, Fate::Retry(_)));
    assert!(
        documents.all().is_empty(),
        "it comes back, and is applied then"
    );
}

/// A queue that cannot open its messages, for this reason, and notes what is buried.
struct Closed(OpenError, Mutex<Vec<(String, String)>>);

impl Queue for Closed {
    async fn send(&self, _: &Event) -> Result<(), QueueError> {
        Ok(())
    }

    async fn open<'m>(&self, _: &'m str) -> Result<Cow<'m, str>, OpenError> {
        Err(self.0.clone())
    }

    async fn bury(&self, _: &Event, _: &str) -> Result<(), QueueError> {
        Ok(())
    }

    async fn bury_damaged(&self, message: &str, reason: &str) -> Result<(), QueueError> {
        let letter = (message.to_owned(), reason.to_owned());
        self.1.lock().unwrap().push(letter);
        Ok(())
    }

    async fn delay(&self, _: &str, _: u32) {}
}

#[test]
fn a_message_that_cannot_be_had_now_comes_back() {
    let (ledger, documents) = (MemoryLedger::default(), MemoryDocuments::default());
    let why = OpenError::Unavailable(QueueError("down".into()));
    let queue = Closed(why, Mutex::default());
    for tries in 1..=TRIES_IN_PLACE {
        let batch = vec![received(tries, "where it is")];
        let done = invoke(&ledger, &queue, &documents, batch, NOW).now_or_never();
        let fate = &done.unwrap()[0].fate;
        assert_eq!(
            *fate,
            Fate::Retry("the queue is unavailable: down".to_owned())
        );
    }
    assert!(queue.1.into_inner().unwrap().is_empty());
}

#[test]
fn a_message_that_can_never_be_read_is_a_letter_at_once() {
    let (ledger, documents) = (MemoryLedger::default(), MemoryDocuments::default());
    let queue = Closed(Damage::NoObject.into(), Mutex::default());
    let batch = vec![message("where it was")];
    let done = invoke(&ledger, &queue, &documents, batch, NOW).now_or_never();
    assert_eq!(done.unwrap()[0].fate, Fate::Malformed(Damage::NoObject));
    let reason = "the message points to an object that is not there".to_owned();
    let letters = queue.1.into_inner().unwrap();
    assert_eq!(letters, [("where it was".to_owned(), reason)]);
}

/// A queue that notes for how long each message is hidden.
#[derive(Default)]
struct Hidden(Mutex<Vec<u32>>);

impl Queue for Hidden {
    async fn send(&self, _: &Event) -> Result<(), QueueError> {
        Ok(())
    }

    async fn bury(&self, _: &Event, _: &str) -> Result<(), QueueError> {
        Ok(())
    }

    async fn delay(&self, _: &str, seconds: u32) {
        self.0.lock().unwrap().push(seconds);
    }
}

/// The pauses after tries of one event, by how often it was received and when.
fn pauses(handler: &impl Handler, id: &str, tries: &[(u32, i64)]) -> Vec<u32> {
    let (ledger, queue) = (MemoryLedger::default(), Hidden::default());
    let body = event(id, Operation::Other, 1, "d").to_message();
    for (receive_count, now) in tries {
        let batch = vec![received(*receive_count, &body)];
        let done = invoke(&ledger, &queue, handler, batch, *now);
        done.now_or_never().unwrap();
    }
    queue.0.into_inner().unwrap()
}

#[test]
fn a_failed_message_is_hidden_for_its_pause_and_one_with_a_lease_until_that_ends() {
    let tries = [(1, NOW), (2, NOW + 5_000), (3, NOW + 35_000)];
    // After the last one in place SQS is to move it, which it does with visible messages only.
    assert_eq!(pauses(&Moody::default(), "retry", &tries), [5, 30, 0]);
    assert_eq!(pauses(&Moody::default(), "retry", &[(9, NOW)]), [0]);
    // 30 s until the deadline and 1 s for clocks that differ; a second later the lease is over for everybody.
    let tries = [(1, NOW), (2, NOW + 9_500), (3, NOW + 41_000)];
    assert_eq!(pauses(&Outside::default(), "retry", &tries), [32, 30, 32]);
    let busy = [(1, NOW), (3, NOW + 9_500)];
    assert_eq!(pauses(&Outside::default(), "retry", &busy), [32, 22]);
    assert!(pauses(&Moody::default(), "fine", &tries).is_empty());
}

#[test]
fn a_call_of_which_nothing_runs_any_more_gives_its_lease_back() {
    let outside = Outside::default();
    let tries = [(1, NOW), (2, NOW + 5_000), (3, NOW + 35_000)];
    assert_eq!(pauses(&outside, "ended", &tries), [5, 30, 0]);
    let calls = outside.0.0.lock().unwrap().len();
    assert_eq!(calls, 3, "none was kept out by the lease of the one before");
}

const DAY: i64 = 86_400_000;

impl<H: Handler> Setup<H> {
    /// One stay in the queue: tries until the event ends or SQS moves it to the retry queue; the last fate.
    fn stay(&self, event: &Event, now: i64) -> Fate {
        let mut fates = (1..=TRIES_IN_PLACE).map(|tries| {
            let batch = vec![received(tries, &event.to_message())];
            let Self {
                ledger,
                queue,
                handler,
            } = self;
            let done = invoke(
                ledger,
                queue,
                handler,
                batch,
                now + i64::from(tries) * 40_000,
            );
            done.now_or_never().unwrap().remove(0).fate
        });
        let first = fates.next().unwrap();
        fates.fold(
            first,
            |fate, next| if fate.is_failure() { next } else { fate },
        )
    }
}

#[test]
fn what_failed_three_times_waits_and_its_record_says_until_when_and_why() {
    let setup = Setup::<Moody>::default();
    let event = event("retry", Operation::Update, 1, "d");
    assert_eq!(setup.stay(&event, NOW), Fate::Retry("later".into()));
    let stored = setup.ledger.stored(&event.key).unwrap();
    assert_eq!(stored.record.status, Status::Pending);
    assert_eq!(stored.record.tries.reason.as_deref(), Some("later"));
    assert_eq!(stored.waits_until, Some(NOW + 3 * DAY));
    assert!(setup.queue.buried().is_empty());
}

#[test]
fn what_fails_longer_than_its_source_allows_is_a_letter_with_its_last_reason() {
    let setup = Setup::<Moody>::default();
    let event = Event {
        retry_for: 2 * DAY,
        ..event("retry", Operation::Update, 1, "d")
    };
    for hours in [0, 1, 20, 47] {
        let fate = setup.stay(&event, NOW + hours * 3_600_000);
        assert!(fate.is_failure(), "after {hours} hours");
    }
    let fate = setup.stay(&event, NOW + 2 * DAY);
    assert_eq!(fate, Fate::Finished(Outcome::Rejected));
    let (buried, reason) = setup.queue.buried().remove(0);
    assert_eq!(buried.key, event.key);
    assert_eq!(reason, "still failing after 2 days: later");
    let stored = setup.ledger.stored(&event.key).unwrap();
    assert_eq!(stored.record.status, Status::Quarantined);
    assert_eq!(stored.waits_until, None);

    // An operator puts it back: its time begins anew.
    let later = NOW + 5 * DAY;
    setup.ledger.reopen(&event.key, later);
    assert!(setup.stay(&event, later + DAY).is_failure());
    let fate = setup.stay(&event, later + 2 * DAY);
    assert_eq!(fate, Fate::Finished(Outcome::Rejected));
}

#[test]
fn a_sender_that_comes_again_has_the_whole_time_again() {
    let setup = Setup::<Moody>::default();
    let first = event("retry", Operation::Update, 1, "d");
    setup.stay(&first, NOW);
    let again = Event {
        received_at: NOW + 5 * DAY,
        ..first
    };
    assert!(setup.stay(&again, NOW + 7 * DAY).is_failure());
}

impl Setup<Outside> {
    /// A try at which the function dies while the handler runs: what is in this batch with it.
    fn killed(&self, batch: &[&Event], now: i64) {
        let Self {
            ledger,
            queue,
            handler,
        } = self;
        let batch = batch.iter().map(|event| message(&event.to_message()));
        let running = invoke(ledger, queue, handler, batch.collect(), now);
        assert!(running.now_or_never().is_none(), "it hangs, and is dropped");
    }
}

#[test]
fn an_event_that_kills_the_function_is_a_letter_and_its_neighbours_are_not() {
    let setup = Setup::<Outside>::default();
    let killer = event("hang", Operation::Other, 1, "d");
    let [one, two] = ["retry", "ended"].map(|id| event(id, Operation::Other, 1, id));
    for tries in 1..=20 {
        setup.killed(&[&one, &killer, &two], NOW + tries * 40_000);
    }
    let unended = |event: &Event| {
        let stored = setup.ledger.stored(&event.key).unwrap();
        stored.record.tries.unended
    };
    assert_eq!(unended(&killer), 20);
    assert!(unended(&one) <= 3 && unended(&two) <= 3);
    let after = NOW + 21 * 40_000;
    let batch = [&one, &killer, &two].map(|event| message(&event.to_message()));
    let Setup {
        ledger,
        queue,
        handler,
    } = &setup;
    let done = invoke(ledger, queue, handler, batch.to_vec(), after);
    let done = done.now_or_never().expect("nothing hangs any more");
    assert_eq!(done.len(), 3);
    let buried = setup.queue.buried();
    assert_eq!(buried.len(), 1);
    assert_eq!(buried[0].0.key, killer.key);
    assert_eq!(
        buried[0].1,
        "20 tries ended with the function: it may be what stops it"
    );
    assert_eq!(unended(&one), 0, "its try has ended");
}

#[test]
fn a_handler_that_is_always_too_slow_is_tried_for_the_whole_time() {
    let setup = Setup::<Outside>::default();
    let slow = event("hang", Operation::Other, 1, "d");
    let Setup {
        ledger,
        queue,
        handler,
    } = &setup;
    for tries in 0..20 {
        let now = NOW + tries * 40_000;
        let (clock, deadline) = (Clock::new(now), now + 30_000);
        let (timers, id) = (clock.timers(), format!("{tries}"));
        let invocation = Invocation { id: &id, deadline };
        let batch = vec![received(3, &slow.to_message())];
        let done = process(
            ledger,
            queue,
            handler,
            &[],
            batch,
            invocation,
            timers.clock(),
        );
        let done = clock.run(done);
        let why = "there was no time to finish it";
        assert_eq!(done[0].fate, Fate::Retry(why.into()));
    }
    assert_eq!(setup.calls(), 20);
    let stored = setup.ledger.stored(&slow.key).unwrap();
    assert_eq!(stored.record.tries.unended, 0, "the function lives");
}

#[test]
fn every_fate_has_a_name_of_its_own_and_only_three_end_a_message() {
    let names = [
        (Fate::Finished(Outcome::Applied), "applied", false),
        (Fate::Finished(Outcome::Stale), "stale", false),
        (Fate::Finished(Outcome::Ignored), "ignored", false),
        (Fate::Finished(Outcome::Rejected), "rejected", false),
        (Fate::Duplicate, "duplicate", false),
        (Fate::Retry(String::new()), "retry", true),
        (Fate::Busy { until: NOW }, "busy", true),
        (Fate::Malformed(Damage::NotAnEvent), "malformed", false),
        (Fate::NotStarted, "not_started", true),
    ];
    for (fate, name, is_failure) in names {
        assert_eq!((fate.name(), fate.is_failure()), (name, is_failure));
    }
    let statuses = Status::NAMES.map(|(name, status)| status.name() == name);
    assert_eq!(statuses, [true; 3]);
}

#[test]
fn a_tombstone_outlives_every_copy_of_an_older_event() {
    let setup = Setup::<MemoryDocuments>::default();
    let delete = event("1", Operation::Delete, 1, "d");
    let key = delete.document_key().unwrap();
    setup.run(std::slice::from_ref(&delete));
    // A month of retries, 14 days in the queue and 14 in the dead-letter queue, in seconds.
    let days = |n: i64| NOW / 1000 + n * 86_400;
    let forgotten = setup.handler.get(&key).unwrap().expires_at.unwrap();
    assert_eq!(forgotten, days(70));

    let long_lived = Event {
        expires_at: days(99),
        ..event("2", Operation::Delete, 2, "d")
    };
    setup.run(std::slice::from_ref(&long_lived));
    assert_eq!(
        setup.handler.get(&key).unwrap().expires_at,
        Some(days(99 + 35)),
        "longer than its record"
    );
    setup.run(&[event("3", Operation::Create, 3, "d")]);
    assert_eq!(
        setup.handler.get(&key).unwrap().expires_at,
        None,
        "documents stay"
    );
}
