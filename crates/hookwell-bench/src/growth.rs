//! Measures how the cost of Hookwell grows with the size of its input.

use anyhow::{Context as _, Result};
use serde::Serialize;

use crate::figures::{median, millis};
use crate::measure::block;
use crate::progress::Progress;
use crate::records::Table;
use crate::sandbox::Sandbox;
use crate::stub::Latency;
use crate::table::markdown;
use crate::target::{Function, OURS, SOURCES_FILE, Setting, Target};
use crate::traffic;

/// Sizes of the body, in KiB; the largest fits a message of SQS for certain.
const BODIES: [usize; 5] = [1, 16, 64, 256, 700];
/// Numbers of sources in the file.
const SOURCES: [usize; 4] = [1, 10, 100, 1_000];
/// Numbers of records in the table.
const RECORDS: [usize; 4] = [1_000, 10_000, 100_000, 1_000_000];
/// Numbers of messages in a batch; Lambda gives at most 10,000 of a standard queue.
const BATCHES: [usize; 4] = [1, 10, 100, 1_000];

/// Number of starts, and of requests after each.
const STARTS: usize = 7;
const REQUESTS: usize = 40;

/// Cost at one size.
#[derive(Debug, Serialize)]
pub(crate) struct Grown {
    /// The input that grows, with its size.
    what: String,
    /// Time from the spawn to the first question for work, in milliseconds.
    init_ms: f64,
    /// Median time of a request or batch, in milliseconds; the services answer at once.
    p50_ms: f64,
    /// CPU time of a request or batch, in microseconds.
    cpu_us: f64,
    /// Peak memory, in MiB.
    memory_mib: f64,
}

/// Measures every size.
pub(crate) fn measure(targets: &[Target], setting: &Setting) -> Result<Vec<Grown>> {
    setting.stub.set(Latency::NONE);
    let of = |function| {
        let mut targets = targets.iter();
        targets
            .find(|target| target.name == OURS && target.function == function)
            .context("no hookwell")
    };
    let (ingest, process) = (of(Function::Ingest)?, of(Function::Process)?);
    let mut sizes = Vec::new();
    for kib in BODIES {
        let body = traffic::body(traffic::ID, kib.saturating_mul(1024));
        let event = traffic::delivery("source-0", &body, true)?;
        sizes.push((
            format!("body of {kib} KiB"),
            with_sources(ingest, setting, 1)?,
            event,
        ));
    }
    for count in SOURCES {
        let last = format!("source-{}", count.saturating_sub(1));
        let event = traffic::delivery(&last, &traffic::body(traffic::ID, 1024), true)?;
        let name = format!("file of {count} sources");
        sizes.push((name, with_sources(ingest, setting, count)?, event));
    }
    for messages in BATCHES {
        let name = format!("batch of {messages}");
        sizes.push((name, process.clone(), traffic::batch(messages)?));
    }
    let progress = Progress::new("how cost grows", sizes.len());
    let mut grown = Vec::new();
    for (what, target, event) in &sizes {
        let again = || Ok(event.clone());
        grown.push(one(what, target, setting, again).with_context(|| what.clone())?);
        progress.step(what);
    }
    grown.extend(with_records(ingest, setting)?);
    Ok(grown)
}

/// Ingest over a table that holds more and more records.
fn with_records(ingest: &Target, setting: &Setting) -> Result<Vec<Grown>> {
    let mut table = Table::start()?;
    let into_table = Target {
        environment: table.environment(),
        ..ingest.clone()
    };
    let mut ids = (0_u64..).map(|number| format!("evt_{number}"));
    let mut new = || {
        let id = ids.next().context("no more ids")?;
        traffic::delivery("resource", &traffic::body(&id, 1024), true)
    };
    let progress = Progress::new("how cost grows with records", RECORDS.len());
    let mut grown = Vec::new();
    for records in RECORDS {
        let what = format!("table of {records} records");
        table.fill(records).with_context(|| what.clone())?;
        grown.push(one(&what, &into_table, setting, &mut new).with_context(|| what.clone())?);
        progress.step(&what);
    }
    table.stop();
    Ok(grown)
}

/// Ingest with a file of so many sources.
fn with_sources(ingest: &Target, setting: &Setting, count: usize) -> Result<Target> {
    let path = setting.folder.join(format!("sources-{count}.toml"));
    let source = |number: usize| {
        format!(
            "[sources.source-{number}]\npreset = \"resource\"\nsecrets = [\"env:HOOKWELL_SECRET_RESOURCE\"]\naccept = [\"shared-secret\"]\nmax_body_bytes = 716800\n"
        )
    };
    std::fs::write(&path, (0..count).map(source).collect::<String>())?;
    Ok(Target {
        environment: vec![(SOURCES_FILE, path.display().to_string())],
        ..ingest.clone()
    })
}

fn one(
    what: &str,
    target: &Target,
    setting: &Setting,
    mut next: impl FnMut() -> Result<Vec<u8>>,
) -> Result<Grown> {
    let (mut init, mut p50, mut cpu, mut memory) = (vec![], vec![], vec![], vec![]);
    for _ in 0..STARTS {
        let mut sandbox = Sandbox::start(target, setting, next()?, None)?;
        init.push(millis(sandbox.ready()?.0));
        sandbox.answered()?;
        let events = (0..REQUESTS).map(|_| next()).collect::<Result<_>>()?;
        let block = block(&mut sandbox, events)?;
        p50.push(median(&block.took));
        cpu.push(block.cpu_us);
        memory.push(f64::from(sandbox.peak_memory()?) / 1024.0);
    }
    Ok(Grown {
        what: what.to_owned(),
        init_ms: median(&init),
        p50_ms: median(&p50),
        cpu_us: median(&cpu),
        memory_mib: median(&memory),
    })
}

/// All sizes as a table; nothing when none was measured.
pub(crate) fn table(growth: &[Grown]) -> String {
    if growth.is_empty() {
        return String::new();
    }
    let head = ["init ms", "p50 ms", "CPU us", "MiB"].map(str::to_owned);
    let rows: Vec<_> = growth
        .iter()
        .map(|one| {
            let cells = vec![
                format!("{:.2}", one.init_ms),
                format!("{:.3}", one.p50_ms),
                format!("{:.0}", one.cpu_us),
                format!("{:.1}", one.memory_mib),
            ];
            (one.what.clone(), cells)
        })
        .collect();
    format!(
        "\nhow cost grows; the services answer at once, and records are in the embedded DynamoDB\n\n{}",
        markdown("size", &head, &rows)
    )
}
