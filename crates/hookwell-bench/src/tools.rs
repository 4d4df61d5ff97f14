//! Measures what an operator's commands cost over a table with many records: time, peak memory and read units.

use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc;
use std::time::{Duration, Instant, SystemTime};

use anyhow::{Context as _, Result, ensure};
use hookwell::event::identity::Key;
use hookwell::event::{Event, Operation};
use serde::Serialize;

use crate::meter::Meter;
use crate::progress::Progress;
use crate::records::Table;
use crate::sandbox::peak_memory;
use crate::table::markdown;

/// Time that the records are spread over, in milliseconds: the life of a record.
const SPAN: i64 = 35 * 24 * 60 * 60 * 1000;

/// Number of sources that send all the time, and share of the events of the one that hardly does.
const SOURCES: usize = 9;
const QUIET: usize = 10_000;

/// Time for which `tail` runs.
const TAIL: Duration = Duration::from_secs(20);

/// Time in which it prints what has come.
const PATIENCE: Duration = Duration::from_mins(5);

/// Time between two looks at the memory of a command.
const LOOK: Duration = Duration::from_millis(5);

/// The commands, as they are shown. `ID` is the id of an event in the middle.
const COMMANDS: [&str; 6] = [
    "events list --limit 50",
    "events list --limit 50 --source quiet",
    "events show ID",
    "events stats --since 1h",
    "events stats",
    "events tail --every 1 --json",
];

/// Cost of one command.
#[derive(Debug, Serialize)]
pub(crate) struct Cost {
    command: &'static str,
    /// Number of records in the table.
    records: usize,
    /// Time until it ended; of `tail`, until it printed what had just come.
    ms: f64,
    /// Peak memory, in MiB.
    memory_mib: f64,
    /// Read units of all its calls; of `tail`, of 20 seconds.
    read_units: f64,
    /// Number of calls that read.
    calls: u64,
}

/// Measures every command over tables with so many records.
pub(crate) fn measure(hookwell: &Path, sizes: &[usize]) -> Result<Vec<Cost>> {
    let mut table = Table::start()?;
    let meter = table.meter()?;
    let progress = Progress::new("commands", sizes.len().saturating_mul(COMMANDS.len()));
    let mut costs = Vec::new();
    for records in sizes.iter().copied() {
        let now = now()?;
        table.fill_with(records, |number| event(number, records, now))?;
        for command in COMMANDS {
            progress.step(command);
            let cost = one(hookwell, &table, &meter, command, records);
            let cost = cost.with_context(|| command.to_owned())?;
            // The large tables take minutes: what is known is not lost when somebody has no time for the rest.
            eprintln!("{}", serde_json::to_string(&cost)?);
            costs.push(cost);
        }
    }
    table.stop();
    Ok(costs)
}

/// Milliseconds since 1970.
fn now() -> Result<i64> {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH)?;
    Ok(i64::try_from(since.as_millis())?)
}

/// One of so many events, spread evenly over the time before now.
fn event(number: usize, of: usize, now: i64) -> Event {
    let source = if number.is_multiple_of(QUIET) {
        "quiet".to_owned()
    } else {
        format!("source-{}", number % SOURCES)
    };
    let id = format!("evt_{number:09}");
    let place = i64::try_from(number).unwrap_or(0);
    let step = SPAN / i64::try_from(of).unwrap_or(1).max(1);
    let received_at = now
        .saturating_sub(SPAN)
        .saturating_add(place.saturating_mul(step));
    Event {
        key: Key::new(&source, &[id.as_bytes()]),
        kind: "customer.subscription.updated".to_owned(),
        operation: Operation::Update,
        received_at,
        expires_at: now.saturating_add(SPAN) / 1000,
        document_type: "customer.subscription".to_owned(),
        document_id: Some(format!("sub_{:09}", number / 3)),
        ..Event::bare(&source, &id)
    }
}

fn one(
    hookwell: &Path,
    table: &Table,
    meter: &Meter,
    command: &'static str,
    records: usize,
) -> Result<Cost> {
    let id = format!("evt_{:09}", records / 2 + 1);
    let words = command
        .split(' ')
        .map(|word| if word == "ID" { &id } else { word });
    let mut run = Command::new(hookwell);
    run.args(words)
        .envs(table.environment())
        .env("AWS_ENDPOINT_URL_DYNAMODB", &meter.url)
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    meter.take();
    let started = Instant::now();
    let mut child = run.spawn()?;
    let (ms, memory_mib) = if command.contains("tail") {
        tail(&mut child, table, records)?
    } else {
        whole(&mut child, started)?
    };
    let (read_units, calls) = meter.take();
    Ok(Cost {
        command,
        records,
        ms,
        memory_mib,
        read_units,
        calls,
    })
}

/// Waits for the end of a command.
fn whole(child: &mut Child, started: Instant) -> Result<(f64, f64)> {
    let output = child.stdout.take().context("no output")?;
    let read = std::thread::spawn(move || BufReader::new(output).lines().count());
    let mut memory = 0;
    let status = loop {
        // There is nothing to read once it has ended.
        memory = memory.max(peak_memory(child.id()).unwrap_or(0));
        if let Some(status) = child.try_wait()? {
            break status;
        }
        std::thread::sleep(LOOK);
    };
    let ms = started.elapsed().as_secs_f64() * 1e3;
    ensure!(status.success(), "it failed");
    ensure!(
        read.join().is_ok_and(|lines| lines > 0),
        "it printed nothing"
    );
    Ok((ms, mib(memory)))
}

/// Lets one event come while the command runs.
fn tail(child: &mut Child, table: &Table, records: usize) -> Result<(f64, f64)> {
    let output = child.stdout.take().context("no output")?;
    let mut said = BufReader::new(child.stderr.take().context("no output")?);
    said.read_line(&mut String::new())?;
    let started = Instant::now();
    let (print, printed) = mpsc::channel();
    std::thread::spawn(move || {
        let mut line = String::new();
        let _ = BufReader::new(output).read_line(&mut line);
        let _ = print.send(started.elapsed());
    });
    let now = now()?;
    let new = Event {
        received_at: now,
        key: Key::new("new", &[&records.to_be_bytes()]),
        ..event(records, records, now)
    };
    table.put(&new)?;
    let printed = printed.recv_timeout(PATIENCE);
    std::thread::sleep(TAIL.saturating_sub(started.elapsed()));
    let memory = peak_memory(child.id())?;
    child.kill()?;
    child.wait()?;
    let printed = printed.context("it printed nothing")?;
    Ok((printed.as_secs_f64() * 1e3, mib(memory)))
}

fn mib(kib: u32) -> f64 {
    f64::from(kib) / 1024.0
}

/// The costs as a table.
pub(crate) fn table(costs: &[Cost]) -> String {
    let head = ["records", "ms", "MiB", "read units", "calls"].map(str::to_owned);
    let row = |cost: &Cost| {
        let cells = vec![
            cost.records.to_string(),
            format!("{:.0}", cost.ms),
            format!("{:.1}", cost.memory_mib),
            format!("{:.1}", cost.read_units),
            cost.calls.to_string(),
        ];
        (cost.command.to_owned(), cells)
    };
    let rows: Vec<_> = costs.iter().map(row).collect();
    markdown("command", &head, &rows)
}
