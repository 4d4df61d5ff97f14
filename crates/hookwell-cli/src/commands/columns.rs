//! Rows as columns: aligned by the width that a terminal shows, and folded where it is too narrow for them.

use std::ops::Range;

use unicode_width::UnicodeWidthStr as _;

use super::clean::clean;

/// Spaces between two columns.
const GAP: &str = "  ";

/// Spaces before the columns that do not fit the first line.
const INDENT: &str = "    ";

/// Rows under their headings, cleaned, columns aligned. With a `limit` of the width, the columns beyond it stand on further
/// lines below.
pub(super) fn aligned(
    headings: &[&str],
    rows: &[Vec<String>],
    limit: Option<usize>,
) -> Vec<String> {
    let headings = headings.iter().map(|&heading| heading.to_owned()).collect();
    let rows = rows
        .iter()
        .map(|row| row.iter().map(|cell| clean(cell).into_owned()).collect());
    let rows: Vec<Vec<String>> = std::iter::once(headings).chain(rows).collect();
    let columns = rows.first().map_or(0, Vec::len);
    let widest = |column| {
        rows.iter()
            .filter_map(|row| row.get(column))
            .map(|cell: &String| cell.width())
            .max()
    };
    let widths: Vec<_> = (0..columns)
        .map(|column| widest(column).unwrap_or(0))
        .collect();
    let lines = folded(&widths, limit.unwrap_or(usize::MAX));
    let line = |row: &Vec<String>, columns: &Range<usize>| {
        let cells = row
            .iter()
            .zip(&widths)
            .skip(columns.start)
            .take(columns.len());
        let cells: Vec<_> = cells.map(|(cell, width)| padded(cell, *width)).collect();
        let indent = if columns.start > 0 { INDENT } else { "" };
        format!("{indent}{}", cells.join(GAP)).trim_end().to_owned()
    };
    let lines = rows
        .iter()
        .flat_map(|row| lines.iter().map(move |columns| line(row, columns)));
    lines.collect()
}

/// A text with spaces behind it, so that it takes so many columns of a terminal.
pub(super) fn padded(text: &str, width: usize) -> String {
    let spaces = width.saturating_sub(text.width());
    format!("{text}{:spaces$}", "")
}

/// Columns of these widths by the lines that they stand on.
fn folded(widths: &[usize], limit: usize) -> Vec<Range<usize>> {
    let (mut lines, mut start, mut used) = (Vec::new(), 0_usize, 0_usize);
    for (column, width) in widths.iter().enumerate() {
        let with_it = used.saturating_add(GAP.len()).saturating_add(*width);
        if column == start {
            used = used.saturating_add(*width);
        } else if with_it <= limit {
            used = with_it;
        } else {
            lines.push(start..column);
            start = column;
            used = INDENT.len().saturating_add(*width);
        }
    }
    lines.push(start..widths.len());
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rows() -> Vec<Vec<String>> {
        let row = |cells: [&str; 4]| cells.map(str::to_owned).to_vec();
        vec![
            row(["shop", "customer.created", "evt_1", "漢字"]),
            row(["warehouse", "x", "evt_22", "\u{1b}é"]),
        ]
    }

    #[test]
    fn columns_stand_below_each_other_whatever_is_in_them() {
        let lines = aligned(
            &["SOURCE", "DOCUMENT", "ID"],
            &[
                vec!["漢字".to_owned(), "e\u{301}".to_owned(), "1".to_owned()],
                vec!["abcdef".to_owned(), "🎉".to_owned(), "2".to_owned()],
            ],
            None,
        );
        // Each wide character takes two columns, and the accent none.
        assert_eq!(
            lines,
            [
                "SOURCE  DOCUMENT  ID",
                "漢字    e\u{301}         1",
                "abcdef  🎉        2",
            ]
        );
    }

    #[test]
    fn what_does_not_fit_stands_below_and_nothing_is_left_out() {
        let headings = ["SOURCE", "TYPE", "EVENT", "DOCUMENT"];
        let wide = aligned(&headings, &rows(), Some(46));
        assert_eq!(wide, aligned(&headings, &rows(), None));
        let narrow = aligned(&headings, &rows(), Some(30));
        assert_eq!(
            narrow,
            [
                "SOURCE     TYPE",
                "    EVENT   DOCUMENT",
                "shop       customer.created",
                "    evt_1   漢字",
                "warehouse  x",
                "    evt_22  \\u{1b}é",
            ]
        );
        let narrowest = aligned(&headings, &rows(), Some(1));
        assert_eq!(narrowest.len(), 4 * 3, "{narrowest:?}");
    }
}
