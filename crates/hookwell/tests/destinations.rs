//! Events and their destinations: who gets what, and what becomes of each copy.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::print_stdout
)]

mod support;

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Mutex;

use futures_util::FutureExt as _;
use hookwell::config::{destinations, parse};
use hookwell::deliver::{Destination, Target};
use hookwell::event::body::Body;
use hookwell::event::{Event, Operation};
use hookwell::ports::handler::{HandleError, Handled, Handler, Outcome};
use hookwell::ports::ledger::Status;
use hookwell::ports::memory::{MemoryDocuments, MemoryLedger, MemoryQueue, StoppedClock};
use hookwell::ports::queue::{Queue, QueueError};
use hookwell::process::{Fate, Invocation, Message, Processed, process};
use support::{NOW, TIMEOUT, event, message, received};

const SOURCES: &str = r#"
    [sources.s]
    preset = "plain"
    allow_ips = ["0.0.0.0/0"]

    [sources.other]
    preset = "plain"
    allow_ips = ["0.0.0.0/0"]
"#;

fn file(destinations: &str) -> String {
    format!("{SOURCES}\n{destinations}")
}

#[test]
fn a_destination_says_where_and_which_events() {
    let text = file(
        r#"
        [destinations.billing]
        to = "https://billing.example.com/hooks"
        sources = ["s"]
        types = ["thing.created", "order.*"]
        secret = "ssm:/hookwell/billing"
        timeout = 5

        [destinations.local]
        to = "http://127.0.0.1:3000"
        secret = "env:LOCAL"

        [destinations.bus]
        to = "eventbridge:main"

        [destinations.queue]
        to = "sqs:https://sqs.eu-west-1.amazonaws.com/123456789012/orders.fifo"
        types = "thing.*"
    "#,
    );
    assert_eq!(parse(&text).unwrap().len(), 2);
    let all = destinations(&text).unwrap();
    let names: Vec<_> = all.iter().map(|one| one.name.as_str()).collect();
    assert_eq!(names, ["billing", "bus", "local", "queue"]);
    assert_eq!(all[1].to, Target::EventBridge("main".into()));
    let takers = |event: &Event| -> Vec<_> {
        let takes = all.iter().filter(|one| one.takes(event));
        takes.map(|one| one.name.clone()).collect()
    };
    let created = Event {
        kind: "thing.created".into(),
        ..event("1", Operation::Create, 1, "d")
    };
    assert_eq!(takers(&created), ["billing", "bus", "local", "queue"]);
    let order = Event {
        kind: "order.paid".into(),
        ..created.clone()
    };
    assert_eq!(takers(&order), ["billing", "bus", "local"]);
    let others = Event {
        source: "other".into(),
        ..created.clone()
    };
    assert_eq!(takers(&others), ["bus", "local", "queue"]);
    let unreadable = Event {
        invalid: Some("no JSON".into()),
        ..created
    };
    assert_eq!(takers(&unreadable), Vec::<String>::new());
}

#[test]
fn every_mistake_is_listed_at_once_with_its_path() {
    let text = file(
        r#"
        [destinations.Billing]
        to = "http://billing.example.com"
        sources = ["s", "shop"]
        types = ["a*b*c"]
        secret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
        timeout = 60
        retries = 3

        [destinations.nowhere]

        [destinations.mail]
        to = "mailto:a@example.com"
        secret = "env:MAIL"

        [destinations.unsigned]
        to = "https://example.com"

        [destinations.named]
        to = "https://user:word@example.com"
        secret = "env:NAMED"

        [destinations.bus]
        to = "eventbridge:two words"
        secret = "env:BUS"

        [destinations.queue]
        to = "sqs:orders"
        timeout = 5
    "#,
    );
    let told = |problems: Vec<hookwell::config::Problem>| -> Vec<_> {
        problems.iter().map(ToString::to_string).collect()
    };
    let found = told(parse(&text).unwrap_err());
    insta::assert_snapshot!(found.join("\n"), @r#"
    destinations.Billing: a name has 1 to 32 of a-z, 0-9, - _ and ., and is not . or ..
    destinations.Billing.retries: unknown key
    destinations.Billing.secret: is not env:NAME, ssm:NAME or secretsmanager:ID#STAGE
    destinations.Billing.sources[1]: there is no source "shop" in this file
    destinations.Billing.timeout: is a number from 1 to 20
    destinations.Billing.to: is not encrypted: use https://, http:// is for this machine only
    destinations.Billing.types: "a*b*c" is not a word with at most one *
    destinations.bus.secret: goes with an https:// address only
    destinations.bus.to: eventbridge: is followed by the name or the ARN of a bus
    destinations.mail.to: is no https:// address (http:// on this machine only), eventbridge:BUS or sqs:QUEUE_URL
    destinations.named.to: holds a name or a password: the secret signs the requests
    destinations.nowhere.to: is missing: an https:// address, eventbridge:BUS or sqs:QUEUE_URL
    destinations.queue.timeout: goes with an https:// address only
    destinations.queue.to: is no https:// address (http:// on this machine only), eventbridge:BUS or sqs:QUEUE_URL
    destinations.unsigned.secret: is missing: say which secret signs the requests, such as env:NAME
    "#);
    assert_eq!(told(destinations(&text).unwrap_err()), found);
}

/// Ledger, queue and documents, and a destination that answers as the test says.
struct World {
    ledger: MemoryLedger,
    queue: MemoryQueue,
    documents: MemoryDocuments,
    destinations: Vec<Destination>,
    /// Answers of each destination; where none is left, it takes the event.
    answers: Mutex<BTreeMap<String, VecDeque<HandleError>>>,
    told: Mutex<Vec<(String, Event)>>,
}

impl World {
    fn new() -> Self {
        let all = r#"
            [destinations.one]
            to = "https://one.example"
            secret = "env:ONE"
            [destinations.two]
            to = "eventbridge:two"
            types = ["thing.create"]
        "#;
        Self {
            ledger: MemoryLedger::default(),
            queue: MemoryQueue::default(),
            documents: MemoryDocuments::default(),
            destinations: destinations(&file(all)).unwrap(),
            answers: Mutex::default(),
            told: Mutex::default(),
        }
    }

    fn answering(self, destination: &str, answers: impl IntoIterator<Item = HandleError>) -> Self {
        let answers = answers.into_iter().collect();
        self.answers
            .lock()
            .unwrap()
            .insert(destination.into(), answers);
        self
    }

    fn run(&self, batch: Vec<Message>, now: i64) -> Vec<Processed> {
        self.run_with(&self.queue, batch, now)
    }

    fn run_with(&self, queue: &impl Queue, batch: Vec<Message>, now: i64) -> Vec<Processed> {
        let id = &format!("{now} {}", batch[0].id);
        let deadline = now + TIMEOUT;
        let (invocation, clock) = (Invocation { id, deadline }, StoppedClock::at(now));
        let (ledger, all) = (&self.ledger, &self.destinations);
        let done = process(ledger, queue, self, all, batch, invocation, clock.clock());
        done.now_or_never().unwrap()
    }

    /// The copies that were queued, as messages received for the first time.
    fn copies(&self) -> Vec<Message> {
        let taken = std::iter::from_fn(|| self.queue.take());
        taken.map(|body| message(&body)).collect()
    }

    fn told(&self) -> Vec<String> {
        let told = self.told.lock().unwrap();
        told.iter().map(|(name, _)| name.clone()).collect()
    }
}

impl Handler for World {
    async fn handle(&self, event: &Event) -> Result<Handled, HandleError> {
        let Some(name) = event.destination.clone() else {
            return self.documents.handle(event).await;
        };
        self.told
            .lock()
            .unwrap()
            .push((name.clone(), event.clone()));
        let mut answers = self.answers.lock().unwrap();
        match answers.get_mut(&name).and_then(VecDeque::pop_front) {
            Some(answer) => Err(answer),
            None => Ok(Outcome::Applied.into()),
        }
    }

    fn reaches_outside(&self, event: &Event) -> bool {
        event.destination.is_some()
    }
}

fn destination_of(message: &Message) -> String {
    let event = Event::from_message(&message.body).unwrap();
    event.destination.unwrap()
}

#[test]
fn an_event_is_queued_for_each_of_its_destinations_and_then_done() {
    let world = World::new();
    let created = event("1", Operation::Create, 1, "d");
    let done = world.run(vec![message(&created.to_message())], NOW);
    assert_eq!(done[0].fate, Fate::Finished(Outcome::Applied));
    let copies = world.copies();
    let names: Vec<_> = copies.iter().map(destination_of).collect();
    assert_eq!(names, ["one", "two"]);
    assert_eq!(
        world.told(),
        Vec::<String>::new(),
        "each by a message of its own"
    );

    let done = world.run(copies, NOW);
    assert!(
        done.iter()
            .all(|done| done.fate == Fate::Finished(Outcome::Applied))
    );
    for (name, copy) in &*world.told.lock().unwrap() {
        assert_eq!(copy.key, created.key, "the idempotency key of {name}");
        assert_eq!(copy.body, created.body);
        let stored = world.ledger.stored(&copy.record_key()).unwrap();
        assert_eq!((stored.record.status, stored.tries), (Status::Done, 1));
    }
    assert_eq!(world.ledger.len(), 3, "a record each");

    // The second destination does not take the type of a deletion.
    let deleted = event("2", Operation::Delete, 2, "d");
    world.run(vec![message(&deleted.to_message())], NOW);
    let names: Vec<_> = world.copies().iter().map(destination_of).collect();
    assert_eq!(names, ["one"]);
}

#[test]
fn a_repetition_queues_copies_again_only_before_the_end_and_each_is_told_once() {
    let world = World::new();
    let created = message(&event("1", Operation::Create, 1, "d").to_message());
    // Its end could not be recorded: the copies are queued again.
    world.run(vec![created.clone()], NOW);
    let first = world.copies();
    world
        .ledger
        .reopen(&event("1", Operation::Create, 1, "d").key, NOW);
    world.run(vec![created.clone()], NOW);
    let second = world.copies();
    assert_eq!((first.len(), second.len()), (2, 2));
    world.run(first, NOW);
    let again = world.run(second, NOW);
    assert!(again.iter().all(|done| done.fate == Fate::Duplicate));
    assert_eq!(world.told(), ["one", "two"]);
    assert_eq!(world.run(vec![created], NOW)[0].fate, Fate::Duplicate);
    assert!(world.queue.is_empty(), "what is done queues nothing");
}

/// A queue that takes nothing for the destination `two`.
struct Half<'q>(&'q MemoryQueue);

impl Queue for Half<'_> {
    async fn send(&self, event: &Event) -> Result<(), QueueError> {
        if event.destination.as_deref() == Some("two") {
            return Err(QueueError("throttled".into()));
        }
        self.0.send(event).await
    }

    async fn bury(&self, event: &Event, reason: &str) -> Result<(), QueueError> {
        self.0.bury(event, reason).await
    }

    async fn delay(&self, _: &str, _: u32) {}
}

/// A queue that notes how many events come at once.
#[derive(Default)]
struct AtOnce(MemoryQueue, Mutex<Vec<usize>>);

impl Queue for AtOnce {
    async fn send(&self, event: &Event) -> Result<(), QueueError> {
        self.0.send(event).await
    }

    async fn send_all(&self, events: &[&Event]) -> Vec<Result<(), QueueError>> {
        self.1.lock().unwrap().push(events.len());
        self.0.send_all(events).await
    }

    async fn bury(&self, event: &Event, reason: &str) -> Result<(), QueueError> {
        self.0.bury(event, reason).await
    }

    async fn delay(&self, _: &str, _: u32) {}
}

/// Bodies of 6 MB for five destinations at once are more than the function's memory.
#[test]
fn the_copies_of_a_large_event_are_queued_one_after_another() {
    let world = World::new();
    let small = event("1", Operation::Create, 1, "d");
    let large = Event {
        body: Body(vec![b'x'; 300_000]),
        ..event("2", Operation::Create, 1, "d2")
    };
    for (event, at_once) in [(small, vec![2]), (large, vec![1, 1])] {
        let queue = AtOnce::default();
        world.run_with(&queue, vec![message(&event.to_message())], NOW);
        assert_eq!(*queue.1.lock().unwrap(), at_once);
    }
}

/// Otherwise it would come back for ever: a destination that the stack does not allow yet is enough.
#[test]
fn an_event_whose_time_is_over_is_a_letter_though_its_copies_cannot_be_queued() {
    let world = World::new();
    let created = event("1", Operation::Create, 1, "d");
    let late = NOW + created.retry_for + 1;
    let last = received(3, &created.to_message());
    let done = world.run_with(&Half(&world.queue), vec![last], late);
    assert_eq!(done[0].fate, Fate::Finished(Outcome::Rejected));
    assert_eq!(world.queue.buried().len(), 1);
    let stored = world.ledger.stored(&created.key).unwrap();
    assert_eq!(stored.record.status, Status::Quarantined);
}

#[test]
fn an_event_is_not_done_before_all_its_copies_are_queued() {
    let world = World::new();
    let created = event("1", Operation::Create, 1, "d");
    let body = created.to_message();
    let done = world.run_with(&Half(&world.queue), vec![message(&body)], NOW);
    let why = "the queue is unavailable: throttled".to_owned();
    assert_eq!(done[0].fate, Fate::Retry(why));
    let stored = world.ledger.stored(&created.key).unwrap();
    assert_eq!(stored.record.status, Status::Pending);
    world.run(vec![message(&body)], NOW);
    world.run(world.copies(), NOW);
    let told: BTreeSet<_> = world.told().into_iter().collect();
    assert_eq!(told, ["one", "two"].map(str::to_owned).into());
    assert_eq!(world.told().len(), 2);
}

#[test]
fn what_the_own_handler_rejects_is_told_all_the_same_and_what_fails_is_not_yet() {
    let world = World::new();
    let stateless = Event {
        document_at: Some("/nowhere".into()),
        ..event("1", Operation::Create, 1, "d")
    };
    let done = world.run(vec![message(&stateless.to_message())], NOW);
    assert_eq!(done[0].fate, Fate::Finished(Outcome::Rejected));
    assert_eq!((world.copies().len(), world.queue.buried().len()), (2, 1));
    let unreadable = Event {
        invalid: Some("no JSON".into()),
        ..event("2", Operation::Other, 1, "d")
    };
    world.run(vec![message(&unreadable.to_message())], NOW);
    assert_eq!((world.copies().len(), world.queue.buried().len()), (0, 2));
}

#[test]
fn a_destination_that_fails_has_tries_and_a_letter_of_its_own() {
    let failing = || HandleError::RetryEnded("the endpoint answered 500".into());
    let world = World::new().answering("one", std::iter::repeat_n(failing(), 2));
    // The project's own handler took so long that no time for tries would be left, if it counted from the reception.
    let late = NOW + 4 * 86_400_000;
    let created = event("1", Operation::Create, 1, "d");
    world.run(vec![message(&created.to_message())], late);
    let copies = world.copies();
    let done = world.run(copies.clone(), late);
    let fates: Vec<_> = done.iter().map(|done| done.fate.name()).collect();
    assert_eq!(fates, ["retry", "applied"], "the other one is not delayed");
    let one = Event::from_message(&copies[0].body).unwrap();
    let done = world.run(vec![received(3, &copies[0].body)], late + 60_000);
    assert_eq!(
        done[0].fate.name(),
        "retry",
        "its time counts from when it was queued"
    );
    let ended = late + 3 * 86_400_000;
    assert_eq!(done[0].waits_until(), Some(ended));
    let done = world.run(vec![received(3, &copies[0].body)], ended);
    assert_eq!(done[0].fate, Fate::Finished(Outcome::Rejected));
    let (letter, reason) = world.queue.buried().remove(0);
    assert_eq!(letter.destination.as_deref(), Some("one"));
    assert_eq!(
        reason,
        "still failing after 3 days: the endpoint answered 500"
    );
    let stored = world.ledger.stored(&one.record_key()).unwrap();
    assert_eq!(stored.record.status, Status::Quarantined);
    let own = world.ledger.stored(&created.key).unwrap();
    assert_eq!(own.record.status, Status::Done, "none of its business");

    // An operator puts the letter back.
    world.ledger.reopen(&one.record_key(), ended);
    let done = world.run(vec![message(&letter.to_message())], ended + 1);
    assert_eq!(done[0].fate, Fate::Finished(Outcome::Applied));
}

/// A queue that notes for how long each message is hidden.
#[derive(Default)]
struct Hiding(MemoryQueue, Mutex<Vec<u32>>);

impl Queue for Hiding {
    async fn send(&self, event: &Event) -> Result<(), QueueError> {
        self.0.send(event).await
    }

    async fn bury(&self, event: &Event, reason: &str) -> Result<(), QueueError> {
        self.0.bury(event, reason).await
    }

    async fn delay(&self, _: &str, seconds: u32) {
        self.1.lock().unwrap().push(seconds);
    }
}

#[test]
fn a_destination_is_not_told_before_it_says_but_within_15_minutes() {
    let after = |seconds| HandleError::RetryAfter {
        why: "the endpoint answered 429".into(),
        seconds,
    };
    let world = World::new().answering("one", [1, 90, 86_400].map(after));
    let created = event("1", Operation::Create, 1, "d");
    world.run(vec![message(&created.to_message())], NOW);
    let body = world.copies()[0].body.clone();
    let queue = Hiding::default();
    for (number, now) in [NOW, NOW + 100_000, NOW + 200_000].into_iter().enumerate() {
        let count = u32::try_from(number).unwrap() + 1;
        let done = world.run_with(&queue, vec![received(count, &body)], now);
        assert_eq!(
            done[0].fate,
            Fate::Retry("the endpoint answered 429".into())
        );
    }
    // Five seconds at least after the first try.
    assert_eq!(*queue.1.lock().unwrap(), [5, 90, 900]);
}

#[test]
fn a_message_for_a_destination_is_newer_than_functions_that_know_none() {
    let created = event("1", Operation::Create, 1, "d");
    let copy = created.copy_for("one", NOW + 7);
    let text = copy.to_message();
    assert!(
        text.starts_with(r#"{"message_version":2,"key":"s#"#),
        "{text}"
    );
    assert!(
        text.contains(r#""destination":"one","queued_at":1790000000007,"#),
        "{text}"
    );
    assert_eq!(Event::from_message(&text).unwrap(), copy);
    assert!(!created.to_message().contains("message_version"));
    assert_eq!(
        (created.group(), copy.group()),
        ("s".into(), "s/one".into())
    );
    for (damaged, why) in [
        (
            text.replace("\"one\"", "\"a>b\""),
            "the message names a destination that cannot be",
        ),
        (
            text.replace("1790000000007", "-1"),
            "the time of queueing of the message is out of range",
        ),
    ] {
        let read = Event::from_message(&damaged).map_err(|why| why.to_string());
        let checked = read.and_then(|event| event.check_times(NOW).map_err(|why| why.to_string()));
        assert_eq!(checked, Err(why.to_owned()));
    }
}
