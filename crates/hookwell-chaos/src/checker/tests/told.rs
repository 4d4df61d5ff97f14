use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::Sha256;

use super::*;
use crate::sources::SIGNING_SECRET;

/// Tells every destination that takes it of an event.
pub(super) fn tell(fine: &mut Fine, sent: &Sent) {
    for destination in Destination::ALL {
        if destination.takes(sent.source, &sent.kind) {
            let at = received(sent.delivery) + 2;
            fine.calls.push(call(sent, destination, at));
            fine.records.push(item(&json!({
                "pk": format!("{}>{}", sent.key, destination.name()), "status": "done",
            })));
        }
    }
}

fn call(sent: &Sent, destination: Destination, at: u64) -> Call {
    let operation = &sent.kind["resource.".len()..sent.kind.len() - 1];
    let mut head = BTreeMap::new();
    let mut say = |name: &str, value: &str| drop(head.insert(name.to_owned(), value.to_owned()));
    let body = match destination {
        Destination::Endpoint | Destination::Failing => {
            say("webhook-id", &sent.key);
            say("webhook-timestamp", &(at / 1000).to_string());
            say("hookwell-source", sent.source.name());
            say("hookwell-type", &sent.kind);
            say("hookwell-operation", operation);
            if let Some(document) = &sent.document {
                say("hookwell-document", document);
            }
            sent.text.clone()
        }
        Destination::Bus | Destination::Queue => {
            let event: Value = serde_json::from_str(&sent.text).unwrap();
            if destination == Destination::Bus {
                say("EventBusName", "chaos");
                say("Source", &format!("hookwell.{}", sent.source.name()));
                say("DetailType", &sent.kind);
            }
            let received = json!("2026-11-27T09:00:00.000Z");
            json!({
                "key": sent.key, "source": sent.source.name(), "type": sent.kind, "operation": operation,
                "document_id": sent.document, "body": event,
                "time": event.get("created_at").unwrap_or(&received),
            })
            .to_string()
        }
    };
    let mut call = Call {
        destination,
        key: sent.key.clone(),
        at,
        is_taken: true,
        is_beside: false,
        is_late: false,
        head,
        body,
    };
    if destination.is_http() {
        sign(&mut call);
    }
    call
}

fn sign(call: &mut Call) {
    let key = STANDARD
        .decode(&SIGNING_SECRET.1["whsec_".len()..])
        .unwrap();
    let mac = Hmac::<Sha256>::new_from_slice(&key).unwrap();
    let (id, at) = (&call.head["webhook-id"], &call.head["webhook-timestamp"]);
    let mac = mac.chain_update(format!("{id}.{at}.{}", call.body));
    let signature = STANDARD.encode(mac.finalize().into_bytes());
    call.head
        .insert("webhook-signature".to_owned(), format!("v1,{signature}"));
}

/// The verdict of a run in which the first call to a destination is changed.
fn with(destination: Destination, change: impl Fn(&mut Call)) -> Verdict {
    let mut fine = Fine::new();
    change(first_call(&mut fine, destination));
    fine.verdict()
}

fn first_call(fine: &mut Fine, destination: Destination) -> &mut Call {
    let mut calls = fine.calls.iter_mut();
    calls.find(|call| call.destination == destination).unwrap()
}

#[test]
fn an_event_that_a_destination_did_not_take_is_lost() {
    for destination in Destination::ALL {
        let verdict = with(destination, |call| call.is_taken = false);
        assert_eq!(verdict.lost, 1, "{destination:?}: refused");
        let mut fine = Fine::new();
        let mut calls = fine.calls.iter();
        let first = calls.position(|call| call.destination == destination);
        fine.calls.remove(first.unwrap());
        assert_eq!(fine.verdict().lost, 1, "{destination:?}: never called");
    }
}

#[test]
fn a_repetition_is_no_mistake_but_one_beside_another_or_after_the_end_is() {
    for destination in Destination::ALL {
        let mut fine = Fine::new();
        let mut again = first_call(&mut fine, destination).clone();
        fine.calls.push(again.clone());
        let verdict = fine.verdict();
        assert!(verdict.is_kept(), "{:?}", verdict.wrong);
        assert_eq!(verdict.repeated, 1);

        again.is_taken = false;
        for (is_beside, is_late) in [(true, false), (false, true)] {
            let mut fine = Fine::new();
            fine.calls.push(Call {
                is_beside,
                is_late,
                ..again.clone()
            });
            let verdict = fine.verdict();
            assert!(!verdict.is_kept(), "even if it was refused");
            let found = (verdict.at_once, verdict.after_the_end);
            assert_eq!(found, (u64::from(is_beside), u64::from(is_late)));
        }
    }
}

#[test]
fn another_key_is_wrong_and_does_not_count_for_the_event() {
    for destination in Destination::ALL {
        let verdict = with(destination, |call| call.key.push('x'));
        assert_eq!(
            (verdict.lost, verdict.wrong.len()),
            (1, 1),
            "{destination:?}"
        );
    }
    // At a second try only.
    let mut fine = Fine::new();
    let again = first_call(&mut fine, Destination::Queue).clone();
    let key = "single#another".to_owned();
    fine.calls.push(Call { key, ..again });
    assert!(!fine.verdict().is_kept());
}

#[test]
fn another_body_is_wrong_even_if_it_is_signed() {
    for destination in [Destination::Endpoint, Destination::Failing] {
        let verdict = with(destination, |call| {
            call.body.push(' ');
            sign(call);
        });
        assert!(!verdict.is_kept(), "{destination:?}");
    }
    for destination in [Destination::Bus, Destination::Queue] {
        let verdict = with(destination, |call| {
            call.body = call.body.replacen(r#""name":""#, r#""name":"x"#, 1);
        });
        assert!(!verdict.is_kept(), "{destination:?}");
    }
}

#[test]
fn a_request_that_no_receiver_would_take_is_wrong() {
    let changes: [fn(&mut Call); 3] = [
        |call| {
            let signature = call.head.get_mut("webhook-signature").unwrap();
            *signature = signature.replace("v1,", "v1,A");
        },
        |call| drop(call.head.remove("webhook-signature")),
        |call| {
            let old = (call.at / 1000 - 301).to_string();
            call.head.insert("webhook-timestamp".to_owned(), old);
            sign(call);
        },
    ];
    for change in changes {
        assert!(!with(Destination::Endpoint, change).is_kept());
    }
}

#[test]
fn what_is_said_of_an_event_is_its_own() {
    for name in [
        "hookwell-source",
        "hookwell-type",
        "hookwell-operation",
        "hookwell-document",
    ] {
        let change = |call: &mut Call| drop(call.head.insert(name.to_owned(), "x".to_owned()));
        assert!(!with(Destination::Endpoint, change).is_kept(), "{name}");
    }
    for name in ["EventBusName", "Source", "DetailType"] {
        let change = |call: &mut Call| drop(call.head.insert(name.to_owned(), "x".to_owned()));
        assert!(!with(Destination::Bus, change).is_kept(), "{name}");
    }
    for name in ["source", "type", "operation", "document_id", "time"] {
        let change = |call: &mut Call| {
            let mut told: Item = serde_json::from_str(&call.body).unwrap();
            told.insert(name.to_owned(), json!("x"));
            call.body = serde_json::to_string(&told).unwrap();
        };
        assert!(!with(Destination::Queue, change).is_kept(), "{name}");
    }
}

#[test]
fn what_a_destination_does_not_take_must_not_reach_it() {
    for destination in [Destination::Failing, Destination::Bus, Destination::Queue] {
        let mut fine = Fine::new();
        let sent = fine.plan.events.iter();
        let sent = sent.filter_map(|planned| Sent::read(&fine.plan, planned));
        let mut others = sent.filter(|sent| !destination.takes(sent.source, &sent.kind));
        let call = call(&others.next().unwrap(), destination, NOW);
        drop(others);
        fine.calls.push(call);
        assert_eq!(fine.verdict().wrong.len(), 1, "{destination:?}");
    }
}

#[test]
fn a_forged_event_must_reach_nobody() {
    let mut fine = Fine::new();
    let mut events = fine.plan.events.iter();
    let forged = events.find(|planned| planned.nature == Nature::Forged);
    let sent = Sent::read(&fine.plan, forged.unwrap()).unwrap();
    fine.calls.push(call(&sent, Destination::Endpoint, NOW));
    assert!(!fine.verdict().is_kept());
}

#[test]
fn an_event_that_waited_for_another_destination_to_recover_is_wrong() {
    let late = |call: &mut Call| call.at = RECOVERED + 1;
    for destination in [Destination::Endpoint, Destination::Bus, Destination::Queue] {
        let mut fine = Fine::new();
        let call = first_call(&mut fine, destination);
        assert!(call.at < RECOVERED, "the first deliveries come before");
        late(call);
        assert_eq!(fine.verdict().wrong.len(), 1, "{destination:?}");
    }
    let verdict = with(Destination::Failing, late);
    assert!(verdict.is_kept(), "{:?}", verdict.wrong);
    let times = verdict.first_arrivals;
    assert!(!times.while_one_fails.is_empty() && !times.otherwise.is_empty());
}

#[test]
fn a_copy_whose_record_is_open_or_that_is_a_letter_is_wrong() {
    let mut open = Fine::new();
    let key = first_call(&mut open, Destination::Queue).key.clone();
    let mut records = open.records.iter_mut();
    let record = records.find(|record| record["pk"] == *format!("{key}>queue"));
    let record = record.unwrap();
    record.insert("status".to_owned(), json!("pending"));
    assert_eq!(open.verdict().wrong.len(), 1);
    let mut buried = Fine::new();
    let letter = json!({ "key": key, "destination": "queue" });
    buried.dead_letters.push(letter.to_string());
    assert_eq!(buried.verdict().wrong.len(), 1);
}

#[test]
fn an_event_that_no_queue_takes_is_a_letter_and_reaches_http_endpoints_only() {
    let plan = Plan::new(1_000, 7);
    let large = plan
        .events
        .iter()
        .find(|planned| planned.text.len() > 1024 * 1024);
    let sent = Sent::read(&plan, large.unwrap()).unwrap();
    assert!(Destination::Bus.takes(sent.source, &sent.kind), "it would");
    let name = sent.key.replace('#', "/");
    let letter = |destination: &str| json!({ "stored": format!("{name}/{destination}x") });
    assert_eq!(
        record_key(&letter("bus/")),
        Some(format!("{}>bus", sent.key))
    );
    assert_eq!(record_key(&letter("")), Some(sent.key.clone()));
    let judge = |status: &str, buried: &[Value]| {
        let due = Due {
            acknowledged: true,
            must_end: true,
        };
        let mut fine = Fine::new();
        fine.calls.clear();
        fine.records.clear();
        for other in Destination::ALL {
            let status = if other == Destination::Bus {
                status
            } else {
                "done"
            };
            let pk = other.record_key(&sent.key);
            fine.records
                .push(item(&json!({ "pk": pk, "status": status })));
        }
        fine.calls.push(call(&sent, Destination::Endpoint, NOW));
        let evidence = fine.evidence();
        let buried = buried.iter().filter_map(record_key).collect();
        let mut verdict = Verdict::default();
        verdict.told(&sent, due, &evidence, &Trail::of(&evidence), &buried);
        (verdict.lost, verdict.wrong.len())
    };
    let letters = [letter("bus/")];
    assert_eq!(judge("quarantined", &letters), (0, 0));
    assert_eq!(judge("quarantined", &[]), (0, 1));
    // The record may be open again, the letter may not be missing.
    assert_eq!(judge("pending", &letters), (0, 0));
    assert_eq!(judge("pending", &[]), (0, 1));
    assert_eq!(judge("done", &letters), (0, 1));
}
