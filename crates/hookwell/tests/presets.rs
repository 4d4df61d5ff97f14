//! Every preset signs and verifies what it should, and refuses everything else.
#![allow(clippy::unwrap_used, clippy::indexing_slicing)] // helpers of tests

use hookwell::config;
use hookwell::event::delivery::Delivery;
use hookwell::event::{Event, Operation};
use hookwell::format::time::Millis;
use hookwell::keys::key_set::Keys;
use hookwell::keys::reference::SecretRef;
use hookwell::source::Source;
use hookwell::verify::algorithm::Algorithm;
use hookwell::verify::providers::SpecialKind;
use hookwell::verify::recipe::{Part, TimestampPlace};
use hookwell::verify::scheme::Scheme;
use hookwell::verify::verifier::{Refusal, Tolerance};
use hookwell_sandbox::sender::{Draft, Signed, signed_with};
use hookwell_sandbox::test_keys;
use http::{HeaderMap, HeaderName, Method};

const NOW: Millis = 1_800_000_000_000;

const NAMES: &str = "standard-webhooks, standard-webhooks-v1a, svix, clerk, resend, openai, anthropic, \
    supabase-auth-hook, gitlab-signing-token, replicate, polar, github, github-sha1, bitbucket, meta, intercom, \
    typeform, shopify, woocommerce, lemonsqueezy, dropbox, asana, xero, quickbooks, vercel, sentry, pagerduty, \
    circleci, docusign, coinbase-commerce, razorpay, notion, airtable, adyen-platform, line, gocardless, pusher, \
    stripe, paddle, workos, calendly, sanity, mux, elevenlabs, retell, mercadopago, slack, zoom, zendesk, box, \
    hubspot-v1, hubspot-v2, hubspot-v3, webflow, customerio, cloudinary, linear, square, trello, discord, sendgrid, \
    gitlab-token, telegram, postmark, stonal, resource, plain, generic, twilio-form, twilio-json, \
    twilio-sharedkey-sha256, contentful, aws-sns, paypal, plaid, adyen, mailgun, msgraph";

fn source(preset: &str, secrets: &[&str]) -> Source {
    let pinned = match preset {
        "aws-sns" | "paypal" | "plaid" => r#"["env:PINNED"]"#,
        _ => "[]",
    };
    let topics = match preset {
        "aws-sns" => "topics = [\"arn:aws:sns:us-west-2:123456789012:MyTopic\"]\n",
        _ => "",
    };
    let text = format!(
        "[sources.x]\npreset = {preset:?}\nsecrets = {secrets:?}\npinned = {pinned}\n{topics}\
         public_url = \"https://hooks.example.com/webhooks/x\"\nallow_ips = [\"0.0.0.0/0\", \"::/0\"]\n"
    );
    let mut sources =
        config::parse(&text).unwrap_or_else(|problems| panic!("{preset}: {problems:?}"));
    sources.remove(0)
}

/// The keys of a source, each secret made up from its own name.
fn keys(source: &Source) -> Keys {
    source
        .keys(|reference| Ok(test_keys::made_up(source, reference)))
        .unwrap()
}

/// A sample that the source's sender signed with the secret of that name.
fn sample(preset: &str, secret: &str) -> Delivery {
    let source = source(preset, &[secret]);
    let draft = Draft::sample(&source, Operation::Create, NOW).unwrap();
    delivery(&signed_with(&source, &keys(&source), draft, NOW).unwrap())
}

fn delivery(request: &Signed) -> Delivery {
    let mut headers = HeaderMap::new();
    for (name, value) in &request.headers {
        headers.append(
            HeaderName::from_bytes(name.as_bytes()).unwrap(),
            value.parse().unwrap(),
        );
    }
    Delivery {
        request_id: "request-1".into(),
        method: Method::POST,
        source: Some("x".into()),
        path: request.path(),
        query: request.query.clone(),
        headers,
        body: request.body.clone(),
        source_ip: None,
        trace: None,
    }
}

fn verify(source: &Source, delivery: &Delivery, now: Millis) -> Result<usize, Refusal> {
    source
        .verify(&keys(source), delivery, now)
        .map(|verified| verified.secret())
}

fn signed_presets() -> impl Iterator<Item = &'static str> {
    let unsigned = ["stonal", "plain"];
    NAMES
        .split(", ")
        .filter(move |name| !unsigned.contains(name))
}

/// Part of a request that a scheme signs beside headers.
#[derive(PartialEq)]
enum Covers {
    Body,
    /// Some of the body; the rest is only as good as the address is secret.
    Fields,
    Nothing,
}

fn covers(preset: &str) -> Covers {
    match preset {
        "adyen" | "mailgun" | "msgraph" => Covers::Fields,
        "gitlab-token" | "telegram" | "postmark" | "mercadopago" => Covers::Nothing,
        _ => Covers::Body,
    }
}

/// The headers that carry the proof.
fn proof(source: &Source) -> Vec<String> {
    match &source.schemes[0] {
        Scheme::Recipe(recipe) => {
            let mut names = vec![recipe.signature.as_ref().unwrap().headers[0].clone()];
            if let Some(TimestampPlace::Header(times)) = recipe.timestamp.as_ref().map(|t| &t.place)
            {
                names.push(times[0].clone());
            }
            names.extend(recipe.require.iter().map(|(name, _)| name.clone()));
            names.extend(recipe.content.iter().filter_map(|part| match part {
                Part::Header(names) => Some(names[0].clone()),
                _ => None,
            }));
            names
        }
        Scheme::Special(special) => {
            let names: &[&str] = match special.kind {
                SpecialKind::TwilioForm | SpecialKind::TwilioJson => &["x-twilio-signature"],
                SpecialKind::TwilioSharedKey => {
                    &["x-twilio-signature", "x-twilio-webhooks-signature-settings"]
                }
                SpecialKind::Contentful => &[
                    "x-contentful-signature",
                    "x-contentful-timestamp",
                    "x-contentful-signed-headers",
                ],
                SpecialKind::PayPal => &[
                    "paypal-transmission-sig",
                    "paypal-transmission-id",
                    "paypal-transmission-time",
                    "paypal-cert-url",
                    "paypal-auth-algo",
                ],
                SpecialKind::Plaid => &["plaid-verification"],
                SpecialKind::AwsSns
                | SpecialKind::Adyen
                | SpecialKind::Mailgun
                | SpecialKind::MsGraph => &[],
            };
            names.iter().map(ToString::to_string).collect()
        }
    }
}

fn tolerance(source: &Source) -> Option<Tolerance> {
    match &source.schemes[0] {
        Scheme::Recipe(recipe) => recipe.timestamp.as_ref().map(|t| t.tolerance),
        Scheme::Special(special) => matches!(
            special.kind,
            SpecialKind::Contentful | SpecialKind::Plaid | SpecialKind::Mailgun
        )
        .then_some(special.tolerance),
    }
}

#[test]
fn every_name_is_there_and_no_other() {
    let mut names: Vec<_> = NAMES.split(", ").collect();
    names.sort_unstable();
    assert_eq!(config::presets(), names);
    assert!(names.len() >= 78);
}

#[test]
fn a_sample_of_every_preset_verifies_and_is_an_event() {
    for preset in NAMES.split(", ") {
        let source = source(preset, &["env:A"]);
        let delivery = sample(preset, "env:A");
        let keys = keys(&source);
        let verified = source.verify(&keys, &delivery, NOW);
        let verified = verified.unwrap_or_else(|why| panic!("{preset}: {why}"));
        let events = verified
            .events(NOW)
            .unwrap_or_else(|why| panic!("{preset}: {why}"));
        assert_eq!(events.len(), 1, "{preset}");
        let event = &events[0];
        let makes = |operation| {
            let mut all = source.mapping.all_parts();
            all.any(|parts| parts.operations.iter().any(|(_, one)| *one == operation))
        };
        let parts = source.mapping.parts_of(&event.kind);
        if makes(Operation::Create) {
            assert_eq!(
                event.operation,
                Operation::Create,
                "{preset}: {}",
                event.kind
            );
        }
        if parts.id.is_some() {
            assert!(!event.id.starts_with("request-"), "{preset} has an id");
        }
        if parts.document_id.is_some() {
            assert!(event.document_id.is_some(), "{preset}");
        }
        if parts.document_id.is_some() && !parts.document.is_empty() {
            assert!(
                event.document().is_some(),
                "{preset}: {:?}",
                event.document_at
            );
        }
        let message = event.to_message();
        assert_eq!(
            Event::from_message(&message).as_ref(),
            Ok(event),
            "{preset}"
        );
    }
}

#[test]
fn one_changed_byte_of_the_body_is_refused() {
    for preset in signed_presets().filter(|preset| covers(preset) == Covers::Body) {
        let source = source(preset, &["env:A"]);
        let good = sample(preset, "env:A");
        let step = match preset {
            "github" | "stripe" | "discord" => 1,
            "aws-sns" => 5,
            _ => 7,
        };
        for position in (0..good.body.len()).step_by(step) {
            let mut bad = good.clone();
            bad.body[position] ^= 1;
            let same_fields = preset == "aws-sns" && !sns_signs(&good.body, &bad.body);
            assert!(
                same_fields || verify(&source, &bad, NOW).is_err(),
                "{preset} takes a change at {position}"
            );
        }
        let mut longer = good.clone();
        longer.body.push(b' ');
        let is_covered = preset != "aws-sns";
        assert_eq!(
            verify(&source, &longer, NOW).is_err(),
            is_covered,
            "{preset}"
        );
    }
}

/// True when two notifications differ in a field that SNS signs.
fn sns_signs(a: &[u8], b: &[u8]) -> bool {
    let read = |body| serde_json::from_slice::<serde_json::Value>(body).ok();
    let (Some(a), Some(b)) = (read(a), read(b)) else {
        return true;
    };
    [
        "Message",
        "MessageId",
        "Subject",
        "Timestamp",
        "TopicArn",
        "Type",
        "Signature",
    ]
    .iter()
    .any(|name| a.get(name) != b.get(name))
}

#[test]
fn a_changed_field_is_refused_where_only_fields_are_signed() {
    let cases = [
        ("adyen", "pspReference"),
        ("adyen", "eventCode"),
        ("adyen", "hmacSignature"),
        ("mailgun", "timestamp"),
        ("mailgun", "token"),
        ("mailgun", "signature"),
        ("msgraph", "clientState"),
        ("aws-sns", "Signature"),
        ("aws-sns", "SignatureVersion"),
    ];
    for (preset, field) in cases {
        let source = source(preset, &["env:A"]);
        let good = sample(preset, "env:A");
        let text = String::from_utf8(good.body.clone()).unwrap();
        let at = text.rfind(&format!("\"{field}\":\"")).unwrap() + field.len() + 4;
        let length = text[at..].find('"').unwrap();
        for kept in 0..length {
            let mut short = good.clone();
            short.body.drain(at + kept..at + length);
            assert!(
                verify(&source, &short, NOW).is_err(),
                "{preset} takes {kept} characters of {field}"
            );
        }
        let mut changed = good.clone();
        changed.body[at] ^= 1;
        assert!(
            verify(&source, &changed, NOW).is_err(),
            "{preset} {field} changed"
        );
        let mut missing = good.clone();
        let name = format!("\"{field}\":");
        missing.body = text.replace(&name, "\"other\":").into_bytes();
        assert!(
            verify(&source, &missing, NOW).is_err(),
            "{preset} {field} missing"
        );
        let mut empty = good.clone();
        empty.body = b"{}".to_vec();
        assert!(
            verify(&source, &empty, NOW).is_err(),
            "{preset} without anything"
        );
    }
}

#[test]
fn an_unsigned_item_cannot_ride_along() {
    for (preset, list) in [("adyen", "notificationItems"), ("msgraph", "value")] {
        let source = source(preset, &["env:A"]);
        let mut delivery = sample(preset, "env:A");
        let mut body: serde_json::Value = serde_json::from_slice(&delivery.body).unwrap();
        let extra = serde_json::json!({ "NotificationRequestItem": { "pspReference": "forged" } });
        body[list].as_array_mut().unwrap().push(extra);
        delivery.body = body.to_string().into_bytes();
        assert!(verify(&source, &delivery, NOW).is_err(), "{preset}");
        delivery.body = format!("{{\"{list}\":[]}}").into_bytes();
        assert!(
            verify(&source, &delivery, NOW).is_err(),
            "{preset} with nothing"
        );
    }
}

#[test]
fn another_secret_is_refused() {
    for preset in signed_presets() {
        let source = source(preset, &["env:A"]);
        let delivery = sample(preset, "env:A");
        let wrong = source.keys(|reference| Ok(another_key(&source, reference)));
        let verified = source.verify(&wrong.unwrap(), &delivery, NOW);
        assert!(verified.is_err(), "{preset}");
    }
}

/// Key that a source takes under this reference, and with which its sender did not sign.
fn another_key(source: &Source, reference: &SecretRef) -> String {
    let is_pinned = source.pinned.contains(reference);
    match source.preset.as_deref().unwrap() {
        "discord" | "standard-webhooks-v1a" => hex::encode([7_u8; 32]),
        "sendgrid" => hex::encode(another_point()),
        "plaid" if is_pinned => {
            use base64::Engine as _;
            let url_safe = base64::engine::general_purpose::URL_SAFE_NO_PAD;
            let point = another_point();
            let [x, y] = [&point[1..33], &point[33..]].map(|half| url_safe.encode(half));
            format!(r#"{{"keys":[{{"kid":"sample","crv":"P-256","x":"{x}","y":"{y}"}}]}}"#)
        }
        "aws-sns" | "paypal" if is_pinned => include_str!("keys/other-certificate.pem").to_owned(),
        _ => test_keys::made_up(source, &SecretRef::parse("env:OTHER").unwrap()),
    }
}

/// The generator of P-256 (SEC 2): a public key like any other.
fn another_point() -> Vec<u8> {
    hex::decode(concat!(
        "046b17d1f2e12c4247f8bce6e563a440f277037d812deb33a0f4a13945d898c296",
        "4fe342e2fe1a7f9b8ee7eb4a7c0f9e162bce33576b315ececbb6406837bf51f5"
    ))
    .unwrap()
}

#[test]
fn a_missing_or_truncated_or_garbled_proof_is_refused() {
    for preset in signed_presets() {
        let source = source(preset, &["env:A"]);
        let good = sample(preset, "env:A");
        for name in proof(&source) {
            let mut missing = good.clone();
            assert!(
                missing.headers.remove(name.as_str()).is_some(),
                "{preset} {name}"
            );
            assert!(
                verify(&source, &missing, NOW).is_err(),
                "{preset} without {name}"
            );
            let value = good.header(&name).unwrap();
            // The host of a certificate is checked, the rest of its address only says which one it is.
            if name == "paypal-cert-url" {
                continue;
            }
            for length in 0..value.len() {
                let mut short = good.clone();
                short.headers.insert(
                    HeaderName::from_bytes(name.as_bytes()).unwrap(),
                    value[..length].parse().unwrap(),
                );
                assert!(
                    verify(&source, &short, NOW).is_err(),
                    "{preset} takes {length} characters of {name}"
                );
            }
            let both = format!("{value},{value}x");
            for garbled in [format!("{value}A"), format!("x{value}"), both.clone()] {
                // They are a list, in which the algorithm is the last and the one that counts.
                let is_settings = name == "x-twilio-webhooks-signature-settings";
                if is_settings && !garbled.ends_with("SHA256A") {
                    continue;
                }
                // Where there may be several signatures, a bad one beside a good one does no harm.
                if garbled == both && name == proof(&source)[0] && is_list(&source) {
                    continue;
                }
                let mut bad = good.clone();
                bad.headers.insert(
                    HeaderName::from_bytes(name.as_bytes()).unwrap(),
                    garbled.parse().unwrap(),
                );
                assert!(
                    verify(&source, &bad, NOW).is_err(),
                    "{preset} takes {name}: {garbled}"
                );
            }
        }
    }
}

/// True when one header may hold several signatures.
fn is_list(source: &Source) -> bool {
    matches!(&source.schemes[0], Scheme::Recipe(recipe)
        if recipe.signature.as_ref().is_some_and(|field| field.separator.is_some()))
        || matches!(&source.schemes[0], Scheme::Special(special) if special.kind == SpecialKind::TwilioSharedKey)
}

#[test]
fn what_mercadopago_signs_beside_headers_cannot_be_changed() {
    let source = source("mercadopago", &["env:A"]);
    let good = sample("mercadopago", "env:A");
    assert!(good.query.starts_with("data.id="), "{}", good.query);
    for query in [
        format!("{}x", good.query),
        "data.id=1".to_owned(),
        "data.id=".to_owned(),
        String::new(),
    ] {
        let bad = Delivery {
            query,
            ..good.clone()
        };
        assert!(verify(&source, &bad, NOW).is_err(), "{}", bad.query);
    }
}

#[test]
fn an_empty_or_blank_pin_makes_the_source_unready() {
    for preset in ["aws-sns", "paypal", "plaid"] {
        let source = source(preset, &["env:A"]);
        for text in [
            "",
            " ",
            "\n",
            "{}",
            r#"{"keys":[]}"#,
            "-----BEGIN CERTIFICATE-----",
        ] {
            let blank = |reference: &SecretRef| {
                Ok(if source.pinned.contains(reference) {
                    text.to_owned()
                } else {
                    test_keys::made_up(&source, reference)
                })
            };
            assert!(source.keys(blank).is_err(), "{preset} takes {text:?}");
        }
    }
}

#[test]
fn a_key_of_plaid_that_has_expired_is_refused() {
    let source = source("plaid", &[]);
    let delivery = sample("plaid", "env:A");
    let at = NOW / 1000;
    for (expired_at, is_good) in [(None, true), (Some(at + 1), true), (Some(at), false)] {
        let keys = source.keys(|reference| {
            let text = test_keys::made_up(&source, reference);
            let mut keys: serde_json::Value = serde_json::from_str(&text).unwrap();
            keys["keys"][0]["expired_at"] = expired_at.into();
            Ok(keys.to_string())
        });
        let verified = source.verify(&keys.unwrap(), &delivery, NOW);
        assert_eq!(verified.is_ok(), is_good, "{expired_at:?}");
    }
}

#[test]
fn an_empty_or_blank_secret_makes_the_source_unready() {
    for preset in signed_presets() {
        let source = source(preset, &["env:A"]);
        for text in ["", " ", "\n", "whsec_", "v1,whsec_", "whpk_"] {
            let blank = |reference: &SecretRef| {
                Ok(if source.pinned.contains(reference) {
                    test_keys::made_up(&source, reference)
                } else {
                    text.to_owned()
                })
            };
            // The last three are too short where they are the text of a key.
            assert!(source.keys(blank).is_err(), "{preset} takes {text:?}");
        }
    }
}

#[test]
fn stale_and_future_times_are_refused() {
    let mut timed = 0;
    for preset in signed_presets() {
        let source = source(preset, &["env:A"]);
        let Some(Tolerance { past, future }) = tolerance(&source) else {
            continue;
        };
        timed += 1;
        let delivery = sample(preset, "env:A");
        let after = |seconds: i64| verify(&source, &delivery, NOW + seconds * 1000);
        assert!(after(i64::from(past)).is_ok(), "{preset}");
        assert!(after(-i64::from(future)).is_ok(), "{preset}");
        let (stale, ahead) = (after(i64::from(past) + 1), after(-i64::from(future) - 1));
        if preset == "mercadopago" {
            assert!(stale.is_err() && ahead.is_err());
            continue;
        }
        assert!(
            matches!(stale, Err(Refusal::TooOld { .. })),
            "{preset}: {stale:?}"
        );
        assert!(
            matches!(ahead, Err(Refusal::TooNew { .. })),
            "{preset}: {ahead:?}"
        );
    }
    assert!(timed >= 30, "{timed} presets sign a time");
}

#[test]
fn the_second_of_two_secrets_is_as_good_as_the_first() {
    for preset in signed_presets() {
        let mut both = source(preset, &["env:A", "env:B"]);
        let first_pin = SecretRef::parse("env:FIRST").unwrap();
        if !both.pinned.is_empty() {
            both.pinned.insert(0, first_pin.clone());
        }
        // Public keys are the same under every name.
        let is_public = test_keys::pair(&both).is_some();
        let keys = both.keys(|reference| {
            let is_first = [&both.secrets[0], &first_pin].contains(&reference);
            Ok(if is_public && is_first {
                another_key(&both, reference).replace("sample", "other")
            } else {
                test_keys::made_up(&both, reference)
            })
        });
        let delivery = sample(preset, "env:B");
        let verified = both.verify(&keys.unwrap(), &delivery, NOW);
        let found = verified.map(|verified| verified.secret());
        match preset {
            // Its first header is only for the first key.
            "box" => assert_eq!(found, Err(Refusal::WrongSignature)),
            _ => assert_eq!(found, Ok(1), "{preset}"),
        }
    }
}

#[test]
fn the_second_key_of_box_goes_with_its_second_header() {
    let both = source("box", &["env:A", "env:B"]);
    let mut delivery = sample("box", "env:B");
    let signature = delivery.headers.remove("box-signature-primary").unwrap();
    delivery
        .headers
        .insert("box-signature-secondary", signature);
    assert_eq!(verify(&both, &delivery, NOW), Ok(1));
    assert!(verify(&source("box", &["env:B"]), &delivery, NOW).is_err());
}

#[test]
fn a_foreign_certificate_is_refused_before_anything_else() {
    let source = source("paypal", &["env:A"]);
    let good = sample("paypal", "env:A");
    for url in [
        "https://api.paypal.com.evil.example/v1/notifications/certs/CERT-1",
        "https://evil.example/api.paypal.com/",
        "https://api.paypal.com@evil.example/",
        "http://api.paypal.com/v1/notifications/certs/CERT-1",
        "https://api.paypal.com/v1/notifications/certs/",
        "https://api.paypal.com/v1/notifications/certs/../../other",
        "https://api.paypal.com/v1/notifications/certs/CERT-1?x=1",
        "https://api.paypal.com/v2/anything",
        "https://notapi.paypal.com/",
    ] {
        let mut bad = good.clone();
        bad.headers.insert("paypal-cert-url", url.parse().unwrap());
        assert_eq!(
            verify(&source, &bad, NOW),
            Err(Refusal::ForeignCertificate),
            "{url}"
        );
    }
}

#[test]
fn without_a_key_the_source_is_not_ready_rather_than_the_sender_wrong() {
    let not_fetched = |url: &str| Refusal::NotFetched(url.to_owned());
    for (preset, expected) in [
        (
            "aws-sns",
            not_fetched("https://sns.us-east-1.amazonaws.com/SimpleNotificationService-0.pem"),
        ),
        (
            "paypal",
            not_fetched("https://api.paypal.com/v1/notifications/certs/CERT-sample"),
        ),
        ("plaid", Refusal::NotPinned),
    ] {
        let mut source = source(preset, &["env:A"]);
        let delivery = sample(preset, "env:A");
        source.pinned.clear();
        assert_eq!(verify(&source, &delivery, NOW), Err(expected), "{preset}");
    }
}

#[test]
fn an_sns_source_that_names_its_topics_takes_no_other() {
    let mut source = source("aws-sns", &[]);
    let delivery = sample("aws-sns", "env:A");
    let Scheme::Special(special) = &mut source.schemes[0] else {
        panic!("SNS is code");
    };
    special.topics = vec!["arn:aws:sns:eu-west-1:111122223333:orders".into()];
    assert_eq!(verify(&source, &delivery, NOW), Err(Refusal::ForeignTopic));
}

#[test]
fn schemes_without_a_signature_are_named() {
    let unsigned: Vec<_> = NAMES
        .split(", ")
        .filter(|preset| {
            let source = source(preset, &["env:A"]);
            source.schemes.iter().any(
                |scheme| matches!(scheme, Scheme::Recipe(recipe) if recipe.algorithm == Algorithm::Unsigned),
            )
        })
        .collect();
    assert_eq!(unsigned, ["stonal", "plain"]);
}

/// The message of the SNS documents, signed by `openssl dgst -sha1 -sign` with the local test key.
#[test]
fn an_sns_message_of_version_1_verifies_by_sha1() {
    let source = source("aws-sns", &["env:A"]);
    let mut delivery = sample("aws-sns", "env:A");
    let signature = concat!(
        "agAPTUKMMzz9sfZsJJgl3Pq6wUiwImM5gPEfvR1TadIT40d5Xmf2FkRe4Uiwj1ZPbvHT/ZdjLne8BbwO/DcRRu",
        "bCW8qkRw5kDhCdxzvph9P4LD9dEwxCDqHeo9R2ZyyIlFccGdIHKNGPNtB9hlh8Egy6Uiy961/XNTVPsvCIqZsE",
        "w5X7QrxdVtwCX+yATmGlAyd/i6OYg9hBCdUQOkc7RbBb5y73T3j6sRpRgILyobfgZvUH/dwGVSA96mEIpxY2/T",
        "lzdn+vBPZpL/aYcw8t8WAz+wCfSEhSrgpP3mGl4e37fpPL9w8Ii4Qc5BZXbPNMFnndooAZf/lucibjOGx3/g==",
    );
    let body = serde_json::json!({
        "Type": "Notification",
        "MessageId": "22b80b92-fdea-4c2c-8f9d-bdfb0c7bf324",
        "TopicArn": "arn:aws:sns:us-west-2:123456789012:MyTopic",
        "Subject": "My First Message",
        "Message": "Hello world!",
        "Timestamp": "2012-05-02T00:54:06.655Z",
        "SignatureVersion": "1",
        "Signature": signature,
        "SigningCertURL": "https://sns.us-west-2.amazonaws.com/SimpleNotificationService-f3ecfb7224c7233fe7bb5f59f96de52f.pem",
        "UnsubscribeURL": "https://sns.us-west-2.amazonaws.com/?Action=Unsubscribe",
    });
    delivery.body = body.to_string().into_bytes();
    assert_eq!(verify(&source, &delivery, NOW), Ok(0));
    for (field, other) in [
        ("SignatureVersion", "2"),
        (
            "SigningCertURL",
            "https://sns.us-west-2.amazonaws.com.evil.example/x.pem",
        ),
        ("Message", "Hello world?"),
        ("Subject", "Another"),
        ("Type", "SubscriptionConfirmation"),
    ] {
        let mut body = body.clone();
        body[field] = other.into();
        delivery.body = body.to_string().into_bytes();
        assert!(verify(&source, &delivery, NOW).is_err(), "{field}");
    }
}
