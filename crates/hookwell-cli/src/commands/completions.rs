//! `hookwell completions`: what a shell needs to complete the other commands.

use std::process::ExitCode;

use anyhow::Result;
use clap::{Args, Command};
use clap_complete::Shell;

use super::print;

/// Print a script that lets your shell complete the commands.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  hookwell completions bash > ~/.local/share/bash-completion/completions/hookwell
  hookwell completions zsh > ~/.zfunc/_hookwell
  hookwell completions fish > ~/.config/fish/completions/hookwell.fish")]
pub(crate) struct Arguments {
    /// The shell.
    shell: Shell,
}

pub(crate) fn run(arguments: &Arguments, mut command: Command) -> Result<ExitCode> {
    let mut script = Vec::new();
    clap_complete::generate(arguments.shell, &mut command, "hookwell", &mut script);
    print::raw(&String::from_utf8(script)?)?;
    Ok(ExitCode::SUCCESS)
}
