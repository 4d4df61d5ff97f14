//! `hookwell new`: a project of one's own.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context as _, Result, bail, ensure};
use clap::Args;

use super::print;
use crate::project::{Crates, File, files};

/// Make a project of your own: sources, handler, template, tests.
///
/// In it `cargo run` is `hookwell dev` with your sources and your handler, `cargo test` tests them, and `sam build` builds
/// them. Nothing is asked, and nothing outside of the folder is written.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  hookwell new webhooks --path ../hookwell
  hookwell new webhooks --path ../hookwell --preset stripe --preset github")]
pub(crate) struct Arguments {
    /// The folder to make. One that is there must be empty.
    dir: PathBuf,
    /// A sender to begin with; `hookwell presets list` has them.
    #[arg(long = "preset", value_name = "NAME", default_value = "generic")]
    presets: Vec<String>,
    /// Take Hookwell's crates from a checkout of its repository.
    #[arg(
        long,
        value_name = "REPOSITORY",
        conflicts_with = "git",
        required_unless_present = "git"
    )]
    path: Option<PathBuf>,
    /// Take Hookwell's crates from a Git repository; `cargo update` then takes its newest commit.
    #[arg(long, value_name = "URL")]
    git: Option<String>,
}

pub(crate) fn run(arguments: &Arguments) -> Result<ExitCode> {
    let Arguments { dir, presets, .. } = arguments;
    let shown = dir.display();
    let crates = match (&arguments.path, &arguments.git) {
        (Some(path), _) => Crates::Path(checkout(path)?),
        (None, url) => Crates::Git(url.clone().unwrap_or_default()),
    };
    ensure_empty(dir)?;
    let full = std::path::absolute(dir)?;
    let name = full.file_name().unwrap_or_default().to_string_lossy();
    for File { path, text } in files(&name, presets, &crates)? {
        write(&dir.join(path), &text)?;
    }
    let first = presets.first().map_or("", String::as_str);
    print::lines(&format!(
        "made {shown} with the sources {}

  cd {shown}
  cargo test
  cargo run                    # everything on http://127.0.0.1:9000
  cargo run -- send {first}    # from another terminal

your senders: functions/ingest/sources.toml; your code: functions/process/src/handler.rs; deploying: README.md",
        presets.join(", ")
    ))?;
    Ok(ExitCode::SUCCESS)
}

/// The full path of a checkout.
fn checkout(path: &Path) -> Result<PathBuf> {
    let shown = path.display();
    let full = path.canonicalize();
    let full = full.with_context(|| format!("cannot read {shown}"))?;
    let is_there = full.join("crates/hookwell-cli/Cargo.toml").exists();
    ensure!(
        is_there,
        "{shown} is no checkout of Hookwell: it has no crates/hookwell-cli"
    );
    Ok(full)
}

fn ensure_empty(dir: &Path) -> Result<()> {
    match std::fs::read_dir(dir) {
        Ok(mut entries) => match entries.next() {
            None => Ok(()),
            Some(_) => bail!("{} is not empty", dir.display()),
        },
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(()),
        Err(error) => Err(error).with_context(|| format!("cannot use {}", dir.display())),
    }
}

fn write(path: &Path, text: &str) -> Result<()> {
    let shown = path.display();
    if let Some(folder) = path.parent() {
        std::fs::create_dir_all(folder).with_context(|| format!("cannot create {shown}"))?;
    }
    std::fs::write(path, text).with_context(|| format!("cannot write {shown}"))
}
