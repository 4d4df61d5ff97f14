//! One file per command: its arguments and its `run`.

pub(crate) mod check;
pub(crate) mod completions;
pub(crate) mod dev;
pub(crate) mod dlq;
pub(crate) mod documents;
pub(crate) mod events;
mod items;
pub(crate) mod send;
pub(crate) mod sign;
mod tail;
mod target;
pub(crate) mod verify;

use std::path::Path;

use anyhow::{Context as _, Result, bail};
use hookwell::config;
use hookwell::source::Source;

/// The sources of a file, or the ones that this build carries.
fn sources(file: Option<&Path>) -> Result<Vec<Source>> {
    let text = match file {
        Some(path) => std::fs::read_to_string(path)
            .with_context(|| format!("cannot read {}", path.display()))?,
        None => ingest::SOURCES.to_owned(),
    };
    config::parse(&text).map_err(|problems| {
        let lines: Vec<_> = problems
            .iter()
            .map(|problem| format!("  {problem}"))
            .collect();
        anyhow::anyhow!("the sources file has mistakes:\n{}", lines.join("\n"))
    })
}

fn find<'s>(sources: &'s [Source], name: &str) -> Result<&'s Source> {
    if let Some(source) = sources.iter().find(|source| source.name == name) {
        return Ok(source);
    }
    let names: Vec<_> = sources.iter().map(|source| source.name.as_str()).collect();
    bail!(
        "there is no source {name:?}; the file has {}",
        names.join(", ")
    )
}
