//! Times of calls: what `docs/performance.md` says was measured.

const PAGE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/performance.md");

/// Measured times, in seconds.
#[derive(Debug)]
pub(crate) struct Figures {
    /// One request to ingest, where a call to AWS takes 4 ms.
    pub(crate) ingest: f64,
    /// One batch of ten events, where a call to AWS takes 4 ms.
    pub(crate) batch: f64,
}

impl Figures {
    /// Figures of the performance page.
    pub(crate) fn of_the_page() -> Self {
        let page = std::fs::read_to_string(PAGE).unwrap();
        // The number in a column of Hookwell's row in the table whose head starts so.
        let number = |head: &str, column: usize| {
            let table = page.split_once(head).expect(head).1;
            let row = table.lines().find(|line| line.starts_with("| hookwell |"));
            let cell = row.and_then(|row| row.split('|').nth(column + 1));
            cell.unwrap().trim().parse::<f64>().unwrap() / 1e3
        };
        Self {
            ingest: number("| ingest, 1 KiB, 4 ms a call |", 2),
            batch: number("| process, ten documents, 4 ms a call |", 1),
        }
    }
}
