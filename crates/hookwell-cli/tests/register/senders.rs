//! Stubs of the senders' APIs. Each checks requests as its published description says, and sends what it says.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::response::{IntoResponse as _, Response};
use hmac::{Hmac, KeyInit as _, Mac as _};
use http::{HeaderMap, Method, StatusCode, Uri};
use serde_json::{Value, json};

/// The API key that every stub takes.
pub(crate) const KEY: &str = "sk_test_canary_key_0123456789";

/// One of the three.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Stripe,
    GitHub,
    Resource,
}

/// One webhook at its sender.
#[derive(Debug, Clone)]
pub(crate) struct Registered {
    pub(crate) id: String,
    pub(crate) url: String,
    pub(crate) events: Vec<String>,
    pub(crate) secret: String,
}

/// A sender with its API.
pub(crate) struct Sender {
    kind: Kind,
    pub(crate) url: String,
    webhooks: Mutex<Vec<Registered>>,
    /// Address to which the host of every registered URL leads.
    tunnel: Mutex<String>,
    /// Statuses of its deliveries.
    answers: Mutex<Vec<u16>>,
    pub(crate) keeps_all: AtomicBool,
    /// True for a sender that signs with the secret that it is given, and shows it with asterisks.
    pub(crate) masks: AtomicBool,
}

impl Sender {
    pub(crate) async fn start(kind: Kind) -> Arc<Self> {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let sender = Arc::new(Self {
            kind,
            url: format!("http://{}", listener.local_addr().unwrap()),
            webhooks: Mutex::default(),
            tunnel: Mutex::default(),
            answers: Mutex::default(),
            keeps_all: AtomicBool::new(false),
            masks: AtomicBool::new(false),
        });
        let router = Router::new().fallback(answer).with_state(sender.clone());
        tokio::spawn(async move { axum::serve(listener, router).await });
        sender
    }

    pub(crate) fn webhooks(&self) -> Vec<Registered> {
        self.webhooks.lock().unwrap().clone()
    }

    pub(crate) fn answers(&self) -> Vec<u16> {
        self.answers.lock().unwrap().clone()
    }

    pub(crate) fn lead_to(&self, url: &str) {
        url.clone_into(&mut self.tunnel.lock().unwrap());
    }

    /// Adds webhooks of other systems.
    pub(crate) fn crowd(&self, count: usize) {
        let others = (0..count).map(|number| Registered {
            id: format!("{}", 1000 + number),
            url: format!("https://other{number}.example.com"),
            events: vec!["push".to_owned()],
            secret: String::new(),
        });
        self.webhooks.lock().unwrap().extend(others);
    }

    /// Posts an event, signed with a secret, to the webhook's URL.
    pub(crate) fn send(&self, webhook: &Registered, secret: &str, kind: &str, event: &Value) {
        let body = event.to_string();
        let mac = |content: &str| {
            let mut mac = Hmac::<sha2::Sha256>::new_from_slice(secret.as_bytes()).unwrap();
            mac.update(content.as_bytes());
            hex::encode(mac.finalize().into_bytes())
        };
        let now = now();
        let headers = match self.kind {
            Kind::Stripe => vec![(
                "stripe-signature",
                format!("t={now},v1={}", mac(&format!("{now}.{body}"))),
            )],
            Kind::GitHub => vec![
                ("x-hub-signature-256", format!("sha256={}", mac(&body))),
                ("x-github-event", kind.to_owned()),
                (
                    "x-github-delivery",
                    "72d3162e-cc78-11e3-81ab-4c9367dc0958".to_owned(),
                ),
            ],
            Kind::Resource => vec![("x-webhook-signature", mac(&body))],
        };
        let path = webhook.url.splitn(4, '/').nth(3).unwrap();
        let url = format!("{}/{path}", self.tunnel.lock().unwrap());
        let config = ureq::Agent::config_builder().http_status_as_error(false);
        let agent: ureq::Agent = config.build().into();
        let mut post = agent.post(url).content_type("application/json");
        for (name, value) in headers {
            post = post.header(name, value);
        }
        let answer = post.send(body).unwrap();
        self.answers.lock().unwrap().push(answer.status().as_u16());
    }
}

fn now() -> u64 {
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    now.unwrap().as_secs()
}

async fn answer(
    State(sender): State<Arc<Sender>>,
    method: Method,
    uri: Uri,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let text = move || {
        let header = |name: &str| {
            headers
                .get(name)
                .and_then(|it| it.to_str().ok())
                .unwrap_or("")
        };
        // Some senders repeat what they were sent.
        if header("authorization") != format!("Bearer {KEY}") {
            return (
                401,
                sender.error(&format!("bad key: {}", header("authorization"))),
            );
        }
        let path: Vec<_> = uri.path().trim_matches('/').split('/').collect();
        let query: BTreeMap<_, _> = pairs(uri.query().unwrap_or("").as_bytes())
            .into_iter()
            .collect();
        match sender.kind {
            Kind::Stripe => stripe(
                &sender,
                &method,
                &path,
                &query,
                header("content-type"),
                &body,
            ),
            Kind::GitHub => {
                assert_eq!(header("accept"), "application/vnd.github+json");
                assert_eq!(header("x-github-api-version"), "2022-11-28");
                assert_eq!(
                    header("user-agent"),
                    "hookwell",
                    "refused with 403 without one"
                );
                github(&sender, &method, &path, &query, &body)
            }
            Kind::Resource => resource(&sender, &method, &path, &body),
        }
    };
    let (status, body) = tokio::task::spawn_blocking(text).await.unwrap();
    let status = StatusCode::from_u16(status).unwrap();
    match body {
        Value::Null => status.into_response(),
        body => (status, axum::Json(body)).into_response(),
    }
}

fn pairs(form: &[u8]) -> Vec<(String, String)> {
    form_urlencoded::parse(form).into_owned().collect()
}

/// The texts of a list.
fn texts(list: &Value) -> Vec<String> {
    let list = list.as_array().unwrap().iter();
    list.map(|text| text.as_str().unwrap().to_owned()).collect()
}

impl Sender {
    fn error(&self, message: &str) -> Value {
        match self.kind {
            Kind::Stripe => {
                json!({ "error": { "message": message, "type": "invalid_request_error" } })
            }
            Kind::GitHub => {
                json!({ "message": message, "documentation_url": "https://docs.github.com/rest" })
            }
            Kind::Resource => json!({ "error": message }),
        }
    }

    fn add(&self, url: &str, events: Vec<String>, secret: &str) -> Registered {
        let mut all = self.webhooks.lock().unwrap();
        let number = 1 + all.len();
        let webhook = Registered {
            id: match self.kind {
                Kind::Stripe => format!("we_{number}"),
                Kind::GitHub => number.to_string(),
                Kind::Resource => format!("wh_{number}"),
            },
            url: url.to_owned(),
            events,
            secret: secret.to_owned(),
        };
        all.push(webhook.clone());
        webhook
    }

    fn change(&self, id: &str, change: impl FnOnce(&mut Registered)) -> Option<Registered> {
        let mut all = self.webhooks.lock().unwrap();
        let found = all.iter_mut().find(|webhook| webhook.id == id)?;
        change(found);
        Some(found.clone())
    }

    fn remove(&self, id: &str) -> bool {
        let mut all = self.webhooks.lock().unwrap();
        let before = all.len();
        all.retain(|webhook| webhook.id != id);
        all.len() < before
    }
}

/// stripe/openapi: /v1/webhook_endpoints.
fn stripe(
    sender: &Sender,
    method: &Method,
    path: &[&str],
    query: &BTreeMap<String, String>,
    content_type: &str,
    body: &[u8],
) -> (u16, Value) {
    let shown = |webhook: &Registered| {
        json!({
            "id": webhook.id, "object": "webhook_endpoint", "api_version": null, "application": null,
            "created": 1_234_567_890, "description": null, "enabled_events": webhook.events,
            "livemode": false, "metadata": {}, "status": "enabled", "url": webhook.url,
        })
    };
    let form = pairs(body);
    let events = || -> Vec<_> {
        let named = form.iter().filter(|(name, _)| name == "enabled_events[]");
        named.map(|(_, event)| event.clone()).collect()
    };
    if method == Method::POST {
        assert_eq!(content_type, "application/x-www-form-urlencoded");
        let known =
            |(name, _): &(String, String)| ["url", "enabled_events[]"].contains(&name.as_str());
        if !form.iter().all(known) || events().is_empty() {
            return (400, sender.error("Received unknown parameter"));
        }
    }
    let none = || (404, sender.error("No such webhook endpoint"));
    match (method.as_str(), path) {
        ("POST", ["v1", "webhook_endpoints"]) => {
            let Some((_, url)) = form.iter().find(|(name, _)| name == "url") else {
                return (400, sender.error("Missing required param: url."));
            };
            let webhook = sender.add(url, events(), "whsec_canary_secret_of_stripe_0123456789");
            let mut answer = shown(&webhook);
            answer["secret"] = webhook.secret.into();
            (200, answer)
        }
        ("GET", ["v1", "webhook_endpoints"]) => {
            let limit = query
                .get("limit")
                .map_or(10, |limit| limit.parse().unwrap());
            assert!((1..=100).contains(&limit), "{limit}");
            let all = sender.webhooks();
            let after = query.get("starting_after").map_or(0, |id| {
                1 + all.iter().position(|webhook| webhook.id == *id).unwrap()
            });
            let data: Vec<_> = all.iter().skip(after).take(limit).map(shown).collect();
            let has_more = after + data.len() < all.len();
            (
                200,
                json!({ "object": "list", "data": data, "has_more": has_more, "url": "/v1/webhook_endpoints" }),
            )
        }
        ("POST", ["v1", "webhook_endpoints", id]) => {
            match sender.change(id, |webhook| webhook.events = events()) {
                Some(webhook) => (200, shown(&webhook)),
                None => none(),
            }
        }
        ("DELETE", ["v1", "webhook_endpoints", id]) => {
            if sender.keeps_all.load(Ordering::Relaxed) {
                return (500, sender.error("try again"));
            }
            if !sender.remove(id) {
                return none();
            }
            (
                200,
                json!({ "id": id, "object": "webhook_endpoint", "deleted": true }),
            )
        }
        _ => (404, sender.error("Unrecognized request URL")),
    }
}

/// github/rest-api-description: /repos/{owner}/{repo}/hooks, /orgs/{org}/hooks.
fn github(
    sender: &Sender,
    method: &Method,
    path: &[&str],
    query: &BTreeMap<String, String>,
    body: &[u8],
) -> (u16, Value) {
    let shown = |webhook: &Registered| {
        json!({
            "type": "Repository", "id": webhook.id.parse::<u64>().unwrap(), "name": "web", "active": true,
            "events": webhook.events, "created_at": "2026-11-27T00:00:00Z", "updated_at": "2026-11-27T00:00:00Z",
            "config": { "content_type": "json", "insecure_ssl": "0", "url": webhook.url, "secret": "********" },
        })
    };
    let (["repos", "acme", "shop", "hooks", rest @ ..] | ["orgs", "acme", "hooks", rest @ ..]) =
        path
    else {
        return (404, sender.error("Not Found"));
    };
    let body: Value = serde_json::from_slice(body).unwrap_or_default();
    match (method.as_str(), rest) {
        ("POST", []) => {
            assert_eq!(body["name"], "web");
            assert_eq!(body["active"], true);
            assert_eq!(
                body["config"]["content_type"], "json",
                "the default is a form"
            );
            let url = body["config"]["url"].as_str().unwrap();
            if sender.webhooks().iter().any(|webhook| webhook.url == url) {
                let message = "Hook already exists on this repository";
                let errors = json!([{ "resource": "Hook", "code": "custom", "message": message }]);
                return (
                    422,
                    json!({ "message": "Validation Failed", "errors": errors }),
                );
            }
            let secret = body["config"]["secret"].as_str().unwrap();
            (201, shown(&sender.add(url, texts(&body["events"]), secret)))
        }
        ("GET", []) => {
            let number =
                |name: &str, usual| query.get(name).map_or(usual, |it| it.parse().unwrap());
            let (size, page): (usize, usize) = (number("per_page", 30), number("page", 1));
            let all = sender.webhooks();
            let shown = all.iter().skip(size * (page - 1)).take(size).map(shown);
            (200, shown.collect())
        }
        ("PATCH", [id]) => {
            let changed = sender.change(id, |webhook| {
                webhook.events = texts(&body["events"]);
                // "You must provide the same secret or set a new secret or the secret will be removed."
                if let Some(config) = body.get("config") {
                    let secret = config["secret"].as_str().unwrap_or("");
                    secret.clone_into(&mut webhook.secret);
                }
            });
            changed.map_or((404, sender.error("Not Found")), |it| (200, shown(&it)))
        }
        ("DELETE", [id]) if sender.remove(id) => (204, Value::Null),
        ("POST", [id, "pings"]) => {
            let all = sender.webhooks();
            let Some(webhook) = all.iter().find(|webhook| webhook.id == *id) else {
                return (404, sender.error("Not Found"));
            };
            let ping = json!({ "zen": "Keep it logically awesome.", "hook_id": 1, "hook": shown(webhook) });
            sender.send(webhook, &webhook.secret, "ping", &ping);
            (204, Value::Null)
        }
        _ => (404, sender.error("Not Found")),
    }
}

/// docs/design.md.
fn resource(sender: &Sender, method: &Method, path: &[&str], body: &[u8]) -> (u16, Value) {
    let shown = |webhook: &Registered| json!({ "id": webhook.id, "url": webhook.url, "events": webhook.events, "status": "active" });
    let body: Value = serde_json::from_slice(body).unwrap_or_default();
    let none = || (404, sender.error("Webhook not found"));
    match (method.as_str(), path) {
        ("POST", ["v1", "webhooks"]) => {
            let text = |name: &str| body[name].as_str().unwrap();
            let (given, masks) = (text("secret"), sender.masks.load(Ordering::Relaxed));
            let own = format!("own-{given}");
            let (secret, told) = if masks {
                (given, "****")
            } else {
                (&*own, &*own)
            };
            let mut answer = shown(&sender.add(text("url"), texts(&body["events"]), secret));
            answer["secret"] = told.into();
            (201, answer)
        }
        ("GET", ["v1", "webhooks"]) => (200, sender.webhooks().iter().map(shown).collect()),
        ("PATCH", ["v1", "webhooks", id]) => {
            let changed = sender.change(id, |webhook| webhook.events = texts(&body["events"]));
            changed.map_or_else(none, |it| (200, shown(&it)))
        }
        ("DELETE", ["v1", "webhooks", id]) if sender.remove(id) => (204, Value::Null),
        ("POST", ["v1", "webhooks", "test"]) => {
            let all = sender.webhooks();
            let Some(webhook) = all.iter().find(|webhook| body["webhook_id"] == webhook.id) else {
                return none();
            };
            let event = json!({
                "id": "evt_test", "type": body["event_type"], "created_at": "2026-11-27T00:00:00Z",
                "data": { "object": { "id": "res_test", "name": "a test" } }, "previous_data": null,
            });
            sender.send(webhook, &webhook.secret, "", &event);
            (200, json!({ "status": "sent" }))
        }
        _ => none(),
    }
}
