//! Answers of ingest, and the records and messages that it leaves behind.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::too_many_lines
)]

use std::sync::atomic::{AtomicBool, Ordering};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use data_encoding::HEXLOWER;
use futures_util::FutureExt as _;
use hookwell::config;
use hookwell::event::delivery::Delivery;
use hookwell::event::{Event, LIFE_DAYS, Operation};
use hookwell::format::time::DAY;
use hookwell::ingest::key_cache::Sources;
use hookwell::ingest::{Received, receive};
use hookwell::keys::not_ready::SecretProblem;
use hookwell::ports::handler::Outcome;
use hookwell::ports::ledger::{
    Claim, End, Failure, Finish, Lease, Ledger, LedgerError, Record, Remembered, Status,
};
use hookwell::ports::memory::{MemoryLedger, MemoryQueue, StoppedClock};
use hookwell::ports::queue::{Queue, QueueError};
use hookwell::source::reply::Receipt;
use http::{HeaderMap, HeaderValue, Method};

const NOW: i64 = 1_790_000_000_000;
const SECRET: &str = "a secret of 23 bytes...";
const OLDER: &str = "the older secret, also long";
const SOURCES: &str = r#"
    [sources.resource]
    preset = "resource"
    secrets = ["env:NEW", "env:OLD"]
    accept = ["shared-secret"]
    max_body_bytes = 262144

    [sources.stonal]
    preset = "stonal"
    allow_ips = ["192.0.2.0/24"]

    [sources.equal]
    preset = "resource"
    secrets = ["env:NEW"]
    accept = ["shared-secret"]
    dedupe = "body"
    dedupe_window = 60

    [sources.keeps]
    preset = "resource"
    secrets = ["env:NEW"]
    accept = ["shared-secret"]
    on_invalid = "quarantine"
    types = ["resource.*"]

    [sources.broken]
    preset = "resource"
    secrets = ["env:UNSET"]

    [sources.accepts]
    preset = "resource"
    secrets = ["env:NEW"]
    accept = ["shared-secret"]
    reply = { status = 202, body = "[accepted]", content_type = "text/plain" }
    refused_status = 403

    [sources.challenges]
    preset = "resource"
    secrets = ["env:NEW"]
    accept = ["shared-secret"]
    handshake = { kind = "challenge" }

    [sources.pings]
    preset = "resource"
    secrets = ["env:NEW"]
    accept = ["shared-secret"]
    handshake = { kind = "discord" }

    [sources.zoom]
    preset = "zoom"
    secrets = ["env:NEW", "env:OLD"]
    accept = ["shared-secret"]

    [sources.signs-tokens]
    preset = "generic"
    secrets = ["env:NEW"]
    accept = ["shared-secret"]
    handshake = { kind = "crc" }

    [sources.unpinned]
    preset = "plaid"

    [sources.short]
    preset = "resource"
    secrets = ["env:SHORT"]
"#;
const BODY: &str = r#"{"id":"evt_1","type":"resource.created","created_at":"2026-11-21T00:00:00Z","data":{"object":{"id":"r1","n":1.0}}}"#;

/// An ingest with its parts, of which table and queue can be taken away.
struct Setup {
    sources: Sources,
    ledger: MemoryLedger,
    queue: MemoryQueue,
    table_down: AtomicBool,
    queue_down: AtomicBool,
}

impl Ledger for Setup {
    async fn remember(&self, event: &Event, now: i64) -> Result<Remembered, LedgerError> {
        if self.table_down.load(Ordering::Relaxed) {
            return Err(LedgerError("down".into()));
        }
        self.ledger.remember(event, now).await
    }

    async fn recall(
        &self,
        events: &[&Event],
        now: i64,
    ) -> Result<Vec<Option<Record>>, LedgerError> {
        self.ledger.recall(events, now).await
    }

    async fn claim(&self, event: &Event, lease: &Lease<'_>) -> Result<Claim, LedgerError> {
        self.ledger.claim(event, lease).await
    }

    async fn fail(&self, event: &Event, failure: &Failure<'_>) {
        self.ledger.fail(event, failure).await;
    }

    async fn keep(&self, event: &Event) -> Result<(), LedgerError> {
        self.ledger.keep(event).await
    }

    async fn finish(&self, event: &Event, end: &End) -> Result<Finish, LedgerError> {
        self.ledger.finish(event, end).await
    }
}

impl Queue for Setup {
    async fn send(&self, event: &Event) -> Result<(), QueueError> {
        if self.queue_down.load(Ordering::Relaxed) {
            return Err(QueueError("down".into()));
        }
        self.queue.send(event).await
    }

    async fn bury(&self, event: &Event, reason: &str) -> Result<(), QueueError> {
        self.queue.bury(event, reason).await
    }

    async fn delay(&self, _: &str, _: u32) {}
}

fn setup() -> Setup {
    let fetch = |name: &hookwell::keys::reference::SecretRef| match name.to_string().as_str() {
        "env:NEW" => Ok(SECRET.to_owned()),
        "env:OLD" => Ok(OLDER.to_owned()),
        "env:SHORT" => Ok("short".to_owned()),
        _ => Err(SecretProblem::NotSet),
    };
    Setup {
        sources: Sources::new(config::parse(SOURCES).unwrap(), fetch),
        ledger: MemoryLedger::default(),
        queue: MemoryQueue::default(),
        table_down: AtomicBool::new(false),
        queue_down: AtomicBool::new(false),
    }
}

impl Setup {
    fn receive_at(&self, delivery: &Delivery, now: i64) -> Received {
        receive(
            &self.sources,
            self,
            self,
            delivery,
            StoppedClock::at(now).clock(),
        )
        .now_or_never()
        .unwrap()
    }

    fn receive(&self, delivery: &Delivery) -> Received {
        self.receive_at(delivery, NOW)
    }

    fn left_nothing(&self) -> bool {
        self.ledger.is_empty() && self.queue.is_empty() && self.queue.buried().is_empty()
    }
}

fn delivery(source: &str, body: &[u8]) -> Delivery {
    Delivery {
        request_id: "request-1".into(),
        method: Method::POST,
        source: Some(source.into()),
        path: format!("/webhooks/{source}"),
        query: String::new(),
        headers: HeaderMap::new(),
        body: body.to_vec(),
        source_ip: Some("192.0.2.7".parse().unwrap()),
        trace: None,
    }
}

fn mac(secret: &str, content: &[u8]) -> String {
    use hmac::{Hmac, KeyInit, Mac};
    let mut mac = <Hmac<sha2::Sha256> as KeyInit>::new_from_slice(secret.as_bytes()).unwrap();
    mac.update(content);
    HEXLOWER.encode(&mac.finalize().into_bytes())
}

fn signed_with(secret: &str, source: &str, body: &[u8]) -> Delivery {
    let mut delivery = delivery(source, body);
    let signature = mac(secret, body);
    delivery.headers.insert(
        "x-webhook-signature",
        HeaderValue::from_str(&signature).unwrap(),
    );
    delivery
}

fn signed(source: &str, body: &[u8]) -> Delivery {
    signed_with(SECRET, source, body)
}

#[test]
fn every_refusal_has_its_status_and_leaves_nothing_behind() {
    let with = |change: &dyn Fn(&mut Delivery)| {
        let mut delivery = signed("resource", BODY.as_bytes());
        change(&mut delivery);
        delivery
    };
    let cases = [
        (
            "unknown source",
            with(&|d| d.source = Some("nobody".into())),
            404,
        ),
        ("no source", with(&|d| d.source = None), 404),
        ("a GET", with(&|d| d.method = Method::GET), 405),
        (
            "a GET without the challenge",
            {
                let mut delivery = delivery("challenges", b"");
                delivery.method = Method::GET;
                delivery
            },
            405,
        ),
        (
            "a source whose key is not pinned",
            {
                let mut delivery = delivery("unpinned", b"{}");
                // {"alg":"ES256","kid":"k"}
                let proof = HeaderValue::from_static("eyJhbGciOiJFUzI1NiIsImtpZCI6ImsifQ.e30.AAAA");
                delivery.headers.insert("plaid-verification", proof);
                delivery
            },
            503,
        ),
        (
            "one byte too large",
            signed("resource", &vec![b' '; 256 * 1024 + 1]),
            413,
        ),
        (
            "an address that is not listed",
            {
                let mut delivery = delivery("stonal", b"{}");
                delivery.source_ip = Some("198.51.100.1".parse().unwrap());
                delivery
            },
            403,
        ),
        (
            "no address",
            {
                let mut delivery = delivery("stonal", b"{}");
                delivery.source_ip = None;
                delivery
            },
            403,
        ),
        (
            "gzip",
            with(&|d| {
                d.headers
                    .insert("content-encoding", HeaderValue::from_static("gzip"));
            }),
            415,
        ),
        ("no signature", delivery("resource", BODY.as_bytes()), 401),
        ("another body", with(&|d| d.body.push(b' ')), 401),
        (
            "another secret",
            signed_with("not the right secret at all", "resource", BODY.as_bytes()),
            401,
        ),
        (
            "two signatures",
            with(&|d| {
                let value = d.headers["x-webhook-signature"].clone();
                d.headers.append("x-webhook-signature", value);
            }),
            401,
        ),
        (
            "a missing key",
            signed("resource", br#"{"id":"e","type":"t"}"#),
            400,
        ),
        (
            "a null key",
            signed(
                "resource",
                br#"{"id":"e","type":"t","data":{"object":null}}"#,
            ),
            400,
        ),
        ("no JSON", signed("resource", b"id=1"), 400),
        (
            "two ids",
            signed(
                "resource",
                br#"{"id":"a","id":"b","type":"t","data":{"object":{}}}"#,
            ),
            400,
        ),
        (
            "a stonal without its keys",
            delivery("stonal", br#"{"type":"t","operation":"create","doc":{}}"#),
            400,
        ),
        (
            "a source whose secret is not set",
            signed("broken", BODY.as_bytes()),
            503,
        ),
        (
            "a source whose secret is too short",
            signed_with("short", "short", BODY.as_bytes()),
            503,
        ),
    ];
    for (name, delivery, status) in cases {
        let setup = setup();
        let received = setup.receive(&delivery);
        assert_eq!(
            received.receipt.reply().status,
            status,
            "{name}: {received:?}"
        );
        assert!(setup.left_nothing(), "{name}");
    }
}

#[test]
fn a_signed_delivery_is_remembered_queued_and_answered() {
    let setup = setup();
    let received = setup.receive(&signed("resource", BODY.as_bytes()));
    assert_eq!((received.receipt, received.secret), (Receipt::Received, 0));
    let event = Event::from_message(&setup.queue.take().unwrap()).unwrap();
    assert_eq!(
        (event.id.as_str(), event.kind.as_str()),
        ("evt_1", "resource.created")
    );
    assert_eq!(
        (event.operation, event.document_type.as_str()),
        (Operation::Create, "resource")
    );
    assert_eq!(event.document(), Some(r#"{"id":"r1","n":1.0}"#));
    assert_eq!(
        setup.ledger.stored(&event.key).unwrap().record.status,
        Status::Pending
    );
}

#[test]
fn the_older_of_two_secrets_still_verifies() {
    let delivery = signed_with(OLDER, "resource", BODY.as_bytes());
    assert_eq!(
        (
            setup().receive(&delivery).receipt,
            setup().receive(&delivery).secret
        ),
        (Receipt::Received, 1)
    );
}

#[test]
fn a_pending_event_is_sent_again() {
    let setup = setup();
    setup.queue_down.store(true, Ordering::Relaxed);
    let delivery = signed("resource", BODY.as_bytes());
    let refused = setup.receive(&delivery);
    assert_eq!(refused.receipt, Receipt::Unavailable);
    assert!(
        refused
            .receipt
            .reply()
            .headers
            .iter()
            .any(|(name, _)| *name == "retry-after")
    );
    setup.queue_down.store(false, Ordering::Relaxed);
    assert_eq!(
        setup.receive_at(&delivery, NOW + 60_000).receipt,
        Receipt::Received
    );
    assert_eq!(
        setup.receive_at(&delivery, NOW + 90_000).receipt,
        Receipt::Received
    );
    assert_eq!(
        setup.queue.len(),
        2,
        "each answer of 200 had a send of its own"
    );
}

impl Setup {
    /// A delivery whose event was queued once and has ended like this.
    fn ended(outcome: Outcome) -> (Self, Delivery) {
        let setup = setup();
        let delivery = signed("resource", BODY.as_bytes());
        let event = setup.receive(&delivery).events.remove(0);
        setup.queue.take();
        let end = End {
            outcome,
            reason: None,
            tie: false,
            at: NOW,
            owner: None,
        };
        let finished = setup.ledger.finish(&event, &end).now_or_never();
        assert_eq!(finished, Some(Ok(Finish::Recorded)));
        (setup, delivery)
    }
}

#[test]
fn an_event_that_is_done_is_a_duplicate_whatever_becomes_of_the_send() {
    for outcome in [Outcome::Applied, Outcome::Stale, Outcome::Ignored] {
        let (setup, delivery) = Setup::ended(outcome);
        for queue_down in [true, false] {
            setup.queue_down.store(queue_down, Ordering::Relaxed);
            let again = setup.receive_at(&delivery, NOW + 1);
            assert_eq!((again.receipt, again.reason), (Receipt::Duplicate, None));
        }
        let changed = signed("resource", BODY.replace("1.0", "2.0").as_bytes());
        let changed = setup.receive_at(&changed, NOW + 1);
        let reason = Some("the same id came with another body".to_owned());
        assert_eq!(
            (changed.receipt, changed.reason),
            (Receipt::Duplicate, reason)
        );
    }
}

#[test]
fn an_event_that_process_has_done_before_the_table_answers_is_no_duplicate() {
    let (setup, delivery) = Setup::ended(Outcome::Applied);
    // The record is of this reception: its message was sent beside the put.
    assert_eq!(setup.receive(&delivery).receipt, Receipt::Received);
}

#[test]
fn an_event_that_was_rejected_is_queued_again_because_its_letter_may_be_gone() {
    let (setup, delivery) = Setup::ended(Outcome::Rejected);
    assert_eq!(setup.receive(&delivery).receipt, Receipt::Received);
    assert_eq!(setup.queue.len(), 1);
    setup.queue_down.store(true, Ordering::Relaxed);
    assert_eq!(setup.receive(&delivery).receipt, Receipt::Unavailable);
}

#[test]
fn an_event_whose_record_has_expired_is_queued_again() {
    let (setup, delivery) = Setup::ended(Outcome::Applied);
    let after = NOW + (LIFE_DAYS + 1) * DAY;
    assert_eq!(
        setup.receive_at(&delivery, after).receipt,
        Receipt::Received
    );
    assert_eq!(setup.queue.len(), 1);
}

#[test]
fn without_the_table_events_are_queued_and_counted() {
    let setup = setup();
    setup.table_down.store(true, Ordering::Relaxed);
    let received = setup.receive(&signed("resource", BODY.as_bytes()));
    assert_eq!(
        (received.receipt, received.dedup_unavailable),
        (Receipt::Received, true)
    );
    assert!(received.reason.unwrap().contains("unavailable"));
    assert_eq!(setup.queue.len(), 1);
}

#[test]
fn a_record_past_its_life_no_longer_counts_even_before_it_is_deleted() {
    let setup = setup();
    let delivery = signed("resource", BODY.as_bytes());
    let event = setup.receive(&delivery).events.remove(0);
    let end = End {
        outcome: Outcome::Applied,
        reason: None,
        tie: false,
        at: NOW,
        owner: None,
    };
    setup
        .ledger
        .finish(&event, &end)
        .now_or_never()
        .unwrap()
        .unwrap();
    let days = |n: i64| NOW + n * 86_400_000;
    assert_eq!(
        setup.receive_at(&delivery, days(35)).receipt,
        Receipt::Duplicate
    );
    assert_eq!(
        setup.receive_at(&delivery, days(35) + 1000).receipt,
        Receipt::Received
    );
}

/// A message can come back days after its window: a missed delete, or an outage.
#[test]
fn equal_bodies_are_one_event_within_the_window_and_none_is_forgotten_after_it() {
    let setup = setup();
    let body = signed("equal", BODY.as_bytes());
    let receive = |seconds: i64| setup.receive_at(&body, NOW + seconds * 1000).receipt;
    assert_eq!(receive(0), Receipt::Received);
    let first = Event::from_message(&setup.queue.take().unwrap()).unwrap();
    let end = End {
        outcome: Outcome::Applied,
        reason: None,
        tie: false,
        at: NOW,
        owner: None,
    };
    let finished = setup.ledger.finish(&first, &end).now_or_never().unwrap();
    assert_eq!(finished, Ok(Finish::Recorded));
    assert_eq!(receive(60), Receipt::Duplicate);
    let late = NOW + 10 * DAY;
    let recalled = setup.ledger.recall(&[&first], late).now_or_never().unwrap();
    let status = recalled.unwrap()[0].as_ref().map(|record| record.status);
    assert_eq!(status, Some(Status::Done), "its message must not run again");
    assert_eq!(receive(61), Receipt::Received, "a repetition of its own");
    let second = Event::from_message(&setup.queue.take().unwrap()).unwrap();
    assert!(second.version() > first.version());
}

#[test]
fn the_same_id_of_two_sources_is_two_events() {
    let setup = setup();
    let body = BODY.as_bytes();
    let one = setup.receive(&signed("resource", body)).events.remove(0);
    let two = setup.receive(&signed("keeps", body)).events.remove(0);
    assert_ne!(one.key, two.key);
}

#[test]
fn a_delivery_without_an_id_is_a_new_event_every_time() {
    let setup = setup();
    let body = br#"{"organizationCode":"o","type":"t","operation":"create","doc":{"id":"1"}}"#;
    let first = delivery("stonal", body);
    let again = Delivery {
        request_id: "request-2".into(),
        ..first.clone()
    };
    assert_eq!(setup.receive(&first).receipt, Receipt::Received);
    assert_eq!(setup.receive(&again).receipt, Receipt::Received);
    assert_eq!(setup.queue.len(), 2);
}

#[test]
fn an_unknown_operation_is_taken_as_other() {
    let setup = setup();
    let body = br#"{"organizationCode":"o","type":"t","operation":"archive","doc":{"id":"1"}}"#;
    let received = setup.receive(&delivery("stonal", body));
    assert_eq!(received.receipt.reply().status, 200);
    assert_eq!(received.events[0].operation, Operation::Other);
}

#[test]
fn types_that_a_source_does_not_want_are_answered_and_not_queued() {
    let setup = setup();
    let body = br#"{"id":"e","type":"user.created","data":{"object":{"id":"1"}}}"#;
    assert_eq!(
        setup.receive(&signed("keeps", body)).receipt,
        Receipt::Filtered
    );
    assert!(setup.left_nothing());
}

#[test]
fn a_source_that_quarantines_keeps_what_it_cannot_read() {
    let setup = setup();
    let received = setup.receive(&signed("keeps", b"not json"));
    assert_eq!(
        (received.receipt, received.receipt.reply().status.as_u16()),
        (Receipt::Quarantined, 200)
    );
    let event = Event::from_message(&setup.queue.take().unwrap()).unwrap();
    assert_eq!(event.body.0, b"not json");
    assert!(event.invalid.unwrap().contains("not JSON"));
    assert_eq!(
        setup.receive(&delivery("keeps", b"not json")).receipt,
        Receipt::Unverified,
        "only the sender can"
    );
}

#[test]
fn a_sender_hears_what_it_expects_whatever_comes_of_its_delivery() {
    let setup = setup();
    let said = |delivery: &Delivery| {
        let reply = setup.receive(delivery).reply;
        (reply.status.as_u16(), reply.body.into_owned())
    };
    let good = signed("accepts", BODY.as_bytes());
    let accepted = (202, "[accepted]".to_owned());
    assert_eq!([said(&good), said(&good)], [accepted.clone(), accepted]);
    assert_eq!(said(&delivery("accepts", BODY.as_bytes())).0, 403);
}

#[test]
fn a_handshake_is_answered_and_leaves_nothing_behind() {
    let setup = setup();
    let mut challenge = delivery("challenges", b"");
    challenge.method = Method::GET;
    challenge.query = "challenge=abc".into();
    let received = setup.receive(&challenge);
    let said = |received: &Received| (received.receipt, received.reply.body.to_string());
    assert_eq!(said(&received), (Receipt::Handshake, "abc".into()));
    assert!(!received.verified, "anybody may ask");

    let ping = br#"{"type":1}"#;
    let received = setup.receive(&signed("pings", ping));
    assert_eq!(
        said(&received),
        (Receipt::Handshake, r#"{"type":1}"#.into())
    );
    assert!(received.verified);
    let forged = setup.receive(&delivery("pings", ping));
    assert_eq!(forged.receipt, Receipt::Unverified);
    assert!(setup.left_nothing());
}

#[test]
fn zoom_hears_the_digest_by_the_secret_that_it_signed_with() {
    let setup = setup();
    let check = |secret: &str, token: &str| {
        let body = format!(
            r#"{{"event":"endpoint.url_validation","payload":{{"plainToken":{token:?}}}}}"#
        );
        let mut check = delivery("zoom", body.as_bytes());
        let (at, content) = (NOW / 1000, format!("v0:{}:{body}", NOW / 1000));
        let signature = format!("v0={}", mac(secret, content.as_bytes()));
        for (name, value) in [
            ("x-zm-request-timestamp", at.to_string()),
            ("x-zm-signature", signature),
        ] {
            check.headers.insert(name, value.parse().unwrap());
        }
        setup.receive(&check)
    };
    for secret in [SECRET, OLDER] {
        let received = check(secret, "qgg8vlvZRS6UYooatFL8Aw");
        let answer: serde_json::Value = serde_json::from_str(&received.reply.body).unwrap();
        let expected = mac(secret, b"qgg8vlvZRS6UYooatFL8Aw");
        assert_eq!(answer["encryptedToken"], expected, "{secret}");
    }
    let oracle = check(SECRET, "v0:1:{}");
    assert_eq!(oracle.receipt, Receipt::Unverified);
    assert!(setup.left_nothing());
}

#[test]
fn what_a_handshake_signs_for_anybody_is_no_delivery() {
    let setup = setup();
    for (token, kind) in [
        ("type=created", "application/x-www-form-urlencoded"),
        ("123", "application/json"),
        ("null", "application/json"),
    ] {
        let mut check = delivery("signs-tokens", b"");
        check.method = Method::GET;
        check.query = format!("crc_token={}", token.replace('=', "%3D"));
        let answer: serde_json::Value =
            serde_json::from_str(&setup.receive(&check).reply.body).unwrap();
        let mac = answer["response_token"].as_str().unwrap();
        let mac = STANDARD.decode(&mac["sha256=".len()..]);

        let mut forged = delivery("signs-tokens", token.as_bytes());
        let signature = HEXLOWER.encode(&mac.unwrap()).parse().unwrap();
        forged.headers.insert("x-signature", signature);
        forged.headers.insert("content-type", kind.parse().unwrap());
        let received = setup.receive(&forged);
        assert_eq!(received.receipt, Receipt::Unverified, "{token}");
        assert!(!received.verified && received.wanted.is_none());
    }
    assert!(setup.left_nothing());
}

#[test]
fn a_body_of_the_largest_size_and_an_encoding_that_is_none_are_taken() {
    let setup = setup();
    let spaces = " ".repeat(256 * 1024 - BODY.len());
    let largest = signed("resource", format!("{BODY}{spaces}").as_bytes());
    assert_eq!(setup.receive(&largest).receipt, Receipt::Received);
    for encoding in ["", "identity", "Identity"] {
        let mut delivery = signed("resource", BODY.as_bytes());
        let encoding = HeaderValue::from_static(encoding);
        delivery.headers.insert("content-encoding", encoding);
        assert_eq!(setup.receive(&delivery).receipt, Receipt::Received);
    }
}

#[test]
fn the_log_knows_why_and_whether_the_sender_proved_itself() {
    let setup = setup();
    let good = setup.receive(&signed("resource", BODY.as_bytes()));
    assert_eq!((good.verified, good.reason), (true, None));
    let forged = setup.receive(&delivery("resource", BODY.as_bytes()));
    assert!(!forged.verified && forged.reason.is_some());
    let unreadable = setup.receive(&signed("resource", b"{}"));
    assert!(unreadable.verified && unreadable.reason.is_some());
    let not_ready = setup.receive(&signed("broken", BODY.as_bytes()));
    assert!(not_ready.reason.is_some());
}

#[test]
fn nothing_that_is_printed_holds_a_secret_a_signature_or_a_body() {
    let setup = setup();
    let delivery = signed("resource", BODY.as_bytes());
    let signature = delivery.headers["x-webhook-signature"]
        .to_str()
        .unwrap()
        .to_owned();
    let printed = format!(
        "{delivery:?} {:?} {:?}",
        setup.receive(&delivery),
        setup.sources
    );
    for secret in [SECRET, signature.as_str(), "r1\",\"n"] {
        assert!(!printed.contains(secret), "{printed}");
    }
}

#[test]
fn all_sources_are_listed_also_those_that_are_not_ready() {
    let setup = setup();
    let not_ready = setup.sources.iter().filter(|(_, keys)| keys.is_err());
    let names: Vec<_> = not_ready.map(|(source, _)| source.name.as_str()).collect();
    assert_eq!(names, ["broken", "short"]);
    let all = SOURCES.matches("[sources.").count();
    assert_eq!(setup.sources.iter().count(), all);
}
