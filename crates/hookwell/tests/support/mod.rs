//! Events, messages and invocations as the tests of the two protocols make them.
#![allow(dead_code)] // each test file uses a part of it

pub(crate) mod clock;
pub(crate) mod script;

use std::sync::atomic::{AtomicUsize, Ordering};

use hookwell::event::body::Body;
use hookwell::event::identity::Key;
use hookwell::event::{Event, Operation};
use hookwell::ports::handler::Handler;
use hookwell::ports::ledger::Ledger;
use hookwell::ports::memory::StoppedClock;
use hookwell::ports::queue::Queue;
use hookwell::process::{Invocation, Message, Processed, process};

/// When the tests take place.
pub(crate) const NOW: i64 = 1_790_000_000_000;

/// The function's timeout, in milliseconds.
pub(crate) const TIMEOUT: i64 = 30_000;

/// An event of the source `s` that happened at `time`.
pub(crate) fn event(id: &str, operation: Operation, time: i64, document: &str) -> Event {
    Event {
        key: Key::new("s", &[id.as_bytes()]),
        source: "s".into(),
        id: id.into(),
        kind: format!("thing.{}", operation.name()),
        operation,
        time: Some(time),
        received_at: NOW,
        expires_at: NOW / 1000 + 1_000_000,
        document_type: "thing".into(),
        document_id: Some(document.into()),
        document_at: Some("/data".into()),
        body: Body(format!(r#"{{"data":{{"from":"{id}"}}}}"#).into_bytes()),
        ..Event::bare("", "")
    }
}

/// A name that nothing else has.
fn new_name() -> String {
    static COUNT: AtomicUsize = AtomicUsize::new(0);
    COUNT.fetch_add(1, Ordering::Relaxed).to_string()
}

/// A message with this text, received for the first time.
pub(crate) fn message(body: &str) -> Message {
    let id = new_name();
    Message {
        receipt: id.clone(),
        id,
        receive_count: 1,
        body: body.into(),
    }
}

/// A message with this text, received so many times.
pub(crate) fn received(receive_count: u32, body: &str) -> Message {
    Message {
        receive_count,
        ..message(body)
    }
}

/// An invocation at `now` with all the time it needs.
pub(crate) async fn invoke(
    ledger: &impl Ledger,
    queue: &impl Queue,
    handler: &impl Handler,
    batch: Vec<Message>,
    now: i64,
) -> Vec<Processed> {
    let id = &new_name();
    let deadline = now + TIMEOUT;
    let invocation = Invocation { id, deadline };
    let clock = StoppedClock::at(now);
    process(
        ledger,
        queue,
        handler,
        &[],
        batch,
        invocation,
        clock.clock(),
    )
    .await
}
