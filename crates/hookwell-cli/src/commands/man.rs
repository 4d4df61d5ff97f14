//! `hookwell man`: the manual pages of all commands.

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Context as _, Result};
use clap::{Args, Command};

use super::print;

/// Write manual pages, one for each command: what --help says, for `man hookwell-events-list`.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  hookwell man ~/.local/share/man/man1
  hookwell man pages")]
pub(crate) struct Arguments {
    /// Folder to write to; it is made where it is missing.
    folder: PathBuf,
}

pub(crate) fn run(arguments: &Arguments, command: Command) -> Result<ExitCode> {
    let folder = &arguments.folder;
    let shown = folder.display();
    std::fs::create_dir_all(folder).with_context(|| format!("cannot create {shown}"))?;
    clap_mangen::generate_to(command, folder)
        .with_context(|| format!("cannot write to {shown}"))?;
    print::line(&format!("{shown}/hookwell.1 and a page for each command"))?;
    Ok(ExitCode::SUCCESS)
}
