//! `hookwell documents`: the state that the events left.

use std::process::ExitCode;

use anyhow::Result;
use clap::{Args, Subcommand};
use serde_json::Value;

use super::events::{show_items, text};
use super::target::Target;
use crate::console::table;

/// Show documents as the newest events left them.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// List documents by key.
    List(List),
    /// Show one document.
    Show(Show),
}

#[derive(Debug, Args)]
pub(crate) struct List {
    /// Only of this source.
    #[arg(long)]
    source: Option<String>,
    /// Deleted documents too.
    #[arg(long)]
    deleted: bool,
    /// At most so many.
    #[arg(long, default_value_t = 50)]
    limit: usize,
    /// Print one JSON object per document.
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    target: Target,
}

#[derive(Debug, Args)]
pub(crate) struct Show {
    /// The document's id, or its key in the table.
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
    let mut items = opened.admin.scan(&opened.documents_table, filter).await?;
    items.retain(|item| list.deleted || item.get("deleted") != Some(&Value::Bool(true)));
    items.sort_by_key(|item| text(item, "pk"));
    items.truncate(list.limit);
    if list.json {
        for item in &items {
            println!("{}", serde_json::to_string(item)?);
        }
        return Ok(ExitCode::SUCCESS);
    }
    let columns = [
        "source",
        "document_type",
        "document_id",
        "version",
        "deleted",
        "document",
    ];
    let cell = |item: &_, name: &str| text(item, name).chars().take(60).collect::<String>();
    let rows: Vec<_> = items
        .iter()
        .map(|item| columns.iter().map(|name| cell(item, name)).collect())
        .collect();
    table(
        &["SOURCE", "TYPE", "DOCUMENT", "VERSION", "DELETED", "STATE"],
        &rows,
    );
    Ok(ExitCode::SUCCESS)
}

async fn run_show(show: Show) -> Result<ExitCode> {
    let opened = show.target.open().await?;
    let mut items: Vec<_> = opened
        .admin
        .get(&opened.documents_table, &show.id)
        .await?
        .into_iter()
        .collect();
    if items.is_empty() {
        items = opened
            .admin
            .scan(&opened.documents_table, Some(("document_id", &show.id)))
            .await?;
    }
    show_items(
        &items,
        show.json,
        &format!("there is no document {}", show.id),
    )
}
