//! One line per delivery. No body, no header, no secret.

use hookwell::ingest::Received;
use hookwell::reply::Receipt;
use hookwell::time::Millis;

/// How much of an id a log line shows, in characters.
const MAX_ID: usize = 128;

pub(crate) fn delivery(source: Option<&str>, received: &Received, bytes: usize, millis: Millis) {
    let event = received.events.first();
    let id: String = event
        .map_or("", |event| &event.id)
        .chars()
        .take(MAX_ID)
        .collect();
    let kind = event.map_or("", |event| event.kind.as_str());
    let source = source
        .map(|name| name.chars().take(MAX_ID).collect::<String>())
        .unwrap_or_default();
    macro_rules! line {
        ($level:ident) => {
            tracing::$level!(
                source.name = source,
                outcome = received.receipt.name(),
                http.status = received.reply.status.as_u16(),
                events = received.events.len(),
                event.id = id,
                event.r#type = kind,
                event.operation = event.map_or("", |event| event.operation.name()),
                document.id = event
                    .and_then(|event| event.document_id.as_deref())
                    .unwrap_or_default(),
                reason = received.reason.as_deref().unwrap_or_default(),
                dedup_unavailable = received.dedup_unavailable,
                secret.index = received.secret,
                bytes,
                duration_ms = millis,
                "delivery"
            )
        };
    }
    match received.receipt {
        Receipt::Unavailable | Receipt::NotReady => line!(error),
        _ if received.dedup_unavailable => line!(warn),
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
