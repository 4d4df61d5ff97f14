//! Arguments, search and printing that the commands over a table share.

use std::process::ExitCode;

use anyhow::{Result, bail};
use clap::Args;
use hookwell_aws::tools::admin::{Item, readable};

use super::clean::clean;
use super::columns::padded;
use super::print::{self, grouped, table};
use super::target::{Opened, Target};

/// Which items to list.
#[derive(Debug, Args)]
pub(crate) struct List {
    /// Only of this source.
    #[arg(long)]
    source: Option<String>,
    /// At most so many.
    #[arg(long, default_value_t = 50)]
    limit: usize,
    /// Print one JSON object per item.
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    target: Target,
}

/// Which item to show.
#[derive(Debug, Args)]
pub(crate) struct Show {
    /// The sender's id, or the item's key in the table.
    id: String,
    /// Print one JSON object.
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    target: Target,
}

/// A table as the commands see it.
pub(super) struct Table {
    /// Chooses the table's name from the opened ones.
    pub(super) name: fn(&Opened) -> &str,
    /// The attribute that holds the sender's id.
    pub(super) id: &'static str,
    /// Attributes to list, with their headings.
    pub(super) columns: &'static [Column],
}

/// An attribute and its heading.
pub(super) type Column = (&'static str, &'static str);

/// Attribute that only the records of copies for destinations have.
pub(super) const DESTINATION: &str = "destination";

/// The longest cell of a list, in characters; of a longer one the rest is left out, and `…` says so.
const MAX_CELL: usize = 60;

/// Lists the items that `keep` keeps, in the order that `sort` gives them.
pub(super) async fn list(
    list: &List,
    of: &Table,
    keep: impl Fn(&Item) -> bool,
    sort: impl Fn(&mut [Item]),
) -> Result<ExitCode> {
    let opened = list.target.open().await?;
    let filter = list.source.as_deref().map(|source| ("source", source));
    let mut items = opened.admin.scan((of.name)(&opened), filter).await?;
    items.retain(keep);
    sort(&mut items);
    let all = items.len();
    items.truncate(list.limit);
    print(&items, of.columns, list.json)?;
    note_left_out(items.len(), all);
    Ok(ExitCode::SUCCESS)
}

/// Says how many of all items were not printed.
pub(super) fn note_left_out(printed: usize, all: usize) {
    if printed < all {
        let (printed, all) = (grouped(printed), grouped(all));
        print::note(&format!("{printed} of {all}: --limit shows more"));
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
        for item in items {
            print::json(&serde_json::to_string(item)?)?;
        }
        return Ok(());
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

/// Shows the item under a key, or every item with that id.
///
/// # Errors
/// When there is none.
pub(super) async fn show(show: &Show, of: &Table) -> Result<ExitCode> {
    let opened = show.target.open().await?;
    let name = (of.name)(&opened);
    let mut items: Vec<_> = opened
        .admin
        .get(name, &show.id)
        .await?
        .into_iter()
        .collect();
    if items.is_empty() {
        items = opened.admin.scan(name, Some((of.id, &show.id))).await?;
    }
    if items.is_empty() {
        bail!("there is no {} {:?}", of.id.replace("_id", ""), show.id);
    }
    for (index, item) in items.iter().enumerate() {
        if show.json {
            print::json(&serde_json::to_string(item)?)?;
            continue;
        }
        if index > 0 {
            print::line("")?;
        }
        for name in item.keys() {
            print::line(&format!("{name:<16} {}", readable(item, name)))?;
        }
    }
    Ok(ExitCode::SUCCESS)
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
