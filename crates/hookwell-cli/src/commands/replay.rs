//! `hookwell replay`: events that were kept, applied again.

use std::mem;
use std::process::ExitCode;

use anyhow::{Result, bail, ensure};
use clap::Args;
use hookwell_aws::tools::admin::{Item, readable};
use hookwell_aws::tools::failure::AdminError;
use hookwell_aws::tools::records::{Order, Records, Search, received_at};
use serde_json::json;

use super::confirm::confirm;
use super::filter::Filter;
use super::items::block_on;
use super::print::{self, progress};
use super::target::{Opened, Target};
use crate::user::user;
use hookwell_lambda::now::now;

/// Records that are read at once.
const AT_ONCE: usize = 100;

/// Put events that were kept into the queue again, oldest first.
///
/// For sources with `retain`, after a handler was mended or a table restored. The record of each is reopened with your
/// name and the time in it. An event that is older than its document changes nothing, so no newer state is overwritten.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  hookwell replay evt_1
  hookwell replay --source shop --type 'invoice.*' --since 2d
  hookwell replay --source shop --outcome rejected --yes --json")]
pub(crate) struct Arguments {
    /// The senders' ids of the events, or their keys in the table.
    #[arg(required_unless_present_any = ["source", "kind", "outcome", "document", "since"])]
    ids: Vec<String>,
    #[command(flatten)]
    filter: Filter,
    /// Do not ask, however many they are.
    #[arg(long)]
    yes: bool,
    /// Print one JSON object for each.
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    target: Target,
}

pub(crate) fn run(arguments: &Arguments) -> Result<ExitCode> {
    block_on(replay(arguments))
}

/// The records of the events that are meant, some at a time.
enum Meant<'a> {
    /// Records whose ids were given.
    Named(Vec<Item>),
    /// Records that the filter finds, oldest first.
    Found(Records<'a>),
}

impl<'a> Meant<'a> {
    async fn new(arguments: &Arguments, opened: &'a Opened, search: &Search) -> Result<Self> {
        let (admin, table) = (&opened.admin, &opened.events_table);
        if arguments.ids.is_empty() {
            let records = admin.records(table, search.clone(), Order::OldestFirst);
            return Ok(Self::Found(records));
        }
        let mut named = Vec::new();
        for id in &arguments.ids {
            let found = admin.find(table, id, search.source.as_deref()).await?;
            if found.is_empty() {
                bail!("there is no event {id:?}: `hookwell events list` shows what is there");
            }
            named.extend(found.into_iter().filter(|it| search.holds(it)));
        }
        named.sort_by_key(received_at);
        Ok(Self::Named(named))
    }

    /// The next ones; `None` at the end.
    async fn next(&mut self, filter: &Filter) -> Result<Option<Vec<Item>>> {
        let mut some = match self {
            Self::Named(named) => mem::take(named),
            Self::Found(records) => records.next(AT_ONCE).await?,
        };
        if some.is_empty() {
            return Ok(None);
        }
        some.retain(|item| filter.has_outcome(item));
        Ok(Some(some))
    }
}

async fn replay(arguments: &Arguments) -> Result<ExitCode> {
    let opened = arguments.target.open().await?;
    let filter = &arguments.filter;
    // What comes from now on is not meant, so that both readings find the same events.
    let search = Search {
        until: Some(now()),
        ..filter.search()
    };
    let (mut count, mut meant) = (0_usize, Meant::new(arguments, &opened, &search).await?);
    while let Some(some) = meant.next(filter).await? {
        count = count.saturating_add(some.len());
    }
    ensure!(count > 0, "no event is like that");
    confirm(count, arguments.yes)?;

    let (queue, bucket, by) = (opened.queue()?, opened.bucket(), user());
    let (admin, table) = (&opened.admin, &opened.events_table);
    let replay = async |pk: &str| {
        let now = now();
        let Some(event) = admin.kept(table, pk, bucket.as_ref(), now).await? else {
            return Ok(false);
        };
        admin.replay(table, &queue, &event, &by, now).await?;
        Ok(true)
    };
    let bar = progress(count);
    let mut queued = 0_usize;
    // What was begun is done although nobody reads of it any more.
    let mut printed = Ok(());
    let mut not_kept = 0_usize;
    let mut meant = Meant::new(arguments, &opened, &search).await?;
    while let Some(some) = meant.next(filter).await? {
        for item in &some {
            let key = readable(item, "pk");
            let was_kept = replay(&key).await.map_err(|error: AdminError| {
                let went = format!("{queued} of {count} went into the queue, then");
                anyhow::Error::from(error).context(went)
            })?;
            queued = queued.saturating_add(usize::from(was_kept));
            not_kept = not_kept.saturating_add(usize::from(!was_kept));
            if arguments.json {
                let id = readable(item, "event_id");
                let line = json!({ "id": id, "key": key, "replayed": was_kept });
                printed = printed.and(print::json(&line.to_string()));
            } else {
                bar.inc(1);
            }
        }
    }
    bar.finish_and_clear();
    if !arguments.json {
        printed = print::line(&format!("{queued} put into the queue"));
    }
    if not_kept > 0 {
        print::note(&format!(
            "{not_kept} not kept: set `retain` for their source to be able to replay the next ones"
        ));
    }
    printed?;
    Ok(if queued == 0 {
        ExitCode::FAILURE
    } else {
        ExitCode::SUCCESS
    })
}
