//! Captured deliveries of three senders, changed by strangers, through the JSON of all four triggers: the signed event or
//! nothing. The oracle and the changes are those of the test of the same name in `hookwell`.
//!
//! `cargo test` tries a few thousand; a million, before a release:
//!
//! ```text
//! FORGE_COUNT=1000000 FORGE_SEED=7 cargo test --release -p hookwell-lambda --test forgery -- --nocapture
//! ```
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing)] // helpers of tests

#[path = "../../hookwell/tests/forgery/choices.rs"]
mod choices;
#[path = "../../hookwell/tests/forgery/json.rs"]
mod json;
#[path = "../../hookwell/tests/forgery/judge.rs"]
mod judge;
#[path = "../../hookwell/tests/forgery/mutate.rs"]
mod mutate;
#[path = "../../hookwell/tests/forgery/request.rs"]
mod request;
#[path = "../../hookwell/tests/forgery/schemes.rs"]
mod schemes;
#[path = "../../hookwell/tests/forgery/world.rs"]
mod world;

use std::path::Path;

use hookwell::event::Event;
use hookwell::format::time::Millis;
use hookwell::ports::ledger::{
    Claim, End, Failure, Finish, Lease, Ledger, LedgerError, Record, Remembered,
};
use hookwell::ports::memory::StoppedClock;
use hookwell::ports::queue::{Queue, QueueError};
use hookwell::source::reply::Receipt;
use hookwell_lambda::ingest::Ingest;
use hookwell_sandbox::trigger::{HttpRequest, Trigger};
use serde_json::{Map, Value};

use choices::Choices;
use judge::{Counts, judge};
use mutate::{Mutant, mutant};
use world::{Outcome, World};

const TRIGGERS: [Trigger; 4] = [
    Trigger::FunctionUrl,
    Trigger::HttpApi,
    Trigger::RestApi,
    Trigger::Alb,
];

/// A table and a queue that take everything and keep nothing.
#[derive(Debug)]
struct Forgets;

impl Ledger for Forgets {
    async fn remember(&self, _: &Event, _: Millis) -> Result<Remembered, LedgerError> {
        Ok(Remembered::New)
    }

    async fn recall(
        &self,
        events: &[&Event],
        _: Millis,
    ) -> Result<Vec<Option<Record>>, LedgerError> {
        Ok(events.iter().map(|_| None).collect())
    }

    async fn claim(&self, _: &Event, _: &Lease<'_>) -> Result<Claim, LedgerError> {
        Err(LedgerError("nobody claims here".to_owned()))
    }

    async fn fail(&self, _: &Event, _: &Failure<'_>) {}

    async fn keep(&self, _: &Event) -> Result<(), LedgerError> {
        Ok(())
    }

    async fn finish(&self, _: &Event, _: &End) -> Result<Finish, LedgerError> {
        Err(LedgerError("nobody finishes here".to_owned()))
    }
}

impl Queue for Forgets {
    async fn send(&self, _: &Event) -> Result<(), QueueError> {
        Ok(())
    }

    async fn bury(&self, _: &Event, _: &str) -> Result<(), QueueError> {
        Ok(())
    }

    async fn delay(&self, _: &str, _: u32) {}
}

/// The trigger's event; `None` where no trigger passes such a header on.
fn event(mutant: &Mutant, choices: &mut Choices<'_>) -> Option<Value> {
    let request = &mutant.request;
    let values = request.headers.iter().flat_map(|(_, value)| value);
    if values.into_iter().any(|byte| !byte.is_ascii()) {
        return None;
    }
    let request = HttpRequest {
        method: request.method.clone(),
        path: request.path.clone(),
        query: request.query.clone(),
        headers: request.header_map()?,
        body: request.body.clone(),
        source_ip: request.address,
    };
    let trigger = *choices.of(&TRIGGERS);
    let mut event = trigger.event(&request, "request-1", mutant.now);
    // Some pass a header's name on as it was sent.
    if choices.once_in(3) {
        for list in ["headers", "multiValueHeaders"] {
            if let Some(Value::Object(headers)) = event.get_mut(list) {
                let all: Map<String, Value> = std::mem::take(headers);
                let all = all.into_iter();
                headers.extend(all.map(|(name, value)| (name.to_ascii_uppercase(), value)));
            }
        }
    }
    Some(event)
}

#[tokio::test]
async fn what_strangers_make_of_captured_deliveries_is_the_signed_event_or_nothing() {
    let number =
        |name: &str, usual: u64| std::env::var(name).map_or(usual, |text| text.parse().unwrap());
    let (count, seed) = (number("FORGE_COUNT", 5_000), number("FORGE_SEED", 1));
    let samples = Path::new(env!("CARGO_MANIFEST_DIR")).join("../hookwell/tests/samples");
    let presets = ["adyen", "aws-sns", "resource"].map(str::to_owned);
    let world = World::of(&samples, &presets);
    let ingest = Ingest::new(World::of(&samples, &presets).sources, Forgets, Forgets);
    let mut choices = Choices::Seed(seed);
    let mut counts = Counts::default();
    while counts.judged() < count {
        let mutant = mutant(&world, &mut choices);
        let Some(event) = event(&mutant, &mut choices) else {
            counts.impossible += 1;
            continue;
        };
        let clock = StoppedClock::at(mutant.now);
        let event = event.to_string();
        let received = ingest.receive(&event, "request-1", None, clock.clock());
        let received = received.await;
        let outcome = match received.receipt {
            Receipt::Received => Outcome::Accepted(received.events),
            other => Outcome::Refused(other, received.reason),
        };
        counts.add(judge(&world, &mutant, &outcome));
    }
    println!("seed {seed}: {counts}");
    counts.assert_all(&format!("seed {seed}"));
    assert!(
        counts.accepted > count / 20,
        "the changes leave some deliveries valid"
    );
    assert!(counts.refused > count / 5, "and break many");
}
