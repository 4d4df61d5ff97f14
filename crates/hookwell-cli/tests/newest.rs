//! A sender changes a document several times within one second, delivered in order, one after the other: the document
//! shows the last state. `NEWEST_DOCUMENTS=1000 cargo test --release -p hookwell-cli --test all newest -- --nocapture` takes
//! as many documents of each sender; the plain test takes fewer.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::support::{World, senders_of};
use hookwell_cli::machine::{Options, start};
use hookwell_cli::sender::Senders;
use hookwell_sandbox::sender::{Draft, signed_with};
use http::{HeaderMap, HeaderName, Method};
use serde_json::{Value, json};
use tokio::task::JoinSet;

const SOURCES: &str = r#"
    [sources.stripe]
    preset = "stripe"
    secrets = ["env:A"]
    [sources.github]
    preset = "github"
    secrets = ["env:B"]
    [sources.shopify]
    preset = "shopify"
    secrets = ["env:C"]
    [sources.gitlab]
    preset = "gitlab-token"
    secrets = ["env:D"]
    [sources.resource]
    preset = "resource"
    secrets = ["env:E"]
"#;

/// The senders, and whether an id comes again there after its deletion.
const SENDERS: [(&str, bool); 5] = [
    ("stripe", false),
    ("github", false),
    ("shopify", false),
    ("gitlab", true),
    ("resource", true),
];

/// Number of documents under way at once.
const AT_ONCE: usize = 8;

/// One thing that a sender does, in its own words: headers and body. Everything happens in one second of its clock.
fn said(
    sender: &str,
    document: usize,
    step: usize,
    what: &str,
) -> (Vec<(&'static str, String)>, Value) {
    let event = format!("{document}-{step}");
    let state = |mut more: Value| {
        more["step"] = json!(step);
        more
    };
    match sender {
        "stripe" => {
            let object = state(json!({ "id": format!("cus_{document}"), "object": "customer" }));
            let body = json!({
                "id": format!("evt_{event}"), "object": "event", "created": 1_795_690_000,
                "type": format!("customer.{what}d"), "data": { "object": object },
            });
            (Vec::new(), body)
        }
        "github" => {
            let action = match what {
                "create" => "opened",
                "update" => "edited",
                _ => "deleted",
            };
            let issue = state(json!({ "id": document, "updated_at": "2026-11-26T10:00:00Z" }));
            let headers = vec![
                ("X-GitHub-Event", "issues".to_owned()),
                ("X-GitHub-Delivery", event),
            ];
            (headers, json!({ "action": action, "issue": issue }))
        }
        "shopify" => {
            let headers = vec![
                ("X-Shopify-Topic", format!("products/{what}")),
                ("X-Shopify-Event-Id", event.clone()),
                ("X-Shopify-Webhook-Id", event),
                (
                    "X-Shopify-Triggered-At",
                    format!("2026-11-26T10:00:00.{step}00000000Z"),
                ),
            ];
            let body = match what {
                "delete" => json!({ "id": document }),
                _ => state(json!({
                    "id": document, "updated_at": "2026-11-26T05:00:00-05:00",
                    "admin_graphql_api_id": format!("gid://shopify/Product/{document}"),
                })),
            };
            (headers, body)
        }
        "gitlab" => {
            let page = json!({ "title": "P", "slug": format!("p{document}"), "action": what });
            let headers = vec![
                ("X-Gitlab-Event", "Wiki Page Hook".to_owned()),
                ("Idempotency-Key", event),
            ];
            let body = json!({
                "object_kind": "wiki_page", "project": { "id": 1 }, "object_attributes": state(page),
            });
            (headers, body)
        }
        _ => {
            let object = state(json!({ "id": format!("res_{document}") }));
            let body = json!({
                "id": format!("evt_{event}"), "type": format!("resource.{what}d"),
                "created_at": "2026-11-26T10:00:00Z", "data": { "object": object },
            });
            (Vec::new(), body)
        }
    }
}

/// Operations of a sender on a document: some stay updated, some are deleted, some are created again.
fn steps(document: usize, comes_again: bool) -> &'static [&'static str] {
    let all = &["create", "update", "update", "delete", "create"];
    match document % 3 {
        0 => &all[..3],
        1 => &all[..4],
        _ if comes_again => all,
        _ => &all[..3],
    }
}

/// Number of tries of a delivery, at most.
const TRIES: usize = 20;

/// Sends one delivery of a sender until it hears 200.
async fn send(
    world: &World,
    senders: &Senders,
    sender: &str,
    document: usize,
    step: usize,
    what: &str,
) {
    let source = senders.sources.iter().find(|source| source.name == sender);
    let source = source.unwrap();
    let keys = source
        .keys(|reference| senders.secrets.fetch(reference))
        .unwrap();
    let (headers, body) = said(sender, document, step, what);
    let headers = headers.iter().map(|(name, value)| {
        let name = HeaderName::from_bytes(name.as_bytes()).unwrap();
        (name, value.parse().unwrap())
    });
    let plain = hookwell::event::delivery::Delivery {
        request_id: String::new(),
        method: Method::POST,
        source: Some(sender.to_owned()),
        path: format!("/webhooks/{sender}"),
        query: String::new(),
        headers: headers.collect::<HeaderMap>(),
        body: body.to_string().into_bytes(),
        source_ip: None,
        trace: None,
    };
    let now = hookwell_lambda::now::now();
    let signed = signed_with(source, &keys, Draft::of(&plain), now).unwrap();
    // On a busy machine an answer may be 503, and a sender that goes in order sends again before it goes on.
    for _ in 0..TRIES {
        let (headers, body) = (signed.headers.clone(), signed.body.clone());
        let answer = world.request("POST", &plain.path, headers, body).await;
        match answer.status {
            200 => return,
            status => assert_eq!(status, 503, "{sender} {document} {what}: {}", answer.body),
        }
    }
    panic!("{sender} {document} {what} was never taken");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_last_of_what_a_sender_does_in_one_second_is_what_the_document_shows() {
    let documents = std::env::var("NEWEST_DOCUMENTS").map_or(30, |text| text.parse().unwrap());
    let senders = senders_of(SOURCES);
    let machine = start(Options::new(0, senders.clone()), |context| {
        Ok(context.documents)
    })
    .await
    .unwrap();
    let (world, senders) = (World::of(&machine), Arc::new(senders));
    for (sender, comes_again) in SENDERS {
        let mut running = JoinSet::new();
        for document in 0..documents {
            if running.len() == AT_ONCE {
                running.join_next().await.unwrap().unwrap();
            }
            let (world, senders) = (world.clone(), Arc::clone(&senders));
            running.spawn(async move {
                for (step, what) in steps(document, comes_again).iter().enumerate() {
                    send(&world, &senders, sender, document, step, what).await;
                }
            });
        }
        running.join_all().await;
        world.drained().await;

        let table = &world.endpoints.documents_table;
        let items = world.admin.scan(table, Some(("source", sender))).await;
        let items = items.unwrap().into_iter().map(|item| {
            let id = item["document_id"].as_str().unwrap().to_owned();
            (id, item)
        });
        let items: BTreeMap<String, _> = items.collect();
        assert_eq!(items.len(), documents, "{sender}");
        let mut wrong = 0;
        for document in 0..documents {
            let steps = steps(document, comes_again);
            let id = match sender {
                "stripe" => format!("cus_{document}"),
                "gitlab" => format!("1.p{document}"),
                "resource" => format!("res_{document}"),
                _ => document.to_string(),
            };
            let item = &items[&id];
            let state = item.get("document").and_then(Value::as_str);
            let state: Option<Value> = state.map(|text| serde_json::from_str(text).unwrap());
            let is_right = match steps.last() {
                Some(&"delete") => item["deleted"] == true && state.is_none(),
                _ => state.is_some_and(|state| state["step"] == steps.len() - 1),
            };
            wrong += usize::from(!is_right);
        }
        println!("{sender}: {wrong} of {documents} documents wrong");
        assert_eq!(wrong, 0, "{sender}");
    }
    machine.stop().await;
}
