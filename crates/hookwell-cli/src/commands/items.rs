//! Printing that the commands over a table share.

use std::process::ExitCode;

use anyhow::Result;
use hookwell_aws::tools::admin::{Item, readable};
use hookwell_aws::tools::records::Records;

use super::clean::clean;
use super::columns::padded;
use super::print::{self, grouped, table};

/// An attribute and its heading.
pub(super) type Column = (&'static str, &'static str);

/// Attribute that only the records of copies for destinations have.
pub(super) const DESTINATION: &str = "destination";

/// The longest cell of a list, in characters; of a longer one the rest is left out, and `…` says so.
const MAX_CELL: usize = 60;

/// The number of items that a list leaves out.
pub(super) enum LeftOut {
    /// So many.
    Exactly(usize),
    /// At least so many: the others were not counted.
    More(usize),
    /// Perhaps some: nobody has looked.
    Unknown,
}

impl LeftOut {
    /// Says how many of all items were not printed.
    pub(super) fn note(&self, printed: usize) {
        let all = |more: usize| grouped(printed.saturating_add(more));
        let of = match *self {
            Self::Exactly(0) => return,
            Self::Exactly(more) => format!("of {}", all(more)),
            Self::More(more) => format!("of more than {}", all(more.saturating_sub(1))),
            Self::Unknown => "printed, older ones not looked at".to_owned(),
        };
        print::note(&format!("{} {of}: --limit shows more", grouped(printed)));
    }
}

/// Says how many of all items were not printed.
pub(super) fn note_left_out(printed: usize, all: usize) {
    LeftOut::Exactly(all.saturating_sub(printed)).note(printed);
}

/// Meaning of a table without the index.
pub(super) const UNINDEXED: &str =
    "the events table has no index by-time (docs/upgrade.md), so that all of it is read";

/// Says when the whole table was read.
pub(super) fn note_unindexed(records: &Records<'_>) {
    if !records.is_indexed() {
        print::note(UNINDEXED);
    }
}

/// A line about one item, for printing alone: columns of these widths, whatever the other lines hold.
pub(super) fn line_of(item: &Item, columns: &[Column], widths: &[usize]) -> String {
    let cells = row(item, columns).into_iter().zip(widths);
    // Cleaned before they are aligned: what a sender wrote grows by it.
    let cells: Vec<_> = cells
        .map(|(cell, width)| padded(&clean(&cell), *width))
        .collect();
    cells.join("  ").trim_end().to_owned()
}

/// Prints items, a line each.
pub(super) fn print(items: &[Item], columns: &[Column], json: bool) -> Result<()> {
    if json {
        return show(items, json);
    }
    // The column of destinations is shown only where a record has one.
    let has_copies = items.iter().any(|item| item.contains_key(DESTINATION));
    let columns = columns.iter().copied();
    let columns: Vec<_> = columns
        .filter(|(name, _)| has_copies || *name != DESTINATION)
        .collect();
    let rows: Vec<_> = items.iter().map(|item| row(item, &columns)).collect();
    let headings: Vec<_> = columns.iter().map(|(_, heading)| *heading).collect();
    Ok(table(&headings, &rows)?)
}

/// The cells of an item.
fn row(item: &Item, columns: &[Column]) -> Vec<String> {
    let cell = |(name, _): &Column| {
        let text = readable(item, name);
        match text.char_indices().nth(MAX_CELL) {
            Some((end, _)) => format!("{}…", text.get(..end).unwrap_or_default()),
            None => text,
        }
    };
    columns.iter().map(cell).collect()
}

/// The attributes that a person looks for, in this order.
const FIRST: [&str; 6] = ["source", "event_id", "type", "status", "outcome", "reason"];

/// Prints all attributes of each item, what became of it first.
pub(super) fn show(items: &[Item], json: bool) -> Result<()> {
    for (index, item) in items.iter().enumerate() {
        if json {
            print::json(&serde_json::to_string(item)?)?;
            continue;
        }
        if index > 0 {
            print::line("")?;
        }
        let rest = item.keys().map(String::as_str);
        let rest = rest.filter(|name| !FIRST.contains(name));
        for name in FIRST
            .into_iter()
            .filter(|it| item.contains_key(*it))
            .chain(rest)
        {
            print::line(&format!("{name:<16} {}", readable(item, name)))?;
        }
    }
    Ok(())
}

/// Runs a command that waits for tables.
///
/// # Errors
/// The command's.
pub(super) fn block_on(command: impl Future<Output = Result<ExitCode>>) -> Result<ExitCode> {
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?
        .block_on(command)
}
