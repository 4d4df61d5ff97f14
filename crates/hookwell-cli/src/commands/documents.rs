//! `hookwell documents`: the state that the events left.

use std::process::ExitCode;

use anyhow::Result;
use clap::{Args, Subcommand};
use hookwell_aws::admin::{Item, readable};
use serde_json::Value;

use super::items::{self, Show, Table};

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
    Show(Show),
}

#[derive(Debug, Args)]
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
        }
    })
}
