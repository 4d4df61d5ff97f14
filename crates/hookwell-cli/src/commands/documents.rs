//! `hookwell documents`: the state that the events left.

use std::collections::BTreeSet;
use std::process::ExitCode;

use anyhow::{Result, bail};
use clap::{Args, Subcommand};
use hookwell::event::identity::DocumentKey;
use hookwell_aws::tools::admin::{Item, readable};
use hookwell_aws::tools::records::{Order, Search};
use serde_json::Value;

use super::items::{self, Column, LeftOut};
use super::print;
use super::target::{Opened, Target};

const COLUMNS: &[Column] = &[
    ("source", "SOURCE"),
    ("document_type", "TYPE"),
    ("document_id", "DOCUMENT"),
    ("version", "VERSION"),
    ("deleted", "DELETED"),
    ("document", "STATE"),
];

/// Show documents as the newest events left them.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// List documents, by key as far as the table was read: a thousand, or as many as are needed.
    List(List),
    /// Show one document.
    ///
    /// With --source and --type it is one read. By its id alone it is looked for in the whole table.
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
pub(crate) struct List {
    /// Deleted documents too.
    #[arg(long)]
    deleted: bool,
    /// Only of this source.
    #[arg(long)]
    source: Option<String>,
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
#[command(after_help = "Examples:
  hookwell documents show res_1 --local
  hookwell documents show 42 --source shop --type order --json")]
pub(crate) struct Show {
    /// The sender's id of the document, or its key in the table.
    id: String,
    /// Of this source.
    #[arg(long)]
    source: Option<String>,
    /// Of this document type.
    #[arg(long = "type", value_name = "TYPE")]
    kind: Option<String>,
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
            Command::History(arguments) => history(arguments).await,
        }
    })
}

async fn list(arguments: &List) -> Result<ExitCode> {
    let opened = arguments.target.open().await?;
    let of_source = arguments.source.as_deref().map(|source| ("source", source));
    let is_there =
        |item: &Item| arguments.deleted || item.get("deleted") != Some(&Value::Bool(true));
    let mut pages = opened.admin.pages(&opened.documents_table, of_source);
    let mut found = Vec::new();
    let mut is_whole = false;
    while found.len() <= arguments.limit && !is_whole {
        match pages.next().await? {
            Some(page) => found.extend(page.into_iter().filter(is_there)),
            None => is_whole = true,
        }
    }
    found.sort_by_key(|item| readable(item, "pk"));
    let more = found.len().saturating_sub(arguments.limit);
    found.truncate(arguments.limit);
    items::print(&found, COLUMNS, arguments.json)?;
    let left_out = if pages.is_over() {
        LeftOut::Exactly(more)
    } else {
        LeftOut::More(more)
    };
    left_out.note(found.len());
    Ok(ExitCode::SUCCESS)
}

async fn show(arguments: &Show) -> Result<ExitCode> {
    let opened = arguments.target.open().await?;
    let found = find(&opened, arguments).await?;
    if found.is_empty() {
        bail!("there is no document {:?}", arguments.id);
    }
    items::show(&found, arguments.json)?;
    Ok(ExitCode::SUCCESS)
}

/// The document under a key, or every one with that id.
async fn find(opened: &Opened, arguments: &Show) -> Result<Vec<Item>> {
    let Show {
        id, source, kind, ..
    } = arguments;
    let (admin, table) = (&opened.admin, &opened.documents_table);
    if let Some(item) = admin.get(table, id).await? {
        return Ok(vec![item]);
    }
    if let (Some(source), Some(kind)) = (source, kind) {
        let key = DocumentKey::new(source, kind, id);
        let found = admin.get(table, key.as_str()).await?;
        return Ok(found.into_iter().collect());
    }
    let is = |item: &Item, name: &str, wanted: &Option<String>| {
        let mut wanted = wanted.iter();
        wanted.all(|one| *one == readable(item, name))
    };
    let mut pages = admin.pages(table, Some(("document_id", id)));
    let (mut found, mut was_noted) = (Vec::new(), false);
    while let Some(page) = pages.next().await? {
        let page = page.into_iter();
        found.extend(page.filter(|it| is(it, "source", source) && is(it, "document_type", kind)));
        if !pages.is_over() && !was_noted {
            print::note(&format!(
                "reading all of {table}: --source and --type make it one read"
            ));
            was_noted = true;
        }
    }
    Ok(found)
}

async fn history(arguments: &History) -> Result<ExitCode> {
    let opened = arguments.target.open().await?;
    let search = Search {
        source: arguments.source.clone(),
        document_id: Some(arguments.id.clone()),
        ..Search::default()
    };
    let (admin, table) = (&opened.admin, &opened.events_table);
    let records = admin.records(table, search, Order::NewestFirst);
    let mut events = records.all().await?;
    let kind = arguments.kind.as_ref();
    events.retain(|item| kind.is_none_or(|one| *one == readable(item, "document_type")));
    if events.is_empty() {
        bail!("there is no event about document {:?}", arguments.id);
    }
    let key = |item: &Item| {
        let [source, kind] = ["source", "document_type"].map(|name| readable(item, name));
        DocumentKey::new(&source, &kind, &arguments.id)
    };
    let keys: BTreeSet<_> = events.iter().map(key).collect();
    let keys: Vec<_> = keys.iter().map(DocumentKey::as_str).collect();
    let documents = admin.get_all(&opened.documents_table, &keys).await?;
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
