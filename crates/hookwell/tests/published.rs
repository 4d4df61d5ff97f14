//! Examples that providers publish, each with its source, verify as they stand.
#![allow(clippy::unwrap_used, clippy::indexing_slicing)] // helpers of tests

use hookwell::config;
use hookwell::event::delivery::Delivery;
use hookwell::verify::verifier::Refusal;
use http::{HeaderMap, HeaderName, Method};

#[derive(Clone, Copy)]
struct Example<'a> {
    preset: &'a str,
    more: &'a str,
    secrets: &'a [&'a str],
    headers: &'a [(&'a str, &'a str)],
    query: &'a str,
    body: &'a [u8],
    /// Seconds since 1970.
    at: i64,
}

const NOTHING: Example<'_> = Example {
    preset: "",
    more: "",
    secrets: &[],
    headers: &[],
    query: "",
    body: b"",
    at: 0,
};

fn delivery(example: &Example<'_>) -> Delivery {
    let mut headers = HeaderMap::new();
    for (name, value) in example.headers {
        headers.append(
            HeaderName::from_bytes(name.as_bytes()).unwrap(),
            value.parse().unwrap(),
        );
    }
    Delivery {
        request_id: "request-1".into(),
        method: Method::POST,
        source: Some("x".into()),
        path: "/webhooks/x".into(),
        query: example.query.into(),
        headers,
        body: example.body.to_vec(),
        source_ip: None,
        trace: None,
    }
}

fn verify(example: &Example<'_>, delivery: &Delivery) -> Result<usize, Refusal> {
    let names: Vec<_> = (0..example.secrets.len())
        .map(|number| format!("env:{number}"))
        .collect();
    let text = format!(
        "[sources.x]\npreset = {:?}\nsecrets = {names:?}\nmin_secret_bytes = 1\n{}\n",
        example.preset, example.more
    );
    let source = config::parse(&text).unwrap().remove(0);
    let secret = |reference: &hookwell::keys::reference::SecretRef| {
        let number: usize = reference
            .to_string()
            .strip_prefix("env:")
            .unwrap()
            .parse()
            .unwrap();
        Ok(example.secrets[number].to_owned())
    };
    let keys = source.keys(secret).unwrap();
    source
        .verify(&keys, delivery, example.at * 1000)
        .map(|verified| verified.secret())
}

/// The example verifies, and no longer does with one more byte.
fn holds(example: &Example<'_>) {
    let mut delivery = delivery(example);
    assert_eq!(verify(example, &delivery), Ok(0), "{}", example.preset);
    delivery.body.push(b'x');
    assert!(verify(example, &delivery).is_err(), "{}", example.preset);
}

/// docs.github.com, "Validating webhook deliveries", "Testing the webhook payload validation".
#[test]
fn github() {
    holds(&Example {
        preset: "github",
        secrets: &["It's a Secret to Everybody"],
        headers: &[(
            "X-Hub-Signature-256",
            "sha256=757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17",
        )],
        body: b"Hello, World!",
        ..NOTHING
    });
}

/// docs.slack.dev, "Verifying requests from Slack", the walk-through.
#[test]
fn slack() {
    let body = concat!(
        "token=xyzz0WbapA4vBCDEFasx0q6G&team_id=T1DC2JH3J&team_domain=testteamnow&channel_id=G8PSS9T3V",
        "&channel_name=foobar&user_id=U2CERLKJA&user_name=roadrunner&command=%2Fwebhook-collect&text=",
        "&response_url=https%3A%2F%2Fhooks.slack.com%2Fcommands%2FT1DC2JH3J%2F397700885554",
        "%2F96rGlfmibIGlgcZRskXaIFfN&trigger_id=398738663015.47445629121.803a0bc887a14d10d2c447fce8b6703c",
    );
    holds(&Example {
        preset: "slack",
        secrets: &["8f742231b10e8888abcd99yyyzzz85a5"],
        headers: &[
            ("X-Slack-Request-Timestamp", "1531420618"),
            (
                "X-Slack-Signature",
                "v0=a2114d57b48eac39b9ad189dd8316235a7b4a8d21a10bd27519666489c69b503",
            ),
        ],
        body: body.as_bytes(),
        at: 1_531_420_618,
        ..NOTHING
    });
}

/// standard-webhooks/standard-webhooks, the "sign function works" test of its libraries.
#[test]
fn standard_webhooks() {
    holds(&Example {
        preset: "standard-webhooks",
        secrets: &["whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"],
        headers: &[
            ("webhook-id", "msg_p5jXN8AQM9LWM0D4loKWxJek"),
            ("webhook-timestamp", "1614265330"),
            (
                "webhook-signature",
                "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=",
            ),
        ],
        body: br#"{"test": 2432232314}"#,
        at: 1_614_265_330,
        ..NOTHING
    });
}

/// docs.svix.com, "Verifying webhooks manually", and the same test of the svix libraries: the message under its own
/// headers, its signature among others.
#[test]
fn svix() {
    holds(&Example {
        preset: "svix",
        secrets: &["whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"],
        headers: &[
            ("svix-id", "msg_p5jXN8AQM9LWM0D4loKWxJek"),
            ("svix-timestamp", "1614265330"),
            (
                "svix-signature",
                "v1,bm9ldHUjKzFob2VudXRob2VodWUzMjRvdWVvdW9ldQo= v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE= v2,x",
            ),
        ],
        body: br#"{"test": 2432232314}"#,
        at: 1_614_265_330,
        ..NOTHING
    });
}

/// twilio/twilio-node, `spec/validation.spec.js`: the correct signature, the ones with ports, an array, repeated
/// values and a body hash.
#[test]
fn twilio() {
    let url = "public_url = \"https://mycompany.com/myapp.php\"";
    let form = ("content-type", "application/x-www-form-urlencoded");
    let call: &[u8] =
        b"CallSid=CA1234567890ABCDE&Caller=%2B14158675309&Digits=1234&From=%2B14158675309&To=%2B18005551212";
    let address = "MessagingBinding.Address";
    let addresses = format!("{address}=%2B1415xxxxxxx&{address}=%2B1325xxxxxxx");
    for (signature, body) in [
        ("RSOYDt4T1cUTdK1PDd93/VVr8B8=", call),
        ("kvajT1Ptam85bY51eRf/AJRuM3w=", call),
        ("83O6e2vORAoJHUNzJjDWN1jz+BA=", addresses.as_bytes()),
        (
            "IK+Dwps556ElfBT0I3Rgjkr1wJU=",
            b"Sid=CA123&SidAccount=AC123&Digits=5678&Digits=1234&Digits=1234",
        ),
    ] {
        holds(&Example {
            preset: "twilio-form",
            more: url,
            secrets: &["12345"],
            headers: &[form, ("X-Twilio-Signature", signature)],
            query: "foo=1&bar=2",
            body,
            ..NOTHING
        });
    }
    holds(&Example {
        preset: "twilio-form",
        more: "public_url = \"https://mycompany.com:1234/myapp.php?foo=1&bar=2\"",
        secrets: &["12345"],
        headers: &[form, ("X-Twilio-Signature", "RSOYDt4T1cUTdK1PDd93/VVr8B8=")],
        body: call,
        ..NOTHING
    });
    holds(&Example {
        preset: "twilio-json",
        more: url,
        secrets: &["12345"],
        headers: &[("X-Twilio-Signature", "a9nBmqA0ju/hNViExpshrM61xv4=")],
        query: "foo=1&bar=2&bodySHA256=0a1ff7634d9ab3b95db5c9a2dfe9416e41502b283a80c7cf19632632f96e6620",
        body: br#"{"property": "value", "boolean": true}"#,
        ..NOTHING
    });
}

/// discourse/discourse, `spec/requests/webhooks_controller_spec.rb`, "verifies signatures": a request as `SendGrid`
/// sent it, with its trailing line end.
#[test]
fn sendgrid() {
    let body = concat!(
        r#"[{"email":"hello@world.com","event":"dropped","reason":"Bounced Address","#,
        r#""sg_event_id":"ZHJvcC0xMDk5NDkxOS1MUnpYbF9OSFN0T0doUTRrb2ZTbV9BLTA","#,
        r#""sg_message_id":"LRzXl_NHStOGhQ4kofSm_A.filterdrecv-p3mdw1-756b745b58-kmzbl-18-5F5FC76C-9.0","#,
        r#""smtp-id":"<LRzXl_NHStOGhQ4kofSm_A@ismtpd0039p1iad1.sendgrid.net>","timestamp":1600112492}]"#,
        "\r\n",
    );
    holds(&Example {
        preset: "sendgrid",
        secrets: &[concat!(
            "MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAE83T4O/n84iotIvIW4mdBgQ/7",
            "dAfSmpqIM8kF9mN1flpVKS3GRqe62gw+2fNNRaINXvVpiglSI8eNEc6wEA3F+g==",
        )],
        headers: &[
            ("X-Twilio-Email-Event-Webhook-Timestamp", "1600112502"),
            (
                "X-Twilio-Email-Event-Webhook-Signature",
                concat!(
                    "MEUCIGHQVtGj+Y3LkG9fLcxf3qfI10QysgDWmMOVmxG0u6ZUAiEA",
                    "yBiXDWzM+uOe5W0JuG+luQAbPIqHh89M15TluLtEZtM=",
                ),
            ),
        ],
        body: body.as_bytes(),
        at: 1_600_112_502,
        ..NOTHING
    });
}

/// circleci.com/docs/outbound-webhooks, "Validate webhooks", its four examples.
#[test]
fn circleci() {
    for (secret, body, signature) in [
        (
            "secret",
            "hello world",
            "734cc62f32841568f45715aeb9f4d7891324e6d948e4c6c60c0621cdac48623a",
        ),
        (
            "another-secret",
            "lalala",
            "daa220016c8f29a8b214fbfc3671aeec2145cfb1e6790184ffb38b6d0425fa00",
        ),
        (
            "hunter123",
            "an-important-request-payload",
            "9be2242094a9a8c00c64306f382a7f9d691de910b4a266f67bd314ef18ac49fa",
        ),
        (
            "secret",
            "foo",
            "773ba44693c7553d6ee20f61ea5d2757a9a4f4a44d2841ae4e95b52e4cd62db4",
        ),
    ] {
        holds(&Example {
            preset: "circleci",
            secrets: &[secret],
            headers: &[("circleci-signature", &format!("v1={signature},v2=unknown"))],
            body: body.as_bytes(),
            ..NOTHING
        });
    }
}

/// box/box-node-sdk, `docs/webhooks.md`, "Validate a Webhook Message", and box/box-python-sdk's test of it.
#[test]
fn box_com() {
    let body = concat!(
        r#"{"type":"webhook_event","webhook":{"id":"1234567890"},"trigger":"FILE.UPLOADED","#,
        r#""source":{"id":"1234567890","type":"file","name":"Test.txt"}}"#,
    );
    let example = Example {
        preset: "box",
        secrets: &["SamplePrimaryKey", "SampleSecondaryKey"],
        headers: &[
            ("box-signature-version", "1"),
            ("box-signature-algorithm", "HmacSHA256"),
            ("box-delivery-timestamp", "2020-01-01T00:00:00-07:00"),
            (
                "box-signature-primary",
                "6TfeAW3A1PASkgboxxA5yqHNKOwFyMWuEXny/FPD5hI=",
            ),
            (
                "box-signature-secondary",
                "v+1CD1Jdo3muIcbpv5lxxgPglOqMfsNHPV899xWYydo=",
            ),
        ],
        body: body.as_bytes(),
        at: 1_577_862_000,
        ..NOTHING
    };
    holds(&example);
    let keys = |secrets| Example { secrets, ..example };
    let sent = delivery(&example);
    assert_eq!(
        verify(&keys(&["WrongPrimaryKey", "SampleSecondaryKey"]), &sent),
        Ok(1)
    );
    assert!(verify(&keys(&["WrongPrimaryKey", "WrongSecondaryKey"]), &sent).is_err());
    for (name, odd) in [
        ("box-signature-version", "2"),
        ("box-signature-algorithm", "WrongAlgorithm"),
    ] {
        let mut sent = delivery(&example);
        sent.headers.insert(name, odd.parse().unwrap());
        assert!(verify(&example, &sent).is_err(), "{name}");
    }
}

/// Adyen/adyen-node-api-library and its siblings, the test of their HMAC validator.
#[test]
fn adyen() {
    let body = concat!(
        r#"{"live":"false","notificationItems":[{"NotificationRequestItem":{"#,
        r#""additionalData":{"hmacSignature":"coqCmt/IZ4E3CzPvMY8zTjQVL5hYJUiBRg8UU+iCWo0="},"#,
        r#""amount":{"value":1130,"currency":"EUR"},"eventCode":"AUTHORISATION","#,
        r#""merchantAccountCode":"TestMerchant","merchantReference":"TestPayment-1407325143704","#,
        r#""pspReference":"7914073381342284","success":"true"}}]}"#,
    );
    let example = Example {
        preset: "adyen",
        secrets: &["44782DEF547AAA06C910C43932B1EB0C71FC68D9D0C057550C48EC2ACF6BA056"],
        body: body.as_bytes(),
        ..NOTHING
    };
    holds(&example);
    let mut other = delivery(&example);
    other.body = body.replace("1130", "1131").into_bytes();
    assert_eq!(verify(&example, &other), Err(Refusal::WrongSignature));
}

/// developers.hubspot.com, "v1 request validation", "Example for a request with a body".
#[test]
fn hubspot() {
    let body = concat!(
        r#"[{"eventId":1,"subscriptionId":12345,"portalId":62515,"occurredAt":1564113600000,"#,
        r#""subscriptionType":"contact.creation","attemptNumber":0,"objectId":123,"changeSource":"CRM","#,
        r#""changeFlag":"NEW","appId":54321}]"#,
    );
    holds(&Example {
        preset: "hubspot-v1",
        secrets: &["yyyyyyyy-yyyy-yyyy-yyyy-yyyyyyyyyyyy"],
        headers: &[(
            "X-HubSpot-Signature",
            "232db2615f3d666fe21a8ec971ac7b5402d33b9a925784df3ca654d05f4817de",
        )],
        body: body.as_bytes(),
        ..NOTHING
    });
}

/// A request that Contentful's own `node-apps-toolkit` signed, from public code that tests against it.
#[test]
fn contentful() {
    let body = br#"{"sys":{"id":"5KsDBWseXY6QegucYAoacS","type":"Entry"},"fields":{"title":{"en-US":"Hello, World!"}}}"#;
    let secret = format!("{}{}", "a".repeat(32), "b".repeat(32));
    holds(&Example {
        preset: "contentful",
        more: "public_url = \"https://x.example/trigger/SW5zdGFuY2VGbG93Q29uZmlnOjE=\"",
        secrets: &[&secret],
        headers: &[
            (
                "Content-Type",
                "application/vnd.contentful.management.v1+json",
            ),
            ("X-Contentful-Topic", "ContentManagement.Entry.publish"),
            (
                "x-contentful-signature",
                "8dec81505760a10b542fbc36d3aa0a772b11f759eca7b2351daaf5bba8c7c6f1",
            ),
            (
                "x-contentful-signed-headers",
                "content-type,x-contentful-signed-headers,x-contentful-timestamp,x-contentful-topic",
            ),
            ("x-contentful-timestamp", "1767225600000"),
        ],
        body,
        at: 1_767_225_600,
        ..NOTHING
    });
}
