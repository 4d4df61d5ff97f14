//! The whole of ingest, from the first check to the answer.

use std::ops::ControlFlow::{Break, Continue};

use super::admit::{admit, too_old, without_certificate};
use super::enqueue::enqueue;
use super::received::{Received, Step};
use crate::event::Event;
use crate::event::delivery::Delivery;
use crate::format::cut;
use crate::format::time::Millis;
use crate::ingest::key_cache::{Obtained, Sources};
use crate::ingest::verified::Verified;
use crate::ports::clock::Clock;
use crate::ports::ledger::Ledger;
use crate::ports::queue::Queue;
use crate::source::reply::Receipt;
use crate::source::{OnInvalid, Source};

/// Receives one delivery: the whole of ingest, from the first check to the answer.
pub async fn receive<L: Ledger, Q: Queue>(
    sources: &Sources,
    ledger: &L,
    queue: &Q,
    delivery: &Delivery,
    clock: Clock<'_>,
) -> Received {
    let (started, now) = ((clock.instant)(), (clock.reception)());
    let (source, verified) = match admit_with_fresh_keys(sources, delivery, now).await {
        Continue(admitted) => admitted,
        Break(mut ended) => {
            open(sources, delivery, &mut ended, now).await;
            return *ended;
        }
    };
    let events = match read(source, &verified, now) {
        Continue(events) => events,
        Break(ended) => return *ended,
    };
    let verify = clock.since(started);
    let mut end = enqueue(ledger, queue, &events, now, clock).await;
    end.steps.verify = Some(verify);
    Received {
        reason: end.reason,
        dedup_unavailable: end.dedup_unavailable,
        steps: end.steps,
        ..Received::of(source, &verified, end.receipt, events)
    }
}

/// Runs the checks, and once more when the first refusal may be due to keys that were missing or have changed.
async fn admit_with_fresh_keys<'a>(
    sources: &'a Sources,
    delivery: &'a Delivery,
    now: Millis,
) -> Step<(&'a Source, Verified<'a>)> {
    let first = admit(sources, delivery, now);
    if let (Break(refused), Some(name)) = (&first, &delivery.source)
        && let Some(wanted) = &refused.wanted
    {
        match sources.obtain(name, wanted, now).await {
            Obtained::Something => return admit(sources, delivery, now),
            Obtained::NoSuchThing => {
                if let Some(ended) = without_certificate(sources, delivery) {
                    return Break(ended);
                }
            }
            Obtained::Nothing => {}
        }
    }
    first
}

/// Opens the address with which a sender confirms a webhook, as SNS does. Takes the time that a send would take, because a
/// handshake sends nothing. Where it fails, the reason stays in the log and asks an operator to open it.
async fn open(sources: &Sources, delivery: &Delivery, ended: &mut Received, now: Millis) {
    if let (Some(name), Some(url)) = (&delivery.source, &ended.open)
        && sources.open(name, url, now).await
    {
        ended.reason = None;
    }
}

/// Reads the events of a verified delivery, those that the source queues.
///
/// Ends the delivery when it holds no event, or none that the source queues.
pub fn read(source: &Source, verified: &Verified<'_>, now: Millis) -> Step<Vec<Event>> {
    let events = match (verified.events(now), source.on_invalid) {
        (Ok(events), _) => events,
        (Err(why), OnInvalid::Quarantine) => vec![verified.unreadable(&why, now)],
        (Err(why), OnInvalid::Reject) => {
            return Break(Box::new(Received {
                reason: Some(cut::reason(&why)),
                ..Received::of(source, verified, Receipt::Invalid, Vec::new())
            }));
        }
    };
    let mut readable = events.iter().filter(|event| event.invalid.is_none());
    if let Some(why) = readable.find_map(|event| too_old(source, event.time, now)) {
        return Break(Box::new(Received {
            reason: Some(why.to_owned()),
            ..Received::of(source, verified, Receipt::Unverified, Vec::new())
        }));
    }
    // Some senders prove that they are alive with an empty list.
    if events.is_empty() {
        return Break(Box::new(Received::of(
            source,
            verified,
            Receipt::Received,
            events,
        )));
    }
    let is_wanted = |event: &Event| {
        let mut types = source.types.iter();
        source.types.is_empty()
            || event.invalid.is_some()
            || types.any(|pattern| pattern.capture(&event.kind).is_some())
    };
    let (wanted, other): (Vec<_>, Vec<_>) = events.into_iter().partition(is_wanted);
    if wanted.is_empty() {
        return Break(Box::new(Received::of(
            source,
            verified,
            Receipt::Filtered,
            other,
        )));
    }
    Continue(wanted)
}
