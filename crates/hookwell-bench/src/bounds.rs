//! Bounds that hold between figures of one run on every machine. They check the design and allow a tenth for the noise of
//! a busy machine: a miss within that is no reason to write code.

use serde::Serialize;

use crate::figures::{Ahead, FIGURES, Rows};
use crate::table::markdown;
use crate::target::Function::{self, Ingest, Process};
use crate::target::{AT_ONCE, NO_SDK, OURS};

/// The figure that a limit is compared with.
#[derive(Debug, Clone, Copy)]
enum Against {
    /// The same figure, measured at another target.
    Target(&'static str),
    /// One call of 4 ms.
    OneCall,
    /// Nothing: the figure itself has a limit.
    Nothing,
}

use Against::{Nothing, OneCall, Target};

/// A figure of ours, what it is held against, and how large the ratio may be.
struct Limit {
    function: Function,
    figure: &'static str,
    against: Against,
    at_most: f64,
    miss: Miss,
}

/// Consequence of a missed bound.
#[derive(Debug, Clone, Copy)]
enum Miss {
    /// A value above the bound times this factor is a change's fault and not the machine's.
    Broken(f64),
    /// Somebody has to explain the miss; the run does not fail.
    Explain,
}

/// For computing: on a shared machine its ratios moved by half between runs of the same binary, and the ratios of
/// waiting hardly. A cold start that waits for random numbers, or a call too many, is far beyond either.
const COMPUTING: Miss = Miss::Broken(2.0);
const WAITING: Miss = Miss::Broken(1.25);
/// For counted figures, which are the same on every machine.
const COUNTED: Miss = Miss::Broken(1.0);

const fn limit(
    function: Function,
    figure: &'static str,
    against: Against,
    at_most: f64,
    miss: Miss,
) -> Limit {
    Limit {
        function,
        figure,
        against,
        at_most,
        miss,
    }
}

const LIMITS: [Limit; 10] = [
    limit(Ingest, "p50_4ms_ms", Target(NO_SDK), 0.60, WAITING),
    limit(Ingest, "p50_4ms_ms", Target(AT_ONCE), 1.25, Miss::Explain),
    limit(Ingest, "cold_ms", Target(NO_SDK), 1.8, COMPUTING),
    limit(Ingest, "cold_4ms_ms", Target(NO_SDK), 1.25, COMPUTING),
    limit(Ingest, "first_cpu_ms", Target(NO_SDK), 2.5, COMPUTING),
    limit(Ingest, "memory_mib", Nothing, 12.0, COMPUTING),
    limit(Ingest, "zip_mib", Nothing, 3.3, COMPUTING),
    // Less would be too little, and ends the run before anything is timed.
    limit(Ingest, "calls", Nothing, 2.0, COUNTED),
    limit(Ingest, "forged_calls", Nothing, 0.0, COUNTED),
    // The records of the batch, the documents, the ends of the records. No floor shares the host's mood here, and a call too
    // many ends the run before anything is timed.
    limit(Process, "p50_4ms_ms", OneCall, 3.9, COMPUTING),
];

/// One bound and what was measured.
#[derive(Debug, Serialize)]
pub(crate) struct Bound {
    /// Function, figure and reference of the bound, as a row title.
    what: String,
    /// The measured figure, or its ratio to the reference.
    value: f64,
    /// The largest value that holds the bound.
    at_most: f64,
    #[serde(skip)]
    miss: Miss,
}

impl Bound {
    /// True when the bound holds.
    pub(crate) fn holds(&self) -> bool {
        self.value <= self.at_most
    }

    /// True when the bound is missed by more than noise of the machine explains.
    pub(crate) fn is_broken(&self) -> bool {
        match self.miss {
            Miss::Broken(times) => self.value > self.at_most * times,
            Miss::Explain => false,
        }
    }
}

/// All bounds whose targets were measured.
pub(crate) fn all(rows: &Rows) -> Vec<Bound> {
    let measured = LIMITS.iter().filter_map(|limit| {
        let (function, figure) = (limit.function, limit.figure);
        let (to, against) = match limit.against {
            Target(name) => (rows.get(function, name, figure)?, format!(" / {name}")),
            OneCall => (4.0, " / one call".to_owned()),
            Nothing => (1.0, String::new()),
        };
        Some(Bound {
            what: format!("{}: {figure}{against}", function.name()),
            value: rows.get(function, OURS, figure)? / to,
            at_most: limit.at_most,
            miss: limit.miss,
        })
    });
    let ahead = [Ingest, Process].into_iter().filter_map(|function| {
        Some(Bound {
            what: format!("{}: columns with Node or Python ahead", function.name()),
            value: columns_ahead(rows, function)?,
            at_most: 0.0,
            miss: COUNTED,
        })
    });
    measured.chain(ahead).collect()
}

/// Number of figures in which a target in Node or Python is ahead of ours; `None` when none was measured.
fn columns_ahead(rows: &Rows, function: Function) -> Option<f64> {
    let is_peer = |name: &str| name.starts_with("Node") || name.starts_with("Python");
    let peers: Vec<_> = rows
        .of(function)
        .filter(|row| is_peer(row.target))
        .collect();
    if peers.is_empty() {
        return None;
    }
    let columns = FIGURES.iter().filter(|figure| {
        rows.get(function, OURS, figure.id).is_some_and(|ours| {
            let mut theirs = peers.iter().filter_map(|row| row.figures.get(figure.id));
            theirs.any(|theirs| match figure.ahead {
                Ahead::Less => *theirs < ours,
                Ahead::More => *theirs > ours,
                Ahead::Neither => false,
            })
        })
    });
    // An empty sum would be -0.
    Some(columns.fold(0.0, |count, _| count + 1.0))
}

/// The bounds as a table.
pub(crate) fn table(bounds: &[Bound]) -> String {
    let head = ["measured", "at most", "holds"].map(str::to_owned);
    let rows: Vec<_> = bounds
        .iter()
        .map(|bound| {
            let holds = match bound.miss {
                _ if bound.holds() => "yes",
                Miss::Broken(_) => "NO",
                Miss::Explain => "say why",
            };
            let cells = [bound.value, bound.at_most].map(|value| format!("{value:.3}"));
            (
                bound.what.clone(),
                [&cells[..], &[holds.to_owned()]].concat(),
            )
        })
        .collect();
    format!("\nbounds\n\n{}", markdown("hookwell", &head, &rows))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::figures::Row;

    fn row(target: &'static str, figures: &[(&'static str, f64)]) -> Row {
        Row {
            function: Ingest.name(),
            target,
            figures: figures.iter().copied().collect(),
        }
    }

    fn of(rows: Vec<Row>, what: &str) -> Option<Bound> {
        all(&Rows(rows))
            .into_iter()
            .find(|bound| bound.what == what)
    }

    #[test]
    fn the_floor_that_calls_at_once_is_reported_and_fails_no_run() {
        let far = of(
            vec![
                row(OURS, &[("p50_4ms_ms", 9.0)]),
                row(AT_ONCE, &[("p50_4ms_ms", 4.5)]),
            ],
            "ingest: p50_4ms_ms / floor: no SDK, at once",
        );
        assert!(far.is_some_and(|bound| !bound.holds() && !bound.is_broken()));
    }

    #[test]
    fn a_miss_that_the_machine_explains_is_not_broken() {
        let missed = |ours| {
            let rows = vec![
                row(OURS, &[("p50_4ms_ms", ours)]),
                row(NO_SDK, &[("p50_4ms_ms", 8.0)]),
            ];
            of(rows, "ingest: p50_4ms_ms / floor: no SDK")
                .map(|bound| (bound.holds(), bound.is_broken()))
        };
        assert_eq!(missed(4.7), Some((true, false)));
        assert_eq!(missed(5.2), Some((false, false)));
        assert_eq!(missed(6.1), Some((false, true)));
    }

    #[test]
    fn one_call_too_many_is_broken() {
        let counted = |figure, calls, what| {
            of(vec![row(OURS, &[(figure, calls)])], what).map(|bound| bound.is_broken())
        };
        assert_eq!(counted("calls", 2.0, "ingest: calls"), Some(false));
        assert_eq!(counted("calls", 3.0, "ingest: calls"), Some(true));
        let forged = "ingest: forged_calls";
        assert_eq!(counted("forged_calls", 0.0, forged), Some(false));
        assert_eq!(counted("forged_calls", 1.0, forged), Some(true));
    }

    #[test]
    fn columns_in_which_a_peer_is_ahead_are_counted() {
        let ours = [("p50_ms", 1.0), ("per_second", 9.0), ("zip_mib", 3.0)];
        let ahead = |peers: Vec<Row>| {
            let rows = std::iter::once(row(OURS, &ours)).chain(peers);
            let what = "ingest: columns with Node or Python ahead";
            of(rows.collect(), what).map(|bound| (bound.value, bound.is_broken()))
        };
        let node = [("p50_ms", 2.0), ("per_second", 5.0), ("zip_mib", 0.1)];
        let python = [("p50_ms", 0.5), ("per_second", 10.0)];
        assert!(ahead(vec![]).is_none());
        assert_eq!(ahead(vec![row("Node", &node)]), Some((0.0, false)));
        let both = vec![row("Node, Powertools", &node), row("Python", &python)];
        assert_eq!(ahead(both), Some((2.0, true)));
    }
}
