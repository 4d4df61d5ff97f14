//! Ingest after its sandbox was frozen for long: every connection of before is dead when the next delivery comes, whether
//! the other side has closed it, resets it, or says nothing any more.

use std::net::IpAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use hookwell_aws::{EventsTable, SqsQueue};
use hookwell_lambda::ingest::Ingest;
use hookwell_lambda::now::clock;
use hookwell_local::storage::{QueueSettings, Storage};
use hookwell_sandbox::trigger::{HttpRequest, Trigger};
use http::HeaderMap;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;

const SOURCES: &str = r#"
[sources.single]
preset = "plain"
allow_ips = ["127.0.0.1/32"]

[sources.list]
allow_ips = ["127.0.0.1/32"]
[sources.list.verify]
alg = "unsigned"
[sources.list.event]
each = "body:/events"
id = "item:/id"
type = "item:/type"
"#;

/// State of a connection that was open while its function was frozen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Dead {
    Closed,
    Reset,
    Silent,
}

/// A way to a server. Its connections can die, and it counts those that are used again after that.
struct Way {
    url: String,
    deaths: watch::Sender<usize>,
    how: Arc<Mutex<Dead>>,
    tried: Arc<AtomicUsize>,
}

impl Way {
    async fn to(server: &str) -> Self {
        let server = server.strip_prefix("http://").unwrap().to_owned();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let way = Self {
            url: format!("http://{}", listener.local_addr().unwrap()),
            deaths: watch::Sender::new(0),
            how: Arc::new(Mutex::new(Dead::Closed)),
            tried: Arc::default(),
        };
        let (deaths, how, tried) = (way.deaths.clone(), way.how.clone(), way.tried.clone());
        tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                let upstream = TcpStream::connect(&server).await.unwrap();
                let (how, tried) = (how.clone(), tried.clone());
                tokio::spawn(pass(client, upstream, deaths.subscribe(), how, tried));
            }
        });
        way
    }

    /// Ends every connection of now. Gives the number that were used again after they had ended before.
    fn die(&self, how: Dead) -> usize {
        *self.how.lock().unwrap() = how;
        self.deaths.send_modify(|deaths| *deaths += 1);
        self.tried.swap(0, Ordering::Relaxed)
    }
}

async fn pass(
    mut client: TcpStream,
    mut upstream: TcpStream,
    mut deaths: watch::Receiver<usize>,
    how: Arc<Mutex<Dead>>,
    tried: Arc<AtomicUsize>,
) {
    deaths.mark_unchanged();
    let (mut to, mut from) = (vec![0; 64 * 1024], vec![0; 64 * 1024]);
    loop {
        tokio::select! {
            _ = deaths.changed() => break,
            read = client.read(&mut to) => match read {
                Ok(read @ 1..) => upstream.write_all(&to[..read]).await.unwrap(),
                _ => return,
            },
            read = upstream.read(&mut from) => match read {
                Ok(read @ 1..) => client.write_all(&from[..read]).await.unwrap(),
                _ => return,
            },
        }
    }
    let how = *how.lock().unwrap();
    if how == Dead::Closed {
        let _ = client.shutdown().await;
    }
    if let Ok(1..) = client.read(&mut to).await {
        tried.fetch_add(1, Ordering::Relaxed);
    }
    match how {
        Dead::Closed => {}
        Dead::Reset => drop(client.set_zero_linger()),
        Dead::Silent => while let Ok(1..) = client.read(&mut to).await {},
    }
}

/// The status of the answer to one delivery.
async fn deliver(ingest: &Ingest<EventsTable, SqsQueue>, source: &str, body: &Value) -> u64 {
    let request = HttpRequest {
        method: "POST".to_owned(),
        path: format!("/webhooks/{source}"),
        query: String::new(),
        headers: HeaderMap::new(),
        body: body.to_string().into_bytes(),
        source_ip: IpAddr::from([127, 0, 0, 1]),
    };
    let event = Trigger::FunctionUrl.event(&request, "thawed", 1_795_251_600_000);
    let event = event.to_string();
    let answer = ingest.respond(&event, "thawed", None, clock());
    let answer = serde_json::to_value(answer.await).unwrap();
    answer["statusCode"].as_u64().unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn no_more_than_one_dead_connection_to_a_host_is_tried_after_a_freeze() {
    let queue = QueueSettings {
        visibility_timeout: 100,
        retry_every: Duration::from_hours(1),
    };
    let storage = Storage::start(0, None, queue).await.unwrap();
    let tables = Way::to(&storage.endpoints.dynamodb_endpoint).await;
    let queues = Way::to(&storage.endpoints.sqs_endpoint).await;
    let mut environment: Vec<(String, String)> = storage
        .endpoints
        .environment()
        .iter()
        .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
        .collect();
    environment.insert(
        0,
        ("AWS_ENDPOINT_URL_DYNAMODB".to_owned(), tables.url.clone()),
    );
    environment.insert(0, ("AWS_ENDPOINT_URL_SQS".to_owned(), queues.url.clone()));
    let env = move |name: &str| {
        let mut all = environment.iter();
        let found = all.find(|(other, _)| other == name);
        found.map(|(_, value)| value.clone())
    };
    let env: &'static (dyn Fn(&str) -> Option<String> + Sync) = Box::leak(Box::new(env));
    let ingest = Ingest::from_environment(env, SOURCES).await.unwrap();
    for (round, how) in [Dead::Closed, Dead::Reset, Dead::Silent]
        .into_iter()
        .enumerate()
    {
        // Many connections at once.
        let event = |n| json!({ "id": format!("{round}.{n}"), "type": "thing.happened" });
        let list = json!({ "events": (0..1_000).map(event).collect::<Vec<_>>() });
        // On a busy machine its time may be over before all of it is queued.
        let status = deliver(&ingest, "list", &list).await;
        // Each connection that lives listens for its death. A call that was given up has closed its own: then a single delivery
        // opens one.
        let mut opened = 0;
        while [&tables, &queues]
            .iter()
            .any(|way| way.deaths.receiver_count() == 0)
        {
            assert!(opened < 20, "no connection to die");
            let data = json!({ "id": format!("{round}.opened.{opened}") });
            let body = json!({ "event": "thing.created", "data": data });
            deliver(&ingest, "single", &body).await;
            opened += 1;
        }
        tables.die(how);
        queues.die(how);
        let mut refused = 0;
        for number in 0..100 {
            let data = json!({ "id": format!("{round}.{number}") });
            let body = json!({ "event": "thing.created", "data": data });
            // As its sender does. On a busy machine the time of one delivery may be over before a new connection is there.
            while deliver(&ingest, "single", &body).await != 200 {
                refused += 1;
                assert!(refused < 20, "nothing is taken any more");
            }
        }
        println!(
            "{how:?}: a list of 1,000 events: {status}, then 100 deliveries: {refused} refused"
        );
        for (name, way) in [("tables", &tables), ("queues", &queues)] {
            let tried = way.die(Dead::Closed);
            assert!(
                tried <= 1,
                "{how:?}: {tried} dead connections to the {name} were tried"
            );
        }
    }
    storage.stop().await;
}
