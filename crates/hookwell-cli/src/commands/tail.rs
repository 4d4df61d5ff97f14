//! `hookwell events tail`: the events table as it changes.

use std::process::ExitCode;
use std::time::{Duration, Instant};

use anyhow::Result;
use clap::Args;
use hookwell_aws::tools::admin::Item;
use hookwell_aws::tools::follow::Follow;
use hookwell_lambda::now::now;

use super::filter::{COLUMNS, Filter};
use super::items::{UNINDEXED, line_of};
use super::print;
use super::target::Target;

/// Least pause after a look, as a multiple of the look's time, so that the table is not read all the time.
const PAUSES: u32 = 4;

/// The width of a line's columns, in characters.
const WIDTHS: [usize; 9] = [24, 12, 11, 8, 9, 24, 28, 24, 0];

#[derive(Debug, Args)]
#[command(after_help = "Examples:
  hookwell events tail --local
  hookwell events tail --source shop --outcome rejected --json
  hookwell events tail --type 'invoice.*' --since 10m --every 60")]
pub(crate) struct Tail {
    #[command(flatten)]
    filter: Filter,
    /// Look this often, in seconds; the pause is also at least four times as long as a look takes. 2 by default with
    /// --local and 15 without.
    #[arg(long, value_name = "SECONDS", value_parser = clap::value_parser!(u64).range(1..=3600))]
    every: Option<u64>,
    /// Print one JSON object per change.
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    target: Target,
}

/// Prints each event when its record is first seen, and again whenever the record changes, until somebody ends
/// the command. Waits for a table that is away.
pub(super) async fn run(arguments: &Tail) -> Result<ExitCode> {
    let filter = &arguments.filter;
    let mut opened = arguments.target.open().await?;
    let mut follow = Follow::since(filter.since.unwrap_or_else(now));
    let usual = if arguments.target.is_local() { 2 } else { 15 };
    let every = arguments.every.unwrap_or(usual);
    print::note(&format!(
        "looking into {} every {every} s; Ctrl-C ends it",
        opened.events_table
    ));
    let search = filter.search();
    let mut has_looked = false;
    let mut away: Option<String> = None;
    loop {
        let started = Instant::now();
        let mut printed = Ok(());
        let print = |items: Vec<Item>| {
            for item in items.iter().filter(|item| filter.has_outcome(item)) {
                if printed.is_ok() {
                    printed = line(item, arguments.json);
                }
            }
        };
        let (admin, table) = (&opened.admin, &opened.events_table);
        let looked = follow.look(admin, table, &search, now(), print).await;
        printed?;
        match looked {
            Ok(is_indexed) => {
                if away.take().is_some() {
                    print::note("there again");
                }
                if !is_indexed && !has_looked {
                    print::note(UNINDEXED);
                }
                has_looked = true;
            }
            // A table that never answered is a mistake of the caller. A table that has answered may do so again:
            // `hookwell dev` is started anew, a session is renewed, a network comes back.
            Err(why) if !has_looked => return Err(why.into()),
            Err(why) => {
                let why = why.to_string();
                if away.as_ref() != Some(&why) {
                    print::note(&format!("{why}; looking again every {every} s"));
                }
                away = Some(why);
                // The tables of a machine may be at other addresses by now.
                if let Ok(again) = arguments.target.open().await {
                    opened = again;
                }
            }
        }
        let pause = started.elapsed().saturating_mul(PAUSES);
        tokio::time::sleep(pause.max(Duration::from_secs(every))).await;
    }
}

fn line(item: &Item, json: bool) -> Result<()> {
    if json {
        print::json(&serde_json::to_string(item)?)?;
    } else {
        print::line(&line_of(item, COLUMNS, &WIDTHS))?;
    }
    Ok(())
}
