//! One line per message. No body.

use hookwell::handler::Outcome;
use hookwell::process::{Fate, Processed};

/// How much of a sender's text a line shows, in characters.
const MAX_TEXT: usize = 128;

pub(crate) fn message(done: &Processed) {
    let event = done.event.as_ref();
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
                source.name = event.map(|event| event.source.as_str()),
                outcome = done.fate.name(),
                event.id = id,
                event.r#type = event.map(|event| event.kind.as_str()),
                event.operation = event.map(|event| event.operation.name()),
                document.id = document,
                reason,
                message.id = done.message.id,
                message.attempt = done.message.receive_count,
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
