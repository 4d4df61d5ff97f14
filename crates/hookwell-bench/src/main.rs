//! Measures the speed of the functions, compared with other ways to build them and with the limits of the machine.
#![allow(clippy::print_stdout, clippy::print_stderr)] // printing is what it is for

mod bounds;
mod certificates;
mod chart;
mod figures;
mod growth;
mod measure;
mod meter;
mod money;
mod progress;
mod records;
mod sandbox;
mod share;
mod stub;
mod table;
mod target;
mod tools;
mod traffic;
mod verification;

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context as _, Result};
use clap::Parser;
use hookwell_sandbox::binaries;
use serde_json::json;

use crate::certificates::Authority;
use crate::measure::Effort;
use crate::stub::Stub;
use crate::target::{Function, Places, Setting};

/// Measures the real functions against floors and against the same work in other languages, all in one run and by turns.
///
/// Every target is a process behind a Lambda Runtime API of its own, with DynamoDB and SQS stubs that speak TLS and
/// answer at once, or after 4 ms. Before anything is timed, each must make exactly its calls for a good request and none
/// for a forged one. Ratios within one run are the result; absolute times are the machine's.
///
/// Peers take part when crates/hookwell-bench/peers/install has been run.
#[derive(Debug, Clone, Parser)]
#[expect(clippy::struct_excessive_bools, reason = "each is a flag")]
#[command(name = "hookwell-bench", version, max_term_width = 100)]
struct Arguments {
    /// Minutes in place of twenty: fewer rounds, and nothing about how cost grows.
    #[arg(long)]
    quick: bool,
    /// Print one JSON object in place of tables.
    #[arg(long)]
    json: bool,
    /// Exit with 1 when a bound is missed by more than a busy machine explains.
    #[arg(long)]
    check: bool,
    /// A folder for the charts, as SVG.
    #[arg(long, value_name = "DIR")]
    charts: Option<PathBuf>,
    /// A folder with another build of ingest and process, which is measured beside this one: to see what a change or a
    /// setting is worth.
    #[arg(long, value_name = "DIR")]
    beside: Option<PathBuf>,
    /// Build the floors, which takes minutes, and measure nothing.
    #[arg(long)]
    build: bool,
    /// Measure in place of the functions what the commands over a table cost when it holds so many records; several, from the
    /// smallest on, with commas.
    #[arg(long, value_name = "RECORDS", value_delimiter = ',')]
    tools: Vec<usize>,
    /// A folder with ingest and process, or for --tools with hookwell, in place of a build of them.
    #[arg(long, value_name = "DIR")]
    binaries: Option<PathBuf>,
}

fn main() -> ExitCode {
    match run(&Arguments::parse()) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::from(2)
        }
    }
}

/// Measures the commands.
fn tools(arguments: &Arguments) -> Result<bool> {
    let given = arguments.binaries.as_deref();
    let folder = binaries::folder(given, &[&["-p", "hookwell-cli"]], &["hookwell"])?;
    let costs = tools::measure(&folder.join("hookwell"), &arguments.tools)?;
    if arguments.json {
        println!("{:#}", json!({ "tools": costs }));
    } else {
        print!("{}", tools::table(&costs));
    }
    Ok(true)
}

fn run(arguments: &Arguments) -> Result<bool> {
    if !arguments.tools.is_empty() {
        return tools(arguments);
    }
    eprintln!("building the functions and the floors");
    let floors = binaries::folder(
        None,
        &[&["-p", "hookwell-floors"]],
        &["floor-hello", "floor-no-sdk"],
    )?;
    if arguments.build {
        return Ok(true);
    }
    let packages = ["-p", "ingest", "-p", "process"];
    let given = arguments.binaries.as_deref();
    let functions = binaries::folder(given, &[&packages], &["ingest", "process"])?;
    let target = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../target/bench");
    std::fs::create_dir_all(&target)?;
    let target = target.canonicalize()?;
    let folder = target.join("run");
    std::fs::create_dir_all(&folder)?;

    let authority = Authority::new(&folder)?;
    let setting = Setting {
        stub: Stub::start(&authority.server)?,
        bundle: authority.bundle,
        root: authority.root,
        folder,
    };
    let targets = target::all(&Places {
        floors: &floors,
        functions: &functions,
        beside: arguments.beside.as_deref(),
        peers: &target,
    });
    let effort = if arguments.quick {
        Effort::QUICK
    } else {
        Effort::FULL
    };
    let rows = measure::all(&targets, &setting, effort)?;
    let (ours, bare) = verification::measure(1024, 101)?;
    let bounds = bounds::all(&rows);
    let growth = if arguments.quick {
        Vec::new()
    } else {
        growth::measure(&targets, &setting)?
    };
    let money = money::per_million(&rows);
    if let Some(folder) = &arguments.charts {
        std::fs::create_dir_all(folder)?;
        for (name, svg) in chart::all(&rows) {
            std::fs::write(folder.join(name), svg).context(name)?;
        }
    }
    let is_slower = bounds.iter().any(bounds::Bound::is_broken);
    if arguments.json {
        let object = json!({
            "targets": rows, "bounds": bounds, "growth": growth, "money": money,
            "verification_us": { "hookwell": ours, "hmac_and_sha2": bare },
        });
        println!("{object:#}");
    } else {
        print!("{}", table::of(Function::Ingest, &rows));
        print!("{}", table::of(Function::Process, &rows));
        println!("\nverification of 1 KiB: {ours:.2} us, bare hmac and sha2 {bare:.2} us");
        print!(
            "{}{}{}",
            growth::table(&growth),
            money::table(&money),
            bounds::table(&bounds)
        );
    }
    Ok(!(is_slower && arguments.check))
}
