//! Order: whatever way the events of a document arrive, however often, in whatever batches, it ends in one state. The
//! guards that others use are run on the same histories and must be caught.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::print_stdout
)]

mod support;

use std::collections::BTreeMap;

use futures_util::FutureExt as _;
use hookwell::event::body::Body;
use hookwell::event::{Event, Operation};
use hookwell::ports::memory::{MemoryDocuments, MemoryLedger, MemoryQueue};
use proptest::prelude::*;
use support::{NOW, invoke, message};

fn event(id: usize, operation: Operation, time: Option<i64>, document: usize) -> Event {
    Event {
        time,
        // Where events have no time, they count in the order of their first arrival.
        received_at: NOW + i64::try_from(id).unwrap(),
        body: Body(format!(r#"{{"data":{id}}}"#).into_bytes()),
        ..support::event(&id.to_string(), operation, 0, &document.to_string())
    }
}

type State = BTreeMap<String, Option<String>>;

/// The state after deliveries in this order and these batches, by the code itself.
fn applied(batches: &[Vec<Event>]) -> State {
    let (ledger, queue) = (MemoryLedger::default(), MemoryQueue::default());
    let documents = MemoryDocuments::default();
    for batch in batches {
        let batch = batch.iter().map(|event| message(&event.to_message()));
        let done = invoke(&ledger, &queue, &documents, batch.collect(), NOW);
        assert!(
            done.now_or_never()
                .unwrap()
                .iter()
                .all(|done| !done.fate.is_failure())
        );
    }
    documents
        .all()
        .into_iter()
        .map(|(key, document)| (key, document.state))
        .collect()
}

/// The state that must come out: of each document, the last change by the sender's time, and of two changes at one time the
/// one that arrived last.
fn newest(history: &[Event]) -> State {
    let mut sorted: Vec<_> = history.iter().collect();
    sorted.sort_by_key(|event| (event.time, event.received_at));
    let state = |event: &Event| {
        (event.operation != Operation::Delete).then(|| event.document().unwrap().to_owned())
    };
    sorted
        .iter()
        .map(|event| {
            (
                event.document_key().unwrap().as_str().to_owned(),
                state(event),
            )
        })
        .collect()
}

fn operation() -> impl Strategy<Value = Operation> {
    prop_oneof![
        Just(Operation::Create),
        Just(Operation::Update),
        Just(Operation::Delete)
    ]
}

/// Up to eight events about up to three documents, with many equal times, and deliveries of each at least once in any
/// order and any batches.
fn histories() -> impl Strategy<Value = (Vec<Event>, Vec<Vec<usize>>)> {
    let events = prop::collection::vec((operation(), 0..4_i64, 0..3_usize), 1..8);
    let events = (events, any::<bool>()).prop_map(|(all, timed)| {
        let make = |(id, (operation, time, document)): (usize, (Operation, i64, usize))| {
            event(id, operation, timed.then_some(time), document)
        };
        all.into_iter().enumerate().map(make).collect::<Vec<_>>()
    });
    events.prop_flat_map(|events| {
        let count = events.len();
        let copies = prop::collection::vec(0..count, 0..6);
        let order = copies
            .prop_map(move |copies| (0..count).chain(copies).collect::<Vec<_>>())
            .prop_shuffle();
        let cuts = prop::collection::vec(1..5_usize, 1..14);
        (Just(events), order, cuts).prop_map(|(events, order, cuts)| {
            let (mut rest, mut batches) = (order.as_slice(), Vec::new());
            for cut in cuts.iter().cycle() {
                if rest.is_empty() {
                    break;
                }
                let (batch, after) = rest.split_at((*cut).min(rest.len()));
                batches.push(batch.to_vec());
                rest = after;
            }
            (events, batches)
        })
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_order_any_copies_and_any_batches_end_in_one_state((events, batches) in histories()) {
        let batches: Vec<Vec<_>> = batches
            .iter()
            .map(|batch| batch.iter().map(|index| events[*index].clone()).collect())
            .collect();
        prop_assert_eq!(applied(&batches), newest(&events));
    }
}

/// Condition with which other designs guard a write.
#[derive(Debug, Clone, Copy)]
enum Guard {
    /// The last one wins.
    None,
    /// Older than what is there is refused; a delete removes the item.
    DeleteRemoves,
    /// Only a later time wins.
    TimeOnly,
    /// An equal time wins, too.
    TimeOrEqual,
}

fn guarded(guard: Guard, order: &[&Event]) -> Option<usize> {
    // The version there, and the event that wrote it; `None` in its place for a tombstone.
    let mut there: Option<(i64, Option<usize>)> = None;
    for event in order {
        let (time, id) = (event.time.unwrap(), event.id.parse().unwrap());
        let newer = there.is_none_or(|(old, _)| match guard {
            Guard::None => true,
            Guard::DeleteRemoves | Guard::TimeOrEqual => time >= old,
            Guard::TimeOnly => time > old,
        });
        if newer {
            let deletes = event.operation == Operation::Delete;
            let removes = matches!(guard, Guard::DeleteRemoves | Guard::None);
            there = (!(deletes && removes)).then_some((time, (!deletes).then_some(id)));
        }
    }
    there.and_then(|(_, id)| id)
}

/// Every sequence of `length` deliveries of the events that holds each of them.
fn sequences(events: &[Event], length: u32) -> impl Iterator<Item = Vec<&Event>> {
    let count = events.len();
    (0..count.pow(length)).filter_map(move |code| {
        let order: Vec<_> = (0..length)
            .map(|digit| code / count.pow(digit) % count)
            .collect();
        let whole = (0..count).all(|index| order.contains(&index));
        whole.then(|| order.into_iter().map(|index| &events[index]).collect())
    })
}

#[test]
fn the_guards_of_others_are_caught() {
    use Operation::{Create, Delete, Update};
    let history = |steps: [(Operation, i64); 3]| -> Vec<Event> {
        steps
            .iter()
            .enumerate()
            .map(|(id, (operation, time))| event(id, *operation, Some(*time), 0))
            .collect()
    };
    let histories = [
        (
            "create, update, update",
            history([(Create, 1), (Update, 2), (Update, 3)]),
        ),
        (
            "create, update, delete",
            history([(Create, 1), (Update, 2), (Delete, 3)]),
        ),
        (
            "create, delete, create",
            history([(Create, 1), (Delete, 2), (Create, 3)]),
        ),
        (
            "all at one time",
            history([(Create, 5), (Update, 5), (Delete, 5)]),
        ),
    ];
    let guards = [
        Guard::None,
        Guard::DeleteRemoves,
        Guard::TimeOnly,
        Guard::TimeOrEqual,
    ];
    let mut caught = BTreeMap::new();
    for (name, history) in &histories {
        let expected = newest(history)
            .into_values()
            .next()
            .unwrap()
            .map(|state| state.parse().unwrap());
        for guard in guards {
            let wrong = sequences(history, 5)
                .filter(|order| guarded(guard, order) != expected)
                .count();
            println!(
                "{name}: {guard:?} ends wrong in {wrong} of {} orders",
                sequences(history, 5).count()
            );
            *caught.entry(format!("{guard:?}")).or_insert(0) += wrong;
        }
        for order in sequences(history, 5) {
            let batches: Vec<_> = order.into_iter().map(|event| vec![event.clone()]).collect();
            assert_eq!(applied(&batches), newest(history), "{name}");
        }
    }
    assert!(caught.values().all(|wrong| *wrong > 0), "{caught:?}");
}
