//! `hookwell`: runs the receiver on this machine, sends it events, and looks into its tables.
#![allow(clippy::print_stdout, clippy::print_stderr)] // printing is what it is for

mod commands;
mod console;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

use crate::commands::{check, dev, dlq, documents, events, replay, send, sign, verify};

/// A webhook receiver for your own AWS account.
///
/// Without a command it runs the whole system on this machine, as `hookwell dev`.
#[derive(Debug, Parser)]
#[command(
    name = "hookwell",
    version,
    propagate_version = true,
    max_term_width = 100
)]
struct Arguments {
    #[command(subcommand)]
    command: Option<Command>,
}

#[derive(Debug, Subcommand)]
enum Command {
    Dev(dev::Arguments),
    Send(send::Arguments),
    Sign(sign::Arguments),
    Verify(verify::Arguments),
    Check(check::Arguments),
    #[command(subcommand)]
    Events(events::Command),
    #[command(subcommand)]
    Documents(documents::Command),
    #[command(subcommand)]
    Dlq(dlq::Command),
    Replay(replay::Arguments),
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let result = match arguments
        .command
        .unwrap_or_else(|| Command::Dev(dev::Arguments::default()))
    {
        Command::Dev(arguments) => dev::run(arguments),
        Command::Send(arguments) => send::run(&arguments),
        Command::Sign(arguments) => sign::run(&arguments),
        Command::Verify(arguments) => verify::run(&arguments),
        Command::Check(arguments) => check::run(&arguments),
        Command::Events(command) => events::run(&command),
        Command::Documents(command) => documents::run(&command),
        Command::Dlq(command) => dlq::run(&command),
        Command::Replay(arguments) => replay::run(&arguments),
    };
    match result {
        Ok(code) => code,
        Err(error) => {
            eprintln!("{} {error:#}", console::error("error:"));
            ExitCode::FAILURE
        }
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    #[test]
    fn the_command_line_is_consistent() {
        super::Arguments::command().debug_assert();
    }
}
