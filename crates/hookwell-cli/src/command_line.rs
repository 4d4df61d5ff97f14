//! The commands of `hookwell`: it runs the receiver on this machine, sends it events, and looks into its tables.

use std::process::ExitCode;

use clap::{CommandFactory as _, Parser, Subcommand};

use hookwell::ports::handler::Handler;
use hookwell_aws::{BoxError, Context};

use crate::commands::{
    bundle, check, completions, console, deliveries, dev, dlq, documents, events, man, new,
    presets, print, register, replay, send, sign, verify,
};

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
    New(new::Arguments),
    Bundle(bundle::Arguments),
    Console(console::Arguments),
    Send(send::Arguments),
    Sign(sign::Arguments),
    Verify(verify::Arguments),
    Check(check::Arguments),
    Register(register::Arguments),
    #[command(subcommand)]
    Events(events::Command),
    #[command(subcommand)]
    Deliveries(deliveries::Command),
    #[command(subcommand)]
    Documents(documents::Command),
    #[command(subcommand)]
    Dlq(dlq::Command),
    Replay(replay::Arguments),
    #[command(subcommand)]
    Presets(presets::Command),
    Completions(completions::Arguments),
    Man(man::Arguments),
}

/// Runs the command that this process was started with. `sources` is the text of the project's sources file, where the
/// binary carries one; `handler` makes the project's handler of its context.
pub fn main<H: Handler + 'static>(
    sources: Option<&str>,
    handler: impl FnOnce(Context<'_>) -> Result<H, BoxError>,
) -> ExitCode {
    let arguments = Arguments::parse();
    let result = match arguments
        .command
        .unwrap_or_else(|| Command::Dev(dev::Arguments::default()))
    {
        Command::Dev(arguments) => dev::run(arguments, sources, handler),
        Command::Bundle(arguments) => bundle::run(&arguments, sources),
        Command::New(arguments) => new::run(&arguments),
        Command::Console(arguments) => console::run(&arguments),
        Command::Send(arguments) => send::run(&arguments, sources),
        Command::Sign(arguments) => sign::run(&arguments, sources),
        Command::Verify(arguments) => verify::run(&arguments, sources),
        Command::Check(arguments) => check::run(&arguments, sources),
        Command::Register(arguments) => register::run(&arguments, sources),
        Command::Events(command) => events::run(&command),
        Command::Deliveries(command) => deliveries::run(&command),
        Command::Documents(command) => documents::run(&command),
        Command::Dlq(command) => dlq::run(&command),
        Command::Replay(arguments) => replay::run(&arguments),
        Command::Presets(command) => presets::run(&command),
        Command::Completions(arguments) => completions::run(&arguments, Arguments::command()),
        Command::Man(arguments) => man::run(&arguments, Arguments::command()),
    };
    match result {
        Ok(code) => code,
        Err(error) if matches!(error.downcast_ref(), Some(print::Unprinted::Gone)) => {
            ExitCode::SUCCESS
        }
        Err(error) => {
            print::failure(&error);
            ExitCode::FAILURE
        }
    }
}

#[cfg(test)]
mod tests {
    use clap::{Command, CommandFactory as _};

    use super::Arguments;

    #[test]
    fn the_command_line_is_consistent() {
        Arguments::command().debug_assert();
    }

    #[test]
    fn console_stays_off_the_ports_that_dev_takes() {
        let command = Arguments::command();
        let port = |name: &str| -> u16 {
            let arguments = command.find_subcommand(name).unwrap().get_arguments();
            let mut ports = arguments.filter(|one| one.get_id() == "port");
            let default = ports.next().unwrap().get_default_values()[0].to_str();
            default.unwrap().parse().unwrap()
        };
        let (dev, console) = (port("dev"), port("console"));
        // The front, and the tables, the queue and the bucket above it.
        assert!(!(dev..=dev + 3).contains(&console), "{dev} {console}");
    }

    /// Every command that has no commands below it.
    fn leaves(command: &Command) -> Vec<&Command> {
        let below: Vec<_> = command.get_subcommands().flat_map(leaves).collect();
        if below.is_empty() {
            return vec![command];
        }
        below
    }

    #[test]
    fn every_command_shows_examples_and_they_can_be_typed() {
        let command = Arguments::command();
        for leaf in leaves(&command) {
            let name = leaf.get_name();
            let help = leaf.get_after_help().or_else(|| leaf.get_after_long_help());
            let help = help.map(ToString::to_string).unwrap_or_default();
            let examples: Vec<_> = help
                .lines()
                .filter(|line| line.starts_with("  hookwell "))
                .collect();
            assert!(!examples.is_empty(), "{name} has no example");
            for example in examples {
                // Up to what the shell does with it.
                let typed = example.split(['|', '<', '>']).next().unwrap();
                let parsed = Arguments::command().try_get_matches_from(typed.split_whitespace());
                assert!(parsed.is_ok(), "{example}: {}", parsed.unwrap_err());
            }
        }
    }
}
