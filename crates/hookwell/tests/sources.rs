//! Keys are fetched, kept and fetched again, on an injected clock and from stores that a test can break.
#![allow(clippy::unwrap_used, clippy::indexing_slicing)] // helpers of tests

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use futures_util::FutureExt as _;
use hookwell::config;
use hookwell::event::delivery::Delivery;
use hookwell::format::time::to_rfc3339;
use hookwell::ingest::addresses::{ADDRESSES_IN_PAUSE, PAUSE};
use hookwell::ingest::key_cache::{Fetch, RENEW_AFTER, STALE_AFTER, Sources, Trouble};
use hookwell::ingest::{Received, receive};
use hookwell::keys::certificates::{CERTIFICATE_LIFE, MAX_CERTIFICATES};
use hookwell::keys::not_ready::SecretProblem;
use hookwell::keys::reference::SecretRef;
use hookwell::ports::memory::{MemoryLedger, MemoryQueue, StoppedClock};
use hookwell::sender::key_pair::KeyPair;
use hookwell::source::Source;
use hookwell::source::reply::Receipt;
use http::{HeaderMap, Method};
use serde_json::json;

const NOW: i64 = 1_790_000_000_000;
const RSA: &str = include_str!("../../hookwell-sandbox/src/test-keys/rsa.pem");
const P256: &str = include_str!("../../hookwell-sandbox/src/test-keys/p256.pem");
const CERTIFICATE: &str = include_str!("../../hookwell-sandbox/src/test-keys/rsa-certificate.pem");
const OTHER: &str = include_str!("keys/other-certificate.pem");
const ADDRESS: &str = "https://sns.eu-west-1.amazonaws.com/SimpleNotificationService-1.pem";
const TOPIC: &str = "arn:aws:sns:eu-west-1:111122223333:orders";

/// Texts by reference, and how often each was asked for.
#[derive(Default)]
struct Store {
    texts: BTreeMap<String, Result<String, SecretProblem>>,
    asked: Vec<String>,
}

struct Stage {
    sources: Sources,
    parsed: Vec<Source>,
    store: Arc<Mutex<Store>>,
    ledger: MemoryLedger,
    queue: MemoryQueue,
}

fn down() -> Result<String, SecretProblem> {
    Err(SecretProblem::Unavailable("timed out".into()))
}

fn stage(text: &str, texts: &[(&str, Result<String, SecretProblem>)]) -> Stage {
    let parsed = config::parse(text).unwrap();
    let store = Arc::new(Mutex::new(Store::default()));
    for (name, text) in texts {
        let mut store = store.lock().unwrap();
        store.texts.insert((*name).to_owned(), text.clone());
    }
    let from = Arc::clone(&store);
    let fetch = Fetch::new(move |reference: SecretRef| {
        let mut store = from.lock().unwrap();
        store.asked.push(reference.to_string());
        let found = store.texts.get(&reference.to_string()).cloned();
        std::future::ready(found.unwrap_or(Err(SecretProblem::NotSet)))
    });
    let pages = Arc::clone(&store);
    let fetch = fetch.opening(move |link| {
        let mut store = pages.lock().unwrap();
        let is_there = matches!(store.texts.get(&link), Some(Ok(_)));
        store.asked.push(link);
        std::future::ready(is_there)
    });
    let sources = Sources::fetched(parsed.clone(), &fetch, NOW);
    Stage {
        sources: sources.now_or_never().unwrap(),
        parsed,
        store,
        ledger: MemoryLedger::default(),
        queue: MemoryQueue::default(),
    }
}

impl Stage {
    fn put(&self, name: &str, text: Result<String, SecretProblem>) {
        let mut store = self.store.lock().unwrap();
        store.texts.insert(name.to_owned(), text);
    }

    /// Number of fetches since the last call.
    fn fetches(&self) -> usize {
        std::mem::take(&mut self.store.lock().unwrap().asked).len()
    }

    /// Receives a delivery as ingest does: the renewal beside the delivery, if one is due.
    fn receive(&self, delivery: &Delivery, now: i64) -> Received {
        let name = delivery.source.as_deref().unwrap();
        if let Some(renewal) = self.sources.renewal(name, now) {
            renewal.now_or_never().unwrap();
        }
        receive(
            &self.sources,
            &self.ledger,
            &self.queue,
            delivery,
            StoppedClock::at(now).clock(),
        )
        .now_or_never()
        .unwrap()
    }

    fn status(&self, delivery: &Delivery, now: i64) -> u16 {
        self.receive(delivery, now).reply.status.as_u16()
    }

    /// A delivery of this source, signed with this secret or, where there is none, with the test key.
    fn signed(&self, name: &str, secret: &str, body: &str, now: i64) -> Delivery {
        let mut sources = self.parsed.iter();
        let source = sources.find(|source| source.name == name).unwrap();
        let is_plaid = source.preset.as_deref() == Some("plaid");
        let keys = source.keys(|reference| {
            Ok(match (source.pinned.contains(reference), is_plaid) {
                (true, true) => web_keys("sample"),
                (true, false) => CERTIFICATE.to_owned(),
                (false, _) => secret.to_owned(),
            })
        });
        let mut delivery = Delivery {
            request_id: "request-1".into(),
            method: Method::POST,
            source: Some(name.into()),
            path: format!("/webhooks/{name}"),
            query: String::new(),
            headers: HeaderMap::new(),
            body: body.into(),
            source_ip: None,
            trace: None,
        };
        let pair = if is_plaid {
            KeyPair::p256(P256)
        } else {
            KeyPair::rsa(RSA)
        };
        let added = source.sign(&keys.unwrap(), pair.as_ref(), &mut delivery, now);
        for (name, value) in added.unwrap() {
            let name = http::HeaderName::from_bytes(name.as_bytes()).unwrap();
            delivery.headers.insert(name, value.parse().unwrap());
        }
        delivery
    }
}

const SHOP: &str = "[sources.shop]\npreset = \"generic\"\nsecrets = [\"ssm:/shop\"]\n";
const BODY: &str = r#"{"id":1}"#;
const OLD: &str = "the old secret, long enough";
const NEW: &str = "the new secret, long enough";

#[allow(clippy::unnecessary_wraps)] // what a store answers
fn text(text: &str) -> Result<String, SecretProblem> {
    Ok(text.to_owned())
}

#[test]
fn a_rotated_secret_is_taken_at_once_and_the_old_one_refused_after_the_refresh_time() {
    let stage = stage(SHOP, &[("ssm:/shop", text(OLD))]);
    let [old, new] = [OLD, NEW].map(|secret| stage.signed("shop", secret, BODY, NOW));
    assert_eq!((stage.status(&old, NOW), stage.fetches()), (200, 1));
    stage.put("ssm:/shop", text(NEW));
    assert_eq!(stage.status(&old, NOW + RENEW_AFTER - 1), 200);
    assert_eq!(stage.fetches(), 0, "a good delivery has nothing fetched");
    assert_eq!(stage.status(&old, NOW + RENEW_AFTER), 401);
    assert_eq!(stage.status(&new, NOW + RENEW_AFTER), 200);

    stage.put("ssm:/shop", text(OLD));
    let later = NOW + RENEW_AFTER + PAUSE;
    stage.fetches();
    assert_eq!(stage.status(&old, later), 200, "the refusal had it fetched");
    assert_eq!(stage.fetches(), 1);
}

#[test]
fn ten_thousand_bad_signatures_have_a_secret_fetched_once_in_each_pause() {
    let stage = stage(SHOP, &[("ssm:/shop", text(OLD))]);
    stage.fetches();
    let bad = stage.signed("shop", NEW, BODY, NOW);
    for _ in 0..10_000 {
        assert_eq!(stage.status(&bad, NOW), 401);
    }
    assert_eq!(stage.fetches(), 1, "all at once");
    for second in 0..10_000 {
        stage.status(&bad, NOW + PAUSE + second * 1000);
    }
    // Each fetch by a refusal also puts off the fetch by age.
    assert_eq!(stage.fetches(), 334, "one a second, for 10,000 s");
    stage.put("ssm:/shop", down());
    for second in 10_000..20_000 {
        stage.status(&bad, NOW + PAUSE + second * 1000);
    }
    // One for the refusal and, once the keys are old, one by age in each pause.
    assert_eq!(stage.fetches(), 333 + 324, "with the store away");
}

#[test]
fn a_store_that_is_away_leaves_the_last_keys_in_force() {
    let stage = stage(SHOP, &[("ssm:/shop", text(OLD))]);
    stage.put("ssm:/shop", down());
    let good = stage.signed("shop", OLD, BODY, NOW);
    stage.fetches();
    let mut now = NOW;
    for _ in 0..1000 {
        now += PAUSE / 3;
        assert_eq!(stage.status(&good, now), 200);
    }
    assert!(stage.fetches() <= 334, "tried once in each pause");
    stage.put("ssm:/shop", text(NEW));
    assert_eq!(stage.status(&good, now + PAUSE), 401);
}

#[test]
fn a_secret_that_is_gone_or_blank_in_the_store_stops_its_source_and_loses_nothing() {
    for broken in [Err(SecretProblem::NotSet), text(" "), text("changeme")] {
        let stage = stage(SHOP, &[("ssm:/shop", text(OLD))]);
        let good = stage.signed("shop", OLD, BODY, NOW);
        stage.put("ssm:/shop", broken);
        let received = stage.receive(&good, NOW + RENEW_AFTER);
        assert_eq!(received.receipt, Receipt::NotReady, "it was there");
        assert_eq!(received.reply.status.as_u16(), 503);
        assert!(stage.queue.is_empty());
        stage.put("ssm:/shop", text(OLD));
        assert_eq!(stage.status(&good, NOW + RENEW_AFTER + PAUSE), 200);
    }
}

#[test]
fn a_source_that_was_never_given_its_secret_is_told_from_one_that_lost_it() {
    let never = [
        Err(SecretProblem::NotSet),
        text(" "),
        text("changeme"),
        text("short"),
    ];
    for never in never {
        let stage = stage(SHOP, &[("ssm:/shop", never.clone())]);
        let anybody = stage.signed("shop", OLD, BODY, NOW);
        for after in [0, 1, RENEW_AFTER, STALE_AFTER, 3 * STALE_AFTER] {
            let received = stage.receive(&anybody, NOW + after);
            assert_eq!(received.receipt, Receipt::NotConfigured, "{never:?}");
            assert_eq!(received.reply.status.as_u16(), 503);
        }
        let later = NOW + 4 * STALE_AFTER;
        stage.put("ssm:/shop", text(OLD));
        assert_eq!(stage.status(&anybody, later), 200, "now it is given");
        stage.put("ssm:/shop", never);
        let received = stage.receive(&anybody, later + RENEW_AFTER);
        assert_eq!(received.receipt, Receipt::NotReady, "and now it is lost");
        stage.put("ssm:/shop", down());
        let received = stage.receive(&anybody, later + 2 * RENEW_AFTER);
        assert_eq!(
            received.receipt,
            Receipt::NotReady,
            "its store is away, too"
        );
    }
}

#[test]
fn a_flood_that_has_a_store_asked_too_often_wakes_nobody_and_leaves_the_last_keys() {
    static TOLD: Mutex<Vec<Trouble>> = Mutex::new(Vec::new());
    let crowded = || Err(SecretProblem::Crowded);
    let mut stage = stage(SHOP, &[("ssm:/shop", text(OLD))]);
    stage.sources = std::mem::take(&mut stage.sources)
        .telling(|_, trouble| TOLD.lock().unwrap().push(trouble.clone()));
    let [good, forged] = [OLD, NEW].map(|secret| stage.signed("shop", secret, BODY, NOW));
    stage.put("ssm:/shop", crowded());
    assert_eq!(stage.status(&forged, NOW), 401);
    assert_eq!(stage.status(&good, NOW + RENEW_AFTER), 200);
    let told = TOLD.lock().unwrap().clone();
    assert!(!told.is_empty());
    let is_crowded = |trouble: &Trouble| matches!(trouble, Trouble::Crowded(_));
    assert!(told.iter().all(is_crowded), "no key is stale yet: {told:?}");

    let cold = self::stage(SHOP, &[("ssm:/shop", crowded())]);
    let received = cold.receive(&forged, NOW);
    assert_eq!(
        received.receipt,
        Receipt::NoKeyYet,
        "a cold start in the flood"
    );
    assert_eq!(received.reply.status.as_u16(), 503);
    cold.put("ssm:/shop", text(OLD));
    assert_eq!(cold.status(&good, NOW + PAUSE), 200);
}

#[test]
fn a_store_that_is_away_at_the_start_stops_its_sources_until_it_is_back() {
    let both = format!("{SHOP}[sources.near]\npreset = \"generic\"\nsecrets = [\"env:NEAR\"]\n");
    let stage = stage(&both, &[("ssm:/shop", down()), ("env:NEAR", text(NEW))]);
    let shop = stage.signed("shop", OLD, BODY, NOW);
    let near = stage.signed("near", NEW, BODY, NOW);
    stage.fetches();
    for _ in 0..100 {
        assert_eq!(stage.status(&near, NOW), 200);
        assert_eq!(stage.status(&shop, NOW), 503);
    }
    assert_eq!(stage.fetches(), 1, "it is tried again, once in each pause");
    let reason = stage.receive(&shop, NOW).reason.unwrap();
    assert_eq!(reason, "ssm:/shop cannot be fetched: timed out");
    stage.put("ssm:/shop", text(OLD));
    assert_eq!(stage.status(&shop, NOW + PAUSE - 1), 503);
    assert_eq!(stage.status(&shop, NOW + PAUSE), 200);
}

#[test]
fn keys_count_for_a_day_without_their_store_and_those_of_the_environment_for_ever() {
    let both = format!("{SHOP}[sources.near]\npreset = \"generic\"\nsecrets = [\"env:NEAR\"]\n");
    let stage = stage(&both, &[("ssm:/shop", text(OLD)), ("env:NEAR", text(NEW))]);
    let shop = stage.signed("shop", OLD, BODY, NOW);
    let near = stage.signed("near", NEW, BODY, NOW);
    stage.put("ssm:/shop", down());
    assert_eq!(stage.status(&shop, NOW + STALE_AFTER - 1), 200);
    assert_eq!(stage.status(&shop, NOW + STALE_AFTER), 503);
    assert_eq!(stage.status(&near, NOW + STALE_AFTER), 200);
    let reason = stage.receive(&shop, NOW + STALE_AFTER).reason.unwrap();
    assert_eq!(reason, "ssm:/shop cannot be fetched: timed out");

    stage.put("ssm:/shop", text(OLD));
    let back = NOW + STALE_AFTER + PAUSE;
    assert_eq!(stage.status(&shop, back), 200);
    stage.put("ssm:/shop", down());
    assert_eq!(stage.status(&shop, back + STALE_AFTER - 1), 200);
    assert_eq!(stage.status(&shop, back + STALE_AFTER), 503);
}

#[test]
fn a_function_that_slept_for_a_day_fetches_once_before_it_trusts_a_signature() {
    let stage = stage(SHOP, &[("ssm:/shop", text(OLD))]);
    let [old, new] = [OLD, NEW].map(|secret| stage.signed("shop", secret, BODY, NOW));
    stage.put("ssm:/shop", text(NEW));
    stage.fetches();
    assert_eq!(stage.status(&old, NOW + STALE_AFTER), 401);
    assert_eq!(stage.status(&new, NOW + STALE_AFTER), 200);
    assert_eq!(stage.fetches(), 1);
}

#[test]
fn what_is_in_the_environment_is_read_once() {
    let near = "[sources.near]\npreset = \"generic\"\nsecrets = [\"env:NEAR\"]\n";
    let stage = stage(near, &[("env:NEAR", text(NEW))]);
    assert_eq!(stage.fetches(), 1);
    let bad = stage.signed("near", OLD, BODY, NOW);
    assert_eq!(stage.status(&bad, NOW + 2 * RENEW_AFTER), 401);
    assert_eq!(stage.fetches(), 0);
}

#[test]
fn the_version_before_a_rotation_counts_and_may_be_absent() {
    let text_of = "[sources.shop]\npreset = \"generic\"\n\
                   secrets = [\"secretsmanager:shop\", \"secretsmanager:shop#AWSPREVIOUS\"]\n";
    let (current, previous) = (
        "secretsmanager:shop#AWSCURRENT",
        "secretsmanager:shop#AWSPREVIOUS",
    );
    let stage = stage(text_of, &[(current, text(OLD))]);
    let [old, new] = [OLD, NEW].map(|secret| stage.signed("shop", secret, BODY, NOW));
    assert_eq!(stage.status(&old, NOW), 200, "never rotated");
    stage.put(current, text(NEW));
    stage.put(previous, text(OLD));
    for (delivery, index) in [(&new, 0), (&old, 1)] {
        let received = stage.receive(delivery, NOW + RENEW_AFTER);
        assert_eq!(
            (received.reply.status.as_u16(), received.secret),
            (200, index)
        );
    }
    stage.put(current, Err(SecretProblem::NotSet));
    let later = NOW + 3 * RENEW_AFTER;
    assert_eq!(stage.status(&old, later), 503, "the current one may not");
}

#[test]
fn a_delivery_that_waited_for_a_fetch_is_remembered_and_queued_like_every_other() {
    let stage = stage(SHOP, &[("ssm:/shop", text(OLD))]);
    stage.put("ssm:/shop", text(NEW));
    let new = stage.signed("shop", NEW, BODY, NOW);
    let received = stage.receive(&new, NOW);
    assert_eq!(received.reply.status.as_u16(), 200);
    assert_eq!(received.reason, None);
    assert_eq!((stage.ledger.len(), stage.queue.len()), (1, 1));
}

#[test]
fn a_handshake_with_the_token_of_a_rotation_is_answered_at_once() {
    let text_of = format!("{SHOP}handshake = {{ kind = \"meta\", verify_token = \"ssm:/token\" }}");
    let [old, new] = ["the-old-token-of-the-shop", "the-new-token-of-the-shop"];
    let stage = stage(
        &text_of,
        &[("ssm:/shop", text(OLD)), ("ssm:/token", text(old))],
    );
    stage.put("ssm:/token", text(new));
    let mut check = stage.signed("shop", OLD, "", NOW);
    check.method = Method::GET;
    check.query = format!("hub.mode=subscribe&hub.verify_token={new}&hub.challenge=7");
    assert_eq!(stage.receive(&check, NOW).reply.body, "7");
}

/// The test key as a JWK set, under this id.
fn web_keys(id: &str) -> String {
    let point = KeyPair::p256(P256).unwrap().public_key()[1..].to_vec();
    let [x, y] = [&point[..32], &point[32..]].map(|half| URL_SAFE_NO_PAD.encode(half));
    json!({ "keys": [{ "kid": id, "crv": "P-256", "x": x, "y": y }] }).to_string()
}

#[test]
fn pins_in_a_store_are_renewed_as_secrets_are() {
    let file = "[sources.bank]\npreset = \"plaid\"\npinned = [\"ssm:/plaid\"]\n";
    let stage = stage(file, &[("ssm:/plaid", text(&web_keys("older")))]);
    let good = stage.signed("bank", "", "{}", NOW);
    assert_eq!(stage.status(&good, NOW), 401, "a key that nobody pinned");
    stage.put("ssm:/plaid", text(&web_keys("sample")));
    assert_eq!(stage.status(&good, NOW + PAUSE), 200);
}

// Certificates.

fn sns(more: &str, texts: &[(&str, Result<String, SecretProblem>)]) -> Stage {
    let file = format!("[sources.sns]\npreset = \"aws-sns\"\ntopics = [{TOPIC:?}]\n{more}\n");
    stage(&file, texts)
}

/// A message of SNS that names this address for its certificate.
fn message(stage: &Stage, address: &str) -> Delivery {
    let body = json!({ "SigningCertURL": address }).to_string();
    stage.signed("sns", "", &body, NOW)
}

#[test]
fn a_certificate_is_fetched_once_and_again_when_it_is_old() {
    let stage = sns("max_age = \"35d\"", &[(ADDRESS, text(CERTIFICATE))]);
    assert_eq!(stage.fetches(), 0, "nothing at the start");
    let good = message(&stage, ADDRESS);
    for second in 0..100 {
        assert_eq!(stage.status(&good, NOW + second * 1000), 200);
    }
    assert_eq!(stage.fetches(), 1);
    assert_eq!(stage.status(&good, NOW + CERTIFICATE_LIFE - 1), 200);
    assert_eq!(stage.fetches(), 0);
    stage.put(ADDRESS, down());
    assert_eq!(
        stage.status(&good, NOW + CERTIFICATE_LIFE),
        503,
        "it is too old"
    );
    stage.put(ADDRESS, text(CERTIFICATE));
    assert_eq!(stage.status(&good, NOW + CERTIFICATE_LIFE + PAUSE), 200);
    assert_eq!(stage.fetches(), 2);
}

#[test]
fn a_certificate_that_cannot_be_had_now_is_tried_again_and_wakes_nobody() {
    let page = "<html>-----BEGIN CERTIFICATE-----</html>".to_owned() + CERTIFICATE;
    let key = STANDARD.encode(KeyPair::rsa(RSA).unwrap().public_key());
    let bare = format!("-----BEGIN PUBLIC KEY-----\n{key}\n-----END PUBLIC KEY-----");
    for answer in [down(), text(&page), text(&bare), text("")] {
        let stage = sns("", &[(ADDRESS, answer)]);
        let good = message(&stage, ADDRESS);
        for _ in 0..100 {
            assert_eq!(stage.status(&good, NOW), 503);
            assert_eq!(stage.receive(&good, NOW).receipt, Receipt::NoKeyYet);
        }
        assert_eq!(stage.fetches(), 1);
        assert!(stage.queue.is_empty());
        stage.put(ADDRESS, text(CERTIFICATE));
        assert_eq!(stage.status(&good, NOW + PAUSE), 200);
    }
}

#[test]
fn a_signature_by_another_key_than_the_certificates_is_refused() {
    let stage = sns("", &[(ADDRESS, text(OTHER))]);
    assert_eq!(stage.status(&message(&stage, ADDRESS), NOW), 401);
    let two = format!("{OTHER}{CERTIFICATE}");
    let stage = sns("", &[(ADDRESS, text(&two))]);
    let refused = stage.status(&message(&stage, ADDRESS), NOW);
    assert_eq!(refused, 401, "only the first certificate is the signer's");
}

#[test]
fn what_is_wrong_without_a_key_has_nothing_fetched() {
    let stage = sns("", &[]);
    let foreign = message(
        &stage,
        "https://sns.eu-west-1.amazonaws.com.evil.example/SimpleNotificationService-1.pem",
    );
    assert_eq!(stage.status(&foreign, NOW), 401);
    for (field, value) in [
        (
            "TopicArn",
            json!("arn:aws:sns:eu-west-1:999922223333:orders"),
        ),
        ("Signature", json!("short")),
        ("Signature", json!(STANDARD.encode([0; 64]))),
        ("SignatureVersion", json!("3")),
        ("Type", json!("Other")),
        ("MessageId", json!(null)),
    ] {
        let mut bad = message(&stage, ADDRESS);
        let mut body: serde_json::Value = serde_json::from_slice(&bad.body).unwrap();
        body[field] = value;
        bad.body = body.to_string().into_bytes();
        assert_eq!(stage.status(&bad, NOW), 401, "{field}");
    }
    assert_eq!(stage.fetches(), 0);
}

#[test]
fn ten_thousand_new_addresses_have_four_fetched_in_each_pause_and_few_kept() {
    let stage = sns("", &[]);
    // The address is not signed.
    let mut any = message(&stage, ADDRESS);
    let body = String::from_utf8(any.body).unwrap();
    for number in 0..10_000 {
        let address = ADDRESS.replace("-1.pem", &format!("-x{number}.pem"));
        stage.put(&address, text(CERTIFICATE));
        any.body = body.replace(ADDRESS, &address).into_bytes();
        stage.status(&any, NOW + number * 1000);
    }
    let fetches = 334 * ADDRESSES_IN_PAUSE;
    assert_eq!(stage.fetches(), fetches, "one a second, for 10,000 s");
    let (_, keys) = stage.sources.get("sns").unwrap();
    let kept = format!("{keys:?}").matches("fetched_at").count();
    assert_eq!(kept, MAX_CERTIFICATES);
}

#[test]
fn forged_addresses_do_not_keep_a_good_one_waiting() {
    let stage = sns("", &[(ADDRESS, text(CERTIFICATE))]);
    let good = message(&stage, ADDRESS);
    let body = String::from_utf8(good.body.clone()).unwrap();
    for number in 1..ADDRESSES_IN_PAUSE {
        let address = ADDRESS.replace("-1.pem", &format!("-x{number}.pem"));
        let forged = Delivery {
            body: body.replace(ADDRESS, &address).into_bytes(),
            ..good.clone()
        };
        for _ in 0..100 {
            let received = stage.receive(&forged, NOW);
            assert_eq!(received.receipt, Receipt::NoCertificate);
            assert_eq!(received.reply.status.as_u16(), 401, "nobody can have it");
        }
    }
    assert_eq!(stage.fetches(), 3, "each once");
    assert_eq!(stage.status(&good, NOW), 200);
}

#[test]
fn one_address_more_than_may_be_asked_is_no_verdict_and_wakes_nobody() {
    let stage = sns("", &[(ADDRESS, text(CERTIFICATE))]);
    let good = message(&stage, ADDRESS);
    let body = String::from_utf8(good.body.clone()).unwrap();
    for number in 0..ADDRESSES_IN_PAUSE {
        let address = ADDRESS.replace("-1.pem", &format!("-x{number}.pem"));
        let body = body.replace(ADDRESS, &address).into_bytes();
        let forged = Delivery {
            body,
            ..good.clone()
        };
        assert_eq!(stage.receive(&forged, NOW).receipt, Receipt::NoCertificate);
    }
    let received = stage.receive(&good, NOW);
    assert_eq!(received.receipt, Receipt::NoKeyYet);
    assert_eq!(
        received.reply.status.as_u16(),
        503,
        "its sender comes again"
    );
    assert_eq!(stage.status(&good, NOW + PAUSE), 200);
}

#[test]
fn a_subscription_is_confirmed_once_and_only_after_its_signature() {
    let page = "https://sns.eu-west-1.amazonaws.com/?Action=ConfirmSubscription&Token=1";
    let texts = [("env:PIN", text(CERTIFICATE)), (page, text("<xml/>"))];
    let stage = sns("pinned = [\"env:PIN\"]", &texts);
    stage.fetches();
    let body = json!({ "Type": "SubscriptionConfirmation", "Token": "1", "SubscribeURL": page });
    let good = stage.signed("sns", "", &body.to_string(), NOW);
    for (field, value) in [
        ("Token", "2"),
        ("TopicArn", "arn:aws:sns:eu-west-1:999922223333:orders"),
        (
            "SubscribeURL",
            "https://evil.example/?Action=ConfirmSubscription&Token=1",
        ),
    ] {
        let mut body: serde_json::Value = serde_json::from_slice(&good.body).unwrap();
        body[field] = value.into();
        let mut forged = good.clone();
        forged.body = body.to_string().into_bytes();
        assert_eq!(stage.status(&forged, NOW), 401, "{field}");
    }
    assert_eq!(stage.fetches(), 0);

    let received = stage.receive(&good, NOW);
    assert_eq!(
        (received.reply.status.as_u16(), received.reason),
        (200, None)
    );
    assert_eq!(stage.store.lock().unwrap().asked, [page]);
    let again = stage.receive(&good, NOW).reason.unwrap();
    assert!(again.ends_with(page), "a copy has nothing opened: {again}");
    assert_eq!(stage.fetches(), 1);

    // The first message of a topic also brings the address of its certificate.
    let texts = [(ADDRESS, text(CERTIFICATE)), (page, text("<xml/>"))];
    let unpinned = sns("", &texts);
    let body = json!({ "Type": "SubscriptionConfirmation", "Token": "1", "SubscribeURL": page, "SigningCertURL": ADDRESS });
    let first = unpinned.signed("sns", "", &body.to_string(), NOW);
    assert_eq!(unpinned.receive(&first, NOW).reason, None);
    assert_eq!(unpinned.store.lock().unwrap().asked, [ADDRESS, page]);

    stage.put(page, down());
    let received = stage.receive(&good, NOW + PAUSE);
    assert_eq!(received.reply.status.as_u16(), 200);
    let reason = received.reason.unwrap();
    assert!(reason.ends_with(page), "somebody has to: {reason}");
    assert!(stage.queue.is_empty());
}

#[test]
fn a_pinned_certificate_is_taken_and_none_fetched() {
    let texts = [("env:PIN", text(CERTIFICATE)), (ADDRESS, text(OTHER))];
    let stage = sns("pinned = [\"env:PIN\"]", &texts);
    assert_eq!(stage.fetches(), 1, "the pin");
    assert_eq!(stage.status(&message(&stage, ADDRESS), NOW), 200);
    assert_eq!(stage.fetches(), 0);
}

#[test]
fn paypal_needs_the_webhook_id_from_the_store_and_the_certificate_from_its_address() {
    let file = "[sources.pay]\npreset = \"paypal\"\nsecrets = [\"ssm:/pay\"]\n";
    let address = "https://api.paypal.com/v1/notifications/certs/CERT-sample";
    let texts = [("ssm:/pay", text(OLD)), (address, text(CERTIFICATE))];
    let stage = stage(file, &texts);
    let body = json!({ "id": "1", "create_time": to_rfc3339(NOW) }).to_string();
    let good = stage.signed("pay", OLD, &body, NOW);
    assert_eq!(stage.status(&good, NOW), 200);
    let other = stage.signed("pay", NEW, &body, NOW);
    assert_eq!(stage.status(&other, NOW), 401);
    // A renewal of the id keeps the certificate.
    stage.put(address, down());
    assert_eq!(stage.status(&good, NOW + RENEW_AFTER + PAUSE), 200);
}
