//! `cargo run`: the tool with the sources and the handler of this project. It is never deployed.

use std::process::ExitCode;

use handler::YourHandler;

const SOURCES: &str = include_str!("../../ingest/sources.toml");

fn main() -> ExitCode {
    hookwell_cli::main(Some(SOURCES), YourHandler::new)
}
