//! The end of one delivery: what the sender is told, and what the log says.

use std::ops::ControlFlow;
use std::time::Duration;

use crate::event::Event;
use crate::ingest::key_cache::Wanted;
use crate::ingest::verified::Verified;
use crate::source::Source;
use crate::source::reply::{Receipt, Reply};

/// A step of ingest: it hands on a value, or it ends the delivery with its answer.
pub type Step<T> = ControlFlow<Box<Received>, T>;

/// The time that ingest took over a delivery, by step; `None` for a step that it did not come to the end of.
#[derive(Debug, Clone, Copy, Default)]
pub struct OfDelivery {
    /// Verifying and reading the delivery, with the fetch of a key where one was needed.
    pub verify: Option<Duration>,
    /// Putting the records.
    pub remember: Option<Duration>,
    /// Sending to the queue, beside the puts.
    pub send: Option<Duration>,
}

/// Everything worth logging about one delivery, and nothing that is secret.
#[derive(Debug, Clone)]
pub struct Received {
    /// Result of the delivery.
    pub receipt: Receipt,
    /// Reason for the result, where that is not obvious.
    pub reason: Option<String>,
    /// Events of the delivery, once they were read; many where it carries many.
    pub events: Vec<Event>,
    /// True when the table was away, so that a duplicate could not be told.
    pub dedup_unavailable: bool,
    /// Place of the secret that matched, 0 for the newest.
    pub secret: usize,
    /// True when the signature and the time were good.
    pub verified: bool,
    /// Reply to the sender.
    pub reply: Reply,
    /// Key material that was missing: fetch it and verify again.
    pub wanted: Option<Wanted>,
    /// An address that the sender waits to have opened.
    pub open: Option<String>,
    /// Time that each step took.
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

    /// True when the request has no valid signature, so that anybody may have sent it: most handshakes have none.
    #[must_use]
    pub fn may_be_anybodys(&self) -> bool {
        let is_unsigned_handshake = self.receipt == Receipt::Handshake && !self.verified;
        self.receipt.may_be_anybodys() || is_unsigned_handshake
    }

    /// An end without an event, answered as the source's sender expects.
    pub(super) fn at(source: &Source, receipt: Receipt, reason: Option<String>) -> Self {
        Self {
            reply: source.reply(receipt),
            ..Self::refused(receipt, reason)
        }
    }

    /// The end of a verified delivery.
    pub(super) fn of(
        source: &Source,
        verified: &Verified<'_>,
        receipt: Receipt,
        events: Vec<Event>,
    ) -> Self {
        Self {
            events,
            secret: verified.secret(),
            verified: true,
            ..Self::at(source, receipt, None)
        }
    }
}
