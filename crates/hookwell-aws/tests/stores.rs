//! The real SDK clients against a stub of Parameter Store, Secrets Manager and a page with a certificate.
#![allow(clippy::unwrap_used, clippy::indexing_slicing)] // helpers of tests

mod support;

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, LazyLock, Mutex};
use std::time::Instant;

use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::response::{IntoResponse as _, Response};
use hmac::{Hmac, KeyInit, Mac};
use hookwell::config;
use hookwell::ingest::addresses::PAUSE;
use hookwell::ingest::key_cache::RENEW_AFTER;
use hookwell::ingest::key_cache::Sources;
use hookwell::keys::reference::SecretRef;
use hookwell::ports::memory::{MemoryLedger, MemoryQueue, StoppedClock};
use hookwell_aws::settings::Environment;
use hookwell_aws::{Connection, Idle, Limits, stores};
use hookwell_lambda::ingest::Ingest;
use hookwell_local::gate::Gate;
use hookwell_sandbox::trigger::{HttpRequest, Trigger};
use http::{HeaderMap, StatusCode, Uri};
use serde_json::{Value, json};
use support::serve;

const NOW: i64 = 1_790_000_000_000;
const OLD: &str = "canary-old-0123456789";
const NEW: &str = "canary-new-0123456789";

/// Parameters by name, secrets by `ID#STAGE`, and how many requests there were.
#[derive(Default)]
struct Stub {
    texts: Mutex<BTreeMap<String, String>>,
    requests: AtomicUsize,
}

impl Stub {
    fn put(&self, name: &str, text: &str) {
        let mut texts = self.texts.lock().unwrap();
        texts.insert(name.to_owned(), text.to_owned());
    }

    fn requests(&self) -> usize {
        self.requests.swap(0, Ordering::Relaxed)
    }
}

async fn answer(
    State(stub): State<Arc<Stub>>,
    uri: Uri,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    stub.requests.fetch_add(1, Ordering::Relaxed);
    match uri.path() {
        "/" => {}
        "/certificate" => return "-----BEGIN CERTIFICATE-----".into_response(),
        "/largest" => return "x".repeat(64 * 1024).into_response(),
        "/larger" => return "x".repeat(64 * 1024 + 1).into_response(),
        "/binary" => return vec![0xff_u8; 8].into_response(),
        "/gone" => return StatusCode::GONE.into_response(),
        "/forbidden" => return StatusCode::FORBIDDEN.into_response(),
        "/moved" => return (StatusCode::FOUND, [("location", "/certificate")]).into_response(),
        "/slow" => return std::future::pending().await,
        _ => return StatusCode::NOT_FOUND.into_response(),
    }
    let body: Value = serde_json::from_slice(&body).unwrap();
    let (name, missing) = match headers["x-amz-target"].to_str().unwrap() {
        "AmazonSSM.GetParameter" => {
            assert_eq!(body["WithDecryption"], true, "SecureString");
            (
                body["Name"].as_str().unwrap().to_owned(),
                "ParameterNotFound",
            )
        }
        "secretsmanager.GetSecretValue" => {
            let part = |name: &str| body[name].as_str().unwrap().to_owned();
            let name = format!("{}#{}", part("SecretId"), part("VersionStage"));
            (name, "ResourceNotFoundException")
        }
        other => panic!("{other}"),
    };
    let fault = |kind: &str| {
        let body = json!({ "__type": kind, "message": "no" }).to_string();
        (StatusCode::BAD_REQUEST, body).into_response()
    };
    let found = stub.texts.lock().unwrap().get(&name).cloned();
    match found.as_deref() {
        None => fault(missing),
        Some("slow") => std::future::pending().await,
        Some("denied") => fault("AccessDeniedException"),
        Some("crowded") => fault("ThrottlingException"),
        Some("broken") => StatusCode::INTERNAL_SERVER_ERROR.into_response(),
        Some(text) if name.starts_with('/') => {
            json!({ "Parameter": { "Name": name, "Value": text } })
                .to_string()
                .into_response()
        }
        Some("binary") => json!({ "Name": name, "SecretBinary": "AAAA" })
            .to_string()
            .into_response(),
        Some(text) => json!({ "Name": name, "SecretString": text })
            .to_string()
            .into_response(),
    }
}

struct World {
    stub: Arc<Stub>,
    gate: Gate,
    env: Environment<'static>,
}

impl World {
    async fn start() -> Self {
        LazyLock::force(&LOG);
        let stub = Arc::new(Stub::default());
        let router = Router::new().fallback(answer).with_state(Arc::clone(&stub));
        let server = serve(router).await;
        let gate = Gate::start(&server).await.unwrap();
        let url = gate.url.clone();
        let env = move |name: &str| match name {
            "AWS_ACCESS_KEY_ID" | "AWS_SECRET_ACCESS_KEY" => Some("local".to_owned()),
            "AWS_REGION" => Some("us-east-1".to_owned()),
            "AWS_ENDPOINT_URL_SSM" | "AWS_ENDPOINT_URL_SECRETS_MANAGER" => Some(url.clone()),
            "NEAR" => Some(OLD.to_owned()),
            _ => None,
        };
        let env = Box::leak(Box::new(env));
        Self { stub, gate, env }
    }

    fn fetch(&self) -> hookwell::ingest::key_cache::Fetch {
        let connection = Connection::from_environment(self.env, Idle::INGEST).unwrap();
        stores::fetch(self.env, connection)
    }

    async fn ingest(&self, file: &str) -> Ingest<MemoryLedger, MemoryQueue> {
        let sources = config::parse(file).unwrap();
        let sources = Sources::fetched(sources, &self.fetch(), NOW).await;
        Ingest::new(sources, MemoryLedger::default(), MemoryQueue::default())
    }

    async fn find(&self, reference: &str) -> String {
        let reference = SecretRef::parse(reference)
            .unwrap_or_else(|| SecretRef::Url(reference.replace("page:", &self.gate.url)));
        match self.fetch().find(reference).await {
            Ok(text) => format!("{} bytes", text.len()),
            Err(problem) => problem.to_string(),
        }
    }
}

/// Posts what the sender of this source signs with this secret.
async fn post(
    ingest: &Ingest<MemoryLedger, MemoryQueue>,
    source: &str,
    secret: &str,
    now: i64,
) -> u16 {
    let body = br#"{"id":1}"#.to_vec();
    let mut mac = <Hmac<sha2::Sha256> as KeyInit>::new_from_slice(secret.as_bytes()).unwrap();
    mac.update(&body);
    let mut headers = HeaderMap::new();
    let signature = hex::encode(mac.finalize().into_bytes());
    headers.insert("x-signature", signature.parse().unwrap());
    let request = HttpRequest {
        method: "POST".into(),
        path: format!("/webhooks/{source}"),
        query: String::new(),
        headers,
        body,
        source_ip: "127.0.0.1".parse().unwrap(),
    };
    let event = Trigger::FunctionUrl.event(&request, "request-1", now);
    ingest
        .respond(
            &event.to_string(),
            "request-1",
            None,
            StoppedClock::at(now).clock(),
        )
        .await
        .status_code
}

const FILE: &str = r#"
    [sources.ssm]
    preset = "generic"
    secrets = ["ssm:/hookwell/shop"]
    [sources.manager]
    preset = "generic"
    secrets = ["secretsmanager:hookwell/shop", "secretsmanager:hookwell/shop#AWSPREVIOUS"]
    [sources.near]
    preset = "generic"
    secrets = ["env:NEAR"]
"#;

#[tokio::test]
async fn a_secret_rotated_in_its_store_is_taken_without_a_restart() {
    let world = World::start().await;
    world.stub.put("/hookwell/shop", OLD);
    world.stub.put("hookwell/shop#AWSCURRENT", OLD);
    let ingest = world.ingest(FILE).await;
    for source in ["ssm", "manager", "near"] {
        assert_eq!(post(&ingest, source, OLD, NOW).await, 200, "{source}");
    }
    world.stub.put("/hookwell/shop", NEW);
    world.stub.put("hookwell/shop#AWSCURRENT", NEW);
    world.stub.put("hookwell/shop#AWSPREVIOUS", OLD);
    for source in ["ssm", "manager"] {
        assert_eq!(post(&ingest, source, NEW, NOW).await, 200, "{source}");
    }
    assert_eq!(
        post(&ingest, "manager", OLD, NOW).await,
        200,
        "the version before"
    );
    assert_eq!(post(&ingest, "ssm", OLD, NOW).await, 401);
}

#[tokio::test]
async fn an_old_secret_is_renewed_beside_a_delivery() {
    let world = World::start().await;
    world.stub.put("/hookwell/shop", OLD);
    let ingest = world.ingest(FILE).await;
    world.stub.put("/hookwell/shop", NEW);
    let first = post(&ingest, "ssm", OLD, NOW + RENEW_AFTER).await;
    assert_eq!(first, 200, "by the keys that are here");
    let second = post(&ingest, "ssm", OLD, NOW + RENEW_AFTER).await;
    assert_eq!(second, 401, "the renewal ended before the answer");
}

#[tokio::test]
async fn a_store_that_does_not_answer_costs_an_answer_no_more_than_table_and_queue_may() {
    let world = World::start().await;
    world.stub.put("/hookwell/shop", OLD);
    let ingest = world.ingest(FILE).await;
    world.stub.put("/hookwell/shop", "slow");
    let started = Instant::now();
    assert_eq!(post(&ingest, "ssm", OLD, NOW + RENEW_AFTER).await, 200);
    let took = started.elapsed();
    assert!(took >= Limits::KEYS.operation, "{took:?}: it was not asked");
    assert!(
        took < Limits::INGEST_PUT.operation + Limits::INGEST_SEND.operation,
        "{took:?}"
    );
}

#[tokio::test]
async fn a_store_that_is_away_at_the_start_stops_its_sources_only_and_until_it_is_back() {
    let world = World::start().await;
    world.stub.put("/hookwell/shop", OLD);
    world.gate.close().await;
    let ingest = world.ingest(FILE).await;
    assert_eq!(post(&ingest, "near", OLD, NOW).await, 200);
    assert_eq!(post(&ingest, "ssm", OLD, NOW).await, 503);
    assert_eq!(post(&ingest, "manager", OLD, NOW).await, 503);
    world.gate.open();
    assert_eq!(post(&ingest, "ssm", OLD, NOW + PAUSE).await, 200);
    assert_eq!(
        post(&ingest, "manager", OLD, NOW + PAUSE).await,
        503,
        "there is no such secret"
    );
    world.gate.close().await;
    assert_eq!(post(&ingest, "ssm", OLD, NOW + 9 * RENEW_AFTER).await, 200);
}

#[tokio::test]
async fn ten_thousand_bad_signatures_are_one_request_and_two_of_a_store_that_fails() {
    let world = World::start().await;
    world.stub.put("/hookwell/shop", OLD);
    let ingest = world
        .ingest(&FILE[..FILE.find("[sources.manager]").unwrap()])
        .await;
    assert_eq!(world.stub.requests(), 1, "at the start");
    for _ in 0..10_000 {
        assert_eq!(post(&ingest, "ssm", NEW, NOW).await, 401);
    }
    assert_eq!(world.stub.requests(), 1);
    world.stub.put("/hookwell/shop", "broken");
    for _ in 0..10_000 {
        assert_eq!(post(&ingest, "ssm", NEW, NOW + PAUSE).await, 401);
    }
    assert_eq!(world.stub.requests(), 2);
}

#[tokio::test]
async fn what_a_store_answers_is_told_apart() {
    let world = World::start().await;
    world.stub.put("/denied", "denied");
    world.stub.put("denied#AWSCURRENT", "denied");
    world.stub.put("/crowded", "crowded");
    world.stub.put("crowded#AWSCURRENT", "crowded");
    world.stub.put("binary#AWSCURRENT", "binary");
    for (reference, expected) in [
        ("env:NEAR", "21 bytes"),
        ("env:FAR", "is not set"),
        ("ssm:/none", "is not set"),
        ("ssm:/denied", "cannot be fetched: AccessDeniedException"),
        ("secretsmanager:none", "is not set"),
        ("secretsmanager:none#AWSPREVIOUS", "is not set"),
        (
            "secretsmanager:denied",
            "cannot be fetched: AccessDeniedException",
        ),
        (
            "ssm:/crowded",
            "cannot be fetched: its store is asked too often",
        ),
        (
            "secretsmanager:crowded",
            "cannot be fetched: its store is asked too often",
        ),
        (
            "secretsmanager:binary",
            "cannot be fetched: it is binary, not text",
        ),
        ("page:/certificate", "27 bytes"),
        ("page:/largest", "65536 bytes"),
        ("page:/larger", "cannot be fetched: too large"),
        ("page:/binary", "cannot be fetched: not text"),
        ("page:/none", "is not set"),
        ("page:/gone", "is not set"),
        ("page:/forbidden", "cannot be fetched: status 403"),
        ("page:/moved", "cannot be fetched: status 302"),
        ("page:/slow", "cannot be fetched: timed out"),
    ] {
        assert_eq!(world.find(reference).await, expected, "{reference}");
    }
    world.gate.close().await;
    for reference in ["ssm:/denied", "secretsmanager:denied", "page:/certificate"] {
        let found = world.find(reference).await;
        assert_eq!(found, "cannot be fetched: no connection", "{reference}");
    }
}

#[tokio::test]
async fn no_secret_is_ever_logged() {
    let world = World::start().await;
    world.stub.put("/hookwell/shop", OLD);
    let ingest = world.ingest(FILE).await;
    post(&ingest, "ssm", OLD, NOW).await;
    post(&ingest, "ssm", NEW, NOW).await;
    world.stub.put("/hookwell/shop", "canary");
    post(&ingest, "ssm", NEW, NOW + PAUSE).await;
    world.gate.close().await;
    post(&ingest, "ssm", NEW, NOW + 2 * PAUSE).await;
    let log = String::from_utf8(LOG.0.lock().unwrap().clone()).unwrap();
    assert!(
        log.contains("ssm:/hookwell/shop is shorter than 16 bytes"),
        "{log}"
    );
    assert!(!log.contains("canary"), "{log}");
}

/// The log of every test of this file: with a subscriber per thread, tracing asks the thread that comes to a line first
/// whether anybody wants it, and that may be another test's.
static LOG: LazyLock<Log> = LazyLock::new(|| {
    let log = Log::default();
    let into = log.clone();
    let lines = tracing_subscriber::fmt().with_max_level(tracing::Level::DEBUG);
    lines.with_writer(move || into.clone()).init();
    log
});

#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl std::io::Write for Log {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }
    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}
