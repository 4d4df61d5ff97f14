//! One line per delivery, with the fields of docs/operations.md. No body, no header, no secret.

use std::time::Duration;

use crate::telemetry::millis;
use hookwell::event::UnusableTime;
use hookwell::event::delivery::Delivery;
use hookwell::format::cut::{self, MAX_REASON, MAX_SHOWN, cut};
use hookwell::format::trace::Trace;
use hookwell::ingest::Received;
use hookwell::ingest::key_cache::Trouble;
use hookwell::keys::not_ready::{Lack, NotReady};
use hookwell::source::reply::Receipt;

/// Name in place of a source that the file does not have: anybody can ask for a name, and each would be a metric.
const UNKNOWN: &str = "unknown";

pub(crate) fn delivery(delivery: Option<&Delivery>, received: &Received, took: Duration) {
    let asked = delivery.and_then(|delivery| delivery.source.as_deref());
    let trace = delivery.and_then(|delivery| delivery.trace.as_ref());
    let event = received.events.first();
    let short = |text: &str| cut(text, MAX_SHOWN).into_owned();
    let source = match received.receipt {
        Receipt::UnknownSource | Receipt::BadRequest => UNKNOWN,
        _ => asked.unwrap_or(UNKNOWN),
    };
    let reason = match (received.receipt, asked) {
        (Receipt::UnknownSource, Some(name)) => Some(format!("no source {:?}", short(name))),
        _ => received.reason.as_deref().map(cut::reason),
    };
    let unusable_time = received.events.iter().find_map(|event| event.unusable_time);
    let id = event.map(|event| short(&event.id));
    let document = event
        .and_then(|event| event.document_id.as_deref())
        .map(short);
    macro_rules! line {
        ($level:ident) => {
            tracing::$level!(
                source,
                outcome = received.receipt.name(),
                stranger = received.may_be_anybodys().then_some(true),
                http.status = received.reply.status.as_u16(),
                events = received.events.len(),
                event.id = id,
                event.r#type = event.map(|event| short(&event.kind)),
                event.operation = event.map(|event| event.operation.name()),
                document.id = document,
                reason,
                unusable_time = unusable_time.map(UnusableTime::name),
                dedup_unavailable = received.dedup_unavailable.then_some(true),
                secret.index = (received.secret > 0).then_some(received.secret),
                trace_id = trace.map(Trace::id),
                bytes = delivery.map(|delivery| delivery.body.len()),
                verify_ms = received.steps.verify.map(millis),
                remember_ms = received.steps.remember.map(millis),
                send_ms = received.steps.send.map(millis),
                duration_ms = millis(took),
                "delivery"
            )
        };
    }
    match received.receipt {
        Receipt::Unavailable | Receipt::NotReady => line!(error),
        Receipt::Received if received.dedup_unavailable => line!(warn),
        Receipt::Quarantined | Receipt::Invalid | Receipt::Unverified => line!(warn),
        Receipt::NotConfigured | Receipt::NoKeyYet | Receipt::NoCertificate => line!(warn),
        // A handshake with a reason asks an operator to do something.
        Receipt::Handshake if received.reason.is_some() => line!(warn),
        Receipt::Received
        | Receipt::Handshake
        | Receipt::Duplicate
        | Receipt::Filtered
        | Receipt::BadRequest
        | Receipt::AddressNotAllowed
        | Receipt::UnknownSource
        | Receipt::MethodNotAllowed
        | Receipt::TooLarge
        | Receipt::Compressed => line!(info),
    }
}

/// One line per trouble with the keys of a source. The alarms of the template look for these texts.
pub(crate) fn keys(source: &str, trouble: &Trouble) {
    match trouble {
        Trouble::Stale(NotReady {
            reference, problem, ..
        }) => {
            tracing::warn!(source, %reference, problem = cut::reason(problem), "the last keys stay");
        }
        Trouble::Crowded(NotReady { reference, .. }) => {
            tracing::warn!(source, %reference, "a store is asked too often");
        }
        Trouble::NotReady(why) => not_ready(source, why),
        Trouble::NoCertificate { url, problem } => {
            let (url, problem) = (cut(url, MAX_REASON), cut::reason(problem));
            tracing::warn!(source, %url, problem, "no certificate");
        }
    }
}

/// One line for a source without usable keys.
pub(crate) fn not_ready(source: &str, why: &NotReady) {
    let reason = cut::reason(why);
    match why.lack() {
        Lack::NeverGiven => {
            tracing::warn!(
                source,
                reason,
                "source was never given its secret and answers 503"
            );
        }
        Lack::Crowded | Lack::Lost => {
            tracing::error!(source, reason, "source is not ready and answers 503");
        }
    }
}
