//! Large bodies, events that are kept, and applying them again.

use std::time::Duration;

use std::process::Command;

use crate::support::{World, machine, senders};
use hookwell_cli::machine::{Functions, Options, start};
use hookwell_local::gate::Gate;
use hookwell_local::storage::{Endpoints, QueueSettings, Storage};
use serde_json::{Value, json};

const MIB: usize = 1024 * 1024;

/// An event of the source `generic`, which keeps them, with so many bytes around its document.
fn event(id: &str, second: usize, name: &str, bytes: usize) -> Value {
    json!({
        "id": id, "type": "asset.updated", "created_at": format!("2026-11-21T00:00:{second:02}Z"),
        "data": { "id": "d", "name": name }, "attachment": "x".repeat(bytes),
    })
}

/// Runs a command: its standard output when it succeeds, its standard error when it fails.
async fn hookwell(world: &World, arguments: &[&str]) -> Result<String, String> {
    let local = format!("--local={}", world.url);
    let mut command = Command::new(env!("CARGO_BIN_EXE_hookwell"));
    command.args(arguments).arg(local).env("USER", "ada");
    let output = tokio::task::spawn_blocking(move || command.output().unwrap());
    let output = output.await.unwrap();
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    if output.status.success() {
        Ok(text(&output.stdout))
    } else {
        Err(text(&output.stderr))
    }
}

async fn record(world: &World, id: &str) -> hookwell_aws::tools::admin::Item {
    let mut found = world.events().await;
    found.retain(|record| record["event_id"] == id);
    found.pop().unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_body_of_five_mebibytes_is_acknowledged_applied_and_replayed() {
    let machine = machine().await;
    let world = World::of(&machine);
    for (id, second, bytes) in [("small", 1, 0), ("large", 2, 5 * MIB)] {
        let answer = world.post("generic", &event(id, second, id, bytes)).await;
        assert_eq!(
            (answer.status, answer.body.as_str()),
            (200, r#"{"status":"received"}"#)
        );
        let state = json!({ "id": "d", "name": id });
        world.drained().await;
        world.document_becomes("generic", "d", Some(&state)).await;
        let answer = world.post("generic", &event(id, second, id, bytes)).await;
        assert_eq!(answer.body, r#"{"status":"duplicate"}"#);

        let before = record(&world, id).await;
        assert_eq!(before["outcome"], "applied");
        let printed = hookwell(&world, &["replay", id]).await.unwrap();
        assert_eq!(printed, "1 put into the queue\n");
        world.drained().await;
        let after = record(&world, id).await;
        assert_eq!(
            (&after["status"], &after["outcome"]),
            (&"done".into(), &"applied".into())
        );
        assert_eq!(after["reopened_by"], "ada", "and it says who");
        assert!(after["finished_at"].as_i64() > before["finished_at"].as_i64());
    }

    let too_large = world
        .post("generic", &event("huge", 3, "huge", 6 * MIB))
        .await;
    assert_eq!(too_large.status, 413);
    assert_eq!(world.dead_letters().await, 0);
    machine.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_replay_never_overwrites_what_is_newer() {
    let machine = machine().await;
    let world = World::of(&machine);
    for (id, second) in [("first", 1), ("second", 2)] {
        world.post("generic", &event(id, second, id, 0)).await;
        world.drained().await;
    }
    let asks = hookwell(&world, &["replay", "--source", "generic"]).await;
    assert!(asks.unwrap_err().contains("add --yes"), "two at once");
    let replay = ["replay", "--source", "generic", "--yes", "--json"];
    let printed = hookwell(&world, &replay).await.unwrap();
    let lines = printed
        .lines()
        .map(|line| serde_json::from_str(line).unwrap());
    let lines: Vec<Value> = lines.collect();
    let ids: Vec<_> = lines
        .iter()
        .map(|line| (&line["id"], &line["replayed"]))
        .collect();
    let yes = json!(true);
    assert_eq!(
        ids,
        [(&json!("first"), &yes), (&json!("second"), &yes)],
        "oldest first"
    );
    world.drained().await;
    assert_eq!(record(&world, "first").await["outcome"], "stale");
    let state = json!({ "id": "d", "name": "second" });
    world.document_becomes("generic", "d", Some(&state)).await;
    machine.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_not_kept_is_said() {
    let machine = machine().await;
    let world = World::of(&machine);
    let body = json!({
        "id": "evt", "type": "resource.created", "created_at": "2026-11-21T00:00:00Z",
        "data": { "object": { "id": "d" } },
    });
    world.post("resource", &body).await;
    world.drained().await;
    let said = hookwell(&world, &["replay", "evt"]).await.unwrap_err();
    assert!(said.contains("1 not kept: set `retain`"), "{said}");
    assert!(!record(&world, "evt").await.contains_key("reopened_by"));
    let said = hookwell(&world, &["replay", "nothing"]).await.unwrap_err();
    assert!(said.contains("there is no event \"nothing\""), "{said}");
    machine.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_large_event_that_is_rejected_can_be_read_and_redriven() {
    let machine = machine().await;
    let world = World::of(&machine);
    let mut large = event("odd", 1, "odd", 2 * MIB);
    large["data"] = json!({ "name": "without an id" });
    assert_eq!(world.post("generic", &large).await.status, 200);
    world.drained().await;
    assert_eq!(world.dead_letters().await, 1);
    let shown = hookwell(&world, &["dlq", "show", "odd", "--json"])
        .await
        .unwrap();
    let shown: Value = serde_json::from_str(&shown).unwrap();
    let body: Value = serde_json::from_str(shown["body"].as_str().unwrap()).unwrap();
    assert_eq!(body, large);
    hookwell(&world, &["dlq", "redrive", "odd"]).await.unwrap();
    world.drained().await;
    assert_eq!(world.dead_letters().await, 1, "it is as wrong as before");
    machine.stop().await;
}

/// A large event needs the bucket; a small one is kept in the table, and goes on without.
#[tokio::test(flavor = "multi_thread")]
async fn with_the_bucket_away_large_events_are_the_senders_to_repeat() {
    let queue = QueueSettings {
        visibility_timeout: 10,
        retry_every: Duration::from_hours(1),
    };
    let storage = Storage::start(0, None, queue).await.unwrap();
    let bucket = Gate::start(&storage.endpoints.s3_endpoint).await.unwrap();
    let endpoints = Endpoints {
        s3_endpoint: bucket.url.clone(),
        ..storage.endpoints.clone()
    };
    let functions = Functions::start(0, senders(), &endpoints, |context| Ok(context.documents))
        .await
        .unwrap();
    let world = World::new(&functions.machine.url, &storage.endpoints);
    bucket.close().await;
    let large = event("large", 2, "large", 2 * MIB);
    assert_eq!(world.post("generic", &large).await.status, 503);
    assert_eq!(
        world
            .post("generic", &event("small", 1, "small", 0))
            .await
            .status,
        200
    );
    let small = json!({ "id": "d", "name": "small" });
    world.document_becomes("generic", "d", Some(&small)).await;

    bucket.open();
    assert_eq!(world.post("generic", &large).await.status, 200);
    let large = json!({ "id": "d", "name": "large" });
    world.drained().await;
    world.document_becomes("generic", "d", Some(&large)).await;
    functions.stop().await;
    storage.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn objects_survive_a_restart_with_a_data_folder() {
    let folder = tempfile::tempdir().unwrap();
    let options = || Options {
        data: Some(folder.path().to_owned()),
        ..Options::new(0, senders())
    };
    let machine = start(options(), |context| Ok(context.documents))
        .await
        .unwrap();
    let world = World::of(&machine);
    world
        .post("generic", &event("large", 1, "large", 2 * MIB))
        .await;
    world.drained().await;
    machine.stop().await;

    let machine = start(options(), |context| Ok(context.documents))
        .await
        .unwrap();
    let world = World::of(&machine);
    hookwell(&world, &["replay", "large"]).await.unwrap();
    world.drained().await;
    assert_eq!(record(&world, "large").await["outcome"], "applied");
    machine.stop().await;
}
