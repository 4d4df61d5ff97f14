//! Every sample delivery made new, as `hookwell send --type` sends it: the same event of the same type, with an id that
//! nobody has seen and the time of now.
#![allow(clippy::unwrap_used, clippy::indexing_slicing)] // helpers of tests

mod deliveries;

use std::collections::BTreeSet;

use deliveries::{NOW, headers, keys, source};
use hookwell::config;
use hookwell::event::Event;
use hookwell::event::delivery::Delivery;
use hookwell::format::time::Millis;
use hookwell::keys::key_set::Keys;
use hookwell::sender::samples::{in_shape, types};
use hookwell::source::Source;
use hookwell_sandbox::sender::signed_with;
use http::Method;

/// Types whose samples cannot be renewed: the id and the time belong to the list around the event.
const SAME: [&str; 3] = [
    "meta whatsapp_business_account.account_update",
    "meta whatsapp_business_account.template_category_update",
    "meta whatsapp_business_account.message_template_status_update",
];

/// A type more whose sample keeps the time of the file: the time of a comment belongs to the list around it.
const OLD: [&str; 1] = ["meta instagram.comments"];

/// Time at which a sample is sent: some seconds later than the samples of the tests.
fn later(random: u8) -> Millis {
    NOW + i64::from(random) * 1_000 + 123
}

/// The events of a sample that was made new and signed.
fn events(source: &Source, keys: &Keys, kind: &str, random: u8) -> Result<Vec<Event>, String> {
    let at = later(random);
    let sample = in_shape(source, kind, [random; 16], at).ok_or("there is none")?;
    let signed = signed_with(source, keys, sample.into(), at).map_err(|why| why.to_string())?;
    let all = signed.headers.iter();
    let delivery = Delivery {
        request_id: format!("request-{random}"),
        method: Method::POST,
        source: Some("x".into()),
        path: "/webhooks/x".into(),
        query: signed.query,
        headers: headers(all.map(|(name, value)| (name.as_str(), value.as_str()))),
        body: signed.body,
        source_ip: None,
        trace: None,
    };
    let verified = source
        .verify(keys, &delivery, at)
        .map_err(|why| why.to_string())?;
    verified.events(at).map_err(|why| why.to_string())
}

#[test]
fn every_sample_is_a_new_event_of_its_type_each_time() {
    let (mut count, mut wrong, mut old) = (0, Vec::new(), BTreeSet::new());
    for preset in config::presets() {
        let source = source(&preset);
        let keys = keys(&source);
        for kind in types(&preset) {
            count += 1;
            let found = [7, 8].map(|random| events(&source, &keys, &kind, random));
            let [Ok(one), Ok(other)] = found else {
                wrong.push(format!("{preset} {kind}: {found:?}"));
                continue;
            };
            let of = |events: &[Event]| events.iter().find(|it| it.kind == kind).cloned();
            let (Some(one), Some(other)) = (of(&one), of(&other)) else {
                wrong.push(format!("{preset} {kind}: another type"));
                continue;
            };
            if one.key == other.key && !SAME.contains(&&*format!("{preset} {kind}")) {
                wrong.push(format!("{preset} {kind}: the event {} again", one.id));
            }
            if one
                .time
                .is_some_and(|time| time.abs_diff(later(7)) >= 1_000)
            {
                old.insert(format!("{preset} {kind}"));
            }
        }
    }
    assert!(
        wrong.is_empty(),
        "{} of {count} wrong:\n{}",
        wrong.len(),
        wrong.join("\n")
    );
    let known = SAME.into_iter().chain(OLD).map(str::to_owned);
    assert_eq!(old, known.collect());
    assert!(count > 300, "{count}");
}
