//! The records of the events table as they change: those that come, and those that have come and are not done.

use std::collections::{HashMap, HashSet};

use hookwell::format::time::Millis;
use hookwell::ports::ledger::Status;
use serde_json::Value;

use crate::tools::admin::{Admin, Item};
use crate::tools::failure::AdminError;
use crate::tools::records::{Order, Search, received_at};

/// Delay at most between a record's own time and its appearance in the index, in milliseconds: ingest answers within
/// 1.2 s, an index follows its table within a second as a rule, and the rest is for clocks that differ.
const LATE: Millis = 60_000;

/// Records that are read and given at once.
const AT_ONCE: usize = 800;

/// The attributes of a record that say when something happened to it.
const CHANGES: [&str; 4] = ["received_at", "failed_at", "finished_at", "reopened_at"];

/// A state of a record, to tell whether it has changed.
#[derive(Debug, Clone, PartialEq, Eq)]
struct State {
    received_at: Millis,
    changed_at: Millis,
    status: String,
    outcome: String,
}

impl State {
    fn of(item: &Item) -> Self {
        let text = |name| item.get(name).and_then(Value::as_str).unwrap_or_default();
        Self {
            received_at: received_at(item).unwrap_or(0),
            changed_at: changed_at(item),
            status: text("status").to_owned(),
            outcome: text("outcome").to_owned(),
        }
    }

    fn is_done(&self) -> bool {
        self.status == Status::Done.name()
    }
}

/// Changes of records. Of the events that are done it remembers those of the last minute, of the others all. Each look
/// reads what it remembers, and what is new.
#[derive(Debug)]
pub struct Follow {
    /// Time of reception of the records that the next look asks the index for.
    since: Millis,
    /// The last known state of each record that the next look may see again.
    last: HashMap<String, State>,
}

impl Follow {
    /// Follows the records received at that time or later.
    #[must_use]
    pub fn since(since: Millis) -> Self {
        Self {
            since,
            last: HashMap::new(),
        }
    }

    /// Follows the records received after that time, and these, which somebody has read at it.
    #[must_use]
    pub fn after(items: &[Item], at: Millis) -> Self {
        let mut follow = Self::since(at.saturating_sub(LATE));
        follow.also(items);
        follow
    }

    /// Follows these records as well, which somebody has just read.
    pub fn also(&mut self, items: &[Item]) {
        let state = |item| (key_of(item).to_owned(), State::of(item));
        self.last.extend(items.iter().map(state));
        self.forget();
    }

    /// Gives the records that are new or have changed since the last look, some at a time, the first changed first. `search`
    /// says which are meant; its times do not count. True unless the table lacks the index, so that all of it was read.
    ///
    /// # Errors
    /// When `DynamoDB` refuses. What was given before that is not given again.
    pub async fn look(
        &mut self,
        admin: &Admin,
        table: &str,
        search: &Search,
        now: Millis,
        mut give: impl FnMut(Vec<Item>),
    ) -> Result<bool, AdminError> {
        let is_older = |state: &State| state.received_at < self.since;
        let older = self.last.iter().filter(|(_, state)| is_older(state));
        let older: Vec<_> = older.map(|(key, _)| key.clone()).collect();
        let mut there = HashSet::new();
        for keys in older.chunks(AT_ONCE) {
            let keys: Vec<_> = keys.iter().map(String::as_str).collect();
            let items = admin.get_all(table, &keys).await?;
            there.extend(items.iter().map(|it| key_of(it).to_owned()));
            self.give(items, &mut give);
        }
        for gone in older.iter().filter(|key| !there.contains(*key)) {
            self.last.remove(gone);
        }
        let search = Search {
            since: Some(self.since),
            until: None,
            ..search.clone()
        };
        let mut records = admin.records(table, search, Order::OldestFirst);
        loop {
            let items = records.next(AT_ONCE).await?;
            if items.is_empty() {
                break;
            }
            self.give(items, &mut give);
        }
        self.since = self.since.max(now.saturating_sub(LATE));
        self.forget();
        Ok(records.is_indexed())
    }

    fn give(&mut self, mut items: Vec<Item>, give: &mut impl FnMut(Vec<Item>)) {
        items.retain(|item| {
            let state = State::of(item);
            self.last.insert(key_of(item).to_owned(), state.clone()) != Some(state)
        });
        items.sort_by_key(changed_at);
        if !items.is_empty() {
            give(items);
        }
    }

    /// Forgets the events that are done and that the next look does not ask for: nothing happens to them, unless somebody
    /// opens one again.
    fn forget(&mut self) {
        let since = self.since;
        self.last
            .retain(|_, state| !state.is_done() || state.received_at >= since);
    }
}

fn key_of(item: &Item) -> &str {
    item.get("pk").and_then(Value::as_str).unwrap_or_default()
}

/// Time at which the record was last written.
fn changed_at(item: &Item) -> Millis {
    let times = CHANGES.iter().filter_map(|name| item.get(*name));
    times.filter_map(Value::as_i64).max().unwrap_or(0)
}
