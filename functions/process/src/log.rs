//! One line per message. No body.

use hookwell::process::{Fate, Processed};

/// How much of an id a log line shows, in characters.
const MAX_ID: usize = 128;

pub(crate) fn message(done: &Processed) {
    let event = done.event.as_ref();
    let id: String = event
        .map_or("", |event| &event.id)
        .chars()
        .take(MAX_ID)
        .collect();
    let reason = match &done.fate {
        Fate::Retry(why) => why,
        _ => done.reason.as_deref().unwrap_or_default(),
    };
    macro_rules! line {
        ($level:ident) => {
            tracing::$level!(
                source.name = event.map_or("", |event| event.source.as_str()),
                outcome = done.fate.name(),
                event.id = id,
                event.r#type = event.map_or("", |event| event.kind.as_str()),
                event.operation = event.map_or("", |event| event.operation.name()),
                document.id = event
                    .and_then(|event| event.document_id.as_deref())
                    .unwrap_or_default(),
                reason,
                message.id = done.message.id,
                message.attempt = done.message.receive_count,
                "event"
            )
        };
    }
    match done.fate {
        Fate::Finished(hookwell::handler::Outcome::Rejected) | Fate::Malformed => line!(error),
        Fate::Retry(_) | Fate::NotStarted => line!(warn),
        Fate::Finished(_) | Fate::Duplicate => line!(info),
    }
}
