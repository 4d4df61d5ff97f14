//! What must hold between figures of one run, whatever the machine. Each bound is a ratio to a floor or to a peer.

use serde::Serialize;

use crate::figures::Rows;
use crate::table::markdown;
use crate::target::Function::{self, Ingest, Process};
use crate::target::{GO, HELLO, NO_SDK, OURS, WITH_PUT};

/// What a figure is held against.
#[derive(Debug, Clone, Copy)]
enum Against {
    /// The same figure of a target.
    Target(&'static str),
    /// The smallest of the targets whose names have one of these words.
    Best(&'static [&'static str]),
    /// A number.
    Number(f64),
}

use Against::{Best, Number, Target};

const NODE: Against = Best(&["Node"]);
const PYTHON: Against = Best(&["Python"]);
const POWERTOOLS: Against = Best(&["Powertools"]);
const ONE_BY_ONE: Against = Best(&["one by one"]);
const AT_ONCE: Against = Best(&["concurrent", "threads"]);
const FLOOR: Against = Target(NO_SDK);

/// Function, target, figure, what it is held against, and how large the ratio may be.
const LIMITS: [(Function, &str, &str, Against, f64); 17] = [
    (Ingest, OURS, "init_ms", Target(HELLO), 2.2),
    (Ingest, OURS, "cold_ms", FLOOR, 1.7),
    (Ingest, OURS, "cold_ms", NODE, 1.0 / 20.0),
    (Ingest, OURS, "cold_ms", Target(GO), 0.6),
    (Ingest, OURS, "first_cpu_ms", FLOOR, 2.5),
    (Ingest, OURS, "cold_128_ms", NODE, 1.0 / 25.0),
    (Ingest, OURS, "cold_128_ms", PYTHON, 1.0 / 25.0),
    (Ingest, OURS, "p50_4ms_ms", FLOOR, 1.04),
    (Ingest, WITH_PUT, "p50_4ms_ms", FLOOR, 0.56),
    (Ingest, OURS, "p50_4ms_ms", POWERTOOLS, 0.6),
    (Ingest, OURS, "cpu_us", FLOOR, 4.2),
    (Ingest, OURS, "cpu_us", NODE, 1.0 / 4.5),
    (Ingest, OURS, "memory_mib", Number(1.0), 10.0),
    (Ingest, OURS, "zip_mib", Number(1.0), 3.2),
    // 4 ms is one call.
    (Process, OURS, "p50_4ms_ms", Number(4.0), 3.2),
    (Process, OURS, "p50_4ms_ms", ONE_BY_ONE, 1.0 / 4.0),
    (Process, OURS, "p50_4ms_ms", AT_ONCE, 1.0),
];

/// How much our verification of 1 KiB may cost, of `hmac` and `sha2` alone.
const VERIFICATION: f64 = 1.3;

/// By how much a bound is missed when a change is to blame and not the machine. On a shared one, ratios of computing moved by
/// half between runs of the same binary, those of waiting hardly. A cold start that waits for random numbers, or a call
/// too many, is far beyond either.
const BROKEN: f64 = 2.0;
const BROKEN_WAITING: f64 = 1.25;

/// One bound and what was measured.
#[derive(Debug, Serialize)]
pub(crate) struct Bound {
    /// What it is about.
    what: String,
    /// What was measured.
    value: f64,
    /// What it may be at most.
    at_most: f64,
    /// How many times that a busy machine explains.
    #[serde(skip)]
    explained: f64,
}

impl Bound {
    /// Whether it holds.
    pub(crate) fn holds(&self) -> bool {
        self.value <= self.at_most
    }

    /// Whether it is missed by more than the machine explains.
    pub(crate) fn is_broken(&self) -> bool {
        self.value > self.at_most * self.explained
    }
}

/// All bounds whose targets were measured. `verification` is the time of ours over that of the bare digest.
pub(crate) fn all(rows: &Rows, verification: f64) -> Vec<Bound> {
    let measured = LIMITS.iter().filter_map(|limit| {
        let (function, target, figure, against, at_most) = *limit;
        let (to, name) = match against {
            Target(name) => (rows.get(function, name, figure)?, name.to_owned()),
            Best(words) => {
                let best = words
                    .iter()
                    .filter_map(|word| rows.best(function, word, figure));
                (
                    best.reduce(f64::min)?,
                    format!("best: {}", words.join(", ")),
                )
            }
            Number(number) => (number, number.to_string()),
        };
        let function_name = function.name();
        Some(Bound {
            what: format!("{function_name}: {target}: {figure} / {name}"),
            value: rows.get(function, target, figure)? / to,
            at_most,
            explained: if figure == "p50_4ms_ms" {
                BROKEN_WAITING
            } else {
                BROKEN
            },
        })
    });
    let verification = Bound {
        what: "verification of 1 KiB / hmac and sha2".to_owned(),
        value: verification,
        at_most: VERIFICATION,
        explained: BROKEN,
    };
    measured.chain([verification]).collect()
}

/// The bounds as a table.
pub(crate) fn table(bounds: &[Bound]) -> String {
    let head = ["measured", "at most", "holds"].map(str::to_owned);
    let rows: Vec<_> = bounds
        .iter()
        .map(|bound| {
            let holds = if bound.holds() { "yes" } else { "NO" };
            let cells = [bound.value, bound.at_most].map(|value| format!("{value:.3}"));
            (
                bound.what.clone(),
                [&cells[..], &[holds.to_owned()]].concat(),
            )
        })
        .collect();
    format!("\nbounds\n\n{}", markdown("ratio", &head, &rows))
}
