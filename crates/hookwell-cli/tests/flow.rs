//! The whole system, as a sender and its operator see it: HTTP in, documents out, with the real SDK clients, the
//! embedded tables and queues, and both functions between.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use crate::support::{SHIPPED, SOURCES, World, body, machine, senders, senders_of};
use hookwell_aws::tools::admin::Item;
use hookwell_cli::machine::{Options, start};
use serde_json::{Value, json};
use tokio::task::JoinSet;

#[tokio::test(flavor = "multi_thread")]
async fn every_source_creates_updates_and_deletes_a_document() {
    let machine = machine().await;
    let world = World::of(&machine);
    for source in SOURCES {
        let steps = [("create", "one"), ("update", "two"), ("delete", "two")];
        for (second, (operation, name)) in steps.into_iter().enumerate() {
            let (body, state) = body(source, second, operation, "d1", name);
            let answer = world.post(source, &body).await;
            let answer = (answer.status, answer.body.as_str());
            assert_eq!(answer, (200, r#"{"status":"received"}"#), "{source}");
            world.document_becomes(source, "d1", state.as_ref()).await;
            world.drained().await;
            let before = world.document(source, "d1").await.unwrap();

            // The same delivery again changes nothing.
            let again = world.post(source, &body).await;
            assert_eq!(again.status, 200);
            world.drained().await;
            let after = world.document(source, "d1").await.unwrap();
            for attribute in ["document", "deleted"] {
                assert_eq!(after.get(attribute), before.get(attribute), "{source}");
            }
            if source == "resource" || source == "generic" {
                assert_eq!(again.body, r#"{"status":"duplicate"}"#, "{source} has ids");
                assert_eq!(after, before);
            }
        }
    }
    assert_eq!(world.dead_letters().await, 0);
    machine.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_not_about_a_document_reaches_the_handler_and_ends_as_ignored() {
    let machine = machine().await;
    let world = World::of(&machine);
    let payment = json!({
        "id": "evt_p", "type": "payment.succeeded", "created_at": "2026-11-21T00:00:00Z",
        "data": { "object": { "id": "p1" } },
    });
    assert_eq!(world.post("resource", &payment).await.status, 200);
    let (mut archive, _) = body("stonal", 0, "create", "d", "n");
    archive["operation"] = json!("archive");
    assert_eq!(
        world.post("stonal", &archive).await.status,
        200,
        "an unknown operation"
    );
    world.drained().await;
    let events = world.events().await;
    assert_eq!(events.len(), 2);
    for event in events {
        let end = [&event["status"], &event["outcome"], &event["operation"]];
        assert_eq!(end, ["done", "ignored", "other"]);
        let reason = "its type is no create, update or delete of a document";
        assert_eq!(event["reason"], reason);
    }
    machine.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_blocked_address_is_refused_and_leaves_nothing() {
    let text = SHIPPED.replace("[\"127.0.0.0/8\", \"::1/128\"]", "[\"203.0.113.0/24\"]");
    let machine = start(Options::new(0, senders_of(&text)), |context| {
        Ok(context.documents)
    })
    .await
    .unwrap();
    let world = World::of(&machine);
    for source in ["stonal", "plain"] {
        let (body, _) = body(source, 0, "create", "d", "n");
        assert_eq!(world.post(source, &body).await.status, 403, "{source}");
    }
    world.left_nothing().await;
    machine.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn each_refusal_has_its_answer_and_leaves_nothing() {
    let machine = machine().await;
    let world = World::of(&machine);
    let required = [
        ("stonal", "organizationCode"),
        ("stonal", "doc"),
        ("resource", "id"),
        ("resource", "data"),
        ("plain", "event"),
        ("plain", "data"),
    ];
    for (source, key) in required {
        let (mut body, _) = body(source, 0, "create", "d", "n");
        body.as_object_mut().unwrap().remove(key);
        let answer = world.post(source, &body).await;
        let answer = (answer.status, answer.body.as_str());
        assert_eq!(
            answer,
            (400, r#"{"error":"Invalid event payload"}"#),
            "{source} without {key}"
        );
    }
    for source in ["resource", "generic"] {
        let body = body(source, 0, "create", "d", "n")
            .0
            .to_string()
            .into_bytes();
        let mut forged = world.signature(source, b"another body");
        forged.truncate(1);
        for headers in [forged, Vec::new()] {
            let path = format!("/webhooks/{source}");
            let answer = world.request("POST", &path, headers, body.clone()).await;
            let answer = (answer.status, answer.body.as_str());
            assert_eq!(answer, (401, r#"{"error":"Invalid signature"}"#));
        }
    }
    let (body, _) = body("resource", 0, "create", "d", "n");
    assert_eq!(world.post("nobody", &body).await.status, 404);
    let request = |method, path, headers, body| world.request(method, path, headers, body);
    assert_eq!(
        request("POST", "/", Vec::new(), Vec::new()).await.status,
        404
    );
    let get = request("GET", "/webhooks/resource", Vec::new(), Vec::new()).await;
    assert_eq!((get.status, get.headers["allow"].as_str()), (405, "POST"));
    // So much that the sender still writes when the front has seen enough.
    let larger_than_lambda_takes = vec![b' '; 40 * 1024 * 1024];
    let answer = request(
        "POST",
        "/webhooks/resource",
        Vec::new(),
        larger_than_lambda_takes,
    )
    .await;
    assert_eq!(answer.status, 413);
    let gzip = vec![("content-encoding".to_owned(), "gzip".to_owned())];
    assert_eq!(
        request("POST", "/webhooks/plain", gzip, b"{}".to_vec())
            .await
            .status,
        415
    );
    world.left_nothing().await;
    machine.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_update_before_its_create_and_a_stale_update_after_a_delete_end_right() {
    let machine = machine().await;
    let world = World::of(&machine);
    let send = async |second, operation: &str, id: &str, name: &str| {
        let (body, state) = body("resource", second, operation, id, name);
        assert_eq!(world.post("resource", &body).await.status, 200);
        world.drained().await;
        state
    };
    let newest = send(2, "update", "early", "newest").await;
    send(1, "create", "early", "older").await;
    world
        .document_becomes("resource", "early", newest.as_ref())
        .await;

    send(1, "create", "gone", "one").await;
    send(3, "delete", "gone", "one").await;
    send(2, "update", "gone", "two").await;
    world.document_becomes("resource", "gone", None).await;
    let events = world.events().await;
    assert_eq!(
        events
            .iter()
            .filter(|event| event["outcome"] == "stale")
            .count(),
        2
    );
    machine.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_thousand_mixed_deliveries_all_arrive_once() {
    let machine = start(Options::new(0, senders()), |context| Ok(context.documents))
        .await
        .unwrap();
    let world = World::of(&machine);
    let one = |n: usize| {
        (
            SOURCES[n % 4],
            body(SOURCES[n % 4], n % 60, "create", &format!("d{n}"), "x"),
        )
    };
    let mut deliveries: Vec<_> = (0..900).map(one).collect();
    deliveries.extend((0..100).map(|n| one(n * 9)));
    let (deliveries, next) = (Arc::new(deliveries), Arc::new(AtomicUsize::new(0)));
    let mut workers = JoinSet::new();
    for _ in 0..20 {
        let (world, deliveries, next) = (world.clone(), deliveries.clone(), next.clone());
        workers.spawn(async move {
            let mut answers = Vec::new();
            while let Some((source, (body, _))) =
                deliveries.get(next.fetch_add(1, Ordering::Relaxed))
            {
                let mut answer = world.post(source, body).await;
                // On a machine with other work the queue may take too long; a sender comes back.
                for _ in 0..50 {
                    if answer.status != 503 {
                        break;
                    }
                    tokio::time::sleep(Duration::from_millis(100)).await;
                    answer = world.post(source, body).await;
                }
                answers.push(format!("{} {}", answer.status, answer.body));
            }
            answers
        });
    }
    let answers = count(workers.join_all().await.into_iter().flatten());
    world.drained().await;

    let documents = world
        .admin
        .scan(&world.endpoints.documents_table, None)
        .await
        .unwrap();
    let states: BTreeMap<_, _> = documents
        .iter()
        .map(|item| {
            (
                item["pk"].as_str().unwrap(),
                item["document"].as_str().unwrap(),
            )
        })
        .collect();
    for (source, (_, state)) in deliveries.iter() {
        let state = state.as_ref().unwrap();
        let kind = if *source == "resource" {
            "resource"
        } else {
            "asset"
        };
        let key = format!("{source}#{kind}#{}", state["id"].as_str().unwrap());
        assert_eq!(
            serde_json::from_str::<Value>(states[key.as_str()]).unwrap(),
            *state
        );
    }
    let records = world.events().await;
    // Deliveries without an id are events of their own: one that waited in the retry queue finds the state of a later one.
    let as_expected = |event: &Item| match event["source"].as_str().unwrap() {
        "stonal" | "plain" => event["outcome"] == "applied" || event["outcome"] == "stale",
        _ => event["outcome"] == "applied",
    };
    let others: Vec<_> = records.iter().filter(|event| !as_expected(event)).collect();
    let (queue, dead) = (world.queue_depth().await, world.dead_letters().await);
    println!("1000 deliveries, 100 of them duplicates, at concurrency 20: answers {answers:?}");
    println!(
        "{} documents, {} records, queue {queue:?}, dead letters {dead}",
        states.len(),
        records.len()
    );
    assert_eq!(answers.values().sum::<usize>(), 1000);
    assert!(answers.keys().all(|answer| answer.starts_with("200 ")));
    assert_eq!((states.len(), queue, dead), (900, (0, 0), 0));
    assert_eq!(others, Vec::<&Item>::new());
    machine.stop().await;
}

fn count(all: impl Iterator<Item = String>) -> BTreeMap<String, usize> {
    let mut counts = BTreeMap::new();
    for one in all {
        *counts.entry(one).or_default() += 1;
    }
    counts
}

#[tokio::test(flavor = "multi_thread")]
async fn a_data_folder_keeps_records_and_documents_over_a_restart() {
    let data = tempfile::tempdir().unwrap();
    let options = || Options {
        data: Some(data.path().to_owned()),
        ..Options::new(0, senders())
    };
    let (body, state) = body("resource", 1, "create", "d1", "one");
    let first = start(options(), |context| Ok(context.documents))
        .await
        .unwrap();
    let world = World::of(&first);
    assert_eq!(world.post("resource", &body).await.status, 200);
    world
        .document_becomes("resource", "d1", state.as_ref())
        .await;
    world.drained().await;
    first.stop().await;

    let second = start(options(), |context| Ok(context.documents))
        .await
        .unwrap();
    let world = World::of(&second);
    world
        .document_becomes("resource", "d1", state.as_ref())
        .await;
    assert_eq!(
        world.post("resource", &body).await.body,
        r#"{"status":"duplicate"}"#
    );
    second.stop().await;
}
