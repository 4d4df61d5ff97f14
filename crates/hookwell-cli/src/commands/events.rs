//! `hookwell events`: what was received and what became of it.

use std::process::ExitCode;

use anyhow::{Result, bail};
use clap::{Args, Subcommand};
use hookwell_aws::admin::Item;
use serde_json::Value;

use super::target::Target;
use crate::console::table;

/// Show received events and what became of them.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// List events, newest first.
    List(List),
    /// Show one event.
    Show(Show),
}

#[derive(Debug, Args)]
pub(crate) struct List {
    /// Only of this source.
    #[arg(long)]
    source: Option<String>,
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
pub(crate) struct Show {
    /// The sender's id, or the record's key.
    id: String,
    /// Print one JSON object.
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    target: Target,
}

pub(crate) fn run(command: Command) -> Result<ExitCode> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    runtime.block_on(async {
        match command {
            Command::List(list) => run_list(list).await,
            Command::Show(show) => run_show(show).await,
        }
    })
}

async fn run_list(list: List) -> Result<ExitCode> {
    let opened = list.target.open().await?;
    let filter = list.source.as_deref().map(|source| ("source", source));
    let mut items = opened.admin.scan(&opened.events_table, filter).await?;
    items.sort_by_key(|item| std::cmp::Reverse(item.get("received_at").and_then(Value::as_i64)));
    items.truncate(list.limit);
    if list.json {
        for item in &items {
            println!("{}", serde_json::to_string(item)?);
        }
        return Ok(ExitCode::SUCCESS);
    }
    let rows: Vec<_> = items
        .iter()
        .map(|item| {
            let received = item.get("received_at").and_then(Value::as_i64).unwrap_or(0);
            vec![
                hookwell::time::to_rfc3339(received),
                text(item, "source"),
                text(item, "status"),
                text(item, "outcome"),
                text(item, "operation"),
                text(item, "type"),
                text(item, "event_id"),
                text(item, "document_id"),
            ]
        })
        .collect();
    let headings = [
        "RECEIVED",
        "SOURCE",
        "STATUS",
        "OUTCOME",
        "OPERATION",
        "TYPE",
        "EVENT",
        "DOCUMENT",
    ];
    table(&headings, &rows);
    Ok(ExitCode::SUCCESS)
}

async fn run_show(show: Show) -> Result<ExitCode> {
    let opened = show.target.open().await?;
    let mut items: Vec<_> = opened
        .admin
        .get(&opened.events_table, &show.id)
        .await?
        .into_iter()
        .collect();
    if items.is_empty() {
        items = opened
            .admin
            .scan(&opened.events_table, Some(("event_id", &show.id)))
            .await?;
    }
    show_items(&items, show.json, &format!("there is no event {}", show.id))
}

/// Prints whole items, as lines or as JSON.
///
/// # Errors
/// When there are none.
pub(super) fn show_items(items: &[Item], as_json: bool, none: &str) -> Result<ExitCode> {
    if items.is_empty() {
        bail!("{none}");
    }
    for (index, item) in items.iter().enumerate() {
        if as_json {
            println!("{}", serde_json::to_string(item)?);
            continue;
        }
        if index > 0 {
            println!();
        }
        for name in item.keys() {
            println!("{name:<14} {}", text(item, name));
        }
    }
    Ok(ExitCode::SUCCESS)
}

/// An attribute as people read it; times in milliseconds or seconds become dates.
pub(super) fn text(item: &Item, name: &str) -> String {
    let value = item.get(name).unwrap_or(&Value::Null);
    match (name, value.as_i64()) {
        ("received_at" | "finished_at", Some(at)) => hookwell::time::to_rfc3339(at),
        ("expires_at", Some(at)) => hookwell::time::to_rfc3339(at.saturating_mul(1000)),
        _ => match value {
            Value::String(text) => text.clone(),
            Value::Null => String::new(),
            other => other.to_string(),
        },
    }
}
