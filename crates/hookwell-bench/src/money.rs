//! The price of a million events at AWS, by part, from the measured times and the list prices.

use serde::Serialize;

use crate::figures::Rows;
use crate::table::markdown;
use crate::target::{Function, OURS};

/// US dollars, us-east-1, on demand, without free tiers.
/// `https://aws.amazon.com/lambda/pricing/` (arm64), `/dynamodb/pricing/on-demand/`, `/sqs/pricing/` (standard).
const REQUEST: f64 = 0.20 / 1e6;
const GB_SECOND: f64 = 0.000_013_333_4;
const WRITE_UNIT: f64 = 0.625 / 1e6;
const READ_UNIT: f64 = 0.125 / 1e6;
const SQS_REQUEST: f64 = 0.40 / 1e6;

/// The memory of the functions in template.yaml, in GB.
const GB: f64 = 0.25;

/// The messages of a batch.
const BATCH: f64 = 10.0;

/// The size of a million events.
const MILLION: f64 = 1e6;

/// Price of one part.
#[derive(Debug, Serialize)]
pub(crate) struct Part {
    /// The item on AWS's bill.
    what: &'static str,
    /// US dollars for a million events.
    dollars: f64,
}

/// The parts of the price, for events of which record and document fit 1 KB each.
pub(crate) fn per_million(rows: &Rows) -> Vec<Part> {
    // Lambda bills whole milliseconds.
    let seconds = |function| {
        let p50 = rows.get(function, OURS, "p50_4ms_ms");
        p50.unwrap_or(f64::NAN).ceil() / 1e3
    };
    let parts = [
        ("Lambda, ingest: a request each", REQUEST),
        (
            "Lambda, ingest: time",
            seconds(Function::Ingest) * GB * GB_SECOND,
        ),
        (
            "DynamoDB: the record, its end, the document",
            3.0 * WRITE_UNIT,
        ),
        ("DynamoDB: the record in the index by time", WRITE_UNIT),
        ("DynamoDB: the record, read before the work", READ_UNIT),
        (
            "SQS: a send each; receive and delete by ten",
            (1.0 + 2.0 / BATCH) * SQS_REQUEST,
        ),
        ("Lambda, process: a request for ten", REQUEST / BATCH),
        (
            "Lambda, process: time",
            seconds(Function::Process) / BATCH * GB * GB_SECOND,
        ),
    ];
    let mut parts: Vec<Part> = parts
        .into_iter()
        .map(|(what, dollars)| Part {
            what,
            dollars: dollars * MILLION,
        })
        .collect();
    let dollars = parts.iter().map(|part| part.dollars).sum();
    parts.push(Part {
        what: "all",
        dollars,
    });
    parts
}

/// The same as a table.
pub(crate) fn table(parts: &[Part]) -> String {
    let rows: Vec<_> = parts
        .iter()
        .map(|part| (part.what.to_owned(), vec![format!("{:.3}", part.dollars)]))
        .collect();
    let head = ["US$ a million".to_owned()];
    format!("\nmoney\n\n{}", markdown("part", &head, &rows))
}
