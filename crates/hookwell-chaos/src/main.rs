//! Faults and kills against the real functions, and a checker that decides whether the promise was kept.
#![allow(clippy::print_stdout, clippy::print_stderr)] // printing is what it is for

mod arguments;
mod checker;
mod endpoint;
mod fault;
mod http;
mod journal;
mod kills;
mod mapping;
mod operator;
mod plan;
mod proxy;
mod report;
mod rng;
mod run;
mod sandbox;
mod senders;

use std::process::ExitCode;

use clap::Parser as _;
use hookwell_sandbox::binaries;

use crate::arguments::Arguments;

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let handler = arguments.handler;
    let names = ["ingest", handler.binary()];
    let done = binaries::folder(arguments.binaries.as_deref(), &[handler.build()], &names)
        .and_then(|binaries| run::run(&arguments, &binaries));
    match done {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::from(2)
        }
    }
}
