//! The report of a run, and its progress.

use std::io::{IsTerminal as _, Write as _};
use std::time::Duration;

use hookwell_sandbox::rank::percentile;
use serde_json::{Map, Value, json};

use crate::checker::Verdict;
use crate::proxy::World;

/// The median, the value that 99 of 100 do not exceed, and the largest of sorted values.
pub(crate) fn percentiles(sorted: &[u64]) -> (u64, u64, u64) {
    let at = |percent| percentile(sorted, percent).unwrap_or(0);
    (at(50), at(99), at(100))
}

/// The mean of the first and the last quarter of the samples.
fn quarters(samples: &[u64]) -> Value {
    let quarter = samples.len().div_ceil(4);
    let mean = |part: Option<&[u64]>| {
        let part = part.unwrap_or_default();
        let count = u64::try_from(part.len()).unwrap_or(u64::MAX);
        part.iter().sum::<u64>().checked_div(count).unwrap_or(0)
    };
    let last = samples.len().saturating_sub(quarter);
    json!({ "first_kb": mean(samples.get(..quarter)), "last_kb": mean(samples.get(last..)) })
}

/// Count, median, 99th percentile and maximum of times, in milliseconds.
fn spread(times: &[u64]) -> Value {
    let mut sorted = times.to_vec();
    sorted.sort_unstable();
    let (p50, p99, max) = percentiles(&sorted);
    json!({ "count": sorted.len(), "p50_ms": p50, "p99_ms": p99, "max_ms": max })
}

/// Facts about the run that the verdict lacks.
#[derive(Debug)]
pub(crate) struct Run<'a> {
    /// The parts of the run.
    pub(crate) world: &'a World,
    /// Number of events.
    pub(crate) events: usize,
    /// Number of tries of all senders.
    pub(crate) tries: usize,
    /// The seed.
    pub(crate) seed: u64,
    /// True when the queue was empty in the end.
    pub(crate) drained: bool,
    /// Memory of both functions over the run, in kilobytes.
    pub(crate) memory: &'a [Vec<u64>; 2],
    /// Time that the senders and the queue took.
    pub(crate) took: Duration,
    /// Lateness of the machine in milliseconds, sorted.
    pub(crate) late: &'a [u64],
    /// Number of done records that expired.
    pub(crate) expired: usize,
    /// Number of events whose dead letter was taken away.
    pub(crate) taken: usize,
    /// Number of letters of a destination that were put back.
    pub(crate) put_back: usize,
    /// The slowest answer that a sender waited for.
    pub(crate) max_sender_ms: u64,
}

/// The part of the report about destinations.
fn told(run: &Run<'_>, verdict: &Verdict) -> Value {
    json!({
        "told": verdict.told,
        "repeated": verdict.repeated,
        "at_once": verdict.at_once,
        "after_the_end": verdict.after_the_end,
        "letters_put_back": run.put_back,
        "first_arrival_while_one_fails": spread(&verdict.first_arrivals.while_one_fails),
        "first_arrival_otherwise": spread(&verdict.first_arrivals.otherwise),
    })
}

/// The object of `--json`.
pub(crate) fn object(run: &Run<'_>, verdict: &Verdict) -> Value {
    let (kinds, sites) = run.world.faults.report();
    let [answers, large] = run.world.ingest.answers();
    let (p50, p99, max) = percentiles(&answers);
    let (_, p99_late, max_late) = percentiles(run.late);
    let (ingest, ingest_crashes, ingest_timeouts) = run.world.ingest.ends();
    let (process, process_crashes, process_timeouts) = run.world.process.ends();
    let [ingest_memory, process_memory] = run.memory;
    json!({
        "events": run.events,
        "tries": run.tries,
        "acknowledged": verdict.acknowledged,
        "refused_by_sender_rules": verdict.refused_by_sender_rules,
        "applied": verdict.applied,
        "duplicates": verdict.duplicates,
        "stale": verdict.stale,
        "dead_lettered": verdict.dead_lettered,
        "expired": run.expired,
        "letters_taken": run.taken,
        "lost": verdict.lost,
        "doubled": verdict.doubled,
        "undecidable": verdict.undecidable,
        "destinations": told(run, verdict),
        "wrong": verdict.wrong.len(),
        "wrong_examples": verdict.examples(),
        "drained": run.drained,
        "faults": run.world.faults.total(),
        "faults_by_kind": kinds,
        "faults_by_call": sites,
        "kills": ingest.saturating_add(process),
        "freezes": run.world.ingest.frozen().saturating_add(run.world.process.frozen()),
        "kills_not_reached": run.world.kills.left(),
        "ended_by_themselves": ingest_crashes.saturating_add(process_crashes),
        "timed_out": ingest_timeouts.saturating_add(process_timeouts),
        "answers": answers.len(),
        "p50_answer_ms": p50,
        "p99_answer_ms": p99,
        "max_answer_ms": max,
        "large_answers": large.len(),
        "max_large_answer_ms": large.last(),
        "answers_over_1200_ms": answers.iter().filter(|took| **took > 1_200).count(),
        "p99_machine_late_ms": p99_late,
        "max_machine_late_ms": max_late,
        "max_sender_ms": run.max_sender_ms,
        "memory": { "ingest": quarters(ingest_memory), "process": quarters(process_memory) },
        "seconds": run.took.as_secs(),
        "seed": run.seed,
    })
}

/// The report as a table, for people.
pub(crate) fn table(object: &Value) -> String {
    let empty = Map::new();
    let mut lines = String::new();
    for (name, value) in object.as_object().unwrap_or(&empty) {
        match value {
            Value::Object(part) => {
                for (inner, value) in part {
                    let name = format!("{name}: {inner}");
                    lines.push_str(&line(&name, value));
                }
            }
            value => lines.push_str(&line(name, value)),
        }
    }
    lines
}

fn line(name: &str, value: &Value) -> String {
    format!("{:<34} {value}\n", name.replace('_', " "))
}

/// A bar on a terminal's standard error; nothing anywhere else.
pub(crate) fn progress(done: u64, all: u64, waiting: u64, note: &str) {
    let mut out = std::io::stderr();
    if !out.is_terminal() {
        return;
    }
    let width = 30_u64;
    let filled = done.saturating_mul(width).checked_div(all).unwrap_or(width);
    let part = |text: &str, count: u64| text.repeat(usize::try_from(count).unwrap_or(0));
    let bar = part("#", filled.min(width)) + &part(".", width.saturating_sub(filled));
    let _ = write!(
        out,
        "\r\x1b[K[{bar}] {done}/{all} sent, {waiting} waiting, {note}"
    );
    let _ = out.flush();
}

/// Leaves the line of the bar.
pub(crate) fn progress_ended() {
    if std::io::stderr().is_terminal() {
        let _ = writeln!(std::io::stderr());
    }
}
