//! The figures as a Markdown table, aligned for terminals.

use crate::figures::{FIGURES, Figure, Rows};
use crate::target::Function;

/// The columns of one table.
fn columns(part: &str) -> Vec<Figure> {
    let is_in = |figure: &&Figure| match part {
        "4 ms" => figure.id.contains("4ms"),
        "128 MB" => figure.id.contains("128"),
        _ => !figure.id.contains("4ms") && !figure.id.contains("128"),
    };
    FIGURES.iter().filter(is_in).copied().collect()
}

/// Three tables of a function: answers at once, after 4 ms, and with the share of 128 MB.
pub(crate) fn of(function: Function, rows: &Rows) -> String {
    let unit = match function {
        Function::Ingest => "one request of 1 KiB",
        Function::Process => "one batch of 10 documents",
    };
    let parts = [
        ("0 ms", "the services answer at once"),
        ("4 ms", "4 ms a call, 1 ms a connection"),
        (
            "128 MB",
            "the same with the CPU share of 128 MB after the start",
        ),
    ];
    let mut text = String::new();
    for (part, meaning) in parts {
        let columns = columns(part);
        let head = columns.iter().map(|column| column.title.to_owned());
        let body = rows.of(function).map(|row| {
            let cells = columns.iter().map(|column| {
                let value = row.figures.get(column.id);
                value.map_or_else(String::new, |value| format!("{value:.*}", column.decimals))
            });
            (row.target.to_owned(), cells.collect())
        });
        text.extend(["\n", function.name(), ", ", unit, "; ", meaning, "\n\n"]);
        text.push_str(&markdown(
            "target",
            &head.collect::<Vec<_>>(),
            &body.collect::<Vec<_>>(),
        ));
    }
    text
}

/// A table of named rows.
pub(crate) fn markdown(first: &str, head: &[String], body: &[(String, Vec<String>)]) -> String {
    let width = |index: usize, title: &str| {
        let cells = body.iter().filter_map(|(_, cells)| cells.get(index));
        cells
            .map(|cell| cell.chars().count())
            .fold(title.chars().count(), usize::max)
    };
    let widths: Vec<usize> = head
        .iter()
        .enumerate()
        .map(|(index, title)| width(index, title))
        .collect();
    let names = body.iter().map(|(name, _)| name.chars().count());
    let names = names.fold(first.len(), usize::max);
    let line = |name: &str, cells: &[String]| {
        let cells: Vec<_> = cells
            .iter()
            .zip(&widths)
            .map(|(cell, width)| format!("{cell:>width$}"))
            .collect();
        format!("| {name:<names$} | {} |", cells.join(" | "))
    };
    let rule = |width: &usize| format!("{}:", "-".repeat(width.saturating_sub(1).max(1)));
    let rules: Vec<_> = widths.iter().map(rule).collect();
    let mut lines = vec![
        line(first, head),
        format!("|-{}-| {} |", "-".repeat(names), rules.join(" | ")),
    ];
    lines.extend(body.iter().map(|(name, cells)| line(name, cells)));
    lines.join("\n") + "\n"
}
