//! Deliveries of every outcome.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use hookwell::config;
use hookwell::event::Operation;
use hookwell::format::time::to_rfc3339;
use hookwell::ingest::addresses::PAUSE;
use hookwell::ingest::key_cache::Sources;
use hookwell::ingest::key_cache::{Fetch, RENEW_AFTER};
use hookwell::keys::not_ready::SecretProblem;
use hookwell::ports::memory::StoppedClock;
use hookwell::source::Source;
use hookwell_aws::{Bucket, Connection, EventsTable, Limits, SqsQueue};
use hookwell_lambda::ingest::Ingest;
use hookwell_sandbox::sender::{Draft, signed_with};
use hookwell_sandbox::trigger::{HttpRequest, Trigger};
use http::{HeaderName, HeaderValue};
use serde_json::json;

use crate::World;
use crate::support::PATIENCE;

const SECRET: &str = "canary-secret-0123456789";
const OLDER: &str = "canary-older-0123456789";
const TOKEN: &str = "canary-token-0123456789";

/// The trace of the deliveries that have one.
pub(crate) const TRACE_ID: &str = "4bf92f3577b34da6a3ce929d0e0e4736";

const FILE: &str = r#"
    [sources.shop]
    preset = "generic"
    secrets = ["ssm:/shop", "ssm:/older"]
    accept = ["shared-secret"]
    max_body_bytes = 262144
    [sources.kept]
    preset = "generic"
    secrets = ["ssm:/shop"]
    accept = ["shared-secret"]
    on_invalid = "quarantine"
    retain = "30d"
    [sources.orders]
    preset = "generic"
    secrets = ["ssm:/shop"]
    accept = ["shared-secret"]
    types = ["order.*"]
    [sources.elsewhere]
    preset = "generic"
    secrets = ["ssm:/shop"]
    accept = ["shared-secret"]
    allow_ips = ["203.0.113.0/24"]
    [sources.secretless]
    preset = "generic"
    secrets = ["ssm:/none"]
    accept = ["shared-secret"]
    [sources.stripe]
    preset = "stripe"
    secrets = ["ssm:/shop"]
    accept = ["shared-secret"]
    [sources.meta]
    preset = "meta"
    secrets = ["ssm:/shop"]
    accept = ["shared-secret"]
    handshake = { kind = "meta", verify_token = "ssm:/token" }
    [sources.notion]
    preset = "notion"
    secrets = ["ssm:/none"]
    accept = ["shared-secret"]
    [sources.sns]
    preset = "aws-sns"
    topics = ["arn:aws:sns:us-west-2:123456789012:MyTopic"]
"#;

type Texts = Arc<Mutex<BTreeMap<String, Result<String, SecretProblem>>>>;

/// Senders of good and bad requests.
pub(crate) struct Senders<'w> {
    world: &'w World,
    sources: Vec<Source>,
    texts: Texts,
    ingest: Ingest<EventsTable, SqsQueue>,
    /// Header values of all requests; none may be in the log.
    hidden: Mutex<Vec<String>>,
}

/// An event of a shop, with a canary in its body.
pub(crate) fn body(id: &str, kind: &str, document: &str) -> Vec<u8> {
    let state = json!({ "id": document, "note": "canary-body" });
    let event =
        json!({ "id": id, "type": kind, "created_at": "2026-11-21T00:00:01Z", "data": state });
    event.to_string().into_bytes()
}

impl<'w> Senders<'w> {
    /// Sends deliveries of every outcome that has no past.
    pub(crate) async fn start(world: &'w World) -> Self {
        let senders = Self::of(world).await;
        senders.all_is_well().await;
        Box::pin(senders.refused()).await;
        senders.something_is_away().await;
        senders.keys_change().await;
        a_start_without_a_secret(world).await;
        senders
    }

    /// Sends deliveries about events that have been applied by now, and returns the header values of all requests.
    pub(crate) async fn end(self) -> Vec<String> {
        let later = hookwell_lambda::now::now() + RENEW_AFTER + 4 * PAUSE;
        let again = self.request("shop", body("evt_1", "order.created", "d1"), later);
        // The first delivery fetches the secret, and that takes the time in which the table would be asked.
        for _ in 0..2 {
            assert_eq!(self.send(&again, later).await, 200);
        }
        self.hidden.into_inner().unwrap()
    }

    async fn of(world: &'w World) -> Self {
        let texts = Texts::default();
        let given = Arc::clone(&texts);
        put(&texts, "ssm:/shop", Ok(SECRET.to_owned()));
        put(&texts, "ssm:/older", Ok(OLDER.to_owned()));
        put(&texts, "ssm:/token", Ok(TOKEN.to_owned()));
        let fetch = Fetch::new(move |reference| {
            let away = Err(SecretProblem::Unavailable("no connection".to_owned()));
            let found = given.lock().unwrap().get(&reference.to_string()).cloned();
            let is_page = reference.to_string().starts_with("https:");
            let page = given.lock().unwrap().get("page").cloned();
            std::future::ready(match found {
                None if is_page => page.unwrap_or(away),
                None => Err(SecretProblem::NotSet),
                Some(text) => text,
            })
        });
        let sources = config::parse(FILE).unwrap();
        let fetched = Sources::fetched(sources.clone(), &fetch, hookwell_lambda::now::now()).await;
        let connection = world.endpoints.connection().unwrap();
        let table = world.endpoints.events_table.clone();
        let queue = world.endpoints.queue_url.clone();
        let name = world.endpoints.bucket.clone();
        let bucket = Some(Bucket::new(connection.clone(), name, Limits::INGEST_STORE));
        let ingest = Ingest::new(
            fetched,
            EventsTable::new(
                connection.dynamodb(Limits::INGEST_PUT),
                table,
                bucket.clone(),
            ),
            SqsQueue::new(connection.sqs(Limits::INGEST_SEND), queue, bucket),
        );
        // Refused requests go to a bucket that is away.
        let nobody = "http://127.0.0.1:1";
        let nowhere = Connection::local(nobody, nobody, nobody).unwrap();
        let nowhere = Bucket::new(nowhere, "canary".to_owned(), Limits::INGEST_RECORD);
        let until = to_rfc3339(hookwell_lambda::now::now() + 3_600_000);
        let recorded =
            |name: &str| (name == "HOOKWELL_RECORD_REFUSED").then(|| format!("shop until {until}"));
        let ingest = ingest.recording(&recorded, Some(nowhere));
        Self {
            world,
            sources,
            texts,
            ingest,
            hidden: Mutex::default(),
        }
    }

    /// A request as the sender of this source signs it.
    fn request(&self, source: &str, body: Vec<u8>, at: i64) -> HttpRequest {
        self.signed(source, SECRET, body, at)
    }

    fn signed(&self, source: &str, secret: &str, body: Vec<u8>, at: i64) -> HttpRequest {
        let source = self.sources.iter().find(|one| one.name == source).unwrap();
        let keys = source.keys(|_| Ok(secret.to_owned())).unwrap();
        let mut draft = Draft::sample(source, Operation::Create, at).unwrap();
        if source.name != "sns" {
            draft.set_body(body);
        }
        let signed = signed_with(source, &keys, draft, at).unwrap();
        let secret = signed.headers.iter().filter(|(_, value)| value.len() > 30);
        let secret = secret.map(|(_, value)| value.clone());
        self.hidden.lock().unwrap().extend(secret);
        signed.to_http().unwrap()
    }

    async fn send(&self, request: &HttpRequest, at: i64) -> u16 {
        let event = Trigger::FunctionUrl
            .event(request, "request-1", at)
            .to_string();
        let answer = self
            .ingest
            .respond(&event, "request-1", None, StoppedClock::at(at).clock())
            .await;
        answer.status_code
    }

    async fn post(&self, source: &str, body: Vec<u8>) -> u16 {
        let now = hookwell_lambda::now::now();
        self.send(&self.request(source, body, now), now).await
    }

    async fn all_is_well(&self) {
        let now = hookwell_lambda::now::now();
        let mut traced = self.request("shop", body("evt_1", "order.created", "d1"), now);
        let traceparent = format!("00-{TRACE_ID}-00f067aa0ba902b7-01");
        set(&mut traced, "traceparent", &traceparent);
        assert_eq!(self.send(&traced, now).await, 200);
        assert_eq!(
            self.post("orders", body("evt_2", "cart.created", "d2"))
                .await,
            200
        );
        assert_eq!(
            self.post("kept", b"canary-body, no JSON".to_vec()).await,
            200
        );
        let timeless = String::from_utf8(body("evt_12", "order.created", "d12")).unwrap();
        let timeless = timeless.replace("2026-11-21T00:00:01Z", "canary-body");
        assert_eq!(self.post("shop", timeless.into_bytes()).await, 200);
        let large = String::from_utf8(body("evt_11", "order.created", "d11")).unwrap();
        let large = large.replace("canary-body", &"canary-body ".repeat(200_000));
        assert_eq!(self.post("kept", large.into_bytes()).await, 200);
        let older = self.signed("shop", OLDER, body("evt_10", "order.created", "d10"), now);
        assert_eq!(self.send(&older, now).await, 200);
        let mut handshake = self.request("meta", Vec::new(), now);
        handshake.method = "GET".into();
        handshake.query = format!("hub.mode=subscribe&hub.verify_token={TOKEN}&hub.challenge=1");
        assert_eq!(self.send(&handshake, now).await, 200);
        let token = br#"{"verification_token":"canary-notion-token"}"#.to_vec();
        assert_eq!(self.post("notion", token).await, 200);
    }

    async fn refused(&self) {
        let now = hookwell_lambda::now::now();
        let good = || self.request("shop", body("evt_3", "order.created", "d3"), now);
        let event =
            json!({ "headers": { "x-signature": "canary-signature" }, "body": "canary-body" });
        let broken = self
            .ingest
            .respond(
                &event.to_string(),
                "request-1",
                None,
                StoppedClock::at(now).clock(),
            )
            .await;
        assert_eq!(broken.status_code, 400);

        let mut forged = good();
        set(&mut forged, "x-signature", "canary-signature");
        let mut other_body = good();
        other_body.body = body("evt_3", "order.created", "canary");
        let mut no_signature = good();
        no_signature.headers.remove("x-signature");
        let mut wrong_token = self.request("meta", Vec::new(), now);
        wrong_token.method = "GET".into();
        wrong_token.query =
            "hub.mode=subscribe&hub.verify_token=canary-wrong&hub.challenge=1".into();
        let stale = self.request(
            "stripe",
            body("evt_4", "order.created", "d4"),
            now - 3_600_000,
        );
        for request in [forged, other_body, no_signature, wrong_token, stale] {
            assert_eq!(self.send(&request, now).await, 401);
        }

        let mut unknown = good();
        unknown.path = "/webhooks/shoop".into();
        let mut pathless = good();
        pathless.path = "/canary".into();
        let mut get = good();
        get.method = "GET".into();
        let mut large = good();
        large.body = b"canary-body ".repeat(100_000);
        let mut compressed = good();
        set(&mut compressed, "content-encoding", "gzip");
        let elsewhere = self.request("elsewhere", body("evt_5", "order.created", "d5"), now);
        for (status, request) in [
            (404, unknown),
            (404, pathless),
            (405, get),
            (413, large),
            (415, compressed),
            (403, elsewhere),
        ] {
            assert_eq!(self.send(&request, now).await, status, "{}", request.path);
        }
        assert_eq!(
            self.post("shop", b"canary-body, no JSON".to_vec()).await,
            400
        );
        assert_eq!(
            self.post("secretless", body("evt_6", "order.created", "d6"))
                .await,
            503
        );
    }

    async fn something_is_away(&self) {
        let World { tables, queues, .. } = self.world;
        tables.close().await;
        assert_eq!(
            self.post("shop", body("evt_7", "order.created", "d7"))
                .await,
            200
        );
        tables.open();
        queues.close().await;
        assert_eq!(
            self.post("shop", body("evt_8", "order.created", "d8"))
                .await,
            503
        );
        queues.open();
    }

    async fn keys_change(&self) {
        // The certificate of this message is at nobody's address here.
        let now = hookwell_lambda::now::now();
        let message = self.request("sns", Vec::new(), now);
        assert_eq!(self.send(&message, now).await, 503);
        put(&self.texts, "page", Err(SecretProblem::NotSet));
        assert_eq!(self.send(&message, now + PAUSE).await, 401);

        let away = SecretProblem::Unavailable("AccessDeniedException".to_owned());
        put(&self.texts, "ssm:/shop", Err(away));
        let later = now + RENEW_AFTER;
        let delivery = self.request("shop", body("evt_9", "order.created", "d9"), later);
        assert_eq!(self.send(&delivery, later).await, 200);
        self.logged("the last keys stay").await;
        put(&self.texts, "ssm:/shop", Err(SecretProblem::Crowded));
        let later = later + PAUSE + 1;
        assert_eq!(self.send(&delivery, later).await, 200);
        self.logged("a store is asked too often").await;
        put(&self.texts, "ssm:/shop", Ok("canary".to_owned()));
        let later = later + PAUSE + 1;
        // By the old keys, which are renewed beside it.
        assert_eq!(self.send(&delivery, later).await, 200);
        self.logged("shorter than 16 bytes").await;
        assert_eq!(self.send(&delivery, later).await, 503);
        put(&self.texts, "ssm:/shop", Ok(SECRET.to_owned()));
    }

    /// Waits for what is done beside a delivery.
    async fn logged(&self, text: &str) {
        let started = Instant::now();
        while !self.world.log.text().contains(text) {
            assert!(started.elapsed() < PATIENCE, "{text}");
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }
}

fn put(texts: &Texts, name: &str, text: Result<String, SecretProblem>) {
    texts.lock().unwrap().insert(name.to_owned(), text);
}

fn set(request: &mut HttpRequest, name: &'static str, value: &str) {
    let value = HeaderValue::from_str(value).unwrap();
    request.headers.insert(HeaderName::from_static(name), value);
}

/// The function as Lambda starts it, with one secret that is missing and one that is a placeholder.
async fn a_start_without_a_secret(world: &World) {
    let file = tempfile::NamedTempFile::new().unwrap();
    let sources = "[sources.a]\npreset = \"generic\"\nsecrets = [\"env:MISSING\"]\n\
                   [sources.b]\npreset = \"generic\"\nsecrets = [\"env:SHORT\"]\n";
    std::fs::write(file.path(), sources).unwrap();
    let mut settings: BTreeMap<String, String> = world
        .endpoints
        .environment()
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .into();
    let path = file.path().to_str().unwrap().to_owned();
    settings.insert("HOOKWELL_SOURCES_FILE".to_owned(), path);
    settings.insert("SHORT".to_owned(), "canary".to_owned());
    let unreadable = "canary until tomorrow".to_owned();
    settings.insert("HOOKWELL_RECORD_REFUSED".to_owned(), unreadable);
    let environment = Box::leak(Box::new(move |name: &str| settings.get(name).cloned()));
    Ingest::from_environment(environment, FILE).await.unwrap();
}
