//! One line per message, with the fields of docs/operations.md. No body.

use std::collections::BTreeSet;

use crate::telemetry::millis;
use hookwell::deliver::Destination;
use hookwell::format::cut::{MAX_SHOWN, cut};
use hookwell::format::trace::Trace;
use hookwell::ports::handler::Outcome;
use hookwell::process::{Fate, Processed};

/// Name in place of a source or a destination that the file does not have: whoever can send to the queue can make up names, and each
/// would be a metric.
const UNKNOWN: &str = "unknown";

pub(crate) fn message(
    done: &Processed,
    sources: Option<&BTreeSet<String>>,
    destinations: &[Destination],
) {
    let event = done.event.as_ref();
    let source = event.map(|event| event.source.as_str());
    let source = source.filter(|name| sources.is_none_or(|sources| sources.contains(*name)));
    let destination = event.and_then(|event| event.destination.as_deref());
    let is_known = |name: &str| destinations.iter().any(|one| one.name == name);
    let destination = destination.map(|name| if is_known(name) { name } else { UNKNOWN });
    let since_received = event.map(|event| done.at.saturating_sub(event.received_at));
    let short = |text: &str| cut(text, MAX_SHOWN).into_owned();
    let id = event.map(|event| short(&event.id));
    let document = event
        .and_then(|event| event.document_id.as_deref())
        .map(short);
    let reason = match &done.fate {
        Fate::Retry(why) => Some(why.as_str()),
        _ => done.reason.as_deref(),
    };
    // Such a message has no retry_for: an alarm counts it.
    let is_unread = event.is_none() && matches!(done.fate, Fate::Retry(_));
    macro_rules! line {
        ($level:ident) => {
            tracing::$level!(
                source = source.unwrap_or(UNKNOWN),
                outcome = done.fate.name(),
                event.id = id,
                event.r#type = event.map(|event| short(&event.kind)),
                destination,
                event.operation = event.map(|event| event.operation.name()),
                document.id = document,
                reason,
                unread = is_unread.then_some(true),
                tie = done.tie.then_some(true),
                message.id = done.message.id,
                message.attempt = done.message.receive_count,
                trace_id = event.and_then(|event| event.trace.as_ref()).map(Trace::id),
                bytes = event.map(|event| event.body.0.len()),
                handler_ms = done.steps.handler.map(millis),
                record_ms = done.steps.record.map(millis),
                duration_ms = done.steps.total.map(millis),
                since_received_ms = since_received,
                "event"
            )
        };
    }
    match done.fate {
        Fate::Finished(Outcome::Rejected) | Fate::Malformed(_) => line!(error),
        Fate::Retry(_) | Fate::Busy { .. } | Fate::NotStarted => line!(warn),
        Fate::Finished(_) | Fate::Duplicate => line!(info),
    }
}
