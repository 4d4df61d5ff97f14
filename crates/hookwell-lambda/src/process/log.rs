//! One line per message, with the fields of docs/operations.md. No body.

use crate::telemetry::millis;
use hookwell::format::trace::Trace;
use hookwell::ports::handler::Outcome;
use hookwell::process::{Fate, Processed};

/// Characters of a sender's text that a line shows.
const MAX_TEXT: usize = 128;

/// Name for the source of a message that is none of ours.
const UNKNOWN: &str = "unknown";

pub(crate) fn message(done: &Processed) {
    let event = done.event.as_ref();
    let since_received = event.map(|event| done.at.saturating_sub(event.received_at));
    let short = |text: &str| text.chars().take(MAX_TEXT).collect::<String>();
    let id = event.map(|event| short(&event.id));
    let document = event
        .and_then(|event| event.document_id.as_deref())
        .map(short);
    let reason = match &done.fate {
        Fate::Retry(why) => Some(why.as_str()),
        _ => done.reason.as_deref(),
    };
    macro_rules! line {
        ($level:ident) => {
            tracing::$level!(
                source = event.map_or(UNKNOWN, |event| event.source.as_str()),
                outcome = done.fate.name(),
                event.id = id,
                event.r#type = event.map(|event| event.kind.as_str()),
                event.operation = event.map(|event| event.operation.name()),
                document.id = document,
                reason,
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
        Fate::Finished(Outcome::Rejected) | Fate::Malformed => line!(error),
        Fate::Retry(_) | Fate::Busy { .. } | Fate::NotStarted => line!(warn),
        Fate::Finished(_) | Fate::Duplicate => line!(info),
    }
}
