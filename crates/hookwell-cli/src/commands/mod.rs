//! One file per command: its arguments and its `run`.

pub(crate) mod check;
pub(crate) mod completions;
pub(crate) mod console;
pub(crate) mod dev;
pub(crate) mod dlq;
pub(crate) mod documents;
pub(crate) mod events;
mod items;
pub(crate) mod replay;
pub(crate) mod send;
pub(crate) mod sign;
mod tail;
mod target;
pub(crate) mod verify;

use std::io::{IsTerminal as _, Write as _};
use std::path::Path;

use anyhow::{Context as _, Result, bail, ensure};
use hookwell::config;
use hookwell::source::Source;

/// Asks before more than one event goes into the queue.
///
/// # Errors
/// When that is not meant, or there is nobody to ask.
fn confirm(count: usize, is_meant: bool) -> Result<()> {
    if count < 2 || is_meant {
        return Ok(());
    }
    ensure!(
        std::io::stdin().is_terminal(),
        "this would put {count} events into the queue: add --yes if that is meant"
    );
    eprint!("Put {count} events into the queue? [y/N] ");
    std::io::stderr().flush()?;
    let mut answer = String::new();
    std::io::stdin().read_line(&mut answer)?;
    ensure!(
        answer.trim().eq_ignore_ascii_case("y"),
        "nothing was changed"
    );
    Ok(())
}

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
