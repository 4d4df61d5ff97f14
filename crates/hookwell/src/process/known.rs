//! An event of the batch with what its record tells.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::message::Message;
use crate::event::Event;
use crate::format::time::{DAY, Millis};
use crate::ports::ledger::Record;

/// The number of tries that the function did not survive at which the event is taken for the cause and not tried any
/// more.
const MAX_UNENDED: u32 = 20;

/// The number of tries that the function did not survive at which an event is tried alone: if the event kills the
/// function, its own try is counted and no neighbour's.
const SUSPICIOUS: u32 = 2;

/// One event and its message.
pub(super) struct Known {
    pub(super) event: Arc<Event>,
    pub(super) message: Message,
    /// Time until which it is tried again.
    pub(super) retry_until: Millis,
    /// Reason of the last failure.
    failure: Option<String>,
    unended_tries: u32,
}

impl Known {
    /// An event with the version and the tries of its record; without a record the event is here for the first time.
    pub(super) fn new(mut event: Event, message: Message, record: Option<Record>) -> Self {
        let (mut from, mut failure, mut unended_tries) = (event.tried_from(), None, 0);
        if let Some(record) = record {
            from = from.max(record.tries.reopened_at.unwrap_or(from));
            failure = record.tries.reason;
            unended_tries = record.tries.unended;
            event.settle(record.version, record.received_at);
        }
        Self {
            retry_until: from.saturating_add(event.retry_for),
            event: Arc::new(event),
            message,
            failure,
            unended_tries,
        }
    }

    /// Reason not to try the event at all: ingest could not read it, too many tries of it never ended, or the time for
    /// its tries is over.
    ///
    /// Only the last try in place looks at the time, which may be over for a letter that is put back as well.
    pub(super) fn refusal(&self, now: Millis) -> Option<String> {
        if let Some(reason) = &self.event.invalid {
            return Some(reason.clone());
        }
        if self.unended_tries >= MAX_UNENDED {
            let count = self.unended_tries;
            return Some(format!(
                "{count} tries ended with the function: it may be what stops it"
            ));
        }
        if !self.message.is_last_in_place() || now < self.retry_until {
            return None;
        }
        let days = self.event.retry_for / DAY;
        Some(match &self.failure {
            Some(failure) => format!("still failing after {days} days: {failure}"),
            None => format!("not done after {days} days"),
        })
    }

    /// True when the event is tried under a lease although its handler does not reach outside. Every last try in place
    /// is, so that the record says why the event waits then, and counts the tries that the function does not survive.
    pub(super) fn is_watched(&self) -> bool {
        self.message.is_last_in_place() || self.unended_tries >= MAX_UNENDED
    }

    /// True when the event may be what kills the function.
    pub(super) fn is_suspicious(&self) -> bool {
        self.unended_tries >= SUSPICIOUS
    }
}

/// Events by document and destination, each group in order. An event without a document is a group of its own.
pub(super) fn by_document(events: Vec<Known>) -> Vec<Vec<Known>> {
    let mut groups: BTreeMap<String, Vec<Known>> = BTreeMap::new();
    for known in events {
        let group = match known.event.document_key() {
            Some(key) => {
                let destination = known.event.destination.as_deref().unwrap_or_default();
                format!("document {destination} {}", key.as_str())
            }
            None => format!("message {}", known.message.id),
        };
        groups.entry(group).or_default().push(known);
    }
    let mut groups: Vec<_> = groups.into_values().collect();
    for group in &mut groups {
        group.sort_by_cached_key(|known| (known.event.sequence, known.event.version()));
    }
    groups
}
