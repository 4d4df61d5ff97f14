//! Bars as SVG: one chart a figure, no script, no font of its own, readable on light and dark pages.

use std::fmt::Write as _;

use crate::figures::Rows;
use crate::target::Function;

/// The charts by file name.
pub(crate) fn all(rows: &Rows) -> Vec<(&'static str, String)> {
    let (ingest, process) = (Function::Ingest, Function::Process);
    [
        (
            "cold.svg",
            ingest,
            "cold_4ms_ms",
            "Start to first answer, ms (4 ms a call)",
        ),
        (
            "cold-128.svg",
            ingest,
            "cold_128_ms",
            "Start to first answer with 128 MB, ms",
        ),
        (
            "warm.svg",
            ingest,
            "p50_4ms_ms",
            "Warm request, median ms (4 ms a call)",
        ),
        ("cpu.svg", ingest, "cpu_us", "CPU of a request, µs"),
        (
            "batch.svg",
            process,
            "p50_4ms_ms",
            "Batch of 10, median ms (4 ms a call)",
        ),
    ]
    .into_iter()
    .map(|(file, function, figure, title)| {
        let bars: Vec<_> = rows
            .of(function)
            .filter_map(|row| Some((row.target, *row.figures.get(figure)?)))
            .collect();
        (file, bars_of(title, &bars))
    })
    .collect()
}

/// Left edge of the bars, length of the longest bar and height of a line, in pixels.
const LEFT: f64 = 230.0;
const LONGEST: f64 = 420.0;
const LINE: f64 = 24.0;

fn bars_of(title: &str, bars: &[(&str, f64)]) -> String {
    let most = bars
        .iter()
        .map(|(_, value)| *value)
        .fold(f64::MIN_POSITIVE, f64::max);
    let mut body = String::new();
    let mut top = 40.0;
    for (name, value) in bars {
        let width = (value / most * LONGEST).max(1.0);
        let color = match *name {
            name if name.starts_with("hookwell") => "#d9480f",
            name if name.starts_with("floor") => "#868e96",
            _ => "#4dabf7",
        };
        let (middle, end) = (top + 13.0, LEFT + width + 6.0);
        let decimals = if *value < 100.0 { 2 } else { 0 };
        // Writing to a string cannot fail.
        let _ = writeln!(
            body,
            "<text x=\"{:.0}\" y=\"{middle:.0}\" text-anchor=\"end\">{name}</text>\n\
             <rect x=\"{LEFT:.0}\" y=\"{top:.0}\" width=\"{width:.1}\" height=\"18\" fill=\"{color}\"/>\n\
             <text x=\"{end:.1}\" y=\"{middle:.0}\">{value:.decimals$}</text>",
            LEFT - 8.0
        );
        top += LINE;
    }
    format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 720 {:.0}\" font-family=\"sans-serif\" font-size=\"13\">\n\
         <style>text {{ fill: #212529 }} @media (prefers-color-scheme: dark) {{ text {{ fill: #dee2e6 }} }}</style>\n\
         <text x=\"10\" y=\"22\" font-size=\"15\">{title}</text>\n{body}</svg>\n",
        top + 8.0
    )
}
