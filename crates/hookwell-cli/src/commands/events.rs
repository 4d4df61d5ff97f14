//! `hookwell events`: what was received and what became of it.

use std::cmp::Reverse;
use std::process::ExitCode;

use anyhow::Result;
use clap::Subcommand;
use serde_json::Value;

use super::items::{self, List, Show, Table};

const EVENTS: Table = Table {
    name: |opened| &opened.events_table,
    id: "event_id",
    columns: &[
        ("received_at", "RECEIVED"),
        ("source", "SOURCE"),
        ("status", "STATUS"),
        ("outcome", "OUTCOME"),
        ("operation", "OPERATION"),
        ("type", "TYPE"),
        ("event_id", "EVENT"),
        ("document_id", "DOCUMENT"),
    ],
};

/// Show received events and what became of them.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// List events, newest first.
    List(List),
    /// Show one event.
    Show(Show),
}

pub(crate) fn run(command: &Command) -> Result<ExitCode> {
    items::block_on(async {
        match command {
            Command::List(list) => {
                let newest_first = |item: &_| Reverse(received_at(item));
                items::list(list, &EVENTS, |_| true, |all| all.sort_by_key(newest_first)).await
            }
            Command::Show(show) => items::show(show, &EVENTS).await,
        }
    })
}

fn received_at(item: &hookwell_aws::admin::Item) -> Option<i64> {
    item.get("received_at").and_then(Value::as_i64)
}
