//! `hookwell events tail`: the events table as it changes.

use std::collections::HashMap;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use anyhow::Result;
use clap::Args;
use hookwell::format::time::Millis;
use hookwell_aws::tools::admin::{CHANGES, Item, readable};
use hookwell_lambda::now::now;
use serde_json::Value;

use super::filter::{COLUMNS, Filter, became};
use super::items::line_of;
use super::print;
use super::target::Target;

/// Delay at most between a record's own time and its appearance in the table, in milliseconds: ingest answers within
/// 1.2 s, and the rest is for clocks that differ.
const LATE: Millis = 60_000;

/// Least pause after a look, as a multiple of the look's time, so that a large table is not read all the time.
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
    /// Only of this source.
    #[arg(long)]
    source: Option<String>,
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

/// Changes that were printed, so that an event is printed again only when it changed.
struct Seen {
    /// Time before which changes are not asked for.
    from: Millis,
    /// The last change of each event that the next look may find again.
    last: HashMap<String, (Millis, String)>,
}

impl Seen {
    /// Keeps the records with a change that was not printed, in the order of the changes.
    fn news(&mut self, mut found: Vec<Item>) -> Vec<Item> {
        found.retain(|item| {
            let change = (changed_at(item), became(item));
            let key = readable(item, "pk");
            change.0 >= self.from && self.last.insert(key, change.clone()) != Some(change)
        });
        found.sort_by_key(changed_at);
        found
    }

    /// Forgets what the next look, for changes since `since`, cannot find.
    fn forget(&mut self, since: Millis) {
        self.last.retain(|_, (at, _)| *at >= since);
    }
}

/// Prints each event when its record is first seen, and again whenever the record changes, until somebody ends
/// the command. Waits for a table that is away.
pub(super) async fn run(arguments: &Tail) -> Result<ExitCode> {
    let mut opened = arguments.target.open().await?;
    let from = arguments.filter.since.unwrap_or_else(now);
    let usual = if arguments.target.is_local() { 2 } else { 15 };
    let every = arguments.every.unwrap_or(usual);
    print::note(&format!(
        "looking every {every} s; each look reads the whole table {}; Ctrl-C ends it",
        opened.events_table
    ));
    let is_meant = |item: &Item| {
        let mut source = arguments.source.iter();
        arguments.filter.keeps_any_time(item) && source.all(|one| *one == readable(item, "source"))
    };
    let mut seen = Seen {
        from,
        last: HashMap::new(),
    };
    let (mut since, mut has_looked) = (from, false);
    let mut away: Option<String> = None;
    loop {
        let (started, now) = (Instant::now(), now());
        match opened
            .admin
            .changed_since(&opened.events_table, since)
            .await
        {
            Ok(found) => {
                if away.take().is_some() {
                    print::note("there again");
                }
                for item in seen.news(found).iter().filter(|item| is_meant(item)) {
                    if arguments.json {
                        print::json(&serde_json::to_string(item)?)?;
                    } else {
                        print::line(&line_of(item, COLUMNS, &WIDTHS))?;
                    }
                }
                since = now.saturating_sub(LATE);
                seen.forget(since);
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

/// Time at which the record was last written.
fn changed_at(item: &Item) -> Millis {
    let times = CHANGES.iter().filter_map(|name| item.get(*name));
    times.filter_map(Value::as_i64).max().unwrap_or(0)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use serde_json::json;

    fn record(key: &str, received_at: Millis, finished_at: Option<Millis>) -> Item {
        let status = finished_at.map_or("pending", |_| "done");
        let record = json!({ "pk": key, "status": status, "outcome": "applied",
            "received_at": received_at, "finished_at": finished_at });
        serde_json::from_value(record).unwrap()
    }

    #[test]
    fn an_event_is_news_once_and_again_when_it_has_ended() {
        let mut seen = Seen {
            from: 100,
            last: HashMap::new(),
        };
        let mut news = |found: &[Item]| {
            let news = seen.news(found.to_vec());
            news.iter()
                .map(|item| readable(item, "pk"))
                .collect::<Vec<_>>()
        };
        let (a, b) = (record("a", 120, None), record("b", 110, None));
        let before = record("c", 99, None);
        assert_eq!(news(&[a.clone(), b.clone(), before]), ["b", "a"]);
        assert_eq!(news(&[a.clone(), b.clone()]), [""; 0]);
        let ended = record("a", 120, Some(130));
        assert_eq!(news(&[ended.clone(), b.clone()]), ["a"]);
        assert_eq!(news(&[ended, b, record("c", 99, Some(140))]), ["c"]);
    }

    #[test]
    fn what_the_next_look_cannot_find_is_forgotten() {
        let mut seen = Seen {
            from: 100,
            last: HashMap::new(),
        };
        seen.news(vec![record("a", 100, None), record("b", 200, None)]);
        seen.forget(200);
        assert_eq!(seen.last.keys().collect::<Vec<_>>(), ["b"]);
    }
}
