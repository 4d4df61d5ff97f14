//! Faults and kills against the real functions, and a checker that decides whether the promise was kept.
#![allow(clippy::print_stdout, clippy::print_stderr)] // printing is what it is for

mod arguments;
mod calls;
mod checker;
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
mod sources;

use std::process::ExitCode;

use clap::Parser as _;
use hookwell_sandbox::binaries;

use crate::arguments::Arguments;

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let builds: &[&str] = &["-p", "ingest", "-p", "process"];
    let names = ["ingest", "process"];
    let done = binaries::folder(arguments.binaries.as_deref(), &[builds], &names)
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
