//! Filters the lines of a list. The filter is the query of the address, so that a reload and a bookmark keep it.

use hookwell::format::time::{Millis, event_time};
use serde::de::Error as _;
use serde::{Deserialize, Deserializer};

use super::effects::Effects;
use super::index::Index;
use super::row::Row;

/// Number of lines on a page.
const LINES: usize = 100;

/// A minute in milliseconds.
const MINUTE: Millis = 60_000;

/// A minute of UTC as a browser's field for times writes it, `2026-11-27T09:00`.
#[derive(Debug, Clone, Default)]
pub(super) struct Minute {
    /// The text; empty for no limit.
    pub(super) text: String,
    /// The time at which the minute begins.
    pub(super) at: Option<Millis>,
}

impl<'de> Deserialize<'de> for Minute {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        let at = event_time(&format!("{text}:00Z"));
        if at.is_none() && !text.is_empty() {
            return Err(D::Error::custom("a time is written like 2026-11-27T09:00"));
        }
        Ok(Self { text, at })
    }
}

/// Search, filters and page of a list.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub(super) struct Filter {
    /// Search for any part of source, type, id, document or reason.
    pub(super) q: String,
    pub(super) source: String,
    pub(super) outcome: String,
    pub(super) status: String,
    /// Only lines of this minute or later.
    pub(super) from: Minute,
    /// Only lines of this minute or earlier.
    pub(super) to: Minute,
    /// Only lines older than this place.
    before: Option<i64>,
}

/// The lines of one page.
pub(super) struct Lines<'i> {
    pub(super) rows: Vec<&'i Row>,
    /// Number of lines on all pages.
    pub(super) found: usize,
    /// The address of the next page.
    pub(super) older: Option<String>,
}

impl Filter {
    /// All lines that pass the filter, newest first.
    pub(super) fn rows<'i>(&self, index: &'i Index) -> impl Iterator<Item = &'i Row> {
        let words = self.q.trim().to_lowercase();
        let rows = index.rows.iter().rev();
        rows.filter(move |row| self.admits(row, &words, &index.effects))
    }

    /// One page of them.
    pub(super) fn lines<'i>(&self, index: &'i Index) -> Lines<'i> {
        let mut rows = Vec::new();
        let mut found = 0_usize;
        let mut has_older = false;
        for row in self.rows(index) {
            found = found.saturating_add(1);
            if self.before.is_some_and(|before| row.place >= before) {
                continue;
            }
            if rows.len() < LINES {
                rows.push(row);
            } else {
                has_older = true;
            }
        }
        let last = rows.last().filter(|_| has_older);
        let older = last.map(|row| self.address(Some(row.place)));
        Lines { rows, found, older }
    }

    fn admits(&self, row: &Row, words: &str, effects: &Effects) -> bool {
        let is_early = self.from.at.is_some_and(|from| row.at < from);
        let is_late = self.end().is_some_and(|end| row.at >= end);
        if is_early || is_late || !self.source.is_empty() && self.source != row.source {
            return false;
        }
        if !self.status.is_empty()
            && row.status.map(|status| status.to_string()).as_deref() != Some(&*self.status)
        {
            return false;
        }
        if self.outcome.is_empty() && words.is_empty() {
            return true;
        }
        let (outcome, effect) = row.outcome(effects);
        (self.outcome.is_empty() || self.outcome == outcome)
            && (words.is_empty() || row.holds(words, effect))
    }

    /// The time before which all lines are.
    pub(super) fn end(&self) -> Option<Millis> {
        Some(self.to.at?.saturating_add(MINUTE))
    }

    /// True for the newest page.
    pub(super) fn is_newest(&self) -> bool {
        self.before.is_none()
    }

    /// True when a search or a filter may leave lines out.
    pub(super) fn is_set(&self) -> bool {
        self.pairs().iter().any(|(_, value)| !value.is_empty())
    }

    fn pairs(&self) -> [(&'static str, &str); 6] {
        [
            ("q", &self.q),
            ("source", &self.source),
            ("outcome", &self.outcome),
            ("status", &self.status),
            ("from", &self.from.text),
            ("to", &self.to.text),
        ]
    }

    /// Address of the list with this filter.
    pub(super) fn address(&self, before: Option<i64>) -> String {
        let mut query = form_urlencoded::Serializer::new(String::new());
        let pairs = self.pairs();
        query.extend_pairs(pairs.iter().filter(|(_, value)| !value.is_empty()));
        if let Some(before) = before {
            query.append_pair("before", &before.to_string());
        }
        let query = query.finish();
        match query.as_str() {
            "" => "/".to_owned(),
            query => format!("/?{query}"),
        }
    }
}
