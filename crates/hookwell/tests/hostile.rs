//! Attacks of a stranger on what others signed, or without any signature: other fields of the same bytes, ids of a
//! wrong kind, old deliveries, large checks.
#![allow(clippy::unwrap_used, clippy::indexing_slicing)] // helpers of tests

use std::ops::ControlFlow::{Break, Continue};

use hookwell::config;
use hookwell::event::delivery::Delivery;
use hookwell::format::time::Millis;
use hookwell::ingest::key_cache::Sources;
use hookwell::ingest::{Received, admit, read};
use hookwell::keys::key_set::Keys;
use hookwell::keys::not_ready::SecretProblem;
use hookwell::source::Source;
use hookwell::source::reply::Receipt;
use hookwell::verify::verifier::Refusal;
use hookwell_sandbox::sender::{Draft, signed_with};
use hookwell_sandbox::test_keys;
use http::{HeaderMap, HeaderName, Method};
use serde_json::{Value, json};

const NOW: Millis = 1_795_696_000_000;
const TOPIC: &str = "arn:aws:sns:us-west-2:123456789012:MyTopic";

fn source(text: &str) -> (Source, Keys) {
    let source = config::parse(text).unwrap().remove(0);
    let keys = source
        .keys(|reference| Ok(test_keys::made_up(&source, reference)))
        .unwrap();
    (source, keys)
}

/// A delivery with this body.
fn unsigned(body: &Value) -> Delivery {
    Delivery {
        request_id: "request-1".into(),
        method: Method::POST,
        source: Some("x".into()),
        path: "/webhooks/x".into(),
        query: String::new(),
        headers: HeaderMap::new(),
        body: body.to_string().into_bytes(),
        source_ip: None,
        trace: None,
    }
}

/// The body that a sender made of this one by signing it.
fn signed(source: &Source, keys: &Keys, body: &Value) -> Value {
    let draft = Draft::of(&unsigned(body));
    let signed = signed_with(source, keys, draft, NOW).unwrap();
    serde_json::from_slice(&signed.body).unwrap()
}

fn verify(source: &Source, keys: &Keys, body: &Value) -> Result<usize, Refusal> {
    let delivery = unsigned(body);
    let verified = source.verify(keys, &delivery, NOW);
    verified.map(|verified| verified.secret())
}

#[test]
fn the_fields_of_an_adyen_item_cannot_be_shifted() {
    let (source, keys) = source("[sources.x]\npreset = \"adyen\"\nsecrets = [\"env:A\"]\n");
    let body = json!({ "live": "false", "notificationItems": [{ "NotificationRequestItem": {
        "pspReference": "P", "merchantAccountCode": "M", "merchantReference": "a:b",
        "amount": { "value": 1, "currency": "EUR" }, "eventCode": "AUTHORISATION", "success": "true",
    } }] });
    let good = signed(&source, &keys, &body);
    assert_eq!(
        verify(&source, &keys, &good),
        Ok(0),
        "a reference may have a colon"
    );
    let mut bad = good.clone();
    let item = &mut bad["notificationItems"][0]["NotificationRequestItem"];
    item["merchantAccountCode"] = json!("M:a");
    item["merchantReference"] = json!("b");
    assert_eq!(verify(&source, &keys, &bad), Err(Refusal::MalformedBody));
}

#[test]
fn each_item_of_adyen_may_be_signed_by_any_of_the_keys() {
    let text = "[sources.x]\npreset = \"adyen\"\nsecrets = [\"env:A\", \"env:B\"]\n";
    let (both, keys) = source(text);
    let (old, old_keys) = source(&text.replace("\"env:A\", ", ""));
    let body = |reference: &str| {
        json!({ "live": "false", "notificationItems": [{ "NotificationRequestItem": {
            "pspReference": reference, "merchantAccountCode": "M", "merchantReference": "R",
            "amount": { "value": 1, "currency": "EUR" }, "eventCode": "AUTHORISATION", "success": "true",
        } }] })
    };
    let mut batch = signed(&both, &keys, &body("P1"));
    let second = signed(&old, &old_keys, &body("P2"));
    let items = batch["notificationItems"].as_array_mut().unwrap();
    items.push(second["notificationItems"][0].clone());
    assert_eq!(
        verify(&both, &keys, &batch),
        Ok(1),
        "the older key was needed"
    );
    batch["notificationItems"][1]["NotificationRequestItem"]["success"] = json!("false");
    assert_eq!(verify(&both, &keys, &batch), Err(Refusal::WrongSignature));
}

#[test]
fn the_fields_of_an_sns_message_cannot_be_shifted() {
    let text = format!(
        "[sources.x]\npreset = \"aws-sns\"\npinned = [\"env:PINNED\"]\ntopics = [{TOPIC:?}]\n"
    );
    let (source, keys) = source(&text);
    let body = json!({ "Type": "Notification", "MessageId": "1", "TopicArn": TOPIC, "Subject": "s",
        "Message": "hello\nMessageId\n7\nSubject\nx" });
    let good = signed(&source, &keys, &body);
    assert_eq!(
        verify(&source, &keys, &good),
        Ok(0),
        "a message may have lines"
    );
    // The same bytes: what was the end of the message is its id and its subject now.
    let mut bad = good.clone();
    bad["Message"] = json!("hello");
    bad["MessageId"] = json!("7");
    bad["Subject"] = json!("x\nMessageId\n1\nSubject\ns");
    assert_eq!(verify(&source, &keys, &bad), Err(Refusal::MalformedBody));
}

/// True when Twilio's form `sent` is taken, with the signature that it made of `signed`.
fn is_taken(source: &Source, keys: &Keys, signed: &str, sent: &str) -> bool {
    let form = |text: &str| Delivery {
        body: text.as_bytes().to_vec(),
        ..unsigned(&Value::Null)
    };
    let draft = Draft::of(&form(signed));
    let captured = signed_with(source, keys, draft, NOW);
    let Ok(captured) = captured else { return false };
    let headers = captured.to_http().unwrap().headers;
    let delivery = Delivery {
        headers,
        ..form(sent)
    };
    source.verify(keys, &delivery, NOW).is_ok()
}

#[test]
fn the_fields_of_a_twilio_form_cannot_be_shifted() {
    let text = "[sources.x]\npreset = \"twilio-form\"\nsecrets = [\"env:A\"]\n\
        public_url = \"https://hooks.example.com/webhooks/x\"\n";
    let (source, keys) = source(text);
    let call = "ApiVersion=2010-04-01&CallSid=CA1&CallStatus=completed&ParentCallSid=CA2";
    assert!(is_taken(&source, &keys, call, call));
    let other_order = "CallStatus=completed&ParentCallSid=CA2&CallSid=CA1&ApiVersion=2010-04-01";
    assert!(is_taken(&source, &keys, call, other_order));
    for shifted in [
        "ApiVersion=2010-04-01CallSidCA1&CallStatus=completed&ParentCallSid=CA2",
        "ApiVersion2010-04-01CallSid=CA1&CallStatus=completed&ParentCallSid=CA2",
        "ApiVersion=2010-04-01&CallSid=CA1CallStatuscompleted&ParentCallSid=CA2",
        "ApiVersion=2010-04-01&CallSidCA1CallStatus=completed&ParentCallSid=CA2",
        "ApiVersion=2010-04-01&CallSid=CA1&CallStatuscompleted&ParentCallSid=CA2",
        "ApiVersion2010-04-01CallSidCA1CallStatuscompletedParentCallSid=CA2",
        "ApiVersion=2010-04-01CallSidCA1CallStatuscompletedParentCallSidCA2",
    ] {
        assert!(!is_taken(&source, &keys, call, shifted), "{shifted}");
    }
    let incoming =
        "AccountSid=AC1&Body=Hello&From=%2B1555&MessageSid=SM1&SmsStatus=received&To=%2B1666";
    assert!(is_taken(&source, &keys, incoming, incoming));
    for (from, to) in [
        ("&From=", "From"),
        ("&Body=", "Body"),
        ("AccountSid=", "AccountSid"),
    ] {
        let shifted = incoming.replacen(from, to, 1);
        assert!(!is_taken(&source, &keys, incoming, &shifted), "{shifted}");
    }
    let by_sip = "CallSid=CA1&SipHeader_X-foo=bar&StatusCallbackEvent=answered&Timestamp=Tue%2C+24+Nov+2026+10%3A00%3A00+%2B0000";
    let shifted = "CallSid=CA1&SipHeader_X-foobarStatusCallbackEventansweredTimestampTue%2C+24+Nov+2026+10%3A00%3A00+%2B=0000";
    assert!(is_taken(&source, &keys, by_sip, by_sip));
    assert!(!is_taken(&source, &keys, by_sip, shifted));
    for (from, to) in [
        ("=CA1", "=CA&1"),
        ("CallSid=CA1", "Call&Sid=CA1"),
        ("=answered", "=answer&ed"),
        ("=answered", "=&answered"),
        ("StatusCallbackEvent", "StatusCallbackEv&ent"),
        ("=answered&Timestamp=", "=answeredTimestamp"),
        ("=Tue%2C+", "=&Tue=%2C+"),
        ("=Tue%2C+24+", "=Tue%2C+24+&"),
        ("Timestamp", "Time&stamp"),
        ("%2B0000", "%2B&0000"),
    ] {
        let shifted = by_sip.replacen(from, to, 1);
        assert_ne!(shifted, by_sip);
        assert!(!is_taken(&source, &keys, by_sip, &shifted), "{shifted}");
    }
    for good in [
        "sid=VE1&status=approved&type=factor.created",
        "Body=What+is+a+CallSid%3F&MessageSid=SM1&SmsMessageSid=SM1",
        "CallSid=CA1&SipHeader_X-Twilio-CallSid=CA2",
        "MediaUrl0=https%3A%2F%2Fexample.com%2F%3FMessageSid%3DSM1&MessageSid=SM1",
    ] {
        assert!(is_taken(&source, &keys, good, good), "{good}");
    }
}

#[test]
fn what_is_read_before_its_signature_is_small() {
    let of = |preset: &str| {
        let address = "public_url = \"https://hooks.example.com/webhooks/x\"";
        source(&format!(
            "[sources.x]\npreset = {preset:?}\nsecrets = [\"env:A\"]\n{address}\n"
        ))
    };
    let (twilio, keys) = of("twilio-form");
    let most = "a=1&".repeat(10_000);
    assert!(is_taken(&twilio, &keys, &most, &most));
    assert!(!is_taken(&twilio, &keys, "a=1", &"a=1&".repeat(10_001)));
    for (preset, list) in [("adyen", "notificationItems"), ("msgraph", "value")] {
        let (source, keys) = of(preset);
        let items = vec![json!({}); 10_001];
        let refused = verify(&source, &keys, &json!({ list: items }));
        assert_eq!(refused, Err(Refusal::MalformedBody), "{preset}");
    }
    // A zero byte is six bytes of JSON. The fields become JSON only once the signature in three of them is right.
    let (mailgun, keys) = of("mailgun");
    let zeros = "\0".repeat(1_100_000);
    for form in [
        format!("timestamp={}&token=t&signature=00&x={zeros}", NOW / 1000),
        format!(
            "--x\r\nContent-Disposition: form-data; name=timestamp\r\n\r\n{}\r\n--x\r\nContent-Disposition: form-data; \
                 name=token\r\n\r\nt\r\n--x\r\nContent-Disposition: form-data; name=signature\r\n\r\n00\r\n--x\r\n\
                 Content-Disposition: form-data; name=x\r\n\r\n{zeros}\r\n--x--\r\n",
            NOW / 1000
        ),
    ] {
        let body = form.into_bytes();
        let delivery = Delivery {
            body,
            ..unsigned(&Value::Null)
        };
        let refused = mailgun.verify(&keys, &delivery, NOW).map(|_| ());
        assert_eq!(refused, Err(Refusal::WrongSignature));
    }
    let (contentful, keys) = of("contentful");
    let mut delivery = unsigned(&json!({}));
    for (name, value) in [
        ("x-contentful-signature", "00".to_owned()),
        ("x-contentful-timestamp", NOW.to_string()),
        (
            "x-contentful-signed-headers",
            "x-contentful-timestamp,".repeat(65),
        ),
    ] {
        delivery = with_header(delivery, name, &value);
    }
    let refused = contentful.verify(&keys, &delivery, NOW).map(|_| ());
    assert_eq!(refused, Err(Refusal::TooManySignatures));
}

/// Events of a delivery by their ids, or the end of the delivery.
fn received(text: &str, delivery: &Delivery) -> Result<Vec<String>, Box<Received>> {
    let parsed = config::parse(text).unwrap();
    let sources = Sources::new(parsed, |_| {
        Ok::<_, SecretProblem>("a secret that is long enough".to_owned())
    });
    let (source, verified) = match admit(&sources, delivery, NOW) {
        Continue(admitted) => admitted,
        Break(ended) => return Err(ended),
    };
    match read(source, &verified, NOW) {
        Continue(events) => Ok(events.into_iter().map(|event| event.id).collect()),
        Break(ended) => Err(ended),
    }
}

fn with_header(mut delivery: Delivery, name: &'static str, value: &str) -> Delivery {
    let name = HeaderName::from_static(name);
    delivery.headers.insert(name, value.parse().unwrap());
    delivery
}

const TOKEN: &str = "[sources.x]\nsecrets = [\"env:A\"]\n[sources.x.verify]\nalg = \"token\"\n\
    signature = { header = [\"x-token\"] }\n[sources.x.event]\nid = \"body:/id\"\ntime = \"body:/at\"\n";

fn with_token(body: &Value) -> Delivery {
    with_header(unsigned(body), "x-token", "a secret that is long enough")
}

#[test]
fn an_id_of_a_wrong_kind_is_an_unreadable_body_and_not_a_missing_id() {
    for (id, expected) in [(json!("e1"), "e1"), (json!(7), "7")] {
        let events = received(TOKEN, &with_token(&json!({ "id": id })));
        assert_eq!(events.unwrap(), [expected]);
    }
    for id in [json!(true), json!(["e1"]), json!({ "id": "e1" })] {
        let ended = received(TOKEN, &with_token(&json!({ "id": id }))).unwrap_err();
        assert_eq!(ended.receipt, Receipt::Invalid, "{id}");
        assert_eq!(
            ended.reason.as_deref(),
            Some("/id is no text and no number")
        );
    }
    let mut half = with_token(&json!({}));
    half.body = br#"{"id":"\ud800"}"#.to_vec();
    assert_eq!(
        received(TOKEN, &half).unwrap_err().receipt,
        Receipt::Invalid
    );
}

#[test]
fn a_captured_delivery_is_not_good_for_ever() {
    let text = TOKEN.replace("secrets", "max_age = \"7d\"\nsecrets");
    let day = 24 * 3600 * 1000;
    let at = |time: Value| received(&text, &with_token(&json!({ "id": "e1", "at": time })));
    for good in [NOW, NOW - 7 * day, NOW + day] {
        assert!(at(json!(good)).is_ok(), "{good}");
    }
    for bad in [
        json!(NOW - 7 * day - 1),
        json!(NOW + day + 1),
        json!("yesterday"),
        Value::Null,
    ] {
        let ended = at(bad.clone()).unwrap_err();
        assert_eq!(ended.receipt, Receipt::Unverified, "{bad}");
    }
}

#[test]
fn a_captured_check_of_sns_is_not_good_for_ever() {
    let day = 24 * 3600 * 1000;
    let text = |max_age: &str| {
        format!(
            "[sources.x]\npreset = \"aws-sns\"\npinned = [\"env:PINNED\"]\ntopics = [{TOPIC:?}]\n{max_age}"
        )
    };
    let ended = |text: &str, kind: &str, now: Millis| {
        let (source, keys) = source(text);
        let url = "https://sns.us-west-2.amazonaws.com/?Action=ConfirmSubscription&Token=2";
        let body = json!({ "Type": kind, "TopicArn": TOPIC, "Token": "2", "SubscribeURL": url });
        let delivery = unsigned(&signed(&source, &keys, &body));
        let made_up =
            |reference: &_| Ok::<_, SecretProblem>(test_keys::made_up(&source, reference));
        let sources = Sources::new(vec![source.clone()], made_up);
        match admit(&sources, &delivery, now) {
            Continue(_) => panic!("a check is no delivery"),
            Break(ended) => (ended.receipt, ended.reason),
        }
    };
    for kind in ["SubscriptionConfirmation", "UnsubscribeConfirmation"] {
        assert_eq!(
            ended(&text(""), kind, NOW + day).0,
            Receipt::Handshake,
            "{kind}"
        );
        let why = "the signed time is older than max_age".to_owned();
        let late = ended(&text(""), kind, NOW + day + 1_000);
        assert_eq!(late, (Receipt::Unverified, Some(why)), "{kind}");
        let week = ended(&text("max_age = \"7d\""), kind, NOW + 2 * day);
        assert_eq!(week.0, Receipt::Handshake, "{kind}");
    }
}

#[test]
fn a_captured_delivery_of_paypal_is_not_good_for_ever() {
    let text =
        "[sources.x]\npreset = \"paypal\"\nsecrets = [\"env:A\"]\npinned = [\"env:PINNED\"]\n";
    let (source, keys) = source(text);
    let draft = Draft::of(&unsigned(&json!({ "id": "WH-1" })));
    let headers = signed_with(&source, &keys, draft, NOW)
        .unwrap()
        .to_http()
        .unwrap()
        .headers;
    let delivery = Delivery {
        headers,
        ..unsigned(&json!({ "id": "WH-1" }))
    };
    let day = 24 * 3600 * 1000;
    let at = |now| source.verify(&keys, &delivery, now).map(|_| ());
    assert_eq!(at(NOW + 3 * day), Ok(()), "retries come for three days");
    assert!(matches!(at(NOW + 5 * day), Err(Refusal::TooOld { .. })));
}

#[test]
fn a_copy_with_another_unsigned_type_is_another_event() {
    let text = "[sources.x]\npreset = \"github\"\nsecrets = [\"env:A\"]\n";
    let (source, keys) = source(text);
    let body = json!({ "action": "opened", "issue": { "id": 7 } });
    let key = |kind: &str| {
        let delivery = with_header(unsigned(&body), "x-github-delivery", "d-1");
        let delivery = with_header(delivery, "x-github-event", kind);
        let signed = signed_with(&source, &keys, Draft::of(&delivery), NOW).unwrap();
        let delivery = Delivery {
            headers: signed.to_http().unwrap().headers,
            ..delivery
        };
        let verified = source.verify(&keys, &delivery, NOW).unwrap();
        verified.events(NOW).unwrap().remove(0).key
    };
    assert_eq!(key("issues"), key("issues"));
    // The forged event, if it were done first, would have made the sender's own event a duplicate.
    assert_ne!(key("issues"), key("ping"));
}

/// A source whose sender signs these parts, with these events.
fn own(content: &str, event: &str) -> String {
    format!(
        "[sources.x]\nsecrets = [\"env:A\"]\n{event}\n[sources.x.verify]\nalg = \"hmac-sha256\"\n\
         signature = {{ header = \"X-Sig\" }}\ncontent = \"{content}\"\n"
    )
}

/// The delivery with the headers that its sender gives it.
fn signed_as(source: &Source, keys: &Keys, delivery: Delivery) -> Delivery {
    let signed = signed_with(source, keys, Draft::of(&delivery), NOW).unwrap();
    Delivery {
        headers: signed.to_http().unwrap().headers,
        ..delivery
    }
}

#[test]
fn a_signed_id_does_not_stand_for_an_event_of_another_unsigned_type() {
    let body = json!({ "id": "e1", "at": NOW, "items": [{ "id": "i1" }, {}] });
    let kind = "event.type = \"header:X-Type\"";
    let word = "event.operation = \"header:X-Type\"\nevent.operations = { gone = \"delete\" }\n\
                event.shape = []";
    let sort = "event.document_type = \"header:X-Type\"\nevent.shape = []";
    for event in [
        format!("event.id = \"body:/id\"\n{kind}"),
        format!("event.id = \"body:/id\"\n{kind}\nevent.shape = []"),
        format!("dedupe = \"id\"\nevent.id = \"body:/id\"\n{kind}"),
        format!("event.id = \"item:/id\"\nevent.each = \"body:/items\"\n{kind}"),
        format!("dedupe = \"body\"\ndedupe_window = 60\n{kind}"),
        format!("event.id = \"body:/id\"\n{word}"),
        format!("event.id = \"body:/id\"\n{sort}"),
    ] {
        let (source, keys) = source(&own("{body}", &event));
        let of = |kind: &str| {
            let delivery = with_header(unsigned(&body), "x-type", kind);
            let delivery = signed_as(&source, &keys, delivery);
            let verified = source.verify(&keys, &delivery, NOW).unwrap();
            let events = verified.events(NOW).unwrap().into_iter();
            events.map(|event| event.key).collect::<Vec<_>>()
        };
        assert_eq!(of("made"), of("made"), "{event}");
        // The forged event, if it were done first, would have made the sender's own event a duplicate.
        let (own, other) = (of("made"), of("gone"));
        assert!(own.iter().all(|key| !other.contains(key)), "{event}");
    }
}

#[test]
fn headers_that_stand_for_each_other_say_the_same() {
    let text = "[sources.x]\npreset = \"svix\"\nsecrets = [\"env:A\"]\n";
    let (source, keys) = source(text);
    let signed = signed_with(&source, &keys, Draft::of(&unsigned(&json!({}))), NOW).unwrap();
    let delivery = Delivery {
        headers: signed.to_http().unwrap().headers,
        ..unsigned(&json!({}))
    };
    let id = delivery.header("svix-id").unwrap().into_owned();
    let with = |value: &str| {
        let delivery = with_header(delivery.clone(), "webhook-id", value);
        source.verify(&keys, &delivery, NOW).map(|_| ())
    };
    assert_eq!(with(&id), Ok(()));
    assert!(matches!(with("other"), Err(Refusal::Contradiction(_))));
}

#[test]
fn a_value_that_may_be_left_out_holds_no_other_one() {
    let text = "[sources.x]\npreset = \"mercadopago\"\nsecrets = [\"env:A\"]\n";
    let (source, keys) = source(text);
    let of = |query: &str| Delivery {
        query: query.to_owned(),
        ..unsigned(&json!({ "type": "payment" }))
    };
    let draft = Draft::of(&with_header(of("data.id=1"), "x-request-id", "r-1"));
    let headers = signed_with(&source, &keys, draft, NOW)
        .unwrap()
        .to_http()
        .unwrap()
        .headers;
    let verify = |delivery: &Delivery| source.verify(&keys, delivery, NOW).map(|_| ());
    let good = Delivery {
        headers,
        ..of("data.id=1")
    };
    assert_eq!(verify(&good), Ok(()));
    let mut bad = Delivery {
        query: "data.id=1%3Brequest-id%3Ar-1".to_owned(),
        ..good
    };
    bad.headers.remove("x-request-id");
    // The last of four ways to sign is the reason that is told.
    assert!(verify(&bad).is_err());
}

#[test]
fn text_does_not_move_from_one_signed_header_to_the_next() {
    let event = "event.id = \"header:X-Id\"\nevent.type = \"header:X-Event\"";
    // The sender of the second source signs a body of these bytes.
    let (any, any_keys) = source(&own("{body}", ""));
    let verify = |content: &str, bytes: &str, [id, kind, body]: [&str; 3]| {
        let (source, keys) = source(&own(content, event));
        let with_body = |text: &str| Delivery {
            body: text.as_bytes().to_vec(),
            ..unsigned(&Value::Null)
        };
        let captured = signed_as(&any, &any_keys, with_body(bytes));
        let signature = captured.header("x-sig").unwrap().into_owned();
        let delivery = with_header(with_body(body), "x-id", id);
        let delivery = with_header(delivery, "x-event", kind);
        let delivery = with_header(delivery, "x-sig", &signature);
        source.verify(&keys, &delivery, NOW).map(|_| ())
    };
    let moved = |border: &str| Err(Refusal::MovedBorder(border.to_owned()));
    let content = "{header:X-Id}.{header:X-Event}.{body}";
    let of = |parts| verify(content, "7.order.paid.{}", parts);
    assert_eq!(of(["7", "order.paid", "{}"]), moved("."));
    assert_eq!(of(["7.order", "paid", "{}"]), moved("."));
    assert_eq!(
        of(["7", "order", "paid.{}"]),
        Ok(()),
        "the last one is the rest"
    );
    assert_eq!(
        verify(content, "7.paid.{\"a\":1.5}", ["7", "paid", "{\"a\":1.5}"]),
        Ok(())
    );
    let content = "{body}.{header:X-Id}.{header:X-Event}";
    let of = |parts| verify(content, "a=1.5.7.paid", parts);
    assert_eq!(of(["7", "paid", "a=1.5"]), Ok(()));
    assert_eq!(of(["5.7", "paid", "a=1"]), moved("."));
    assert_eq!(of(["5", "7.paid", "a=1"]), moved("."));
    let content = "{header:X-Id}--{header:X-Event};{body}";
    let of = |parts| verify(content, "7---paid;{}", parts);
    assert_eq!(of(["7", "-paid", "{}"]), Ok(()), "the first border counts");
    assert_eq!(of(["7-", "paid", "{}"]), moved("--"));
}

#[test]
fn signatures_by_private_keys_are_few() {
    let text = "[sources.x]\npreset = \"standard-webhooks-v1a\"\nsecrets = [\"env:A\"]\n";
    let (source, keys) = source(text);
    let signed = signed_with(&source, &keys, Draft::of(&unsigned(&json!({}))), NOW).unwrap();
    let delivery = Delivery {
        headers: signed.to_http().unwrap().headers,
        ..unsigned(&json!({}))
    };
    let one = delivery.header("webhook-signature").unwrap().into_owned();
    let times = |count: usize| {
        let list = vec![one.as_str(); count].join(" ");
        let delivery = with_header(delivery.clone(), "webhook-signature", &list);
        source.verify(&keys, &delivery, NOW).map(|_| ())
    };
    assert_eq!(times(3), Ok(()));
    assert_eq!(times(4), Err(Refusal::TooManySignatures));
}

#[test]
fn a_check_that_is_not_signed_is_small() {
    let text = "[sources.x]\npreset = \"slack\"\nsecrets = [\"env:A\"]\n";
    let check = |body: String| {
        let mut delivery = unsigned(&Value::Null);
        delivery.body = body.into_bytes();
        received(text, &delivery).unwrap_err().receipt
    };
    assert_eq!(check("ssl_check=1&token=x".to_owned()), Receipt::Handshake);
    for other in ["ssl_check=0", "ssl_check=1&text=x", "token=x", "{}"] {
        assert_eq!(check(other.to_owned()), Receipt::Unverified, "{other}");
    }
    let large = format!("ssl_check=1&token={}", "x".repeat(9_000));
    assert_eq!(check(large), Receipt::Unverified);
}

#[test]
fn a_content_encoding_that_names_no_compression_is_no_reason_to_refuse() {
    let encoded = |encoding: &str| {
        let delivery = with_header(
            with_token(&json!({ "id": "e1" })),
            "content-encoding",
            encoding,
        );
        received(TOKEN, &delivery).map_err(|ended| ended.receipt)
    };
    for none in ["", "utf-8", "identity", "application/json"] {
        assert_eq!(encoded(none), Ok(vec!["e1".to_owned()]), "{none}");
    }
    for compression in ["gzip", "x-gzip", "br", "identity, GZIP"] {
        assert_eq!(
            encoded(compression),
            Err(Receipt::Compressed),
            "{compression}"
        );
    }
}
