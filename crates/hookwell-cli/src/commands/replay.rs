//! `hookwell replay`: events that were kept, applied again.

use std::process::ExitCode;

use anyhow::{Result, bail, ensure};
use clap::Args;
use hookwell_aws::tools::admin::{Item, readable};
use hookwell_aws::tools::failure::AdminError;
use serde_json::json;

use super::confirm::confirm;
use super::filter::{Filter, received_at};
use super::items::block_on;
use super::print::{self, progress};
use super::target::Target;
use crate::user::user;
use hookwell_lambda::now::now;

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
    /// Only of this source.
    #[arg(long)]
    source: Option<String>,
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

async fn replay(arguments: &Arguments) -> Result<ExitCode> {
    let opened = arguments.target.open().await?;
    let filter = arguments.source.as_deref();
    let filter = filter.map(|source| ("source", source));
    let mut meant = opened.admin.scan(&opened.events_table, filter).await?;
    let is_named =
        |item: &Item, id: &str| readable(item, "event_id") == id || readable(item, "pk") == id;
    for id in &arguments.ids {
        if !meant.iter().any(|item| is_named(item, id)) {
            bail!("there is no event {id:?}: `hookwell events list` shows what is there");
        }
    }
    meant.retain(|item| {
        let mut ids = arguments.ids.iter();
        arguments.filter.keeps(item)
            && (arguments.ids.is_empty() || ids.any(|id| is_named(item, id)))
    });
    meant.sort_by_key(received_at);
    ensure!(!meant.is_empty(), "no event is like that");
    confirm(meant.len(), arguments.yes)?;

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
    let bar = progress(meant.len());
    let mut queued = 0_usize;
    // What was begun is done although nobody reads of it any more.
    let mut printed = Ok(());
    for item in &meant {
        let key = readable(item, "pk");
        let was_kept = replay(&key).await.map_err(|error: AdminError| {
            let went = format!("{queued} of {} went into the queue, then", meant.len());
            anyhow::Error::from(error).context(went)
        })?;
        queued = queued.saturating_add(usize::from(was_kept));
        if arguments.json {
            let id = readable(item, "event_id");
            let line = json!({ "id": id, "key": key, "replayed": was_kept });
            printed = printed.and(print::json(&line.to_string()));
        } else {
            bar.inc(1);
        }
    }
    bar.finish_and_clear();
    let not_kept = meant.len().saturating_sub(queued);
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
