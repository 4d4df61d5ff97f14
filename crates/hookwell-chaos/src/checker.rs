//! Decides whether the promise was kept. It shares no code with the functions: it reads what was sent as raw JSON, the
//! senders' log, the proxy's journal, the tables and the dead-letter queue, and knows the rules of docs/design.md by
//! itself.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::Value;
use sha2::{Digest as _, Sha256};

use crate::endpoint::Calls;
use crate::journal::DocumentWrite;
use crate::plan::{Nature, Planned};
use crate::senders::Try;

/// A table item.
pub(crate) type Item = BTreeMap<String, Value>;

/// Everything there is to know about a run.
#[derive(Debug)]
pub(crate) struct Evidence<'a> {
    /// What was to be sent.
    pub(crate) events: &'a [Planned],
    /// What the senders saw.
    pub(crate) tries: &'a [Try],
    /// What the queue took.
    pub(crate) sent: &'a [String],
    /// The calls of the example handler by record key, when it was the handler.
    pub(crate) calls: Option<&'a BTreeMap<String, Calls>>,
    /// What the documents table decided.
    pub(crate) writes: &'a [DocumentWrite],
    /// The events table in the end.
    pub(crate) records: &'a [Item],
    /// The documents table in the end.
    pub(crate) documents: &'a [Item],
    /// The messages of the dead-letter queue.
    pub(crate) dead_letters: &'a [String],
}

/// The decision.
#[derive(Debug, Default)]
pub(crate) struct Verdict {
    /// Events whose sender got a 200.
    pub(crate) acknowledged: u64,
    /// Events whose sender never got one.
    pub(crate) refused_by_sender_rules: u64,
    /// Events that changed their document.
    pub(crate) applied: u64,
    /// Answers that said duplicate.
    pub(crate) duplicates: u64,
    /// Events that found a newer version and changed nothing.
    pub(crate) stale: u64,
    /// Events in the dead-letter queue.
    pub(crate) dead_lettered: u64,
    /// Acknowledged, and without any trace of an effect.
    pub(crate) lost: u64,
    /// Applied more than once.
    pub(crate) doubled: u64,
    /// Taken more than once by the endpoint of the example handler, which nobody can prevent.
    pub(crate) repeated: u64,
    /// Calls to that endpoint beside another one of the same event.
    pub(crate) at_once: u64,
    /// Calls to that endpoint after the event was finished.
    pub(crate) after_the_end: u64,
    /// Everything else that must not be, in words.
    pub(crate) wrong: Vec<String>,
}

/// One event, read from the bytes that were sent.
struct Sent {
    id: String,
    document: Option<String>,
    version: String,
    state: Option<Value>,
}

impl Sent {
    fn read(body: &str) -> Option<Self> {
        let body: Value = serde_json::from_str(body).ok()?;
        let text = |pointer: &str| body.pointer(pointer)?.as_str();
        let id = text("/id")?.to_owned();
        let state = body.pointer("/data/object")?.clone();
        let (rank, is_delete) = match text("/type")?.rsplit_once('.')?.1 {
            "created" => (0, false),
            "updated" => (1, false),
            "deleted" => (2, true),
            _ => (3, false),
        };
        let millis = millis(text("/created_at")?)?;
        let tie = hash(&record_key(&id));
        Some(Self {
            version: format!("{millis:015}~{rank}~{}", tie.get(..16)?),
            document: state.get("id").and_then(Value::as_str).map(str::to_owned),
            state: (!is_delete).then_some(state),
            id,
        })
    }
}

fn hash(text: &str) -> String {
    URL_SAFE_NO_PAD.encode(Sha256::digest(text))
}

/// `pk` of the events table.
fn record_key(id: &str) -> String {
    format!("resource#{}", hash(id))
}

/// Milliseconds since 1970 of `2026-11-21T09:00:00.000Z`; all events are of that month.
fn millis(time: &str) -> Option<u64> {
    let number = |from: usize, to: usize| time.get(from..to)?.parse::<u64>().ok();
    let first_of_november = 1_793_491_200_000;
    let days = number(8, 10)?.checked_sub(1)?;
    let hours = days * 24 + number(11, 13)?;
    let seconds = (hours * 60 + number(14, 16)?) * 60 + number(17, 19)?;
    Some(first_of_november + seconds * 1000 + number(20, 23)?)
}

/// How many problems of a kind are spelled out.
const EXAMPLES: usize = 5;

impl Verdict {
    /// Reads the evidence.
    pub(crate) fn of(evidence: &Evidence<'_>) -> Self {
        let mut verdict = Self::default();
        let mut acknowledged = HashSet::new();
        for one in evidence.tries {
            if one.status == 200 {
                acknowledged.insert(one.event);
            }
            verdict.duplicates += u64::from(one.is_duplicate);
        }
        let queued: HashSet<&str> = evidence.sent.iter().map(String::as_str).collect();
        let mut committed: HashMap<&str, u64> = HashMap::new();
        let mut refused: HashSet<&str> = HashSet::new();
        for write in evidence.writes {
            if write.committed {
                *committed.entry(&write.event).or_default() += 1;
            } else {
                refused.insert(&write.event);
            }
        }
        let buried = verdict.dead_letters(evidence.dead_letters);
        let records: HashMap<&str, &Item> = evidence
            .records
            .iter()
            .filter_map(|item| Some((item.get("pk")?.as_str()?, item)))
            .collect();
        let mut newest: HashMap<String, Sent> = HashMap::new();
        for (index, planned) in evidence.events.iter().enumerate() {
            let Some(sent) = Sent::read(&planned.body) else {
                verdict.wrong(format!("event {index} cannot be read"));
                continue;
            };
            let is_acknowledged = acknowledged.contains(&index);
            let key = record_key(&sent.id);
            let commits = match evidence.calls {
                None => committed.get(sent.id.as_str()).copied().unwrap_or(0),
                Some(calls) => calls.get(&key).map_or(0, |calls| calls.effects),
            };
            let is_stale = commits == 0 && refused.contains(sent.id.as_str());
            let is_buried = buried.contains(&sent.id);
            let record = records.get(key.as_str());
            if planned.nature == Nature::Forged {
                let left_something = commits > 0 || is_stale || is_buried || record.is_some();
                if is_acknowledged || left_something || queued.contains(sent.id.as_str()) {
                    verdict.wrong(format!("the forged event {} left something", sent.id));
                }
                continue;
            }
            verdict.acknowledged += u64::from(is_acknowledged);
            verdict.refused_by_sender_rules += u64::from(!is_acknowledged);
            verdict.applied += u64::from(commits > 0);
            verdict.stale += u64::from(is_stale);
            verdict.dead_lettered += u64::from(is_buried);
            if evidence.calls.is_some() {
                verdict.repeated += u64::from(commits > 1);
            } else {
                verdict.doubled += u64::from(commits > 1);
            }
            let has_end = match planned.nature {
                Nature::Poison => is_buried,
                _ => commits > 0 || is_stale || is_buried,
            };
            let must_end = is_acknowledged || queued.contains(sent.id.as_str());
            if is_acknowledged && !has_end {
                verdict.lost += 1;
            } else if must_end && !has_end {
                verdict.wrong(format!("{} was queued and never ended", sent.id));
            }
            if (planned.nature == Nature::Poison) != is_buried && must_end {
                verdict.wrong(format!("{} is in the wrong place", sent.id));
            }
            let status = record.and_then(|record| record.get("status")?.as_str());
            let expected = if is_buried { "quarantined" } else { "done" };
            if must_end && has_end && status != Some(expected) {
                verdict.wrong(format!("the record of {} says {status:?}", sent.id));
            }
            if (must_end || commits > 0)
                && planned.nature == Nature::Good
                && evidence.calls.is_none()
                && let Some(document) = sent.document.clone()
            {
                let older = newest
                    .get(&document)
                    .is_none_or(|other| other.version < sent.version);
                if older {
                    newest.insert(document, sent);
                }
            }
        }
        for calls in evidence.calls.into_iter().flat_map(BTreeMap::values) {
            verdict.at_once += calls.at_once;
            verdict.after_the_end += calls.after_the_end;
        }
        verdict.versions(evidence.writes);
        verdict.documents(evidence.documents, &newest);
        verdict
    }

    fn wrong(&mut self, what: String) {
        self.wrong.push(what);
    }

    /// The ids of what is in the dead-letter queue; a message may be there twice.
    fn dead_letters(&mut self, bodies: &[String]) -> HashSet<String> {
        let mut ids = HashSet::new();
        for body in bodies {
            let message: Value = serde_json::from_str(body).unwrap_or_default();
            match message.get("id").and_then(Value::as_str) {
                Some(id) => drop(ids.insert(id.to_owned())),
                None => self.wrong("a dead letter has no id".to_owned()),
            }
        }
        ids
    }

    /// No version of a document is written twice, whatever event it claims to be of.
    fn versions(&mut self, writes: &[DocumentWrite]) {
        let mut seen = BTreeSet::new();
        for write in writes.iter().filter(|write| write.committed) {
            if !seen.insert((&write.pk, &write.version)) {
                self.wrong(format!("{} got {} twice", write.pk, write.version));
            }
        }
    }

    /// The table holds exactly the newest event of every document.
    fn documents(&mut self, items: &[Item], newest: &HashMap<String, Sent>) {
        let mut found = HashSet::new();
        for item in items {
            let text = |name: &str| item.get(name).and_then(Value::as_str);
            let id = text("document_id").unwrap_or_default();
            let Some(expected) = newest.get(id) else {
                self.wrong(format!("nobody sent the document {id:?}"));
                continue;
            };
            found.insert(id);
            let state = text("document").and_then(|text| serde_json::from_str(text).ok());
            let is_deleted = item.get("deleted").and_then(Value::as_bool) == Some(true);
            if text("version") != Some(&expected.version)
                || text("event_id") != Some(&expected.id)
                || state != expected.state
                || is_deleted != expected.state.is_none()
            {
                self.wrong(format!(
                    "{id} is {:?}, not {}",
                    text("version"),
                    expected.version
                ));
            }
        }
        let missing = newest.len().saturating_sub(found.len());
        if missing > 0 {
            self.wrong(format!("{missing} documents are missing"));
        }
    }

    /// The first few problems.
    pub(crate) fn examples(&self) -> &[String] {
        self.wrong.get(..EXAMPLES).unwrap_or(&self.wrong)
    }

    /// Whether the promise was kept.
    pub(crate) fn is_kept(&self) -> bool {
        let counts = [self.lost, self.doubled, self.at_once, self.after_the_end];
        counts == [0; 4] && self.wrong.is_empty()
    }
}

#[cfg(test)]
mod tests;
