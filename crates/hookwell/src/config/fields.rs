//! Reads a TOML table key by key, and collects every problem on the way instead of stopping at the first.

use std::cell::RefCell;
use std::collections::BTreeSet;
use std::fmt;

use toml::{Table, Value};

/// One thing wrong with a sources file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// Path in the file, `sources.shop.verify.alg`.
    pub path: String,
    /// Description of the problem, and what to do.
    pub message: String,
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.path, self.message)
    }
}

/// The problems found so far.
#[derive(Debug, Default)]
pub(crate) struct Problems(RefCell<Vec<Problem>>);

impl Problems {
    pub(crate) fn add(&self, path: &str, message: &str) {
        self.0.borrow_mut().push(Problem {
            path: path.to_owned(),
            message: message.to_owned(),
        });
    }

    pub(crate) fn into_sorted(self) -> Vec<Problem> {
        let mut all = self.0.into_inner();
        all.sort_by(|a, b| a.path.cmp(&b.path));
        all.dedup();
        all
    }
}

/// A table, minus the keys read so far.
pub(crate) struct Fields<'p> {
    path: String,
    table: Table,
    seen: BTreeSet<String>,
    problems: &'p Problems,
}

impl<'p> Fields<'p> {
    pub(crate) fn new(path: &str, table: Table, problems: &'p Problems) -> Self {
        Self {
            path: path.to_owned(),
            table,
            seen: BTreeSet::new(),
            problems,
        }
    }

    /// Path of the table in the file.
    pub(crate) fn path(&self) -> &str {
        &self.path
    }

    pub(crate) fn keys(&self) -> Vec<String> {
        self.table.keys().cloned().collect()
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.table.is_empty()
    }

    /// True when the file had this key, whatever came of it.
    pub(crate) fn had(&self, key: &str) -> bool {
        self.seen.contains(key)
    }

    /// True when the file has this key and nobody read it yet.
    pub(crate) fn has(&self, key: &str) -> bool {
        self.table.contains_key(key)
    }

    /// True when the file has this key with something in it and nobody read it yet.
    pub(crate) fn has_some(&self, key: &str) -> bool {
        let value = self.table.get(key);
        value.is_some_and(|value| value.as_array().is_none_or(|all| !all.is_empty()))
    }

    /// True when the file has this key in these tables.
    pub(crate) fn peek(&self, keys: &[&str]) -> bool {
        let (Some(last), tables) = (
            keys.last(),
            keys.split_last().map_or(&[][..], |(_, rest)| rest),
        ) else {
            return false;
        };
        let found = tables
            .iter()
            .try_fold(&self.table, |table, key| table.get(*key)?.as_table());
        found.is_some_and(|table| table.contains_key(*last))
    }

    /// The text under a key that nobody read yet.
    pub(crate) fn peek_text(&self, key: &str) -> Option<&str> {
        self.table.get(key)?.as_str()
    }

    /// Keys that nobody read yet, with their values.
    pub(crate) fn rest(&self) -> Table {
        self.table.clone()
    }

    /// Puts `base` under what the file says: tables merge, everything else in the file wins.
    pub(crate) fn underlay(&mut self, base: Table) {
        merge(&mut self.table, base);
    }

    /// Leaves the other keys unread without calling them unknown.
    pub(crate) fn ignore_rest(self) {
        drop(self);
    }

    /// Calls every key that nobody read unknown.
    pub(crate) fn finish(self) {
        for key in self.table.keys() {
            let near = self.seen.iter().find(|known| looks_like(known, key));
            let hint = near
                .map(|known| format!(": did you mean {known}?"))
                .unwrap_or_default();
            self.problems
                .add(&self.at(key), &format!("unknown key{hint}"));
        }
    }

    pub(crate) fn text(&mut self, key: &str) -> Option<String> {
        match self.take(key)? {
            Value::String(text) => Some(text),
            _ => self.wrong(key, "is a text"),
        }
    }

    /// A text, or a list of texts.
    pub(crate) fn texts(&mut self, key: &str) -> Option<Vec<String>> {
        let values = match self.take(key)? {
            Value::Array(values) => values,
            one => vec![one],
        };
        let texts: Option<Vec<_>> = values
            .iter()
            .map(|value| value.as_str().map(str::to_owned))
            .collect();
        texts.or_else(|| self.wrong(key, "is a list of texts"))
    }

    pub(crate) fn number(&mut self, key: &str, least: usize, most: usize) -> Option<usize> {
        let number = self
            .take(key)?
            .as_integer()
            .and_then(|number| usize::try_from(number).ok());
        let number = number.filter(|number| (least..=most).contains(number));
        number.or_else(|| self.wrong(key, &format!("is a number from {least} to {most}")))
    }

    pub(crate) fn flag(&mut self, key: &str) -> Option<bool> {
        let value = self.take(key)?.as_bool();
        value.or_else(|| self.wrong(key, "is true or false"))
    }

    pub(crate) fn choice<T: Copy>(&mut self, key: &str, choices: &[(&str, T)]) -> Option<T> {
        let value = self.take(key)?;
        let chosen = value
            .as_str()
            .and_then(|text| choices.iter().find(|(name, _)| *name == text));
        let names: Vec<_> = choices.iter().map(|(name, _)| *name).collect();
        chosen
            .map(|(_, choice)| *choice)
            .or_else(|| self.wrong(key, &format!("is one of {}", names.join(", "))))
    }

    /// A list of names.
    pub(crate) fn choices<T: Copy>(&mut self, key: &str, choices: &[(&str, T)]) -> Vec<T> {
        let texts = self.texts(key).unwrap_or_default();
        let chosen = texts.iter().filter_map(|text| {
            let found = choices.iter().find(|(name, _)| name == text);
            found.map(|(_, choice)| *choice).or_else(|| {
                let names: Vec<_> = choices.iter().map(|(name, _)| *name).collect();
                self.wrong(key, &format!("is a list of {}", names.join(", ")))
            })
        });
        chosen.collect()
    }

    pub(crate) fn table(&mut self, key: &str) -> Option<Fields<'p>> {
        match self.take(key)? {
            Value::Table(table) => Some(Fields::new(&self.at(key), table, self.problems)),
            _ => self.wrong(key, "is a table"),
        }
    }

    pub(crate) fn tables(&mut self, key: &str) -> Option<Vec<Fields<'p>>> {
        let Value::Array(values) = self.take(key)? else {
            return self.wrong(key, "is a list of tables");
        };
        let mut tables = Vec::new();
        for (index, value) in values.into_iter().enumerate() {
            let path = format!("{}[{index}]", self.at(key));
            match value {
                Value::Table(table) => tables.push(Fields::new(&path, table, self.problems)),
                _ => self.problems.add(&path, "is a table"),
            }
        }
        Some(tables)
    }

    fn take(&mut self, key: &str) -> Option<Value> {
        let value = self.table.remove(key);
        self.seen.insert(key.to_owned());
        value
    }

    fn wrong<T>(&self, key: &str, what: &str) -> Option<T> {
        self.problems.add(&self.at(key), what);
        None
    }

    fn at(&self, key: &str) -> String {
        if self.path.is_empty() {
            key.to_owned()
        } else {
            format!("{}.{key}", self.path)
        }
    }
}

/// Puts `base` under a table: tables in it merge, everything else that is there wins.
pub(crate) fn merge(over: &mut Table, base: Table) {
    for (key, below) in base {
        match (over.get_mut(&key), below) {
            (Some(Value::Table(over)), Value::Table(below)) => merge(over, below),
            (Some(_), _) => {}
            (None, below) => {
                over.insert(key, below);
            }
        }
    }
}

/// True when two keys differ by one letter, a missing one, or `-` for `_`.
pub(crate) fn looks_like(known: &str, key: &str) -> bool {
    let known: Vec<char> = known.chars().collect();
    let key: Vec<char> = key
        .chars()
        .map(|c| if c == '-' { '_' } else { c })
        .collect();
    let same_start = known.iter().zip(&key).take_while(|(a, b)| a == b).count();
    let rest = known.len().max(key.len()).saturating_sub(same_start);
    let same_end = known
        .iter()
        .rev()
        .zip(key.iter().rev())
        .take(rest)
        .take_while(|(a, b)| a == b)
        .count();
    known.len().abs_diff(key.len()) <= 1 && same_end.saturating_add(1) >= rest
}
