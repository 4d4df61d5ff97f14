//! `hookwell events tail` beside a machine that takes many events, and the history of a document.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{BufRead as _, BufReader};
use std::process::{ChildStderr, Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::support::{PATIENCE, World, body, machine};
use hookwell::event::Event;
use hookwell::event::identity::Key;
use hookwell::ports::ledger::Ledger as _;
use hookwell_aws::{EventsTable, Limits};
use hookwell_sandbox::child::Owned;
use serde_json::{Value, json};
use tokio::task::JoinSet;

/// Number of senders, and of events from each.
const SENDERS: usize = 10;
const EVENTS: usize = 10;

/// Five seconds of records.
const MANY: usize = 2_500;

/// A tail that runs, and what it says after its first words.
struct Tail(Owned, BufReader<ChildStderr>);

impl Tail {
    fn start(world: &World) -> Self {
        let mut tail = Owned::spawn(
            Command::new(env!("CARGO_BIN_EXE_hookwell"))
                .args(["events", "tail", "--json", "--every", "1"])
                .args(["--local", &world.url])
                .stdout(Stdio::piped())
                .stderr(Stdio::piped()),
        )
        .unwrap();
        let mut started = String::new();
        let mut said = BufReader::new(tail.stderr.take().unwrap());
        said.read_line(&mut started).unwrap();
        assert!(started.contains(" every 1 s; Ctrl-C"), "{started}");
        Self(tail, said)
    }

    /// Reads the printed items until `is_enough`, or until the time for waiting is over.
    async fn read_until(
        mut self,
        mut is_enough: impl FnMut(&Value) -> bool + Send + 'static,
    ) -> Vec<Value> {
        let lines = BufReader::new(self.0.stdout.take().unwrap()).lines();
        let read = move || {
            let mut items = Vec::new();
            for line in lines {
                items.push(serde_json::from_str(&line.unwrap()).unwrap());
                if items.last().is_some_and(&mut is_enough) {
                    break;
                }
            }
            items
        };
        let mut reading = tokio::task::spawn_blocking(read);
        let in_time = tokio::time::timeout(2 * PATIENCE, &mut reading).await;
        self.0.kill().unwrap();
        self.0.wait().unwrap();
        match in_time {
            Ok(items) => items.unwrap(),
            Err(_) => reading.await.unwrap(),
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn tail_shows_every_event_and_how_it_ended_and_nothing_twice() {
    let machine = machine().await;
    let world = World::of(&machine);
    let (before, _) = body("resource", 1, "create", "before", "x");
    assert_eq!(world.post("resource", &before).await.status, 200);
    world.drained().await;

    let tail = Tail::start(&world);

    let senders = (0..SENDERS).map(|sender| {
        let world = world.clone();
        tokio::spawn(async move {
            for event in 0..EVENTS {
                let id = format!("d{sender}-{event}");
                let (body, _) = body("resource", 1, "create", &id, "x");
                assert_eq!(world.post("resource", &body).await.status, 200);
            }
        })
    });
    for sender in senders.collect::<Vec<_>>() {
        sender.await.unwrap();
    }

    let mut ended = 0;
    let items = tail.read_until(move |item| {
        ended += usize::from(item["status"] == "done");
        ended == SENDERS * EVENTS
    });
    let mut shown: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for item in items.await {
        let text = |name: &str| item[name].as_str().unwrap_or_default().to_owned();
        let states = shown.entry(text("event_id")).or_default();
        states.push(text("status"));
    }
    assert_eq!(shown.len(), SENDERS * EVENTS);
    assert!(!shown.keys().any(|id| id.contains("before")));
    for (id, states) in shown {
        let states: Vec<_> = states.iter().map(String::as_str).collect();
        assert!(
            matches!(states[..], ["done"] | ["pending", "done"]),
            "{id}: {states:?}"
        );
    }
    machine.stop().await;
}

/// A machine at an address, in a process of its own.
fn dev(port: &str) -> (Owned, Value) {
    let mut dev = Owned::spawn(
        Command::new(env!("CARGO_BIN_EXE_hookwell"))
            .current_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/../.."))
            .args(["dev", "--json", "--port", port])
            .stdout(Stdio::piped())
            .stderr(Stdio::null()),
    )
    .unwrap();
    let mut line = String::new();
    let mut output = BufReader::new(dev.stdout.take().unwrap());
    output.read_line(&mut line).unwrap();
    (dev, serde_json::from_str(&line).unwrap())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_tail_outlives_a_restart_of_the_machine() {
    let (mut first, machine) = dev("0");
    let endpoints = serde_json::from_value(machine.clone()).unwrap();
    let world = World::new(machine["url"].as_str().unwrap(), &endpoints);
    let mut tail = Tail::start(&world);
    let seen = |id: &'static str| move |item: &Value| item["event_id"] == id;
    let (before, _) = body("resource", 1, "create", "before", "x");
    assert_eq!(world.post("resource", &before).await.status, 200);
    // It has looked once: what it could never read would end it.
    let mut lines = BufReader::new(tail.0.stdout.take().unwrap()).lines();
    let line: Value = serde_json::from_str(&lines.next().unwrap().unwrap()).unwrap();
    assert!(seen("evt_before_1")(&line), "{line}");

    first.kill().unwrap();
    first.wait().unwrap();
    let mut said = tail.1.lines();
    let noted = said.next().unwrap().unwrap();
    assert!(noted.ends_with("looking again every 1 s"), "{noted}");

    let (_, port) = world.url.rsplit_once(':').unwrap();
    let (_second, machine) = dev(port);
    let endpoints = serde_json::from_value(machine).unwrap();
    let world = World::new(&world.url, &endpoints);
    let (after, _) = body("resource", 2, "create", "after", "x");
    assert_eq!(world.post("resource", &after).await.status, 200);
    let after = lines.map(|line| serde_json::from_str::<Value>(&line.unwrap()).unwrap());
    assert!(after.into_iter().any(|item| seen("evt_after_2")(&item)));
    assert_eq!(said.next().unwrap().unwrap(), "there again");
}

/// Records are written straight into the table, as many functions would: one of the machine's own takes fewer.
#[tokio::test(flavor = "multi_thread")]
async fn at_500_events_a_second_a_tail_shows_every_one() {
    let machine = machine().await;
    let world = World::of(&machine);
    let tail = Tail::start(&world);

    let tables = world.endpoints.connection().unwrap();
    let table = EventsTable::new(
        tables.dynamodb(Limits::TOOL),
        world.endpoints.events_table.clone(),
        None,
    );
    let table = Arc::new(table);
    let mut rhythm = tokio::time::interval(Duration::from_millis(2));
    let (mut writes, started) = (JoinSet::new(), Instant::now());
    for number in 0..MANY {
        rhythm.tick().await;
        let (table, now) = (Arc::clone(&table), hookwell_lambda::now::now());
        let id = format!("evt_{number}");
        let event = Event::from_message(
            &json!({
                "key": Key::new("generic", &[id.as_bytes()]), "source": "generic", "id": id,
                "type": "thing.created", "operation": "create", "received_at": now,
                "expires_at": now / 1000 + 1_000, "body": "{}",
            })
            .to_string(),
        );
        let event = event.unwrap();
        writes.spawn(async move {
            // On a busy machine a put may run into the limits of the SDK; ingest would not wait for it.
            for _ in 0..20 {
                if table.remember(&event, now).await.is_ok() {
                    return;
                }
            }
            panic!("{} was not written", event.id);
        });
    }
    writes.join_all().await;
    println!("{MANY} records in {:?}", started.elapsed());

    let mut count = 0;
    let items = tail.read_until(move |_| {
        count += 1;
        count == MANY
    });
    let shown = items.await;
    let ids: BTreeSet<_> = shown.iter().map(|item| item["event_id"].as_str()).collect();
    assert_eq!(ids.len(), MANY);
    machine.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_history_of_a_document_is_in_the_order_of_its_versions() {
    let machine = machine().await;
    let world = World::of(&machine);
    // The last one arrives first.
    for (second, operation) in [(3, "update"), (1, "create"), (2, "update")] {
        let (body, _) = body("resource", second, operation, "d1", "x");
        assert_eq!(world.post("resource", &body).await.status, 200);
        world.drained().await;
    }
    let history = |id: &str| {
        let arguments = ["documents", "history", id, "--json", "--local", &world.url];
        let mut command = Command::new(env!("CARGO_BIN_EXE_hookwell"));
        command.args(arguments).output().unwrap()
    };
    let output = String::from_utf8(history("d1").stdout).unwrap();
    let events: Vec<Value> = output
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    let line = |event: &Value| {
        let text = |name: &str| event[name].as_str().unwrap().to_owned();
        (
            text("event_id"),
            text("operation"),
            text("outcome"),
            event["shown"] == true,
        )
    };
    let expected = [
        ("evt_d1_1", "create", "stale", false),
        ("evt_d1_2", "update", "stale", false),
        ("evt_d1_3", "update", "applied", true),
    ];
    let expected = expected.map(|(id, operation, outcome, shown)| {
        (
            id.to_owned(),
            operation.to_owned(),
            outcome.to_owned(),
            shown,
        )
    });
    assert_eq!(events.iter().map(line).collect::<Vec<_>>(), expected);
    let nobody = history("nobody");
    assert!(!nobody.status.success());
    machine.stop().await;
}

/// Documents of several types may have one id.
#[tokio::test(flavor = "multi_thread")]
async fn the_history_of_an_id_tells_its_documents_apart() {
    let machine = machine().await;
    let world = World::of(&machine);
    for (event, kind) in [("1", "user"), ("2", "order"), ("3", "user")] {
        let event = json!({
            "id": event, "type": format!("{kind}.updated"),
            "created_at": format!("2026-11-21T00:00:0{event}Z"), "data": { "id": "7" },
        });
        assert_eq!(world.post("generic", &event).await.status, 200);
    }
    world.drained().await;
    let history = |more: &[&str]| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_hookwell"));
        command.args(["documents", "history", "7", "--local", &world.url]);
        let output = command.args(more).output().unwrap();
        assert!(output.status.success(), "{output:?}");
        String::from_utf8(output.stdout).unwrap()
    };
    let all = history(&[]);
    let types: Vec<_> = all
        .lines()
        .map(|line| line.split_whitespace().nth(3).unwrap())
        .collect();
    assert_eq!(types, ["TYPE", "order", "user", "user"], "{all}");
    for (kind, ids) in [("order", &["2"][..]), ("user", &["1", "3"])] {
        let events = history(&["--type", kind, "--json"]);
        let events = events.lines();
        let events: Vec<Value> = events.map(|it| serde_json::from_str(it).unwrap()).collect();
        let found: Vec<_> = events
            .iter()
            .map(|it| it["event_id"].as_str().unwrap())
            .collect();
        assert_eq!(found, ids);
        let shown: Vec<_> = events.iter().map(|it| it["shown"] == true).collect();
        assert_eq!(shown.last(), Some(&true), "each shows its newest");
    }
    machine.stop().await;
}
