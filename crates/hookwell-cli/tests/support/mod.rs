//! A sender with its own way of signing, and an operator who looks at what became of what was sent.
#![allow(dead_code)] // each test file uses a part of it

pub(crate) mod browser;
pub(crate) mod sources;

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use hmac::{Hmac, KeyInit, Mac};
use hookwell::config;
use hookwell_aws::Limits;
use hookwell_aws::tools::admin::{Admin, Item};
use hookwell_cli::machine::{Options, Running, start};
use hookwell_cli::sender::{Secrets, Senders};
use hookwell_local::storage::{Endpoints, QueueSettings};
use serde_json::{Value, json};

/// Time within which the documents must show an event.
const SOON: Duration = Duration::from_secs(2);

/// Time limit of a wait that has no limit of its own.
pub(crate) const PATIENCE: Duration = Duration::from_mins(1);

/// The shipped sources file.
pub(crate) const SHIPPED: &str = include_str!("../../../../functions/ingest/sources.toml");

/// The names of the shipped sources.
pub(crate) const SOURCES: [&str; 4] = ["stonal", "resource", "plain", "generic"];

/// The senders of a sources file.
pub(crate) fn senders_of(text: &str) -> Senders {
    let sources = config::parse(text).unwrap();
    let destinations = config::destinations(text).unwrap();
    let secrets = Secrets::made_up_for(&sources).and_for(&destinations);
    Senders {
        sources,
        destinations,
        secrets,
    }
}

/// The senders of the shipped file.
pub(crate) fn senders() -> Senders {
    senders_of(SHIPPED)
}

/// A machine whose messages are tried twice.
pub(crate) async fn machine() -> Running {
    let mut options = Options::new(0, senders());
    options.queue = QueueSettings {
        visibility_timeout: 10,
        retry_every: Duration::from_millis(500),
    };
    start(options, |context| Ok(context.documents))
        .await
        .unwrap()
}

/// Sender and operator.
#[derive(Clone)]
pub(crate) struct World {
    pub(crate) url: String,
    pub(crate) admin: Admin,
    pub(crate) endpoints: Endpoints,
    /// Cookie that the browser sends.
    pub(crate) cookie: Option<String>,
    senders: Senders,
}

/// Answer to a sender.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) headers: BTreeMap<String, String>,
    pub(crate) body: String,
}

impl World {
    pub(crate) fn of(machine: &Running) -> Self {
        Self::new(&machine.machine.url, &machine.machine.endpoints)
    }

    pub(crate) fn new(url: &str, endpoints: &Endpoints) -> Self {
        Self {
            url: url.to_owned(),
            admin: Admin::new(&endpoints.connection().unwrap()),
            endpoints: endpoints.clone(),
            cookie: None,
            senders: senders(),
        }
    }

    /// The signature header of a source, made without the code under test.
    pub(crate) fn signature(&self, name: &str, body: &[u8]) -> Vec<(String, String)> {
        let header = match name {
            "resource" => "X-Webhook-Signature",
            "generic" => "x-signature",
            _ => return Vec::new(),
        };
        let source = self
            .senders
            .sources
            .iter()
            .find(|source| source.name == name)
            .unwrap();
        let secret = self.senders.secrets.fetch(&source.secrets[0]).unwrap();
        let mut mac = <Hmac<sha2::Sha256> as KeyInit>::new_from_slice(secret.as_bytes()).unwrap();
        mac.update(body);
        vec![(header.to_owned(), hex::encode(mac.finalize().into_bytes()))]
    }

    pub(crate) async fn request(
        &self,
        method: &str,
        path: &str,
        headers: Vec<(String, String)>,
        body: Vec<u8>,
    ) -> Answer {
        let url = format!("{}{path}", self.url);
        let mut request = http::Request::builder().method(method).uri(url);
        for (name, value) in headers {
            request = request.header(name, value);
        }
        if let Some(cookie) = &self.cookie {
            request = request.header("cookie", cookie);
        }
        let has_kind = request
            .headers_ref()
            .is_some_and(|headers| headers.contains_key("content-type"));
        if !has_kind {
            request = request.header("content-type", "application/json");
        }
        let request = request.body(body).unwrap();
        let send = move || {
            let config = ureq::Agent::config_builder()
                .http_status_as_error(false)
                .max_redirects(0)
                .max_redirects_will_error(false);
            let agent: ureq::Agent = config.allow_non_standard_methods(true).build().into();
            let mut answer = agent.run(request).unwrap();
            let text = |value: &http::HeaderValue| value.to_str().unwrap().to_owned();
            let headers = answer
                .headers()
                .iter()
                .map(|(name, value)| (name.to_string(), text(value)));
            Answer {
                status: answer.status().as_u16(),
                headers: headers.collect(),
                body: answer.body_mut().read_to_string().unwrap(),
            }
        };
        tokio::task::spawn_blocking(send).await.unwrap()
    }

    pub(crate) async fn post(&self, source: &str, body: &Value) -> Answer {
        let body = body.to_string().into_bytes();
        let path = format!("/webhooks/{source}");
        self.request("POST", &path, self.signature(source, &body), body)
            .await
    }

    pub(crate) async fn document(&self, source: &str, id: &str) -> Option<Item> {
        let table = &self.endpoints.documents_table;
        let mut items = self
            .admin
            .scan(table, Some(("source", source)))
            .await
            .unwrap();
        items.retain(|item| item["document_id"] == id);
        assert!(items.len() < 2, "{items:?}");
        items.pop()
    }

    /// Waits until the state of a document is `expected`, `None` for a tombstone.
    pub(crate) async fn document_becomes(&self, source: &str, id: &str, expected: Option<&Value>) {
        let started = Instant::now();
        loop {
            let item = self.document(source, id).await;
            let state = item
                .as_ref()
                .and_then(|item| item.get("document"))
                .and_then(Value::as_str);
            let state = state.map(|text| serde_json::from_str::<Value>(text).unwrap());
            if item.is_some() && state.as_ref() == expected {
                return;
            }
            assert!(
                started.elapsed() < SOON,
                "{source} {id} is {item:?}, not {expected:?}"
            );
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    pub(crate) async fn events(&self) -> Vec<Item> {
        self.admin
            .scan(&self.endpoints.events_table, None)
            .await
            .unwrap()
    }

    /// Messages that wait and messages that are being worked on.
    pub(crate) async fn queue_depth(&self) -> (u64, u64) {
        self.admin
            .queue_depth(&self.endpoints.queue_url)
            .await
            .unwrap()
    }

    /// Puts any text into a queue.
    pub(crate) async fn send_text(&self, queue: &str, text: &str) {
        let sqs = self.endpoints.connection().unwrap().sqs(Limits::TOOL);
        let send = sqs.send_message().queue_url(queue).message_body(text);
        send.send().await.unwrap();
    }

    /// Waits until no message is in the queue or in the retry queue, where events go that failed three times: on a busy
    /// machine any can.
    pub(crate) async fn drained(&self) {
        let started = Instant::now();
        let waiting = &self.endpoints.retry_queue_url;
        // The queue once more at the end, for what the schedule moved there in between.
        while self.queue_depth().await != (0, 0)
            || self.admin.queue_depth(waiting).await.unwrap() != (0, 0)
            || self.queue_depth().await != (0, 0)
        {
            assert!(started.elapsed() < PATIENCE, "the queues do not drain");
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    pub(crate) async fn dead_letters(&self) -> u64 {
        self.admin
            .queue_depth(&self.endpoints.dead_letter_queue_url)
            .await
            .unwrap()
            .0
    }

    pub(crate) async fn left_nothing(&self) {
        let documents = self
            .admin
            .scan(&self.endpoints.documents_table, None)
            .await
            .unwrap();
        assert_eq!((self.events().await, documents), (Vec::new(), Vec::new()));
        assert_eq!(
            (self.queue_depth().await, self.dead_letters().await),
            ((0, 0), 0)
        );
    }
}

/// Body that a sender writes for an operation, and the state that the document should then have.
pub(crate) fn body(
    source: &str,
    second: usize,
    operation: &str,
    id: &str,
    name: &str,
) -> (Value, Option<Value>) {
    let state = json!({ "id": id, "name": name });
    let event = format!("evt_{id}_{second}");
    let time = format!("2026-11-21T00:00:{second:02}Z");
    let body = match source {
        "stonal" => json!({
            "organizationCode": "o", "type": "asset", "operation": operation, "doc": state,
        }),
        "plain" => json!({ "event": format!("asset.{operation}d"), "data": state }),
        "resource" => json!({
            "id": event, "type": format!("resource.{operation}d"), "created_at": time,
            "data": { "object": state }, "previous_data": null,
        }),
        _ => json!({
            "id": event, "type": format!("asset.{operation}d"), "created_at": time, "data": state,
        }),
    };
    (body, (operation != "delete").then_some(state))
}
