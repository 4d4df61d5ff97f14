//! The checks of a delivery before anything of it is trusted.

use std::ops::ControlFlow::{Break, Continue};

use http::Method;
use http::header::CONTENT_ENCODING;

use super::received::{Received, Step};
use crate::event::MAX_FUTURE;
use crate::event::delivery::Delivery;
use crate::format::cut;
use crate::format::time::Millis;
use crate::ingest::key_cache::{Sources, Wanted};
use crate::ingest::verified::Verified;
use crate::keys::not_ready::{Lack, NotReady};
use crate::source::Source;
use crate::source::handshake::{Check, time_of_sns};
use crate::source::reply::Receipt;
use crate::verify::providers::SpecialKind;
use crate::verify::scheme::Scheme;
use crate::verify::verifier::Refusal;

/// The checks before anything is trusted, cheapest first. Nothing here touches a network.
///
/// Ends the delivery when it is refused, and also when it was a handshake and is answered.
pub fn admit<'a>(
    sources: &'a Sources,
    delivery: &'a Delivery,
    now: Millis,
) -> Step<(&'a Source, Verified<'a>)> {
    let name = delivery.source.as_ref();
    let found = name.and_then(|name| sources.current(name, now));
    let Some((source, keys)) = found else {
        return Break(Box::new(Received::refused(Receipt::UnknownSource, None)));
    };
    let refuse = |receipt| Break(Box::new(Received::at(source, receipt, None)));
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
            (Check::Refused, Err(why)) => return Break(not_ready(source, why)),
            (check, _) => checked(source, check)?,
        }
    }
    if delivery.method != Method::POST {
        return refuse(Receipt::MethodNotAllowed);
    }
    let keys = match keys.as_ref() {
        Ok(keys) => keys,
        Err(why) => return Break(not_ready(source, why)),
    };
    let verified = match source.verify(keys, delivery, now) {
        Ok(verified) => verified,
        Err(why) => return Break(refused(source, &why)),
    };
    if let Some(handshake) = handshake {
        if handshake.may_have_signed(&delivery.body) {
            let reason = "the body could be the token of a handshake, which gets a signature";
            let reason = Some(reason.to_owned());
            return Break(Box::new(Received::at(source, Receipt::Unverified, reason)));
        }
        let signed = handshake.signed(delivery, keys, verified.secret());
        // A captured check is no better than a captured delivery.
        if signed != Check::Not
            && handshake.takes_any_age()
            && let Some(why) = too_old(source, time_of_sns(delivery), now)
        {
            return Break(Box::new(Received {
                reason: Some(why.to_owned()),
                ..Received::of(source, &verified, Receipt::Unverified, Vec::new())
            }));
        }
        checked(source, signed).map_break(|mut received| {
            received.secret = verified.secret();
            received.verified = true;
            received
        })?;
    }
    Continue((source, verified))
}

/// Reason to refuse a delivery that was signed at this time, for schemes that do not judge the time: without a limit a
/// captured delivery is good for ever.
pub(super) fn too_old(source: &Source, time: Option<Millis>, now: Millis) -> Option<&'static str> {
    let oldest = now.saturating_sub(source.max_age?);
    let newest = now.saturating_add(MAX_FUTURE);
    match time.filter(|time| *time <= newest) {
        None => Some("the signed time is missing, unreadable or in the future"),
        Some(time) if time < oldest => Some("the signed time is older than max_age"),
        Some(_) => None,
    }
}

fn refused(source: &Source, why: &Refusal) -> Box<Received> {
    let (receipt, wanted) = match why {
        // The sender may be genuine, and then the fetch gets the certificate; or anybody made the address up.
        Refusal::NotFetched(url) => (Receipt::NoKeyYet, Some(Wanted::Certificate(url.clone()))),
        Refusal::NotReady | Refusal::NotPinned => (Receipt::NotConfigured, None),
        // The secret may have been changed at the sender and in the store.
        Refusal::WrongSignature => (Receipt::Unverified, Some(Wanted::Secrets)),
        _ => (Receipt::Unverified, None),
    };
    Box::new(Received {
        wanted,
        ..Received::at(source, receipt, Some(cut::reason(why)))
    })
}

fn not_ready(source: &Source, why: &NotReady) -> Box<Received> {
    let receipt = match why.lack() {
        Lack::NeverGiven => Receipt::NotConfigured,
        Lack::Crowded => Receipt::NoKeyYet,
        Lack::Lost => Receipt::NotReady,
    };
    Box::new(Received {
        wanted: Some(Wanted::Secrets),
        ..Received::at(source, receipt, Some(cut::reason(why)))
    })
}

/// The end of a delivery that names a certificate which its provider says it does not have: no sender's.
pub(super) fn without_certificate(sources: &Sources, delivery: &Delivery) -> Option<Box<Received>> {
    let (source, _) = sources.get(delivery.source.as_ref()?)?;
    let reason = "the provider has no certificate at the address that the delivery names";
    let reason = Some(reason.to_owned());
    Some(Box::new(Received::at(
        source,
        Receipt::NoCertificate,
        reason,
    )))
}

/// Ends a delivery that was a handshake.
fn checked(source: &Source, check: Check) -> Step<()> {
    let answered = |reply, reason| {
        Box::new(Received {
            reply,
            ..Received::at(source, Receipt::Handshake, reason)
        })
    };
    match check {
        Check::Not => Continue(()),
        Check::Answered(reply) => Break(answered(reply, None)),
        Check::Act(reply, what) => Break(answered(reply, Some(what))),
        Check::Open(reply, url) => {
            let what = format!("confirm the subscription by opening {url}");
            // Only this scheme knows the topics that the source names.
            let names_topics = |scheme: &Scheme| matches!(scheme, Scheme::Special(special) if special.kind == SpecialKind::AwsSns);
            let open = source.schemes.iter().all(names_topics).then_some(url);
            let received = answered(reply, Some(what));
            Break(Box::new(Received { open, ..*received }))
        }
        Check::Refused => {
            let reason = Some("the handshake carries no token, or the wrong one".to_owned());
            Break(Box::new(Received {
                wanted: Some(Wanted::Secrets),
                ..Received::at(source, Receipt::Unverified, reason)
            }))
        }
    }
}

/// The codings that compress ("HTTP Content Coding Registry", IANA). Any other word in `Content-Encoding` is a mistake
/// of the sender's (`utf-8`, a charset), and the body is readable.
const COMPRESSIONS: [&str; 8] = [
    "br",
    "compress",
    "dcb",
    "deflate",
    "gzip",
    "x-compress",
    "x-gzip",
    "zstd",
];

/// True when the body is compressed.
pub(super) fn is_encoded(delivery: &Delivery) -> bool {
    let values = delivery.headers.get_all(CONTENT_ENCODING).iter();
    let mut words = values
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','));
    words.any(|word| {
        let word = word.trim();
        COMPRESSIONS
            .iter()
            .any(|name| word.eq_ignore_ascii_case(name))
    })
}
