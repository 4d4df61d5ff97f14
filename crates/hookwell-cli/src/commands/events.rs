//! `hookwell events`: what was received and what became of it.

use std::collections::BTreeMap;
use std::process::ExitCode;

use anyhow::{Result, bail};
use clap::{Args, Subcommand};
use hookwell::format::time::{Millis, to_rfc3339};
use hookwell_aws::tools::admin::{Item, readable};
use hookwell_aws::tools::records::{Order, received_at};
use hookwell_sandbox::rank::percentile;
use serde_json::{Value, json};

use super::filter::{COLUMNS, Filter, became};
use super::items::{self, DESTINATION, LeftOut};
use super::print::{self, table};
use super::tail::{self, Tail};
use super::target::Target;

/// Records that are read at once where more than one look is needed.
const AT_ONCE: usize = 800;

/// Records that a list leaves out and still counts.
const COUNTED: usize = 10_000;

/// Show received events and what became of them.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// List events, newest first.
    ///
    /// Reads as many records as it prints. With --outcome it reads all from the newest on until it has found so many: --since
    /// sets an end to that.
    List(List),
    /// Show one event.
    Show(Show),
    /// Follow events: print each when it is seen first, and again whenever what became of it has changed.
    ///
    /// Follows the events that come from now on, or from --since, until they are done; those that were rejected or wait in
    /// the retry queue are not. None of them is left out, at any rate: an event whose record appears within a minute of its
    /// own time is printed. What comes and ends between two looks is one line. Refused deliveries are in no table; the log
    /// has them.
    Tail(Tail),
    /// Count events by source, and their copies by destination: what became of them, how long that took, and when the last came.
    ///
    /// Reads the records since --since, or the whole table.
    Stats(Stats),
}

#[derive(Debug, Args)]
#[command(after_help = "Examples:
  hookwell events list --local
  hookwell events list --source shop --outcome rejected --since 2d
  hookwell events list --type 'invoice.*' --limit 1000 --json")]
pub(crate) struct List {
    #[command(flatten)]
    filter: Filter,
    /// At most so many.
    #[arg(long, default_value_t = 50)]
    limit: usize,
    /// Print one JSON object per event.
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    target: Target,
}

#[derive(Debug, Args)]
#[command(after_help = "Examples:
  hookwell events show evt_1 --local
  hookwell events show evt_1 --source shop --json")]
pub(crate) struct Show {
    /// The sender's id, or the event's key in the table.
    id: String,
    /// Of this source. Unless it is named, the sources of the newest events are looked at first.
    #[arg(long)]
    source: Option<String>,
    /// Print one JSON object.
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    target: Target,
}

pub(crate) fn run(command: &Command) -> Result<ExitCode> {
    items::block_on(async {
        match command {
            Command::List(arguments) => list(arguments).await,
            Command::Show(arguments) => show(arguments).await,
            Command::Tail(arguments) => tail::run(arguments).await,
            Command::Stats(arguments) => stats(arguments).await,
        }
    })
}

async fn list(arguments: &List) -> Result<ExitCode> {
    let List { filter, limit, .. } = arguments;
    let opened = arguments.target.open().await?;
    let search = filter.search();
    let (admin, name) = (&opened.admin, &opened.events_table);
    let mut records = admin.records(name, search, Order::NewestFirst);
    let (mut found, mut printed, mut beyond) = (Vec::new(), 0_usize, 0_usize);
    while printed.saturating_add(found.len()) < *limit {
        let missing = limit.saturating_sub(printed).saturating_sub(found.len());
        let most = match filter.outcome {
            None => missing.min(AT_ONCE),
            Some(_) => AT_ONCE,
        };
        let some = records.next(most).await?;
        if some.is_empty() {
            break;
        }
        let mut some = some.into_iter().filter(|it| filter.has_outcome(it));
        found.extend(some.by_ref().take(missing));
        beyond = beyond.saturating_add(some.count());
        if arguments.json {
            printed = printed.saturating_add(found.len());
            items::print(&found, COLUMNS, true)?;
            found.clear();
        }
    }
    if !arguments.json {
        items::print(&found, COLUMNS, false)?;
    }
    items::note_unindexed(&records);
    printed = printed.saturating_add(found.len());
    let left_out = match (records.count(COUNTED).await?, &filter.outcome) {
        (0, _) => LeftOut::Exactly(beyond),
        (_, Some(_)) => LeftOut::Unknown,
        (COUNTED, None) => LeftOut::More(COUNTED),
        (more, None) => LeftOut::Exactly(more),
    };
    left_out.note(printed);
    Ok(ExitCode::SUCCESS)
}

async fn show(arguments: &Show) -> Result<ExitCode> {
    let Show { id, source, .. } = arguments;
    let opened = arguments.target.open().await?;
    let (admin, name) = (&opened.admin, &opened.events_table);
    let found = admin.find(name, id, source.as_deref()).await?;
    if found.is_empty() {
        bail!("there is no event {id:?}");
    }
    items::show(&found, arguments.json)?;
    Ok(ExitCode::SUCCESS)
}

#[derive(Debug, Args)]
#[command(after_help = "Examples:
  hookwell events stats --since 1h
  hookwell events stats --type 'order.*' --json --local")]
pub(crate) struct Stats {
    #[command(flatten)]
    filter: Filter,
    /// Print one JSON object per source.
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    target: Target,
}

/// Outcomes of the events of one source, counted.
#[derive(Default)]
struct Counts {
    outcomes: BTreeMap<String, u64>,
    /// From the receipt to the end, in milliseconds.
    took: Vec<i64>,
    /// Time of the last reception.
    last: Option<Millis>,
}

impl Counts {
    fn add(&mut self, item: &Item) {
        let count = self.outcomes.entry(became(item)).or_default();
        *count = count.saturating_add(1);
        self.last = self.last.max(received_at(item));
        let ended = item.get("finished_at").and_then(Value::as_i64);
        let took = ended.zip(received_at(item));
        self.took
            .extend(took.map(|(ended, received)| ended.saturating_sub(received)));
    }

    fn count(&self, outcome: &str) -> u64 {
        self.outcomes.get(outcome).copied().unwrap_or(0)
    }
}

async fn stats(arguments: &Stats) -> Result<ExitCode> {
    let filter = &arguments.filter;
    let opened = arguments.target.open().await?;
    let (admin, name) = (&opened.admin, &opened.events_table);
    let mut sources: BTreeMap<String, Counts> = BTreeMap::new();
    let search = filter.search();
    let mut add = |item: &Item| {
        if search.holds(item) && filter.has_outcome(item) {
            let mut of = readable(item, "source");
            if item.contains_key(DESTINATION) {
                of = format!("{of} to {}", readable(item, DESTINATION));
            }
            sources.entry(of).or_default().add(item);
        }
    };
    if filter.since.is_some() {
        let mut records = admin.records(name, filter.search(), Order::NewestFirst);
        loop {
            let some = records.next(AT_ONCE).await?;
            if some.is_empty() {
                break;
            }
            some.iter().for_each(&mut add);
        }
        items::note_unindexed(&records);
    } else {
        // A scan reads many records of a table for less than one by one.
        let mut pages = admin.pages(name, None);
        while let Some(page) = pages.next().await? {
            page.iter().for_each(&mut add);
        }
    }
    let names = [
        "pending", "waiting", "applied", "stale", "ignored", "rejected",
    ];
    let mut rows = Vec::new();
    for (source, counts) in &mut sources {
        counts.took.sort_unstable();
        let (half, most) = (percentile(&counts.took, 50), percentile(&counts.took, 99));
        let last = counts.last.map(to_rfc3339);
        if arguments.json {
            let outcomes = &counts.outcomes;
            let line = json!({ "source": source, "outcomes": outcomes, "p50_ms": half, "p99_ms": most,
                "last": last });
            print::json(&line.to_string())?;
            continue;
        }
        let mut row = vec![source.clone()];
        row.extend(names.map(|name| counts.count(name).to_string()));
        row.extend([half, most].map(|time| time.map_or(String::new(), |ms| format!("{ms} ms"))));
        row.push(last.unwrap_or_default());
        rows.push(row);
    }
    if !arguments.json {
        let headings = names.map(str::to_uppercase);
        let headings: Vec<_> = ["SOURCE"]
            .into_iter()
            .chain(headings.iter().map(String::as_str))
            .chain(["P50 TO END", "P99", "LAST"])
            .collect();
        table(&headings, &rows)?;
    }
    Ok(ExitCode::SUCCESS)
}
