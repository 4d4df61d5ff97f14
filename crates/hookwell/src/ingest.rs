//! The ingest protocol: verify, remember, queue, answer.
//!
//! 200 is answered only when *this* call's send succeeded or the record says that the event is already finished.
//! Answering 200 because the record *exists* loses events: a crash or an error between the put and the send leaves a
//! record of something that was never queued.

use std::collections::BTreeMap;

use http::Method;
use http::header::CONTENT_ENCODING;

use crate::delivery::Delivery;
use crate::event::Event;
use crate::ledger::{Ledger, Remembered, Status};
use crate::queue::Queue;
use crate::reply::Receipt;
use crate::secret::SecretRef;
use crate::source::{Keys, NotReady, SecretProblem, Source, Verified};
use crate::time::Millis;

/// The sources of a receiver and their keys.
#[derive(Debug, Default)]
pub struct Sources(BTreeMap<String, (Source, Result<Keys, NotReady>)>);

impl Sources {
    /// Finds the secrets of every source. A source whose secret is missing answers 503; the others work.
    #[must_use]
    pub fn new(
        sources: Vec<Source>,
        fetch: impl Fn(&SecretRef) -> Result<String, SecretProblem>,
    ) -> Self {
        let entry = |source: Source| {
            let keys = source.keys(&fetch);
            (source.name.clone(), (source, keys))
        };
        Self(sources.into_iter().map(entry).collect())
    }

    /// A source and its keys by name.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<(&Source, &Result<Keys, NotReady>)> {
        self.0.get(name).map(|(source, keys)| (source, keys))
    }

    /// All of them, by name.
    pub fn iter(&self) -> impl Iterator<Item = (&Source, &Result<Keys, NotReady>)> {
        self.0.values().map(|(source, keys)| (source, keys))
    }
}

/// Everything worth logging about one delivery, and nothing that is secret.
#[derive(Debug, Clone)]
pub struct Received {
    /// What came of it.
    pub receipt: Receipt,
    /// Why, where that is not obvious.
    pub reason: Option<String>,
    /// What happened, once that was known.
    pub event: Option<Box<Event>>,
    /// Whether the table was away, so that a duplicate could not be told.
    pub dedup_unavailable: bool,
    /// Which secret matched, 0 for the newest.
    pub secret: usize,
}

impl Received {
    /// An end without an event.
    #[must_use]
    pub fn refused(receipt: Receipt, reason: Option<String>) -> Self {
        Self {
            receipt,
            reason,
            event: None,
            dedup_unavailable: false,
            secret: 0,
        }
    }
}

/// Receives one delivery: the whole of ingest, from the first check to the answer.
pub async fn receive<L: Ledger, Q: Queue>(
    sources: &Sources,
    ledger: &L,
    queue: &Q,
    delivery: &Delivery,
    now: Millis,
) -> Received {
    let (source, verified) = match admit(sources, delivery, now) {
        Ok(admitted) => admitted,
        Err(refused) => return refused,
    };
    let secret = verified.secret();
    match read(source, &verified, now) {
        Ok(event) => Received {
            secret,
            ..remember_and_send(ledger, queue, event, now).await
        },
        Err(refused) => Received { secret, ..refused },
    }
}

/// The checks before anything is trusted, cheapest first. Nothing here touches a network.
///
/// # Errors
/// The end of the delivery.
pub fn admit<'a>(
    sources: &'a Sources,
    delivery: &'a Delivery,
    now: Millis,
) -> Result<(&'a Source, Verified<'a>), Received> {
    let refuse = |receipt| Err(Received::refused(receipt, None));
    let found = delivery.source.as_ref().and_then(|name| sources.get(name));
    let Some((source, keys)) = found else {
        return refuse(Receipt::UnknownSource);
    };
    if delivery.method != Method::POST {
        return refuse(Receipt::MethodNotAllowed);
    }
    if delivery.body.len() > source.max_body_bytes {
        return refuse(Receipt::TooLarge);
    }
    if !source.allows(delivery.source_ip) {
        return refuse(Receipt::AddressNotAllowed);
    }
    if is_encoded(delivery) {
        return refuse(Receipt::Compressed);
    }
    let keys = match keys {
        Ok(keys) => keys,
        Err(why) => return Err(Received::refused(Receipt::NotReady, Some(why.to_string()))),
    };
    match source.verify(keys, delivery, now) {
        Ok(verified) => Ok((source, verified)),
        Err(why) => Err(Received::refused(
            Receipt::Unverified,
            Some(why.to_string()),
        )),
    }
}

fn is_encoded(delivery: &Delivery) -> bool {
    delivery
        .headers
        .get_all(CONTENT_ENCODING)
        .iter()
        .any(|value| {
            !value.as_bytes().is_empty() && !value.as_bytes().eq_ignore_ascii_case(b"identity")
        })
}

/// Reads the event of a verified delivery.
///
/// # Errors
/// The end of the delivery: it is no event, or not one that the source queues.
pub fn read(source: &Source, verified: &Verified<'_>, now: Millis) -> Result<Event, Received> {
    use crate::source::OnInvalid;
    match (verified.event(now), source.on_invalid) {
        (Ok(event), _) => {
            let wanted = source.types.is_empty()
                || source
                    .types
                    .iter()
                    .any(|pattern| pattern.capture(&event.kind).is_some());
            if wanted {
                return Ok(event);
            }
            Err(Received {
                event: Some(Box::new(event)),
                ..Received::refused(Receipt::Filtered, None)
            })
        }
        (Err(why), OnInvalid::Quarantine) => Ok(verified.unreadable(&why, now)),
        (Err(why), OnInvalid::Reject) => {
            Err(Received::refused(Receipt::Invalid, Some(why.to_string())))
        }
    }
}

async fn remember_and_send<L: Ledger, Q: Queue>(
    ledger: &L,
    queue: &Q,
    mut event: Event,
    now: Millis,
) -> Received {
    let end = |receipt, reason, event, dedup_unavailable| Received {
        receipt,
        reason,
        event: Some(Box::new(event)),
        dedup_unavailable,
        secret: 0,
    };
    let (dedup_unavailable, reason) = match ledger.remember(&event, now).await {
        Ok(Remembered::New) => (false, None),
        Ok(Remembered::Known {
            status: Status::Done | Status::Quarantined,
            same_body,
            ..
        }) => {
            let reason = (!same_body).then(|| "the same id came with another body".to_owned());
            return end(Receipt::Duplicate, reason, event, false);
        }
        // Seen before and not finished: nobody knows whether that call ever sent it, so send it again. It keeps the
        // time it was first received, or a late retry of an event without a time of its own would look newer than
        // what came between.
        Ok(Remembered::Known {
            status: Status::Pending,
            received_at,
            ..
        }) => {
            event.received_at = received_at;
            (false, None)
        }
        // The table only helps; the queue is what counts.
        Err(why) => (true, Some(why.to_string())),
    };
    match queue.send(&event).await {
        Ok(()) if event.invalid.is_some() => {
            let reason = event.invalid.clone();
            end(Receipt::Quarantined, reason, event, dedup_unavailable)
        }
        Ok(()) => end(Receipt::Received, reason, event, dedup_unavailable),
        Err(why) => end(
            Receipt::Unavailable,
            Some(why.to_string()),
            event,
            dedup_unavailable,
        ),
    }
}
