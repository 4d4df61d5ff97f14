//! Measures the targets in turn, round after round, so that other load on the machine affects all of them alike.

use std::collections::BTreeMap;
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use serde_json::Value;

use crate::figures::{Row, Rows, median, millis, percentile, sizes};
use crate::progress::Progress;
use crate::sandbox::{Answered, Sandbox};
use crate::stub::{Calls, Latency};
use crate::target::{Function, HELLO, Setting, Target};
use crate::traffic;

/// Number of starts, rounds and requests of a run.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Effort {
    /// Starts of each target, for each latency.
    pub(crate) starts: usize,
    /// Rounds of warm requests. Many short ones: what else the machine does changes within seconds, and the targets
    /// that are compared take turns so quickly that it meets all of them.
    pub(crate) rounds: usize,
    /// Requests of a round, with answers at once; a tenth as many batches.
    pub(crate) requests: usize,
    /// The same with answers after some milliseconds.
    pub(crate) slow_requests: usize,
    /// Starts with the share of a small function.
    pub(crate) small_starts: usize,
}

impl Effort {
    /// The effort behind the figures of docs/performance.md.
    pub(crate) const FULL: Self = Self {
        starts: 21,
        rounds: 20,
        requests: 125,
        slow_requests: 30,
        small_starts: 7,
    };
    /// Enough to see what is wrong.
    pub(crate) const QUICK: Self = Self {
        starts: 7,
        rounds: 10,
        requests: 40,
        slow_requests: 10,
        small_starts: 3,
    };
}

/// The size of a small function, in MB.
const SMALL: u32 = 128;

/// Warm requests of a small function after each of its starts.
const SMALL_REQUESTS: usize = 10;

/// The body of the request, in bytes.
const BODY: usize = 1024;

/// The messages of a batch.
const BATCH: usize = 10;

/// Events that all targets are given.
#[derive(Debug)]
struct Events {
    good: Vec<u8>,
    forged: Vec<u8>,
    batch: Vec<u8>,
}

impl Events {
    fn good(&self, function: Function) -> Vec<u8> {
        match function {
            Function::Ingest => self.good.clone(),
            Function::Process => self.batch.clone(),
        }
    }
}

/// All values of one figure of one target.
type Values = BTreeMap<(usize, &'static str), Vec<f64>>;

/// Measures all targets.
pub(crate) fn all(targets: &[Target], setting: &Setting, effort: Effort) -> Result<Rows> {
    let body = traffic::body(traffic::ID, BODY);
    let events = Events {
        good: traffic::delivery("resource", &body, true)?,
        forged: traffic::delivery("resource", &body, false)?,
        batch: traffic::batch(BATCH)?,
    };
    let mut values = Values::new();
    let progress = Progress::new("checks", targets.len());
    for (index, target) in targets.iter().enumerate() {
        let counted = check(target, setting, &events).with_context(|| target.name.to_owned())?;
        for (figure, calls) in counted {
            let calls = f64::from(u32::try_from(calls.values().sum::<u64>())?);
            values.insert((index, figure), vec![calls]);
        }
        progress.step(target.name);
    }
    let starts = effort.starts.saturating_mul(targets.len());
    for (latency, figures) in [
        (
            Latency::NONE,
            ["init_ms", "init_cpu_ms", "cold_ms", "first_cpu_ms"],
        ),
        (Latency::REGION, ["", "", "cold_4ms_ms", ""]),
    ] {
        setting.stub.set(latency);
        let progress = Progress::new(&format!("starts at {latency}"), starts);
        for _ in 0..effort.starts {
            for (index, target) in targets.iter().enumerate() {
                let measured = start(target, setting, &events, None)?.0;
                for (figure, value) in figures.into_iter().zip(measured) {
                    values.entry((index, figure)).or_default().push(value);
                }
                progress.step(target.name);
            }
        }
    }
    small(targets, setting, effort, &events, &mut values)?;
    warm(targets, setting, effort, &events, &mut values)?;
    let mut rows = Rows::default();
    for (index, target) in targets.iter().enumerate() {
        let own = values
            .iter()
            .filter(|((of, name), _)| *of == index && !name.is_empty());
        let mut figures: BTreeMap<_, _> =
            own.map(|((_, name), all)| (*name, median(all))).collect();
        let (raw, zip) = sizes(&target.artifact)?;
        figures.extend([("raw_mib", raw), ("zip_mib", zip)]);
        rows.0.push(Row {
            function: target.function.name(),
            target: target.name,
            figures,
        });
    }
    Ok(rows)
}

/// Checks that a good event is answered as it should be and makes exactly the calls it must, and that a forged one
/// makes none. A target that does less than the others would only look faster. The calls of each are figures too.
fn check(
    target: &Target,
    setting: &Setting,
    events: &Events,
) -> Result<Vec<(&'static str, Calls)>> {
    let mut counted = Vec::new();
    setting.stub.set(Latency::NONE);
    setting.stub.calls();
    let mut sandbox = Sandbox::start(target, setting, events.good(target.function), None)?;
    sandbox.ready()?;
    // Twice: what is done once at the start must not hide what every event does.
    for number in 0..2 {
        let answer = if number == 0 {
            sandbox.answered()?
        } else {
            one(&mut sandbox, events.good(target.function))?
        };
        let calls = setting.stub.calls();
        ensure!(
            calls == target.calls,
            "calls {calls:?}, not {:?}",
            target.calls
        );
        counted.push(("calls", calls));
        let answer: Value = serde_json::from_slice(&answer.body)?;
        let expected = match target.function {
            _ if target.name == HELLO => continue,
            Function::Ingest => ("statusCode", Value::from(200)),
            Function::Process => ("batchItemFailures", Value::Array(Vec::new())),
        };
        ensure!(
            answer.get(expected.0) == Some(&expected.1),
            "answered {answer}"
        );
    }
    if target.function == Function::Ingest && target.name != HELLO {
        let answer: Value =
            serde_json::from_slice(&one(&mut sandbox, events.forged.clone())?.body)?;
        ensure!(
            answer.get("statusCode") == Some(&401.into()),
            "forged: {answer}"
        );
        let calls = setting.stub.calls();
        ensure!(calls == Calls::new(), "forged: calls {calls:?}");
        counted.push(("forged_calls", calls));
    }
    Ok(counted)
}

fn one(sandbox: &mut Sandbox, event: Vec<u8>) -> Result<Answered> {
    sandbox.run([event])?.pop().context("no answer")
}

/// Starts a target: its init, the CPU of that, the time to its first answer, and the CPU of the first event, in
/// milliseconds.
fn start(
    target: &Target,
    setting: &Setting,
    events: &Events,
    memory: Option<u32>,
) -> Result<([f64; 4], Sandbox)> {
    let mut sandbox = Sandbox::start(target, setting, events.good(target.function), memory)?;
    let (init, init_cpu) = sandbox.ready()?;
    let answered = sandbox.answered()?;
    let total = sandbox.since_start(answered.at);
    let first = answered.cpu.saturating_sub(init_cpu);
    Ok(([init, init_cpu, total, first].map(millis), sandbox))
}

/// Starts, and requests after them, with the share of a CPU that a small function has.
fn small(
    targets: &[Target],
    setting: &Setting,
    effort: Effort,
    events: &Events,
    values: &mut Values,
) -> Result<()> {
    setting.stub.set(Latency::REGION);
    let steps = effort.small_starts.saturating_mul(targets.len());
    let progress = Progress::new(&format!("starts with {SMALL} MB"), steps);
    for _ in 0..effort.small_starts {
        for (index, target) in targets.iter().enumerate() {
            let ([_, _, total, _], mut sandbox) = start(target, setting, events, Some(SMALL))?;
            let answers = sandbox.run(vec![events.good(target.function); SMALL_REQUESTS])?;
            let took: Vec<f64> = answers.iter().map(|answer| millis(answer.took)).collect();
            let measured = [
                ("cold_128_ms", total),
                ("p50_128_ms", median(&took)),
                ("p99_128_ms", percentile(&took, 99)),
            ];
            for (figure, value) in measured {
                values.entry((index, figure)).or_default().push(value);
            }
            progress.step(target.name);
        }
    }
    Ok(())
}

/// Rounds of requests to one sandbox of each target.
fn warm(
    targets: &[Target],
    setting: &Setting,
    effort: Effort,
    events: &Events,
    values: &mut Values,
) -> Result<()> {
    setting.stub.set(Latency::NONE);
    let mut sandboxes = Vec::new();
    for target in targets {
        sandboxes.push(start(target, setting, events, None)?.1);
    }
    let steps = effort
        .rounds
        .saturating_mul(targets.len())
        .saturating_mul(2);
    let progress = Progress::new("warm requests", steps);
    for (latency, requests, [p50, p99, per_second, cpu]) in [
        (
            Latency::NONE,
            effort.requests,
            ["p50_ms", "p99_ms", "per_second", "cpu_us"],
        ),
        (
            Latency::REGION,
            effort.slow_requests,
            ["p50_4ms_ms", "p99_4ms_ms", "per_second_4ms", "cpu_4ms_us"],
        ),
    ] {
        setting.stub.set(latency);
        for round in 0..=effort.rounds {
            // The first fills caches and lets compilers do their work: it is longer, and not counted.
            let requests = match round {
                0 => requests.saturating_mul(effort.rounds) / 4,
                _ => requests,
            };
            for (index, (target, sandbox)) in targets.iter().zip(&mut sandboxes).enumerate() {
                let requests = match target.function {
                    Function::Ingest => requests,
                    Function::Process => requests.div_ceil(10),
                };
                let events = vec![events.good(target.function); requests];
                let block = block(sandbox, events).with_context(|| target.name.to_owned())?;
                if round == 0 {
                    continue;
                }
                let mut keep =
                    |figure, some: &[f64]| values.entry((index, figure)).or_default().extend(some);
                keep(p50, &block.took);
                keep(per_second, &[block.per_second]);
                keep(cpu, &[block.cpu_us]);
                progress.step(target.name);
            }
        }
        for index in 0..targets.len() {
            let took = values.get(&(index, p50)).context("no requests")?;
            let tail = percentile(took, 99);
            values.insert((index, p99), vec![tail]);
        }
    }
    for (index, sandbox) in sandboxes.iter().enumerate() {
        let mib = f64::from(sandbox.peak_memory()?) / 1024.0;
        values.insert((index, "memory_mib"), vec![mib]);
    }
    Ok(())
}

/// Requests, one after the other.
#[derive(Debug)]
pub(crate) struct Block {
    /// Time of each request, in milliseconds.
    pub(crate) took: Vec<f64>,
    /// Requests a second.
    pub(crate) per_second: f64,
    /// The CPU of each, in microseconds.
    pub(crate) cpu_us: f64,
}

/// Gives a sandbox some events.
pub(crate) fn block(sandbox: &mut Sandbox, events: Vec<Vec<u8>>) -> Result<Block> {
    let count = f64::from(u32::try_from(events.len())?);
    let before = sandbox.cpu();
    let answers = sandbox.run(events)?;
    let cpu = sandbox.cpu().saturating_sub(before).as_secs_f64();
    let all: Duration = answers.iter().map(|answer| answer.took).sum();
    Ok(Block {
        took: answers.iter().map(|answer| millis(answer.took)).collect(),
        per_second: count / all.as_secs_f64(),
        cpu_us: cpu * 1e6 / count,
    })
}
