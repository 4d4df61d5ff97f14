//! Measured values by target and figure.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

use anyhow::Result;
use flate2::Compression;
use flate2::write::DeflateEncoder;
use hookwell_sandbox::rank;
use serde::Serialize;

use crate::target::Function;

/// One figure that a target can have.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Figure {
    /// Name in `--json`, with the unit.
    pub(crate) id: &'static str,
    /// Name above the column.
    pub(crate) title: &'static str,
    /// Number of decimals that tables show.
    pub(crate) decimals: usize,
    /// Which of two targets is ahead.
    pub(crate) ahead: Ahead,
}

/// Which of two targets is ahead in a figure.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Ahead {
    /// The target with the smaller value.
    Less,
    /// The target with the larger value.
    More,
    /// Neither: the figure is of a part of the work, and other targets have other parts.
    Neither,
}

/// A figure of which less is better.
const fn figure(id: &'static str, title: &'static str, decimals: usize) -> Figure {
    Figure {
        id,
        title,
        decimals,
        ahead: Ahead::Less,
    }
}

impl Figure {
    /// The same figure, with another rule for who is ahead.
    const fn ahead(mut self, ahead: Ahead) -> Self {
        self.ahead = ahead;
        self
    }
}

/// All figures, in the order of the table.
pub(crate) const FIGURES: [Figure; 21] = [
    figure("init_ms", "init ms", 2),
    figure("init_cpu_ms", "init CPU ms", 2),
    figure("cold_ms", "cold ms", 2),
    figure("first_cpu_ms", "1st CPU ms", 2),
    figure("p50_ms", "p50 ms", 3),
    figure("p99_ms", "p99 ms", 3),
    figure("per_second", "per s", 0).ahead(Ahead::More),
    figure("cpu_us", "CPU us", 0),
    figure("cold_4ms_ms", "cold ms", 2),
    figure("p50_4ms_ms", "p50 ms", 2),
    figure("p99_4ms_ms", "p99 ms", 2),
    figure("per_second_4ms", "per s", 0).ahead(Ahead::More),
    figure("cpu_4ms_us", "CPU us", 0),
    figure("cold_128_ms", "cold ms", 1),
    figure("p50_128_ms", "p50 ms", 2),
    figure("p99_128_ms", "p99 ms", 1),
    figure("memory_mib", "MiB", 1),
    // The runtimes of Node and Python, and boto3, are Lambda's and not in these two.
    figure("raw_mib", "raw MiB", 2).ahead(Ahead::Neither),
    figure("zip_mib", "zip MiB", 2).ahead(Ahead::Neither),
    figure("calls", "calls", 0).ahead(Ahead::Neither),
    figure("forged_calls", "calls, forged", 0).ahead(Ahead::Neither),
];

/// The figures of one target.
#[derive(Debug, Serialize)]
pub(crate) struct Row {
    /// Name of the function.
    pub(crate) function: &'static str,
    /// Name of the target.
    pub(crate) target: &'static str,
    /// Measured values by figure id.
    pub(crate) figures: BTreeMap<&'static str, f64>,
}

/// All rows of a run.
#[derive(Debug, Default, Serialize)]
#[serde(transparent)]
pub(crate) struct Rows(pub(crate) Vec<Row>);

impl Rows {
    /// A figure of a target.
    pub(crate) fn get(&self, function: Function, target: &str, figure: &str) -> Option<f64> {
        let mut rows = self.of(function);
        let row = rows.find(|row| row.target == target)?;
        row.figures.get(figure).copied()
    }

    /// The rows of a function.
    pub(crate) fn of(&self, function: Function) -> impl Iterator<Item = &Row> {
        self.0
            .iter()
            .filter(move |row| row.function == function.name())
    }
}

/// Median of the values.
pub(crate) fn median(values: &[f64]) -> f64 {
    percentile(values, 50)
}

/// The value that `percent` of 100 values do not exceed.
pub(crate) fn percentile(values: &[f64], percent: usize) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    rank::percentile(&sorted, percent).unwrap_or(f64::NAN)
}

/// A duration in milliseconds.
pub(crate) fn millis(time: Duration) -> f64 {
    time.as_secs_f64() * 1e3
}

/// The bytes of files and folders, plain and deflated as in the ZIP that Lambda takes, in MiB.
pub(crate) fn sizes(paths: &[impl AsRef<Path>]) -> Result<(f64, f64)> {
    let (mut raw, mut zip) = (0.0, 0.0);
    for path in paths {
        let path = path.as_ref();
        if path.is_dir() {
            let inside = std::fs::read_dir(path)?.map(|entry| entry.map(|entry| entry.path()));
            let (more_raw, more_zip) = sizes(&inside.collect::<Result<Vec<_>, _>>()?)?;
            (raw, zip) = (raw + more_raw, zip + more_zip);
            continue;
        }
        let bytes = std::fs::read(path)?;
        let mut encoder = DeflateEncoder::new(Vec::new(), Compression::best());
        std::io::Write::write_all(&mut encoder, &bytes)?;
        let mib =
            |length: usize| Ok::<_, anyhow::Error>(f64::from(u32::try_from(length)?) / 1_048_576.0);
        (raw, zip) = (raw + mib(bytes.len())?, zip + mib(encoder.finish()?.len())?);
    }
    Ok((raw, zip))
}
