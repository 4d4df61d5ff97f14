//! `hookwell documents`: the state that the events left.

use std::process::ExitCode;

use anyhow::{Result, bail};
use clap::{Args, Subcommand};
use hookwell_aws::tools::admin::{Item, readable};
use serde_json::Value;

use super::items::{self, Column, Show, Table};
use super::target::Target;

const DOCUMENTS: Table = Table {
    name: |opened| &opened.documents_table,
    id: "document_id",
    columns: &[
        ("source", "SOURCE"),
        ("document_type", "TYPE"),
        ("document_id", "DOCUMENT"),
        ("version", "VERSION"),
        ("deleted", "DELETED"),
        ("document", "STATE"),
    ],
};

/// Show documents as the newest events left them.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// List documents by key.
    List(ListDocuments),
    /// Show one document.
    #[command(after_help = "Examples:
  hookwell documents show res_1 --local
  hookwell documents show res_1 --json")]
    Show(Show),
    /// List the events about one document in the order of their versions, oldest first, and which of them it shows.
    ///
    /// From the events table, which keeps a record for 35 days.
    History(History),
}

#[derive(Debug, Args)]
#[command(after_help = "Examples:
  hookwell documents history res_1 --local
  hookwell documents history 42 --source shop --type order --json")]
pub(crate) struct History {
    /// The document's id.
    id: String,
    /// Only of this source.
    #[arg(long)]
    source: Option<String>,
    /// Only of this document type.
    #[arg(long = "type", value_name = "TYPE")]
    kind: Option<String>,
    /// Print one JSON object per event.
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    target: Target,
}

const HISTORY: &[Column] = &[
    ("version", "VERSION"),
    ("received_at", "RECEIVED"),
    ("source", "SOURCE"),
    ("document_type", "TYPE"),
    ("operation", "OPERATION"),
    ("type", "EVENT TYPE"),
    ("status", "STATUS"),
    ("outcome", "OUTCOME"),
    ("event_id", "EVENT"),
    ("shown", "SHOWN"),
];

#[derive(Debug, Args)]
#[command(after_help = "Examples:
  hookwell documents list --local
  hookwell documents list --source shop --deleted --json")]
pub(crate) struct ListDocuments {
    /// Deleted documents too.
    #[arg(long)]
    deleted: bool,
    #[command(flatten)]
    list: items::List,
}

pub(crate) fn run(command: &Command) -> Result<ExitCode> {
    items::block_on(async {
        match command {
            Command::List(ListDocuments { deleted, list }) => {
                let is_there =
                    |item: &Item| *deleted || item.get("deleted") != Some(&Value::Bool(true));
                let by_key = |all: &mut [_]| all.sort_by_key(|item| readable(item, "pk"));
                items::list(list, &DOCUMENTS, is_there, by_key).await
            }
            Command::Show(show) => items::show(show, &DOCUMENTS).await,
            Command::History(arguments) => history(arguments).await,
        }
    })
}

async fn history(arguments: &History) -> Result<ExitCode> {
    let opened = arguments.target.open().await?;
    let about = Some(("document_id", arguments.id.as_str()));
    let mut events = opened.admin.scan(&opened.events_table, about).await?;
    let is = |item: &Item, name: &str, wanted: &Option<String>| {
        wanted
            .as_ref()
            .is_none_or(|one| *one == readable(item, name))
    };
    events.retain(|item| {
        is(item, "source", &arguments.source) && is(item, "document_type", &arguments.kind)
    });
    if events.is_empty() {
        bail!("there is no event about document {:?}", arguments.id);
    }
    let documents = opened.admin.scan(&opened.documents_table, about).await?;
    let state = |item: &Item| ["source", "document_type", "version"].map(|it| readable(item, it));
    let shown: Vec<_> = documents.iter().map(state).collect();
    for event in &mut events {
        let is_shown = shown.contains(&state(event));
        event.insert("shown".to_owned(), Value::Bool(is_shown));
    }
    // Documents of several sources or types may have one id.
    events.sort_by_key(state);
    items::print(&events, HISTORY, arguments.json)?;
    Ok(ExitCode::SUCCESS)
}
