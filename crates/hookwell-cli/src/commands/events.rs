//! `hookwell events`: what was received and what became of it.

use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::process::ExitCode;

use anyhow::Result;
use clap::{Args, Subcommand};
use hookwell_aws::tools::admin::{Item, readable};
use hookwell_sandbox::rank::percentile;
use serde_json::{Value, json};

use super::filter::{COLUMNS, Filter, became, received_at};
use super::items::{self, DESTINATION, List, Show, Table};
use super::print::{self, table};
use super::tail::{self, Tail};
use super::target::Target;

const EVENTS: Table = Table {
    name: |opened| &opened.events_table,
    id: "event_id",
    columns: COLUMNS,
};

/// Show received events and what became of them.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// List events, newest first.
    List(ListEvents),
    /// Show one event.
    #[command(after_help = "Examples:
  hookwell events show evt_1 --local
  hookwell events show evt_1 --json")]
    Show(Show),
    /// Follow events: print each when it is seen first, and again whenever what became of it has changed.
    ///
    /// Nothing that is in the table is left out, at any rate: an event whose record appears within a minute of its own
    /// time is printed. What comes and ends between two looks is one line. Refused deliveries are in no table; the log
    /// has them.
    Tail(Tail),
    /// Count events by source, and their copies by destination: what became of them, and how long that took.
    Stats(Stats),
}

#[derive(Debug, Args)]
#[command(after_help = "Examples:
  hookwell events list --local
  hookwell events list --source shop --outcome rejected --since 2d
  hookwell events list --type 'invoice.*' --limit 1000 --json")]
pub(crate) struct ListEvents {
    #[command(flatten)]
    filter: Filter,
    #[command(flatten)]
    list: List,
}

pub(crate) fn run(command: &Command) -> Result<ExitCode> {
    items::block_on(async {
        match command {
            Command::List(ListEvents { filter, list }) => {
                let newest_first = |item: &_| Reverse(received_at(item));
                let keep = |item: &Item| filter.keeps(item);
                items::list(list, &EVENTS, keep, |all| all.sort_by_key(newest_first)).await
            }
            Command::Show(show) => items::show(show, &EVENTS).await,
            Command::Tail(arguments) => tail::run(arguments).await,
            Command::Stats(arguments) => stats(arguments).await,
        }
    })
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
}

impl Counts {
    fn add(&mut self, item: &Item) {
        let count = self.outcomes.entry(became(item)).or_default();
        *count = count.saturating_add(1);
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
    let opened = arguments.target.open().await?;
    let mut sources: BTreeMap<String, Counts> = BTreeMap::new();
    for item in opened.admin.scan(&opened.events_table, None).await? {
        if arguments.filter.keeps(&item) {
            let mut of = readable(&item, "source");
            if item.contains_key(DESTINATION) {
                of = format!("{of} to {}", readable(&item, DESTINATION));
            }
            sources.entry(of).or_default().add(&item);
        }
    }
    let names = [
        "pending", "waiting", "applied", "stale", "ignored", "rejected",
    ];
    let mut rows = Vec::new();
    for (source, counts) in &mut sources {
        counts.took.sort_unstable();
        let (half, most) = (percentile(&counts.took, 50), percentile(&counts.took, 99));
        if arguments.json {
            let outcomes = &counts.outcomes;
            let line =
                json!({ "source": source, "outcomes": outcomes, "p50_ms": half, "p99_ms": most });
            print::json(&line.to_string())?;
            continue;
        }
        let mut row = vec![source.clone()];
        row.extend(names.map(|name| counts.count(name).to_string()));
        row.extend([half, most].map(|time| time.map_or(String::new(), |ms| format!("{ms} ms"))));
        rows.push(row);
    }
    if !arguments.json {
        let headings = names.map(str::to_uppercase);
        let headings: Vec<_> = ["SOURCE"]
            .into_iter()
            .chain(headings.iter().map(String::as_str))
            .chain(["P50 TO END", "P99"])
            .collect();
        table(&headings, &rows)?;
    }
    Ok(ExitCode::SUCCESS)
}
