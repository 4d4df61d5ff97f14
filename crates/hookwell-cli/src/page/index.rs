//! The page's knowledge: filled once from the tables and kept current by reports of the machine, or by looks into the tables
//! of an account, so that no view reads a table.

use std::cmp::Reverse;
use std::collections::{BTreeMap, HashSet, VecDeque};
use std::mem;
use std::sync::Arc;

use hookwell::event::Event;
use hookwell::format::time::Millis;
use hookwell::ports::document::change;
use hookwell::process::Processed;
use hookwell_aws::tools::admin::Item;
use serde_json::Value;

use super::clip::clip;
use super::effect::Effect;
use super::effects::Effects;
use super::row::Row;
use crate::news::{Arrived, Seen};

/// Number of deliveries that are kept with their headers and body.
const KEPT: usize = 1_000;

/// Bytes of all kept deliveries, at most.
const KEPT_BYTES: usize = 64 * 1024 * 1024;

/// Number of lines in the list, at most.
pub(super) const ROWS: usize = 200_000;

/// A document, as a line shows it.
#[derive(Debug, Clone)]
pub(super) struct DocumentRow {
    pub(super) source: String,
    pub(super) kind: String,
    pub(super) id: String,
    pub(super) version: String,
    pub(super) event_id: String,
    pub(super) is_deleted: bool,
    pub(super) state: String,
}

impl DocumentRow {
    /// An item of the documents table, and its key.
    pub(super) fn of_item(item: &Item) -> (&str, Self) {
        let text = |name| item.get(name).and_then(Value::as_str).unwrap_or_default();
        let row = Self {
            source: clip(text("source")),
            kind: clip(text("document_type")),
            id: clip(text("document_id")),
            version: text("version").to_owned(),
            event_id: clip(text("event_id")),
            is_deleted: item.get("deleted") == Some(&Value::Bool(true)),
            state: clip(text("document")),
        };
        (text("pk"), row)
    }
}

/// Everything that the page knows.
#[derive(Debug)]
pub(crate) struct Index {
    /// Lines of the list, oldest first.
    pub(super) rows: VecDeque<Row>,
    /// Effects by the event's key.
    pub(super) effects: Effects,
    /// Documents by their keys; none of an account.
    pub(super) documents: BTreeMap<String, DocumentRow>,
    /// True once the tables were read.
    pub(super) is_filled: bool,
    /// Time at which the last look into the tables began; `None` where a machine keeps the page current.
    pub(super) looked_at: Option<Millis>,
    /// Time before which the table holds records that were not read, where there are any.
    pub(super) read_since: Option<Millis>,
    /// Number of looks that found something.
    pub(super) finds: u64,
    /// Number of changes so far.
    pub(super) revision: u64,
    kept: VecDeque<Arc<Arrived>>,
    kept_bytes: usize,
    next: i64,
}

impl Index {
    /// An empty index.
    pub(super) fn new() -> Self {
        Self {
            rows: VecDeque::new(),
            effects: Effects::default(),
            documents: BTreeMap::new(),
            is_filled: false,
            looked_at: None,
            read_since: None,
            finds: 0,
            revision: 0,
            kept: VecDeque::new(),
            kept_bytes: 0,
            next: 0,
        }
    }

    pub(super) fn take_in(&mut self, seen: Seen) {
        match seen {
            Seen::Arrived(arrived) => self.arrived(*arrived),
            Seen::Processed(done) => self.processed(&done),
            Seen::PutBack { key, at } => self.effects.change(&key, |effect| effect.put_back(at)),
            Seen::Stored { events, documents } => self.stored(&events, &documents),
            Seen::Looked { events, at } => self.looked(&events, at),
            Seen::ReadSince(at) => self.read_since = at,
            Seen::Mark(mark) => {
                let _ = mark.send(());
                return;
            }
        }
        self.revision = self.revision.wrapping_add(1);
    }

    /// A delivery that is still kept.
    pub(super) fn delivery(&self, number: u64) -> Option<Arc<Arrived>> {
        let is_it = |kept: &&Arc<Arrived>| kept.number == number;
        self.kept.iter().rev().find(is_it).cloned()
    }

    /// The deliveries of an event that are still kept, newest first.
    pub(super) fn deliveries_of(&self, key: &str) -> Vec<u64> {
        let kept = self.kept.iter().rev();
        let with_it = kept.filter(|kept| {
            let mut events = kept.received.events.iter();
            events.any(|event| event.key.as_str() == key)
        });
        with_it.map(|kept| kept.number).collect()
    }

    /// The line of a delivery.
    pub(super) fn row(&self, number: u64) -> Option<&Row> {
        self.rows
            .iter()
            .rev()
            .find(|row| row.number == Some(number))
    }

    fn arrived(&mut self, mut arrived: Arrived) {
        self.push(Row::of_delivery(&arrived));
        // The body is in the request already.
        for event in &mut arrived.received.events {
            event.body.0 = Vec::new();
        }
        self.kept_bytes = self.kept_bytes.saturating_add(size(&arrived));
        self.kept.push_back(Arc::new(arrived));
        while self.kept.len() > KEPT || self.kept_bytes > KEPT_BYTES {
            let Some(oldest) = self.kept.pop_front() else {
                break;
            };
            self.kept_bytes = self.kept_bytes.saturating_sub(size(&oldest));
        }
    }

    fn push(&mut self, mut row: Row) {
        row.places = row.keys.iter().map(|key| self.effects.hold(key)).collect();
        row.place = self.next;
        self.next = self.next.saturating_add(1);
        self.rows.push_back(row);
        if self.rows.len() > ROWS
            && let Some(oldest) = self.rows.pop_front()
        {
            for key in &oldest.keys {
                self.effects.let_go(key);
            }
        }
    }

    fn processed(&mut self, done: &Processed) {
        let Some(event) = &done.event else { return };
        if let Some(destination) = &event.destination {
            let copies = |effect: &mut Effect| {
                let copy = effect.copies.entry(destination.clone()).or_default();
                copy.tried(done);
            };
            return self.effects.change(event.key.as_str(), copies);
        }
        let mut is_applied = false;
        self.effects.change(event.key.as_str(), |effect| {
            effect.tried(done);
            is_applied = effect.is_applied();
        });
        if is_applied {
            self.changed(event);
        }
    }

    /// Puts the document of an event, as the built-in handler does it: only over a smaller version.
    fn changed(&mut self, event: &Event) {
        let Ok(Some(document)) = change(event) else {
            return;
        };
        let version = document.version.as_str();
        let there = self.documents.get(document.key.as_str());
        if there.is_some_and(|there| there.version.as_str() >= version) {
            return;
        }
        let row = DocumentRow {
            source: event.source.clone(),
            kind: clip(&event.document_type),
            id: clip(event.document_id.as_deref().unwrap_or_default()),
            version: version.to_owned(),
            event_id: clip(&event.id),
            is_deleted: document.state.is_none(),
            state: clip(document.state.as_deref().unwrap_or_default()),
        };
        self.documents.insert(document.key.as_str().to_owned(), row);
    }

    /// Takes in records of an account that are new or have changed.
    fn looked(&mut self, events: &[Item], at: Millis) {
        self.looked_at = Some(at);
        self.is_filled = true;
        if !events.is_empty() {
            self.finds = self.finds.wrapping_add(1);
        }
        let oldest = self.rows.front().map(|row| row.at);
        for item in events {
            let key = item.get("pk").and_then(Value::as_str).unwrap_or_default();
            if destination(item).is_some() {
                self.stored_copy(item, |copy| *copy = Effect::of_record(item));
            } else if self.effects.of(key).is_some() {
                self.effects.change(key, |effect| {
                    let copies = mem::take(&mut effect.copies);
                    *effect = Effect::of_record(item);
                    effect.copies = copies;
                });
            } else {
                let row = Row::of_record(item);
                // A line that was dropped does not come back because its event has changed.
                if self.rows.len() < ROWS || Some(row.at) >= oldest {
                    let stored = Effect::of_record(item);
                    self.effects.change(key, |effect| *effect = stored);
                    self.next = self.next.max(row.at);
                    self.push(row);
                }
            }
        }
    }

    /// Changes the effect of the copy of an event that a line shows; a new copy is as its record says.
    fn stored_copy(&mut self, item: &Item, change: impl FnOnce(&mut Effect)) {
        let key = item.get("pk").and_then(Value::as_str).unwrap_or_default();
        let Some((name, (key, _))) = destination(item).zip(key.split_once('>')) else {
            return;
        };
        if self.effects.of(key).is_some() {
            self.effects.change(key, |effect| {
                let stored = || Effect::of_record(item);
                change(effect.copies.entry(name.to_owned()).or_insert_with(stored));
            });
        }
    }

    /// Adds the documents of the tables, and their events before all that the machine reported.
    fn stored(&mut self, events: &[Item], documents: &[Item]) {
        let known: HashSet<_> = self.rows.iter().flat_map(|row| row.keys.clone()).collect();
        let is_new = |row: &Row| !row.keys.iter().any(|key| known.contains(key));
        let (copies, events): (Vec<_>, Vec<_>) =
            events.iter().partition(|item| destination(item).is_some());
        let rows = events.into_iter().map(|item| (Row::of_record(item), item));
        let mut rows: Vec<_> = rows.filter(|(row, _)| is_new(row)).collect();
        rows.sort_by_key(|(row, _)| Reverse(row.at));
        rows.truncate(ROWS.saturating_sub(self.rows.len()));
        let mut place = self.rows.front().map_or(self.next, |row| row.place);
        for (mut row, item) in rows {
            for key in &row.keys {
                // What the machine told since is newer than what was read.
                if self.effects.of(key).is_none() {
                    let stored = Effect::of_record(item);
                    self.effects.change(key, |effect| *effect = stored);
                }
                row.places.push(self.effects.hold(key));
            }
            // The place follows the event's time, which the next look does not change: an older page goes on where the
            // newer one ended.
            place = place.saturating_sub(1).min(row.at);
            row.place = place;
            self.rows.push_front(row);
        }
        for item in copies {
            self.stored_copy(item, |_| {});
        }
        for item in documents {
            let (key, row) = DocumentRow::of_item(item);
            let there = self.documents.get(key);
            if there.is_none_or(|there| there.version < row.version) {
                self.documents.insert(key.to_owned(), row);
            }
        }
        self.is_filled = true;
    }
}

/// The destination of a record, where it is of a copy.
fn destination(item: &Item) -> Option<&str> {
    item.get("destination")?.as_str()
}

fn size(arrived: &Arrived) -> usize {
    let headers = arrived.request.headers.iter();
    let headers: usize = headers
        .map(|(name, value)| name.as_str().len() + value.len())
        .sum();
    arrived.request.body.len() + arrived.request.query.len() + headers
}
