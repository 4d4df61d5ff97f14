//! One line per delivery. No body, no header, no secret.

use hookwell::ingest::Received;
use hookwell::reply::Receipt;
use hookwell::time::Millis;

/// How much of a sender's text a line shows, in characters.
const MAX_TEXT: usize = 128;

pub(crate) fn delivery(source: Option<&str>, received: &Received, bytes: usize, millis: Millis) {
    let event = received.events.first();
    let short = |text: &str| text.chars().take(MAX_TEXT).collect::<String>();
    let source = source.map(short);
    let id = event.map(|event| short(&event.id));
    let document = event
        .and_then(|event| event.document_id.as_deref())
        .map(short);
    macro_rules! line {
        ($level:ident) => {
            tracing::$level!(
                source.name = source,
                outcome = received.receipt.name(),
                http.status = received.reply.status.as_u16(),
                events = received.events.len(),
                event.id = id,
                event.r#type = event.map(|event| event.kind.as_str()),
                event.operation = event.map(|event| event.operation.name()),
                document.id = document,
                reason = received.reason.as_deref(),
                dedup_unavailable = received.dedup_unavailable.then_some(true),
                secret.index = (received.secret > 0).then_some(received.secret),
                bytes,
                duration_ms = millis,
                "delivery"
            )
        };
    }
    match received.receipt {
        Receipt::Unavailable | Receipt::NotReady => line!(error),
        Receipt::Received if received.dedup_unavailable => line!(warn),
        Receipt::Quarantined | Receipt::Invalid | Receipt::Unverified => line!(warn),
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
