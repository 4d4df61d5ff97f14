//! Settings for a rate, from the back of the system to its front.

use crate::figures::Figures;
use crate::limits::RATES;
use crate::page::{count, row};
use crate::settings::{HEADROOM, STACK, concurrency, ingest_per_event, process_per_event, whole};

/// Settings of one stack at a rate.
struct Stack {
    /// Stacks of this kind.
    stacks: u32,
    /// `MaximumConcurrency`.
    process: u32,
    /// `IngestConcurrency`.
    ingest: u32,
    /// Units a second of the tables, for the rate and for a backlog that drains beside it.
    record_writes: u32,
    document_writes: u32,
    reads: u32,
    /// `ThrottleRate`.
    front: u32,
}

impl Stack {
    fn at(rate: u32, figures: &Figures) -> Self {
        let stacks = rate.div_ceil(STACK);
        let rate = rate / stacks;
        let process = concurrency(rate, figures);
        // As fast as process can be.
        let drains = whole(f64::from(process) / process_per_event(figures));
        let thousands = |units: u32| units.div_ceil(1_000) * 1_000;
        Self {
            stacks,
            process,
            ingest: whole(f64::from(HEADROOM * rate) * ingest_per_event(figures)),
            record_writes: thousands(rate + drains).max(4_000),
            document_writes: thousands(drains).max(4_000),
            reads: thousands(drains).max(12_000),
            front: HEADROOM * rate,
        }
    }
}

/// The table of what to raise, in this order.
pub(crate) fn table(figures: &Figures) -> String {
    let stacks = RATES.map(|rate| Stack::at(rate, figures));
    // 100 must stay for functions without a reservation.
    let account = |stack: &Stack| stack.stacks * (stack.process + stack.ingest) + 100;
    let number = |number: u32| count(f64::from(number));
    let rows: [(&str, &str, [String; 3]); 9] = [
        (
            "stacks, with the sources spread over them",
            "deploy the template again",
            stacks.each_ref().map(|stack| number(stack.stacks)),
        ),
        (
            "Lambda environments of the account",
            "quota [Concurrent executions](https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html)",
            stacks.each_ref().map(|stack| number(account(stack))),
        ),
        (
            "events table, write units a second",
            "[warm throughput](https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/warm-throughput.html): `WarmWrites`",
            stacks.each_ref().map(|stack| number(stack.record_writes)),
        ),
        (
            "events table, read units a second",
            "`WarmReads`",
            stacks.each_ref().map(|stack| number(stack.reads)),
        ),
        (
            "documents table, write units a second",
            "`WarmWrites`, which counts for both tables and the index",
            stacks.each_ref().map(|stack| number(stack.document_writes)),
        ),
        (
            "process at the same time",
            "`MaximumConcurrency`",
            stacks.each_ref().map(|stack| number(stack.process)),
        ),
        (
            "those kept for process",
            "`ReserveProcess`",
            stacks.each_ref().map(|_| "yes".to_owned()),
        ),
        (
            "ingest at the same time",
            "`IngestConcurrency`",
            stacks.each_ref().map(|stack| number(stack.ingest)),
        ),
        (
            "requests a second, where there is an HTTP API",
            "`ThrottleRate`",
            stacks.each_ref().map(|stack| match stack.front {
                // The most that the parameter takes.
                ..=10_000 => number(stack.front),
                _ => "function URL".to_owned(),
            }),
        ),
    ];
    let mut text =
        "| | raise | by | at 1,000 | at 10,000 | at 100,000 |\n|---:|---|---|---:|---:|---:|\n"
            .to_owned();
    for (place, (what, by, [low, middle, high])) in rows.iter().enumerate() {
        let place = (place + 1).to_string();
        text.push_str(&row([place.as_str(), what, by, low, middle, high]));
    }
    text
}
