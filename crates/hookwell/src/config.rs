//! The sources file: TOML in, sources out, and every problem of the file at once, each with its path.

mod destination;
mod event;
mod fields;
mod preset;
mod proof;
mod reply;
mod source;
mod values;
mod verify;

use std::collections::BTreeSet;

use toml::Table;

pub use self::fields::Problem;
use self::fields::{Fields, Problems};
pub use self::preset::{preset_table, presets, presets_text};
pub use self::source::MAX_BODY_BYTES;
use crate::deliver::Destination;
use crate::source::Source;

/// Reads a sources file.
///
/// # Errors
/// Every problem in the file, sorted by path.
pub fn parse(text: &str) -> Result<Vec<Source>, Vec<Problem>> {
    match parse_locally(text) {
        Ok((sources, shared)) if shared.is_empty() => Ok(sources),
        Ok((_, problems)) | Err(problems) => Err(problems),
    }
}

/// Reads a sources file for a development machine: sources that share a secret are returned too, with the problems that
/// [`parse`] reports for them.
///
/// # Errors
/// Every other problem in the file, sorted by path.
pub fn parse_locally(text: &str) -> Result<(Vec<Source>, Vec<Problem>), Vec<Problem>> {
    let problems = Problems::default();
    let file: Table = match text.parse() {
        Ok(file) => file,
        Err(error) => return Err(vec![syntax(text, &error)]),
    };
    let senders = named_in(&file, "sources");
    let mut root = Fields::new("", file, &problems);
    let mut sources = Vec::new();
    match root.table("sources") {
        Some(named) if named.is_empty() => {
            problems.add("sources", "is empty: name at least one sender");
        }
        None => problems.add("sources", "is missing: name a sender with [sources.NAME]"),
        Some(mut named) => {
            for name in named.keys() {
                if let Some(fields) = named.table(&name) {
                    sources.extend(source::read(&name, fields, &problems));
                }
            }
        }
    }
    let destinations = root.table("destinations");
    let destinations = destinations.map(|named| destination::read_all(named, &senders, &problems));
    root.finish();
    let shared = Problems::default();
    proof::shared(&sources, &destinations.unwrap_or_default(), &shared);
    let mut problems = problems.into_sorted();
    let shared = shared.into_sorted();
    if problems.is_empty() {
        Ok((sources, shared))
    } else {
        problems.extend(shared);
        problems.sort_by(|one, other| one.path.cmp(&other.path));
        Err(problems)
    }
}

/// The names of the sources in a file, whatever else is wrong with it.
///
/// # Errors
/// When it is no TOML, or has no sources.
pub fn names(text: &str) -> Result<BTreeSet<String>, Problem> {
    let file: Table = text.parse().map_err(|error| syntax(text, &error))?;
    let names = named_in(&file, "sources");
    if names.is_empty() {
        let (path, message) = ("sources".to_owned(), "names no sender".to_owned());
        return Err(Problem { path, message });
    }
    Ok(names)
}

/// The destinations in a file, whatever is wrong with its sources.
///
/// # Errors
/// When it is no TOML; else every problem of its destinations, in its order by path.
pub fn destinations(text: &str) -> Result<Vec<Destination>, Vec<Problem>> {
    let file: Table = text.parse().map_err(|error| vec![syntax(text, &error)])?;
    let sources = named_in(&file, "sources");
    let problems = Problems::default();
    let mut root = Fields::new("", file, &problems);
    let named = root.table("destinations");
    let read = named.map(|named| destination::read_all(named, &sources, &problems));
    root.ignore_rest();
    let problems = problems.into_sorted();
    if problems.is_empty() {
        Ok(read.unwrap_or_default())
    } else {
        Err(problems)
    }
}

/// The names below a key of the file.
fn named_in(file: &Table, key: &str) -> BTreeSet<String> {
    let named = file.get(key).and_then(|all| all.as_table());
    named.into_iter().flat_map(Table::keys).cloned().collect()
}

fn syntax(text: &str, error: &toml::de::Error) -> Problem {
    let before = error
        .span()
        .and_then(|span| text.get(..span.start))
        .unwrap_or_default();
    let line = before
        .bytes()
        .filter(|byte| *byte == b'\n')
        .count()
        .saturating_add(1);
    Problem {
        path: format!("line {line}"),
        message: error.message().replace('\n', ", "),
    }
}
