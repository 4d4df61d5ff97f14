//! Destinations on the whole machine: an event comes in by HTTP, and goes out by HTTP.

use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use crate::support::browser::shows;
use crate::support::{PATIENCE, SHIPPED, World, senders_of};
use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, Uri};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, KeyInit as _, Mac as _};
use hookwell_aws::tools::admin::Item;
use hookwell_cli::machine::{Options, start};
use serde_json::json;
use tokio::net::TcpListener;

/// Somebody's server: it is down at `/down`, and answers its first request with 500.
#[derive(Default)]
struct Server(Mutex<Vec<(HeaderMap, Bytes)>>);

async fn hook(
    State(server): State<Arc<Server>>,
    uri: Uri,
    headers: HeaderMap,
    body: Bytes,
) -> StatusCode {
    if uri.path() == "/down" {
        return StatusCode::SERVICE_UNAVAILABLE;
    }
    let mut got = server.0.lock().unwrap();
    got.push((headers, body));
    if got.len() == 1 {
        StatusCode::INTERNAL_SERVER_ERROR
    } else {
        StatusCode::OK
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_event_goes_out_signed_until_it_is_taken_whatever_others_do() {
    let server = Arc::new(Server::default());
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let router = Router::new().fallback(hook).with_state(server.clone());
    tokio::spawn(async move { axum::serve(listener, router).await });
    let text = format!(
        "{SHIPPED}
        [destinations.shop]
        to = \"{url}/hooks\"
        secret = \"env:HOOKWELL_TEST_NEVER_SET\"
        [destinations.down]
        to = \"{url}/down\"
        secret = \"env:HOOKWELL_TEST_NEVER_SET\"
        [destinations.others]
        to = \"{url}/down\"
        sources = [\"generic\"]
        secret = \"env:HOOKWELL_TEST_NEVER_SET\"
        "
    );
    let senders = senders_of(&text);
    let secrets: Vec<_> = senders.secrets.made_up().collect();
    let secret = secrets
        .iter()
        .find(|(name, _)| *name == "env:HOOKWELL_TEST_NEVER_SET");
    let secret = secret.unwrap().1.strip_prefix("whsec_").unwrap().to_owned();
    let machine = start(Options::new(0, senders), |context| Ok(context.documents))
        .await
        .unwrap();
    let world = World::of(&machine);
    let body = json!({
        "id": "evt_1", "type": "resource.created", "created_at": "2026-11-21T00:00:00Z",
        "data": { "object": { "id": "d1", "name": "one" } }, "previous_data": null,
    });
    assert_eq!(world.post("resource", &body).await.status, 200);
    world
        .document_becomes("resource", "d1", Some(&body["data"]["object"]))
        .await;
    let started = Instant::now();
    while server.0.lock().unwrap().len() < 2 {
        assert!(started.elapsed() < PATIENCE, "it is tried again");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    let got = server.0.lock().unwrap().clone();
    let header = |index: usize, name: &str| got[index].0[name].to_str().unwrap().to_owned();
    assert_eq!(
        header(0, "webhook-id"),
        header(1, "webhook-id"),
        "the key is the same"
    );
    for (index, (_, sent)) in got.iter().enumerate() {
        assert_eq!(sent, body.to_string().as_bytes(), "the sender's bytes");
        let signed = [
            header(index, "webhook-id"),
            header(index, "webhook-timestamp"),
        ]
        .join(".");
        let key = STANDARD.decode(&secret).unwrap();
        let mut mac = Hmac::<sha2::Sha256>::new_from_slice(&key).unwrap();
        mac.update(signed.as_bytes());
        mac.update(b".");
        mac.update(sent);
        let expected = format!("v1,{}", STANDARD.encode(mac.finalize().into_bytes()));
        assert_eq!(header(index, "webhook-signature"), expected);
    }

    // A record each: the event's own, and one for each destination of this source.
    let done = async |destination: Option<&str>| {
        let events = world.events().await;
        let of = |item: &&Item| item.get("destination").and_then(|it| it.as_str()) == destination;
        let mut found = events.iter().filter(of);
        let record = found.next().unwrap().clone();
        assert!(found.next().is_none());
        record["status"].clone()
    };
    while done(Some("shop")).await != "done" {
        assert!(started.elapsed() < PATIENCE, "what was taken is done");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    assert_eq!(done(None).await, "done");
    assert_eq!(done(Some("down")).await, "pending");
    assert_eq!(world.events().await.len(), 3);

    // The page about the event shows both.
    let key = header(0, "webhook-id").replace('#', "%23");
    let page = format!("/event?key={key}");
    for words in [
        "Destination shop",
        "Destination down",
        "the endpoint answered 503",
    ] {
        shows(&world, &page, words).await;
    }
    machine.stop().await;
}
