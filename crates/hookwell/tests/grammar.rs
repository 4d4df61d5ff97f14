//! The grammar of sources: a new sender is a few lines of TOML, and what is wrong in them is said.
#![allow(clippy::unwrap_used, clippy::indexing_slicing)] // helpers of tests

use base64::Engine as _;
use hookwell::config;
use hookwell::event::Operation;
use hookwell::event::delivery::Delivery;
use hookwell::source::Source;
use hookwell::verify::verifier::Refusal;
use http::{HeaderMap, Method};
use ring::hmac;

const NOW: i64 = 1_800_000_000_000;

fn source(text: &str) -> Source {
    config::parse(text).unwrap().remove(0)
}

fn delivery(body: &[u8]) -> Delivery {
    Delivery {
        request_id: "request-1".into(),
        method: Method::POST,
        source: Some("x".into()),
        path: "/webhooks/x".into(),
        query: String::new(),
        headers: HeaderMap::new(),
        body: body.to_vec(),
        source_ip: None,
        trace: None,
    }
}

fn verify(source: &Source, delivery: &Delivery) -> Result<usize, Refusal> {
    let keys = source.keys(|reference| Ok(format!("the secret under {reference}")));
    source
        .verify(&keys.unwrap(), delivery, NOW)
        .map(|verified| verified.secret())
}

fn problems(text: &str) -> Vec<String> {
    config::parse(text)
        .unwrap_err()
        .iter()
        .map(ToString::to_string)
        .collect()
}

#[test]
fn a_new_hmac_sender_needs_no_rust() {
    let source = source(
        r#"
        [sources.acme]
        secrets = ["env:NEW", "env:OLD"]
        required = ["/event/id"]
        [sources.acme.verify]
        alg = "hmac-sha512"
        signature = { header = ["X-Acme-Signature"], separator = ";", kv = ":", tag = "mac", encoding = "base64url" }
        timestamp = { tag = "at", unit = "ms", past = 60, future = 10 }
        content = "{method}|{ts}|{header:X-Acme-Id}|{body}"
        [sources.acme.event]
        id = "header:X-Acme-Id"
        type = "{body:/event/object}/{body:/event/verb}"
        time = "body:/event/at"
        operations = { "*/made" = "create", "*/gone" = "delete" }
        document = "body:/event/state"
        document_id = "body:/event/state/key"
        "#,
    );
    let body = br#"{"event":{"id":1,"object":"cart","verb":"made","at":1799999999,"state":{"key":"c-7","n":1.0}}}"#;
    let mut delivery = delivery(body);
    delivery.headers.insert("x-acme-id", "a-1".parse().unwrap());
    let key = hmac::Key::new(hmac::HMAC_SHA512, b"the secret under env:OLD");
    let content = [b"POST|1800000000000|a-1|", &body[..]].concat();
    let tag = hmac::sign(&key, &content);
    let mac = base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(tag);
    let header = format!("at:{NOW}; mac:{mac}; other:x");
    delivery
        .headers
        .insert("x-acme-signature", header.parse().unwrap());
    assert_eq!(verify(&source, &delivery), Ok(1));

    let keys = source
        .keys(|reference| Ok(format!("the secret under {reference}")))
        .unwrap();
    let verified = source.verify(&keys, &delivery, NOW).unwrap();
    let event = verified.events(NOW).unwrap().remove(0);
    assert_eq!(
        (event.id.as_str(), event.kind.as_str()),
        ("a-1", "cart/made")
    );
    assert_eq!(event.operation, Operation::Create);
    assert_eq!(event.document_type, "cart");
    assert_eq!(event.document_id.as_deref(), Some("c-7"));
    assert_eq!(event.document(), Some(r#"{"key":"c-7","n":1.0}"#));

    assert_eq!(
        source.verify(&keys, &delivery, NOW + 60_001).unwrap_err(),
        Refusal::TooOld { seconds: 60 }
    );
    assert_eq!(
        source.verify(&keys, &delivery, NOW - 11_000).unwrap_err(),
        Refusal::TooNew { seconds: 11 }
    );
    delivery.body[20] ^= 1;
    assert_eq!(verify(&source, &delivery), Err(Refusal::WrongSignature));
}

#[test]
fn any_of_takes_either_scheme_and_require_its_version_only() {
    let source = source(
        r#"
        [sources.x]
        secrets = ["env:ONE", "env:TWO"]
        [[sources.x.verify.any_of]]
        alg = "token"
        secret = 0
        require = { X-Version = "1" }
        signature = { header = ["X-Token"] }
        [[sources.x.verify.any_of]]
        alg = "token"
        secret = 1
        signature = { header = ["X-Other"] }
        "#,
    );
    let sent = |headers: &[(&'static str, &str)]| {
        let mut delivery = delivery(b"{}");
        for (name, value) in headers {
            delivery.headers.insert(*name, value.parse().unwrap());
        }
        verify(&source, &delivery)
    };
    let (one, two) = ("the secret under env:ONE", "the secret under env:TWO");
    assert_eq!(sent(&[("x-token", one), ("x-version", "1")]), Ok(0));
    assert_eq!(sent(&[("x-other", two)]), Ok(1));
    assert!(sent(&[("x-token", one)]).is_err(), "without its version");
    assert!(sent(&[("x-token", one), ("x-version", "2")]).is_err());
    assert!(
        sent(&[("x-token", two), ("x-version", "1")]).is_err(),
        "the other key"
    );
    assert!(sent(&[("x-other", one)]).is_err());
    assert!(sent(&[]).is_err());
}

#[test]
fn what_cannot_be_is_said_with_its_path() {
    let all = problems(
        r#"
        [sources.a]
        preset = "aws-sns"
        topics = "arn"
        verify = { alg = "token" }
        [sources.b]
        secrets = ["env:B"]
        handshake = { kind = "smoke-signals" }
        reply = { status = 500 }
        refused_status = 200
        tolerance = { past = 5 }
        topics = ["arn"]
        verify = { alg = "ed25519", key = "hex", signature = { header = "X" }, content = "{body}" }
        event = { type = "item:/type", document = "header:X" }
        "#,
    );
    let known = "slack, zoom, meta, strava, challenge, nylas, msgraph, asana, notion, discord, sns, head, okta, \
        monday, event-grid, cloudevents, crc, woocommerce";
    assert_eq!(
        all,
        [
            "sources.a.verify: is there beside verifier: only one can be".to_owned(),
            "sources.b.event.document: \"header:X\" is not body:/POINTER".to_owned(),
            "sources.b.event.each: is missing: item: looks into the items of a list, so say where the list is"
                .to_owned(),
            format!("sources.b.handshake.kind: is one of {known}"),
            "sources.b.refused_status: is a number from 400 to 499".to_owned(),
            "sources.b.reply.status: is a number from 200 to 299".to_owned(),
            "sources.b.tolerance: goes with a verifier; in a recipe it is timestamp.past and timestamp.future"
                .to_owned(),
            "sources.b.topics: goes with verifier = \"aws-sns\"".to_owned(),
            "sources.b.verify.key: does not go with a public key, which is read in every form that providers give"
                .to_owned(),
        ]
    );
}

#[test]
fn documents_of_a_list_are_in_its_items() {
    let text = |document| {
        format!(
            "[sources.x]\npreset = \"resource\"\nsecrets = [\"env:X\"]\n\
             event = {{ each = \"body:/list\", document = {document:?} }}\n"
        )
    };
    assert!(config::parse(&text("item:/object")).is_ok());
    assert_eq!(
        problems(&text("body:/object")),
        [r#"sources.x.event.document: "body:/object" is not item:/POINTER"#]
    );
}
