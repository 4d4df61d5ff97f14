//! Limits of a stack and of an account, and up to which rate of events each one holds.

use crate::failing::Failing;
use crate::figures::Figures;
use crate::page::{count, row};
use crate::settings::{
    IN_FLIGHT, MAXIMUM_CONCURRENCY, PAUSES, RETRY_RATE, THROTTLE_RATE, TRIES, ingest_per_event,
    process_per_event,
};

/// The rates of the page, in events a second.
pub(crate) const RATES: [u32; 3] = [1_000, 10_000, 100_000];

/// Write units of an event in the events table: the put of ingest, and the end that process writes.
const RECORD_WRITES: f64 = 2.0;

/// Write units of an event in the index of that table: what it holds never changes, so only the put counts.
const INDEX_WRITES: f64 = 1.0;

/// Writes a second that all shards of the index take: 16, each of 1,000 (`by_time.rs` of hookwell-aws).
const SHARDS: u32 = 16_000;

struct Limit {
    what: &'static str,
    /// Default of the limit.
    default: f64,
    /// The part of the limit that one event a second uses.
    by_event: f64,
    /// The part of the limit that is used at any rate.
    always: f64,
    /// The way to raise the limit.
    raise: &'static str,
    page: &'static str,
}

impl Limit {
    fn used_at(&self, rate: u32) -> f64 {
        self.always + f64::from(rate) * self.by_event
    }

    /// Rate at which the whole limit is used, in events a second.
    fn holds_up_to(&self) -> f64 {
        (self.default - self.always) / self.by_event
    }
}

/// The table of limits, the one that is reached first at the top.
pub(crate) fn table(figures: &Figures) -> String {
    let mut limits = limits(figures);
    limits.sort_by(|one, other| one.holds_up_to().total_cmp(&other.holds_up_to()));
    let mut text = String::new();
    text.push_str("| limit | default | holds up to, events/s | used at 1,000 | at 10,000 | at 100,000 | to raise | page |\n");
    text.push_str("|---|---:|---:|---:|---:|---:|---|---|\n");
    for limit in limits {
        let used = RATES.map(|rate| of_default(limit.used_at(rate) / limit.default));
        let [low, middle, high] = &used;
        text.push_str(&row([
            limit.what,
            &count(limit.default),
            &rounded_down(limit.holds_up_to()),
            low,
            middle,
            high,
            limit.raise,
            limit.page,
        ]));
    }
    text
}

/// Three digits at most: the inputs have no more.
fn rounded_down(number: f64) -> String {
    let unit = 10_f64.powf((number.log10().floor() - 2.0).max(0.0));
    count((number / unit + 1e-9).floor() * unit)
}

/// The part of a limit that is used; bold where it is more than all of it.
fn of_default(part: f64) -> String {
    let text = match part {
        part if part < 0.01 => "under 1 %".to_owned(),
        part if part <= 1.0 => format!("{:.0} %", part * 100.0),
        part if part < 9.95 => format!("{part:.1} ×"),
        part => format!("{} ×", count(part)),
    };
    if part > 1.0 {
        format!("**{text}**")
    } else {
        text
    }
}

const TEMPLATE: &str = "template.yaml";
const ON_DEMAND: &str = "[on-demand mode](https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/on-demand-capacity-mode.html#on-demand-capacity-mode-initial)";
const DYNAMODB: &str = "[DynamoDB quotas](https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/ServiceQuotas.html)";
const QUEUES: &str = "[SQS queue quotas](https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/quotas-queues.html)";
const LAMBDA: &str =
    "[Lambda quotas](https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html)";
const SCALING: &str =
    "[Lambda scaling](https://docs.aws.amazon.com/lambda/latest/dg/scaling-behavior.html)";
const LAMBDA_SQS: &str =
    "[Lambda and SQS](https://docs.aws.amazon.com/lambda/latest/dg/services-sqs-scaling.html)";
const KEYS: &str = "[partition keys](https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/bp-partition-key-design.html)";
const API: &str = "[API Gateway quotas](https://docs.aws.amazon.com/apigateway/latest/developerguide/limits.html)";

fn limits(figures: &Figures) -> Vec<Limit> {
    let mut limits = of_tables();
    limits.extend(of_functions(figures));
    limits.extend(of_queue(figures));
    limits
}

fn limit(
    what: &'static str,
    (default, by_event): (u32, f64),
    raise: &'static str,
    page: &'static str,
) -> Limit {
    Limit {
        what,
        default: f64::from(default),
        by_event,
        always: 0.0,
        raise,
        page,
    }
}

fn of_tables() -> Vec<Limit> {
    let new = |what, used| limit(what, used, "warm throughput", ON_DEMAND);
    let quota = |what, by_event| {
        let raise = "quota of the table; more stacks";
        limit(what, (40_000, by_event), raise, DYNAMODB)
    };
    vec![
        new(
            "writes a second, events table that is new",
            (4_000, RECORD_WRITES),
        ),
        new(
            "writes a second, index of the events table that is new",
            (4_000, INDEX_WRITES),
        ),
        new("writes a second, documents table that is new", (4_000, 1.0)),
        new("reads a second, events table that is new", (12_000, 1.0)),
        quota(
            "writes a second, events table with its index",
            RECORD_WRITES + INDEX_WRITES,
        ),
        limit(
            "writes a second, shards of the index",
            (SHARDS, INDEX_WRITES),
            "more stacks",
            KEYS,
        ),
        quota("writes a second, documents table", 1.0),
        quota("reads a second, events table", 1.0),
    ]
}

fn of_functions(figures: &Figures) -> Vec<Limit> {
    let (ingest, process) = (ingest_per_event(figures), process_per_event(figures));
    vec![
        limit(
            "requests a second of the HTTP API, where there is one",
            (THROTTLE_RATE, 1.0),
            "`ThrottleRate`, `ThrottleBurst`",
            TEMPLATE,
        ),
        limit(
            "requests a second, all APIs of the account (in some regions 2,500)",
            (10_000, 1.0),
            "the quota, or the function URL",
            API,
        ),
        limit(
            "new environments of ingest in 10 s, when traffic comes at once",
            (1_000, ingest),
            "cannot be raised; senders get 429 and try again",
            SCALING,
        ),
        limit(
            "Lambda environments of the account",
            (1_000, ingest + process),
            "quota Concurrent executions",
            LAMBDA,
        ),
        limit(
            "process at the same time",
            (MAXIMUM_CONCURRENCY, process),
            "`MaximumConcurrency`",
            TEMPLATE,
        ),
        limit(
            "process at the same time, the most of `MaximumConcurrency`",
            (1_000, process),
            "more stacks",
            LAMBDA_SQS,
        ),
    ]
}

fn of_queue(figures: &Figures) -> Vec<Limit> {
    let pauses: u32 = PAUSES.iter().sum();
    // Time in flight of an event whose three tries fail.
    let fails = f64::from(pauses) + f64::from(TRIES) * Failing::table_refuses(figures).batch;
    let one_source = limit(
        "messages in flight while one source of five fails",
        (IN_FLIGHT, fails / 5.0),
        "more stacks; AWS support",
        QUEUES,
    );
    vec![
        limit(
            "messages in flight while every event fails",
            (IN_FLIGHT, fails),
            "not needed: the rest waits in the queue",
            QUEUES,
        ),
        Limit {
            always: f64::from(RETRY_RATE) * fails,
            ..one_source
        },
    ]
}
