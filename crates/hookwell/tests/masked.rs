//! The recording of a refused request: no token, password or secret, and everything that a signature is compared with.
#![allow(clippy::unwrap_used, clippy::indexing_slicing)] // helpers of tests

mod deliveries;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use deliveries::{at, delivery, keys, samples, source};
use hookwell::config;
use hookwell::event::delivery::Delivery;
use hookwell::ingest::masked::{Masked, characters, masked};
use hookwell::keys::key_set::Keys;
use hookwell::keys::not_ready::{NotReady, SecretProblem};
use hookwell::keys::reference::SecretRef;
use hookwell::keys::secret::KeyEncoding;
use hookwell::source::Source;
use hookwell::verify::scheme::Scheme;
use hookwell_sandbox::test_keys;
use http::HeaderValue;
use serde_json::json;

fn reference(name: &str) -> SecretRef {
    SecretRef::Env(name.to_owned())
}

/// The text of a source's secret, without a prefix that is no part of it.
fn secret(source: &Source, name: &str) -> String {
    let text = test_keys::made_up(source, &reference(name));
    let prefixes = source.schemes.iter().flat_map(|scheme| {
        let decoding = scheme.key_decoding();
        decoding.strip.clone()
    });
    let found = prefixes
        .into_iter()
        .find_map(|prefix| text.strip_prefix(&prefix).map(str::to_owned));
    found.unwrap_or(text)
}

/// The keys of a source whose sender has another secret.
fn other_keys(source: &Source) -> Keys {
    let other = |one: &SecretRef| match one {
        SecretRef::Env(name) if name == "A" => reference("B"),
        one => one.clone(),
    };
    source
        .keys(|one| Ok(test_keys::made_up(source, &other(one))))
        .unwrap()
}

/// Everything that is recorded of a delivery, as one text.
fn recorded(delivery: &Delivery) -> String {
    let headers = delivery.headers.iter();
    let headers = headers
        .map(|(name, value)| format!("{name}: {}", String::from_utf8_lossy(value.as_bytes())));
    let headers: Vec<_> = headers.collect();
    format!(
        "{} {}\n{}\n{}",
        delivery.path,
        delivery.query,
        headers.join("\n"),
        String::from_utf8_lossy(&delivery.body)
    )
}

fn hides(masked: &Masked, secret: &str, what: &str) {
    let all = recorded(&masked.delivery);
    let form: String = form_urlencoded::byte_serialize(secret.as_bytes()).collect();
    for spelling in [secret, &form, &STANDARD.encode(secret)] {
        assert!(!all.contains(spelling), "{what}: {all}");
    }
}

fn is_public(source: &Source) -> bool {
    let mut schemes = source.schemes.iter();
    schemes.any(|it| matches!(it.key_decoding().encoding, KeyEncoding::Public(_)))
}

#[test]
fn no_recorded_delivery_of_any_preset_holds_a_token_or_the_secret() {
    let (mut count, mut shown) = (0, 0);
    for preset in config::presets() {
        let source = source(&preset);
        let own = keys(&source);
        let both = [("A", keys(&source)), ("B", other_keys(&source))];
        for sample in samples(&preset) {
            for (name, signing) in &both {
                let text = secret(&source, name);
                let sent = delivery(&source, signing, &sample);
                let is_shown = recorded(&sent).contains(&text)
                    || recorded(&sent).contains(&STANDARD.encode(&text));
                shown += usize::from(is_shown);
                let what = format!("{preset}, secret {name}");
                hides(&masked(&source, &Ok(own.clone()), &sent), &text, &what);
                count += 1;
            }
        }
    }
    // Those of gitlab-token, telegram, postmark and msgraph.
    assert!(count > 800 && shown > 40, "{count} {shown}");
}

#[test]
fn a_secret_in_the_wrong_place_is_masked_wherever_it_is() {
    for preset in config::presets() {
        let source = source(&preset);
        if is_public(&source) || !has_secret(&source) {
            continue;
        }
        let (keys, text) = (Ok(keys(&source)), secret(&source, "A"));
        let sample = &samples(&preset)[0];
        let mut sent = delivery(&source, keys.as_ref().unwrap(), sample);
        let form: String = form_urlencoded::byte_serialize(text.as_bytes()).collect();
        sent.path = format!("/{form}/webhooks/x");
        sent.query = format!("a=1&note={form}&hub.verify_token={form}&key={form}");
        for (name, value) in [
            ("x-note", format!("it is {text}.")),
            ("x-forwarded-authorization", text.clone()),
            ("cookie", format!("session={text}")),
            ("authorization", format!("Bearer {text}")),
            ("x-odd", format!("Basic {}", STANDARD.encode(&text))),
        ] {
            sent.headers.insert(name, value.parse().unwrap());
        }
        let body =
            json!({ "note": format!("{text} and {form}"), "list": [STANDARD.encode(&text)] });
        sent.body = body.to_string().into_bytes();
        let found = masked(&source, &keys, &sent);
        hides(&found, &text, &preset);
        for place in ["query", "path", "body", "header x-note", "header cookie"] {
            assert!(
                found.places.iter().any(|it| it == place),
                "{preset}: {place}"
            );
        }
        // Bytes that are no text.
        sent.body = [b"\xff", text.as_bytes(), b"\xfe", text.as_bytes()].concat();
        sent.headers
            .insert("x-note", HeaderValue::from_bytes(&sent.body).unwrap());
        hides(&masked(&source, &keys, &sent), &text, &preset);
    }
}

fn has_secret(source: &Source) -> bool {
    let is_special_without =
        |scheme: &Scheme| matches!(scheme, Scheme::Special(special) if !special.kind.has_secret());
    !source.is_unsigned() && !source.schemes.iter().any(is_special_without)
}

#[test]
fn what_a_signature_is_compared_with_stays_as_it_was() {
    let mut count = 0;
    for preset in config::presets() {
        let source = source(&preset);
        if source.schemes.iter().any(Scheme::is_bearer) {
            continue;
        }
        let keys = Ok(keys(&source));
        for sample in samples(&preset) {
            let sent = delivery(&source, keys.as_ref().unwrap(), &sample);
            let found = masked(&source, &keys, &sent).delivery;
            let verified = source.verify(keys.as_ref().unwrap(), &found, at(&sample));
            assert!(verified.is_ok(), "{preset}: {verified:?} {sample}");
            count += 1;
        }
    }
    assert!(count > 350, "{count}");
}

#[test]
fn a_mask_says_how_long_a_token_was_and_keeps_the_word_before_it() {
    let source = source("postmark");
    let keys = Ok(keys(&source));
    let mut sent = delivery(&source, keys.as_ref().unwrap(), &samples("postmark")[0]);
    for (sent_value, expected, length) in [
        ("Basic dXNlcjpwYXNz", "Basic masked: 12 characters", 12),
        ("bearer short", "bearer masked: 5 characters", 5),
        ("wörd", "masked: 4 characters", 4),
    ] {
        let value = HeaderValue::from_bytes(sent_value.as_bytes()).unwrap();
        sent.headers.insert("authorization", value);
        let found = masked(&source, &keys, &sent).delivery;
        assert_eq!(found.header("authorization").as_deref(), Some(expected));
        assert_eq!(characters(expected), Some(length));
    }
    assert_eq!(characters("masked: characters"), None);
    sent.query = "token=with%20newline%0A&b=%41&access_token".to_owned();
    let found = masked(&source, &keys, &sent).delivery;
    assert_eq!(
        found.query,
        "token=masked%3A+13+characters&b=%41&access_token=masked%3A+0+characters"
    );
    assert_eq!(
        found.query_value("token").as_deref(),
        Some("masked: 13 characters")
    );
}

#[test]
fn a_body_that_cannot_be_looked_into_is_left_out() {
    let away = || {
        Err(NotReady {
            reference: reference("A"),
            problem: SecretProblem::NotSet,
            was_ready: false,
        })
    };
    let (graph, shop) = (source("msgraph"), source("generic"));
    let body_of = |source: &Source, keys, headers: &[(&'static str, &str)], body: &str| {
        let preset = source.preset.as_deref().unwrap();
        let mut sent = delivery(source, &self::keys(source), &samples(preset)[0]);
        for (name, value) in headers {
            sent.headers.insert(*name, value.parse().unwrap());
        }
        sent.body = body.as_bytes().to_vec();
        let found = masked(source, &keys, &sent);
        let is_left_out = found.places.iter().any(|it| it == "whole body");
        (String::from_utf8(found.delivery.body).unwrap(), is_left_out)
    };
    let left_out = (String::new(), true);
    let odd = r#"{"value":[{"clientState":"#;
    assert_eq!(body_of(&graph, Ok(keys(&graph)), &[], odd), left_out);
    let gzip = [("content-encoding", "gzip")];
    assert_eq!(body_of(&shop, Ok(keys(&shop)), &gzip, "{}"), left_out);
    assert_eq!(body_of(&shop, away(), &[], "{}"), left_out);
    let odd_word = [("content-encoding", "utf-8")];
    let kept = ("{}".to_owned(), false);
    assert_eq!(body_of(&shop, Ok(keys(&shop)), &odd_word, "{}"), kept);
    let nested =
        r#"{"lifecycle":{"clientState":"somebody's wrong one"},"value":[{"clientState":17}]}"#;
    let (body, is_left_out) = body_of(&graph, Ok(keys(&graph)), &[], nested);
    assert!(!is_left_out);
    assert_eq!(
        body,
        r#"{"lifecycle":{"clientState":"masked: 20 characters"},"value":[{"clientState":"masked: 2 characters"}]}"#
    );
    let notion = source("notion");
    let told = r#"{"verification_token":"secret_of_somebody","more":1}"#;
    let (body, _) = body_of(&notion, Ok(keys(&notion)), &[], told);
    assert!(!body.contains("secret_of_somebody"), "{body}");
}

#[test]
fn what_is_signed_stays_whatever_its_name_is() {
    let text = "[sources.x]\nsecrets = [\"env:A\"]\n[sources.x.verify]\nalg = \"hmac-sha256\"\n\
                content = \"{header:X-Token-Id}\\n{query:key}\\n{body}\"\nsignature = { header = [\"Authorization\"] }\n\
                [sources.x.event]\nid = \"body:/id\"\ntype = \"body:/type\"\n";
    let source = config::parse(text).unwrap().remove(0);
    let keys = Ok(keys(&source));
    let sample = json!({ "body": { "id": 1, "type": "a" }, "headers": { "X-Token-Id": "17" }, "query": "key=v1&token=t" });
    let mut sent = delivery(&source, keys.as_ref().unwrap(), &sample);
    let found = masked(&source, &keys, &sent);
    assert_eq!(found.places, ["query"]);
    assert_eq!(found.delivery.query, "key=v1&token=masked%3A+1+characters");
    let verified = source.verify(keys.as_ref().unwrap(), &found.delivery, at(&sample));
    assert!(verified.is_ok(), "{verified:?}");
    // A password is no signature.
    let basic = HeaderValue::from_static("Basic dXNlcjpwYXNz");
    sent.headers.insert("authorization", basic);
    let found = masked(&source, &keys, &sent).delivery;
    let shown = found.header("authorization");
    assert_eq!(shown.as_deref(), Some("Basic masked: 12 characters"));
}
