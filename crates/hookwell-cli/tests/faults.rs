//! The whole system while a part of it is away or a message cannot be applied.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use crate::support::browser::{get, press, shows};
use crate::support::{PATIENCE, World, body, machine, senders};
use hookwell::event::Event;
use hookwell::ports::handler::{HandleError, Handled, Handler};
use hookwell_aws::tools::admin::readable;
use hookwell_aws::{Context, DocumentsTable};
use hookwell_cli::machine::Functions;
use hookwell_local::gate::Gate;
use hookwell_local::storage::{Endpoints, QueueSettings, Storage};
use serde_json::json;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

#[tokio::test(flavor = "multi_thread")]
async fn a_damaged_message_is_in_the_dead_letter_queue_at_once_and_delays_nobody() {
    let machine = machine().await;
    let world = World::of(&machine);
    let queue = &world.endpoints.queue_url;
    world.send_text(queue, "not an event").await;
    for number in 0..20 {
        let id = format!("d{number}");
        let (body, state) = body("resource", 1, "create", &id, "x");
        assert_eq!(world.post("resource", &body).await.status, 200);
        world
            .document_becomes("resource", &id, state.as_ref())
            .await;
    }
    world.drained().await;
    assert_eq!(world.dead_letters().await, 1);
    assert_eq!(world.queue_depth().await, (0, 0));
    machine.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_event_that_can_never_be_applied_is_in_the_dead_letter_queue_at_once() {
    let machine = machine().await;
    let world = World::of(&machine);
    let nameless = json!({ "event": "asset.created", "data": { "name": "no id" } });
    assert_eq!(world.post("plain", &nameless).await.status, 200);
    world.drained().await;
    assert_eq!(world.dead_letters().await, 1);
    let event = world.events().await.remove(0);
    let end = [&event["status"], &event["outcome"], &event["reason"]];
    assert_eq!(
        end,
        ["quarantined", "rejected", "the event names no document"]
    );
    machine.stop().await;
}

/// Functions that reach their tables and queues through gates.
struct Gated {
    storage: Storage,
    functions: Functions,
    tables: Gate,
    queues: Gate,
    world: World,
}

impl Gated {
    async fn start() -> Self {
        let queue = QueueSettings {
            visibility_timeout: 10,
            retry_every: Duration::from_millis(500),
        };
        let storage = Storage::start(0, None, queue).await.unwrap();
        let tables = Gate::start(&storage.endpoints.dynamodb_endpoint)
            .await
            .unwrap();
        let queues = Gate::start(&storage.endpoints.sqs_endpoint).await.unwrap();
        let endpoints = Endpoints {
            dynamodb_endpoint: tables.url.clone(),
            sqs_endpoint: queues.url.clone(),
            ..storage.endpoints.clone()
        };
        let functions = Functions::start(0, senders(), &endpoints, |context| Ok(context.documents))
            .await
            .unwrap();
        let world = World::new(&functions.machine.url, &storage.endpoints);
        Self {
            storage,
            functions,
            tables,
            queues,
            world,
        }
    }

    async fn stop(self) {
        self.functions.stop().await;
        self.storage.stop().await;
    }
}

/// A way to a server on which every request takes longer.
async fn slow(server: &str, pause: Duration) -> String {
    let server = server.strip_prefix("http://").unwrap().to_owned();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(async move {
        while let Ok((client, _)) = listener.accept().await {
            let server = TcpStream::connect(&server).await.unwrap();
            let (mut from_server, mut to_server) = server.into_split();
            let (mut from_client, mut to_client) = client.into_split();
            tokio::spawn(async move { tokio::io::copy(&mut from_server, &mut to_client).await });
            tokio::spawn(async move {
                let mut bytes = vec![0; 64 * 1024];
                while let Ok(read @ 1..) = from_client.read(&mut bytes).await {
                    tokio::time::sleep(pause).await;
                    to_server.write_all(&bytes[..read]).await.unwrap();
                }
            });
        }
    });
    url
}

/// As Lambda does it: a function that was invoked is not ended when nobody waits for it any more.
#[tokio::test(flavor = "multi_thread")]
async fn a_delivery_comes_to_its_end_although_its_sender_hangs_up() {
    let queue = QueueSettings {
        visibility_timeout: 10,
        retry_every: Duration::from_millis(500),
    };
    let storage = Storage::start(0, None, queue).await.unwrap();
    let pause = Duration::from_millis(100);
    let endpoints = Endpoints {
        dynamodb_endpoint: slow(&storage.endpoints.dynamodb_endpoint, pause).await,
        sqs_endpoint: slow(&storage.endpoints.sqs_endpoint, pause).await,
        ..storage.endpoints.clone()
    };
    let functions = Functions::start(0, senders(), &endpoints, |context| Ok(context.documents))
        .await
        .unwrap();
    let world = World::new(&functions.machine.url, &storage.endpoints);
    let address = functions.machine.url.strip_prefix("http://").unwrap();
    let mut states = Vec::new();
    for number in 0..20_u64 {
        let id = format!("d{number}");
        let (body, state) = body("plain", 1, "create", &id, "x");
        let body = body.to_string();
        let mut sender = TcpStream::connect(address).await.unwrap();
        let request = format!(
            "POST /webhooks/plain HTTP/1.1\r\nhost: {address}\r\ncontent-type: application/json\r\n\
             content-length: {}\r\n\r\n{body}",
            body.len()
        );
        sender.write_all(request.as_bytes()).await.unwrap();
        // From before the put is out until the message is.
        tokio::time::sleep(Duration::from_millis(20 + 10 * number)).await;
        drop(sender);
        states.push((id, state));
    }
    for (id, state) in states {
        world.document_becomes("plain", &id, state.as_ref()).await;
    }
    world.drained().await;
    for event in world.events().await {
        assert_eq!(event["outcome"], "applied", "{event:?}");
    }
    functions.stop().await;
    storage.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn with_the_table_unreachable_an_event_is_acknowledged_and_applied_later() {
    let gated = Gated::start().await;
    let world = &gated.world;
    gated.tables.close().await;
    let (body, state) = body("resource", 1, "create", "d1", "one");
    assert_eq!(world.post("resource", &body).await.status, 200);
    assert_eq!(world.events().await, [], "nothing could be remembered");
    gated.tables.open();
    world.drained().await;
    world
        .document_becomes("resource", "d1", state.as_ref())
        .await;
    assert_eq!(world.events().await[0]["outcome"], "applied");
    assert_eq!(
        world.post("resource", &body).await.body,
        r#"{"status":"duplicate"}"#
    );
    gated.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn with_the_queue_unreachable_the_sender_comes_back_and_its_retry_is_applied_once() {
    let gated = Gated::start().await;
    let world = &gated.world;
    gated.queues.close().await;
    let (body, state) = body("resource", 1, "create", "d1", "one");
    let refused = world.post("resource", &body).await;
    assert_eq!(
        (refused.status, refused.headers["retry-after"].as_str()),
        (503, "30")
    );
    let events = world.events().await;
    let pending = events.iter().all(|event| event["status"] == "pending");
    assert!(pending, "nothing is claimed to be done: {events:?}");
    assert!(world.document("resource", "d1").await.is_none());

    gated.queues.open();
    assert_eq!(
        world.post("resource", &body).await.body,
        r#"{"status":"received"}"#
    );
    world
        .document_becomes("resource", "d1", state.as_ref())
        .await;
    world.drained().await;
    assert_eq!(
        world.post("resource", &body).await.body,
        r#"{"status":"duplicate"}"#
    );
    assert_eq!(
        (world.events().await.len(), world.dead_letters().await),
        (1, 0)
    );
    gated.stop().await;
}

/// The page of a machine shows what it was told, so nothing may be told that did not happen.
#[tokio::test(flavor = "multi_thread")]
async fn the_page_shows_no_event_as_queued_that_did_not_go_back_into_the_queue() {
    let gated = Gated::start().await;
    let world = &gated.world;
    let (kept, state) = body("generic", 0, "create", "d1", "one");
    assert_eq!(world.post("generic", &kept).await.status, 200);
    world
        .document_becomes("generic", "d1", state.as_ref())
        .await;
    let nameless = json!({ "event": "asset.created", "data": { "name": "no id" } });
    assert_eq!(world.post("plain", &nameless).await.status, 200);
    world.drained().await;
    let events = world.events().await;
    let key = |source: &str| {
        let event = events.iter().find(|event| event["source"] == source);
        let key = event.unwrap()["pk"].as_str().unwrap();
        format!("key={}", key.replace('#', "%23"))
    };
    let (kept, rejected) = (key("generic"), key("plain"));
    shows(world, &format!("/event?{kept}"), ">applied<").await;
    shows(world, &format!("/event?{rejected}"), ">rejected<").await;
    let letters = shows(world, "/dead-letters", r#"name="id" value=""#).await;
    let (_, after) = letters.split_once(r#"name="id" value=""#).unwrap();
    let letter = format!("id={}", after.split_once('"').unwrap().0);

    gated.queues.close().await;
    let view = format!("/event?{kept}");
    let pressed = press(world, &view, "/event/replay", &kept).await;
    assert_eq!(pressed.status, 502, "{pressed:?}");
    gated.queues.open();
    gated.tables.close().await;
    let put_back = "/dead-letters/redrive";
    let pressed = press(world, "/dead-letters", put_back, &letter).await;
    assert_eq!(pressed.status, 502, "{pressed:?}");
    gated.tables.open();
    for (key, outcome) in [(kept, "applied"), (rejected, "rejected")] {
        let page = get(world, &format!("/event?{key}")).await.body;
        assert!(page.contains(&format!(">{outcome}<")), "{page}");
        assert!(!page.contains("put back"), "{page}");
    }
    gated.stop().await;
}

/// A handler over a service that answers 503 until it is well.
struct Moody(DocumentsTable, Arc<AtomicBool>);

impl Handler for Moody {
    async fn handle(&self, event: &Event) -> Result<Handled, HandleError> {
        if !self.1.load(Ordering::Relaxed) {
            return Err(HandleError::RetryEnded("the service said 503".into()));
        }
        self.0.handle(event).await
    }

    fn reaches_outside(&self, _: &Event) -> bool {
        true
    }
}

/// An outage that is longer than three tries: nobody has to do anything about it.
#[tokio::test(flavor = "multi_thread")]
async fn an_event_that_fails_for_longer_waits_and_is_applied_when_it_can_be() {
    let queue = QueueSettings {
        visibility_timeout: 10,
        retry_every: Duration::from_secs(2),
    };
    let storage = Storage::start(0, None, queue).await.unwrap();
    let is_well = Arc::new(AtomicBool::new(false));
    let handler = |context: Context<'_>| Ok(Moody(context.documents, is_well.clone()));
    let functions = Functions::start(0, senders(), &storage.endpoints, handler)
        .await
        .unwrap();
    let world = World::new(&functions.machine.url, &storage.endpoints);
    let (body, state) = body("resource", 1, "create", "d1", "one");
    assert_eq!(world.post("resource", &body).await.status, 200);
    let started = Instant::now();
    let waiting = loop {
        let event = world.events().await.remove(0);
        if readable(&event, "status") == "waiting" {
            break event;
        }
        assert!(started.elapsed() < PATIENCE, "{event:?}");
        tokio::time::sleep(Duration::from_millis(50)).await;
    };
    assert_eq!(waiting["reason"], "the service said 503");
    let [received, until] = ["received_at", "waits_until"].map(|name| waiting[name].as_i64());
    assert_eq!(until.unwrap() - received.unwrap(), 3 * 86_400_000);
    assert_eq!(world.dead_letters().await, 0, "nobody has to look at it");
    is_well.store(true, Ordering::Relaxed);
    let started = Instant::now();
    while world.events().await[0]["status"] != "done" {
        assert!(started.elapsed() < PATIENCE);
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    world
        .document_becomes("resource", "d1", state.as_ref())
        .await;
    assert_eq!(world.events().await[0].get("waits_until"), None);
    world.drained().await;
    functions.stop().await;
    storage.stop().await;
}
