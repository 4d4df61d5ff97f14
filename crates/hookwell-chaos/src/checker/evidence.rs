//! The evidence, whole and by event.

use std::collections::{BTreeMap, HashMap};

use serde_json::Value;

use super::sent::Sent;
use crate::calls::Call;
use crate::journal::{DocumentWrite, FirstRecord, Message};
use crate::plan::Plan;
use crate::senders::Try;
use crate::sources::Destination;

/// A table item.
pub(crate) type Item = BTreeMap<String, Value>;

/// Everything there is to know about a run.
#[derive(Debug)]
pub(crate) struct Evidence<'a> {
    /// The plan of the senders.
    pub(crate) plan: &'a Plan,
    /// The tries, as the senders saw them.
    pub(crate) tries: &'a [Try],
    /// The messages that the queue took.
    pub(crate) sent: &'a [Message],
    /// The first records that the events table took.
    pub(crate) firsts: &'a [FirstRecord],
    /// Time at which the done record of each of these keys expired, while nothing else happened.
    pub(crate) expired: &'a BTreeMap<String, u64>,
    /// Time at which the letter of the event of each of these keys was taken away, while nothing else happened.
    pub(crate) taken: &'a BTreeMap<String, u64>,
    /// The events that were kept whole, by record key.
    pub(crate) kept: &'a BTreeMap<String, String>,
    /// The calls to destinations.
    pub(crate) calls: &'a [Call],
    /// Time until which one destination failed.
    pub(crate) recovered_at: u64,
    /// The document writes that the table accepted or refused.
    pub(crate) writes: &'a [DocumentWrite],
    /// The events table in the end.
    pub(crate) records: &'a [Item],
    /// The documents table in the end.
    pub(crate) documents: &'a [Item],
    /// The messages of the dead-letter queue, but for those of `taken`.
    pub(crate) dead_letters: &'a [String],
}

impl Evidence<'_> {
    /// Time at which the record of an event expired, or its letter was taken away.
    pub(super) fn forgotten(&self, sent: &Sent) -> Option<u64> {
        let expired = self.expired.get(&sent.key);
        expired.or(self.taken.get(&sent.key)).copied()
    }
}

/// Promises to one event since a moment.
#[derive(Debug, Clone, Copy)]
pub(super) struct Due {
    /// True when a sender got a 200.
    pub(super) acknowledged: bool,
    /// True when the event was acknowledged or queued.
    pub(super) must_end: bool,
}

/// The evidence by event.
pub(super) struct Trail<'a> {
    tries: HashMap<usize, Vec<&'a Try>>,
    sent: HashMap<&'a str, Vec<&'a Message>>,
    firsts: HashMap<&'a str, Vec<&'a FirstRecord>>,
    writes: HashMap<&'a str, Vec<&'a DocumentWrite>>,
    calls: HashMap<(Destination, &'a str), Vec<&'a Call>>,
    /// The records in the end, by key.
    pub(super) records: HashMap<&'a str, &'a Item>,
}

impl<'a> Trail<'a> {
    pub(super) fn of(evidence: &Evidence<'a>) -> Self {
        let records = evidence.records.iter();
        Self {
            tries: by(evidence.tries, |one| one.delivery),
            sent: by(evidence.sent, |message| message.key.as_str()),
            firsts: by(evidence.firsts, |first| first.pk.as_str()),
            writes: by(evidence.writes, |write| write.event.as_str()),
            calls: by(evidence.calls, |call| (call.destination, call.key.as_str())),
            records: records
                .filter_map(|item| Some((item.get("pk")?.as_str()?, item)))
                .collect(),
        }
    }

    /// The tries of a delivery.
    pub(super) fn tries(&self, delivery: usize) -> &[&'a Try] {
        self.tries.get(&delivery).map_or(&[], Vec::as_slice)
    }

    pub(super) fn firsts(&self, key: &str) -> Vec<&'a FirstRecord> {
        self.firsts.get(key).cloned().unwrap_or_default()
    }

    pub(super) fn writes(&self, id: &str) -> Vec<&'a DocumentWrite> {
        self.writes.get(id).cloned().unwrap_or_default()
    }

    /// The calls that told a destination of an event, or tried to.
    pub(super) fn calls(&self, destination: Destination, key: &str) -> Vec<&'a Call> {
        let calls = self.calls.get(&(destination, key));
        calls.cloned().unwrap_or_default()
    }

    pub(super) fn due(&self, delivery: usize, sent: &Sent, since: u64) -> Due {
        let mut tries = self.tries(delivery).iter();
        let acknowledged = tries.any(|one| one.status == 200 && one.started >= since);
        let mut messages = self.sent.get(sent.key.as_str()).into_iter().flatten();
        Due {
            acknowledged,
            must_end: acknowledged || messages.any(|message| message.at >= since),
        }
    }
}

fn by<'a, T, K: Eq + std::hash::Hash>(
    all: &'a [T],
    name: impl Fn(&'a T) -> K,
) -> HashMap<K, Vec<&'a T>> {
    let mut grouped: HashMap<K, Vec<&T>> = HashMap::new();
    for one in all {
        grouped.entry(name(one)).or_default().push(one);
    }
    grouped
}
