//! The ingest protocol: verify, remember, queue, answer.
//!
//! 200 is answered only when *this* call's send succeeded or the record says that the event is already finished.
//! Answering 200 because the record *exists* loses events: a crash or an error between the put and the send leaves a
//! record of something that was never queued.

pub mod key_cache;
pub mod verified;

use std::pin::pin;
use std::time::Instant;

use futures_util::future::{join, join_all};
use http::Method;
use http::header::CONTENT_ENCODING;

use crate::delivery::Delivery;
use crate::event::Event;
use crate::format::time::Millis;
use crate::ingest::key_cache::{Sources, Wanted};
use crate::ingest::verified::Verified;
use crate::keys::not_ready::NotReady;
use crate::ledger::{Ledger, Remembered, Status};
use crate::queue::{Queue, QueueError};
use crate::source::handshake::Check;
use crate::source::reply::{Receipt, Reply};
use crate::source::{OnInvalid, Sending, Source};
use crate::steps::{OfDelivery, timed};
use crate::verify::providers::SpecialKind;
use crate::verify::scheme::Scheme;
use crate::verify::verifier::Refusal;

/// Everything worth logging about one delivery, and nothing that is secret.
#[derive(Debug, Clone)]
pub struct Received {
    /// What came of it.
    pub receipt: Receipt,
    /// Why, where that is not obvious.
    pub reason: Option<String>,
    /// What happened, once that was known; many where a delivery carries many.
    pub events: Vec<Event>,
    /// Whether the table was away, so that a duplicate could not be told.
    pub dedup_unavailable: bool,
    /// Which secret matched, 0 for the newest.
    pub secret: usize,
    /// Whether the signature and the time were good.
    pub verified: bool,
    /// What the sender is told.
    pub reply: Reply,
    /// What might have changed this end, had it been here.
    pub wanted: Option<Wanted>,
    /// An address that its sender waits to have opened.
    pub open: Option<String>,
    /// How long its steps took.
    pub steps: OfDelivery,
}

impl Received {
    /// An end without an event, answered as everywhere.
    #[must_use]
    pub fn refused(receipt: Receipt, reason: Option<String>) -> Self {
        Self {
            receipt,
            reason,
            events: Vec::new(),
            dedup_unavailable: false,
            secret: 0,
            verified: false,
            reply: receipt.reply(),
            wanted: None,
            open: None,
            steps: OfDelivery::default(),
        }
    }

    /// An end without an event, answered as the source's sender expects.
    fn at(source: &Source, receipt: Receipt, reason: Option<String>) -> Self {
        Self {
            reply: source.reply(receipt),
            ..Self::refused(receipt, reason)
        }
    }

    /// The end of a verified delivery.
    fn of(source: &Source, verified: &Verified<'_>, receipt: Receipt, events: Vec<Event>) -> Self {
        Self {
            events,
            secret: verified.secret(),
            verified: true,
            ..Self::at(source, receipt, None)
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
    let started = Instant::now();
    let first = admit(sources, delivery, now);
    let wanted = first.as_ref().err();
    let wanted = wanted.and_then(|refused| refused.wanted.as_ref());
    let has_waited = match (wanted, &delivery.source) {
        (Some(wanted), Some(name)) => sources.obtain(name, wanted, now).await,
        _ => false,
    };
    let admitted = if has_waited {
        admit(sources, delivery, now)
    } else {
        first
    };
    let (source, verified) = match admitted {
        Ok(admitted) => admitted,
        Err(mut ended) => {
            open(sources, delivery, &mut ended, now).await;
            return *ended;
        }
    };
    let events = match read(source, &verified, now) {
        Ok(events) => events,
        Err(refused) => return *refused,
    };
    let verify = Some(started.elapsed());
    // The fetch had the time of the put, and the sender's time is up with the send. Sending what may be finished
    // already costs a message; process tells.
    let mut end = remember_and_send(source.send, ledger, queue, events, has_waited, now).await;
    end.steps.verify = verify;
    Received {
        reason: end.reason,
        dedup_unavailable: end.dedup_unavailable,
        steps: end.steps,
        ..Received::of(source, &verified, end.receipt, end.events)
    }
}

/// Opens the address that the sender waits for: in the time of the send, which a handshake has none of. Where that
/// fails, the reason stays and asks an operator.
async fn open(sources: &Sources, delivery: &Delivery, ended: &mut Received, now: Millis) {
    if let (Some(name), Some(url)) = (&delivery.source, &ended.open)
        && sources.open(name, url, now).await
    {
        ended.reason = None;
    }
}

/// The checks before anything is trusted, cheapest first. Nothing here touches a network.
///
/// # Errors
/// The end of the delivery; also when it was a handshake and is answered.
pub fn admit<'a>(
    sources: &'a Sources,
    delivery: &'a Delivery,
    now: Millis,
) -> Result<(&'a Source, Verified<'a>), Box<Received>> {
    let name = delivery.source.as_ref();
    let found = name.and_then(|name| sources.current(name, now));
    let Some((source, keys)) = found else {
        return Err(Box::new(Received::refused(Receipt::UnknownSource, None)));
    };
    let refuse = |receipt| Err(Box::new(Received::at(source, receipt, None)));
    let handshake = source.handshake.as_ref();
    let more = handshake.map_or(&[][..], |handshake| handshake.kind.methods());
    if delivery.method != Method::POST && !more.contains(&delivery.method) {
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
    if let Some(handshake) = handshake {
        match (
            handshake.unsigned(delivery, keys.as_ref().as_ref().ok()),
            keys.as_ref(),
        ) {
            // Without its secret nobody can tell a right token from a wrong one.
            (Check::Refused, Err(why)) => return Err(not_ready(source, why)),
            (check, _) => checked(source, check)?,
        }
    }
    if delivery.method != Method::POST {
        return refuse(Receipt::MethodNotAllowed);
    }
    let keys = match keys.as_ref() {
        Ok(keys) => keys,
        Err(why) => return Err(not_ready(source, why)),
    };
    let verified = source.verify(keys, delivery, now).map_err(|why| {
        let (receipt, wanted) = match &why {
            // It may well be the sender; what is missing is on our side.
            Refusal::NotFetched(url) => (Receipt::NotReady, Some(Wanted::Certificate(url.clone()))),
            Refusal::NotReady | Refusal::NotPinned => (Receipt::NotReady, None),
            // It may have been changed at the sender and in the store.
            Refusal::WrongSignature => (Receipt::Unverified, Some(Wanted::Secrets)),
            _ => (Receipt::Unverified, None),
        };
        Box::new(Received {
            wanted,
            ..Received::at(source, receipt, Some(why.to_string()))
        })
    })?;
    if let Some(handshake) = handshake {
        if handshake.may_have_signed(&delivery.body) {
            let reason = "the body could be the token of a handshake, which gets a signature";
            let reason = Some(reason.to_owned());
            return Err(Box::new(Received::at(source, Receipt::Unverified, reason)));
        }
        let signed = handshake.signed(delivery, keys, verified.secret());
        checked(source, signed).map_err(|mut received| {
            received.secret = verified.secret();
            received.verified = true;
            received
        })?;
    }
    Ok((source, verified))
}

fn not_ready(source: &Source, why: &NotReady) -> Box<Received> {
    Box::new(Received {
        wanted: Some(Wanted::Secrets),
        ..Received::at(source, Receipt::NotReady, Some(why.to_string()))
    })
}

/// Ends a delivery that was a handshake.
fn checked(source: &Source, check: Check) -> Result<(), Box<Received>> {
    let answered = |reply, reason| {
        Box::new(Received {
            reply,
            ..Received::at(source, Receipt::Handshake, reason)
        })
    };
    match check {
        Check::Not => Ok(()),
        Check::Answered(reply) => Err(answered(reply, None)),
        Check::Act(reply, what) => Err(answered(reply, Some(what))),
        Check::Open(reply, url) => {
            let what = format!("confirm the subscription by opening {url}");
            // Only this scheme knows the topics that the source names.
            let names_topics = |scheme: &Scheme| matches!(scheme, Scheme::Special(special) if special.kind == SpecialKind::AwsSns);
            let open = source.schemes.iter().all(names_topics).then_some(url);
            let received = answered(reply, Some(what));
            Err(Box::new(Received { open, ..*received }))
        }
        Check::Refused => {
            let reason = Some("the handshake carries no token, or the wrong one".to_owned());
            Err(Box::new(Received {
                wanted: Some(Wanted::Secrets),
                ..Received::at(source, Receipt::Unverified, reason)
            }))
        }
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

/// Reads the events of a verified delivery, those that the source queues.
///
/// # Errors
/// The end of the delivery: it holds no event, or none that the source queues.
pub fn read(
    source: &Source,
    verified: &Verified<'_>,
    now: Millis,
) -> Result<Vec<Event>, Box<Received>> {
    let events = match (verified.events(now), source.on_invalid) {
        (Ok(events), _) => events,
        (Err(why), OnInvalid::Quarantine) => vec![verified.unreadable(&why, now)],
        (Err(why), OnInvalid::Reject) => {
            return Err(Box::new(Received {
                reason: Some(why.to_string()),
                ..Received::of(source, verified, Receipt::Invalid, Vec::new())
            }));
        }
    };
    // Some senders prove that they are alive with an empty list.
    if events.is_empty() {
        return Err(Box::new(Received::of(
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
        return Err(Box::new(Received::of(
            source,
            verified,
            Receipt::Filtered,
            other,
        )));
    }
    Ok(wanted)
}

/// How many puts are under way at once.
const PUTS: usize = 100;

/// What came of remembering and sending.
struct Sent {
    receipt: Receipt,
    reason: Option<String>,
    events: Vec<Event>,
    dedup_unavailable: bool,
    steps: OfDelivery,
}

async fn remember_and_send<L: Ledger, Q: Queue>(
    sending: Sending,
    ledger: &L,
    queue: &Q,
    events: Vec<Event>,
    without_table: bool,
    now: Millis,
) -> Sent {
    let all: Vec<&Event> = events.iter().collect();
    let mut steps = OfDelivery::default();
    let put = timed(
        &mut steps.remember,
        remember(ledger, &events, without_table, now),
    );
    let (known, to_send, sent) = match (sending, all.as_slice()) {
        (Sending::AfterPut, [one]) => {
            let (mut known, mut since) = (Known::default(), None);
            let sent = {
                let needed = pin!(async {
                    known = put.await;
                    since = Some(Instant::now());
                    known.unfinished == [true]
                });
                queue.send_when(one, needed).await
            };
            match sent {
                Some(sent) => {
                    steps.send = since.map(|since| since.elapsed());
                    (known, all, sent)
                }
                None => (known, Vec::new(), Ok(())),
            }
        }
        (Sending::AfterPut, _) => {
            let known = put.await;
            let unfinished = all.into_iter().zip(&known.unfinished);
            let to_send: Vec<_> = unfinished
                .filter_map(|(event, unfinished)| unfinished.then_some(event))
                .collect();
            let sent = timed(&mut steps.send, send(queue, &to_send)).await;
            (known, to_send, sent)
        }
        (Sending::WithPut, _) => {
            let (known, sent) = join(put, timed(&mut steps.send, send(queue, &all))).await;
            (known, all, sent)
        }
    };
    let unreadable = to_send.iter().find_map(|event| event.invalid.clone());
    let (receipt, reason) = match (sent, unreadable) {
        (Ok(()), _) if to_send.is_empty() => (Receipt::Duplicate, known.reason),
        (Ok(()), Some(unreadable)) => (Receipt::Quarantined, Some(unreadable)),
        (Ok(()), None) => (Receipt::Received, known.reason),
        (Err(why), _) => (Receipt::Unavailable, Some(why.to_string())),
    };
    Sent {
        receipt,
        reason,
        dedup_unavailable: known.dedup_unavailable,
        steps,
        events,
    }
}

/// What the table says of some events.
#[derive(Default)]
struct Known {
    /// For each event, whether it must be sent.
    unfinished: Vec<bool>,
    reason: Option<String>,
    dedup_unavailable: bool,
}

async fn remember<L: Ledger>(
    ledger: &L,
    events: &[Event],
    without_table: bool,
    now: Millis,
) -> Known {
    let mut all = Known {
        reason: without_table.then(|| "keys were fetched in the time of the record".to_owned()),
        ..Known::default()
    };
    let mut is_away = without_table;
    for some in events.chunks(PUTS) {
        // A table that answered none of so many is away; asking on would only keep the sender waiting.
        if is_away {
            all.unfinished.extend(some.iter().map(|_| true));
            continue;
        }
        let known = join_all(some.iter().map(|event| ledger.remember(event, now))).await;
        is_away = known.iter().all(Result::is_err);
        all.dedup_unavailable |= known.iter().any(Result::is_err);
        for known in known {
            all.unfinished.push(match known {
                Ok(Remembered::Known {
                    status: Status::Done | Status::Quarantined,
                    same_body,
                    ..
                }) => {
                    if !same_body {
                        all.reason = Some("the same id came with another body".to_owned());
                    }
                    false
                }
                // Seen before and not finished: nobody knows whether that call ever sent it, so send it again.
                Ok(Remembered::New | Remembered::Known { .. }) => true,
                // The table only helps; the queue is what counts.
                Err(why) => {
                    all.reason = Some(why.to_string());
                    true
                }
            });
        }
    }
    all
}

async fn send<Q: Queue>(queue: &Q, events: &[&Event]) -> Result<(), QueueError> {
    match events {
        [] => Ok(()),
        [one] => queue.send(one).await,
        all => queue.send_all(all).await,
    }
}
