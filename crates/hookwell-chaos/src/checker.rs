//! Decides whether the promise was kept. It shares no code with the functions: it reads what was sent as raw JSON, the
//! senders' log, the proxy's journal, the tables and the dead-letter queue, and has the rules of docs/design.md written
//! down again.

mod evidence;
mod sent;
mod told;
mod verdict;

use std::collections::{BTreeSet, HashMap, HashSet};

use serde_json::Value;

use self::evidence::{Due, Trail};
pub(crate) use self::evidence::{Evidence, Item};
pub(crate) use self::sent::Sent;
pub(crate) use self::verdict::Verdict;
use crate::journal::{DocumentWrite, FirstRecord, record_key};
use crate::plan::{Nature, Planned};
use crate::senders::Try;
use crate::sources::Source;

/// The order that an event of a document claims: its time and then its reception, or its first reception alone where it
/// has no time.
struct Said {
    id: String,
    order: (u64, u64),
}

/// Lifetime of a record in seconds, counted from its last write.
const LIFE: u64 = 35 * 24 * 3600;

/// The time that process may have between its first look at a message and its write of the record, in seconds.
const PROCESS: u64 = 31;

/// Time after a sender lost patience within which ingest may still receive its delivery, in milliseconds: the delivery
/// waits for a sandbox as long as an invocation may take.
const LATE: u64 = 10_000;

/// The most that a reception may be ahead of the clock, in milliseconds: a process gives no two deliveries the same
/// millisecond, and forged deliveries may come faster than one a millisecond.
const COUNTED_ON: u64 = 20;

fn count<T>(all: impl IntoIterator<Item = T>) -> u64 {
    u64::try_from(all.into_iter().count()).unwrap_or(u64::MAX)
}

impl Verdict {
    /// Reads the evidence.
    pub(crate) fn of(evidence: &Evidence<'_>) -> Self {
        let mut verdict = Self::default();
        let trail = Trail::of(evidence);
        verdict.duplicates = count(evidence.tries.iter().filter(|one| one.is_duplicate));
        let buried = verdict.dead_letters(evidence.dead_letters);
        let mut known = HashSet::new();
        let mut newest: HashMap<String, (String, Sent)> = HashMap::new();
        // What the senders did to each document, in the order in which they did it, as far as it reached the queue.
        let mut logs: HashMap<String, Vec<Said>> = HashMap::new();
        for (index, planned) in evidence.plan.events.iter().enumerate() {
            let Some(sent) = Sent::read(evidence.plan, planned) else {
                verdict.wrong(format!("event {index} cannot be read"));
                continue;
            };
            let writes = trail.writes(&sent.id);
            let firsts = trail.firsts(&sent.key);
            let record = trail.records.get(sent.key.as_str()).copied();
            let commits = count(writes.iter().filter(|write| write.committed));
            let is_stale = commits == 0 && !writes.is_empty();
            let is_buried = buried.contains(&sent.key);
            let delivery = planned.delivery;
            let due = trail.due(delivery, &sent, 0);
            let again = trail.due(
                delivery,
                &sent,
                evidence.forgotten(&sent).unwrap_or(u64::MAX),
            );
            verdict.told(&sent, due, evidence, &trail, &buried);
            known.insert(sent.key.clone());
            if planned.nature == Nature::Forged {
                let left_something = commits > 0 || is_stale || is_buried || record.is_some();
                if due.must_end || left_something || !firsts.is_empty() {
                    verdict.wrong(format!("the forged event {} left something", sent.id));
                }
                continue;
            }
            verdict.acknowledged += u64::from(due.acknowledged);
            verdict.refused_by_sender_rules += u64::from(!due.acknowledged);
            verdict.applied += u64::from(commits > 0);
            verdict.stale += u64::from(is_stale);
            verdict.dead_lettered += u64::from(is_buried);
            verdict.doubled += u64::from(commits > count(&firsts).max(1));
            // A letter that was taken away has to be there again only if its event came again.
            let was_buried = evidence.taken.contains_key(&sent.key) && !again.must_end;
            let is_poison = planned.nature == Nature::Poison;
            let has_end = if is_poison {
                is_buried || was_buried
            } else {
                commits > 0 || is_stale || is_buried
            };
            if due.acknowledged && !has_end {
                verdict.lost += 1;
            } else if due.must_end && !has_end {
                verdict.wrong(format!("{} was queued and never ended", sent.id));
            }
            if due.must_end && is_poison != (is_buried || was_buried) {
                verdict.wrong(format!("{} is in the wrong place", sent.id));
            }
            verdict.lives(&sent, &firsts, evidence, trail.tries(delivery));
            if due.must_end && has_end {
                verdict.record(&sent, record, &firsts, is_poison, evidence, again);
                verdict.kept(&sent, planned, evidence);
            }
            let versions = verdict.effects(&sent, &firsts, &writes, planned.nature, due, again);
            let (Some(version), Some(document)) = (versions, sent.document.clone()) else {
                continue;
            };
            let reception = firsts.last().map_or(0, |first| first.received_at);
            logs.entry(document.clone()).or_default().push(Said {
                id: sent.id.clone(),
                order: (sent.time.unwrap_or(reception), reception),
            });
            let older = newest
                .get(&document)
                .is_none_or(|(other, _)| *other < version);
            if older && !is_poison {
                newest.insert(document, (version, sent));
            }
        }
        verdict.calls(evidence.calls, &known);
        verdict.versions(evidence.writes);
        verdict.documents(evidence.documents, &newest);
        verdict.senders_last_word(evidence.documents, &logs);
        verdict
    }

    /// Checks that a record is written as new once, and once more after it expired, and that its version is of a
    /// reception of the event.
    fn lives(
        &mut self,
        sent: &Sent,
        firsts: &[&FirstRecord],
        evidence: &Evidence<'_>,
        tries: &[&Try],
    ) {
        let lives = 1_usize.saturating_add(usize::from(evidence.expired.contains_key(&sent.key)));
        if firsts.len() > lives {
            let often = firsts.len();
            self.wrong(format!("the record of {} was new {often} times", sent.id));
        }
        for first in firsts {
            let received_at = first.received_at;
            let expected = sent.version(received_at);
            if first.version != expected {
                let version = &first.version;
                self.wrong(format!("{} settled {version}, not {expected}", sent.id));
            }
            let is_within = tries.iter().any(|one| {
                let late = if one.status == 0 { LATE } else { COUNTED_ON };
                (one.started..=one.ended.saturating_add(late)).contains(&received_at)
            });
            if !is_within || received_at > first.at.saturating_add(COUNTED_ON) {
                let why = "when nobody sent it";
                self.wrong(format!("{} was received at {received_at}, {why}", sent.id));
            }
        }
    }

    /// Checks the record of an event that has ended: its status says so, it lives as long as records do after the last
    /// time that the event came, and its version is the version that was settled when the record was new.
    fn record(
        &mut self,
        sent: &Sent,
        record: Option<&Item>,
        firsts: &[&FirstRecord],
        is_poison: bool,
        evidence: &Evidence<'_>,
        again: Due,
    ) {
        let text = |name: &str| record.and_then(|record| record.get(name)?.as_str());
        let number = |name: &str| record.and_then(|record| record.get(name)?.as_u64());
        let status = text("status");
        let expected = if is_poison { "quarantined" } else { "done" };
        let is_expired = evidence.expired.contains_key(&sent.key);
        // An event that comes again has a new record although its send may have failed for good.
        let is_gone = is_expired && !again.must_end;
        if status != Some(expected) && !(is_gone && status == Some("pending")) {
            self.wrong(format!("the record of {} says {status:?}", sent.id));
        }
        let settled = firsts.last().map(|first| sent.version(first.received_at));
        let received_at = firsts.last().map(|first| first.received_at);
        let version = text("version");
        if settled.is_none()
            || version != settled.as_deref()
            || number("received_at") != received_at
        {
            let id = &sent.id;
            self.wrong(format!(
                "{id} has {version:?} in its record, not {settled:?}"
            ));
        }
        let forgotten = evidence.forgotten(sent).filter(|_| again.must_end);
        let finished_at = number("finished_at").unwrap_or(0);
        let is_old = is_expired && again.must_end && firsts.len() < 2;
        if is_old || forgotten.is_some_and(|since| finished_at < since) {
            self.wrong(format!("{} came again and was not judged again", sent.id));
        }
        let end = (finished_at / 1000).saturating_add(LIFE);
        let ends = end.saturating_sub(PROCESS)..=end.saturating_add(1);
        let expires_at = number("expires_at").unwrap_or(0);
        if !is_gone && !ends.contains(&expires_at) {
            self.wrong(format!("the record of {} ends at {expires_at}", sent.id));
        }
    }

    /// An event of a source that keeps them is kept as it was sent.
    fn kept(&mut self, sent: &Sent, planned: &Planned, evidence: &Evidence<'_>) {
        let delivery = evidence.plan.delivery_of(planned);
        let is_meant = delivery.is_some_and(|delivery| delivery.source == Source::Kept);
        if is_meant && evidence.kept.get(&sent.key) != Some(&planned.text) {
            self.wrong(format!("{} was not kept as it was sent", sent.id));
        }
    }

    /// Checks the puts of documents by one event: each has a version that the event's record had, and each life of the
    /// record that had to end has a put. Returns the newest version that the document must have seen.
    fn effects(
        &mut self,
        sent: &Sent,
        firsts: &[&FirstRecord],
        writes: &[&DocumentWrite],
        nature: Nature,
        due: Due,
        again: Due,
    ) -> Option<String> {
        let versions: Vec<_> = firsts
            .iter()
            .map(|first| sent.version(first.received_at))
            .collect();
        for write in writes {
            if !versions.contains(&write.version) {
                let (id, version) = (&sent.id, &write.version);
                self.wrong(format!("{id} was put as {version}, which it never was"));
            }
        }
        let is_put = |version: &&String| writes.iter().any(|write| write.version == **version);
        let last = versions.last();
        if nature == Nature::Good && again.must_end && last.is_some_and(|last| !is_put(&last)) {
            if again.acknowledged {
                self.lost += 1;
            } else {
                self.wrong(format!("{} was queued again and never ended", sent.id));
            }
        }
        let newest = versions.iter().filter(is_put).max();
        newest.or(last.filter(|_| due.must_end)).cloned()
    }

    /// The keys of the records of the dead letters; a message may be there twice.
    fn dead_letters(&mut self, bodies: &[String]) -> HashSet<String> {
        let mut keys = HashSet::new();
        for body in bodies {
            match record_key(&serde_json::from_str(body).unwrap_or_default()) {
                Some(key) => drop(keys.insert(key)),
                None => self.wrong("a dead letter has no key".to_owned()),
            }
        }
        keys
    }

    /// Checks that no version of a document is written twice, whatever event the write names.
    fn versions(&mut self, writes: &[DocumentWrite]) {
        let mut seen = BTreeSet::new();
        for write in writes.iter().filter(|write| write.committed) {
            if !seen.insert((&write.pk, &write.version)) {
                self.wrong(format!("{} got {} twice", write.pk, write.version));
            }
        }
    }

    /// Checks that the table holds exactly the newest event of every document.
    fn documents(&mut self, items: &[Item], newest: &HashMap<String, (String, Sent)>) {
        let mut found = HashSet::new();
        for item in items {
            let text = |name: &str| item.get(name).and_then(Value::as_str);
            let id = text("document_id").unwrap_or_default();
            let Some((version, expected)) = newest.get(id) else {
                self.wrong(format!("nobody sent the document {id:?}"));
                continue;
            };
            found.insert(id);
            let state = text("document").and_then(|text| serde_json::from_str(text).ok());
            let is_deleted = item.get("deleted").and_then(Value::as_bool) == Some(true);
            if text("version") != Some(version)
                || text("event_id") != Some(&expected.id)
                || state != expected.state
                || is_deleted != expected.state.is_none()
            {
                let found = text("version");
                self.wrong(format!("{id} is {found:?}, not {version}"));
            }
        }
        let missing = newest.len().saturating_sub(found.len());
        if missing > 0 {
            self.wrong(format!("{missing} documents are missing"));
        }
    }

    /// Checks that every document shows what its sender did last, unless the events say otherwise.
    fn senders_last_word(&mut self, items: &[Item], logs: &HashMap<String, Vec<Said>>) {
        for item in items {
            let text = |name: &str| item.get(name).and_then(Value::as_str);
            let log = text("document_id").and_then(|id| logs.get(id));
            let (Some(log), Some(shown)) = (log, text("event_id")) else {
                continue;
            };
            let shown = log.iter().find(|said| said.id == shown);
            match (log.last(), shown) {
                (Some(last), Some(shown)) if shown.id == last.id => {}
                (Some(last), Some(shown)) if shown.order >= last.order => self.undecidable += 1,
                (last, _) => {
                    let last = last.map_or("nobody", |last| last.id.as_str());
                    self.wrong(format!(
                        "a document does not show {last}, its sender's last word"
                    ));
                }
            }
        }
    }
}

#[cfg(test)]
mod tests;
