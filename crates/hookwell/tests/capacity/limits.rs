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

struct Limit {
    what: &'static str,
    /// As it is by default.
    default: f64,
    /// Used by one event a second.
    by_event: f64,
    /// Used at any rate.
    always: f64,
    /// Makes room.
    raise: &'static str,
    page: &'static str,
}

impl Limit {
    fn used_at(&self, rate: u32) -> f64 {
        self.always + f64::from(rate) * self.by_event
    }

    /// Events a second at which all of it is used.
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

fn limits(figures: &Figures) -> Vec<Limit> {
    let pauses: u32 = PAUSES.iter().sum();
    let fails = f64::from(pauses) + f64::from(TRIES) * Failing::table_refuses(figures).batch;
    let template = "template.yaml";
    let lambda =
        "[Lambda quotas](https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html)";
    let queues = "[SQS queue quotas](https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/quotas-queues.html)";
    let on_demand = "[on-demand mode](https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/on-demand-capacity-mode.html#on-demand-capacity-mode-initial)";
    let dynamodb = "[DynamoDB quotas](https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/ServiceQuotas.html)";
    let limit = |what, default: f64, by_event, raise, page| Limit {
        what,
        default,
        by_event,
        always: 0.0,
        raise,
        page,
    };
    vec![
        limit(
            "requests a second of the HTTP API, where there is one",
            f64::from(THROTTLE_RATE),
            1.0,
            "`ThrottleRate`, `ThrottleBurst`",
            template,
        ),
        limit(
            "process at the same time",
            f64::from(MAXIMUM_CONCURRENCY),
            process_per_event(figures),
            "`MaximumConcurrency`",
            template,
        ),
        limit(
            "writes a second, events table that is new",
            4_000.0,
            RECORD_WRITES,
            "warm throughput",
            on_demand,
        ),
        limit(
            "writes a second, documents table that is new",
            4_000.0,
            1.0,
            "warm throughput",
            on_demand,
        ),
        limit(
            "reads a second, events table that is new",
            12_000.0,
            1.0,
            "warm throughput",
            on_demand,
        ),
        limit(
            "messages in flight while every event fails",
            f64::from(IN_FLIGHT),
            fails,
            "not needed: the rest waits in the queue",
            queues,
        ),
        Limit {
            always: f64::from(RETRY_RATE) * fails,
            ..limit(
                "messages in flight while one source of five fails",
                f64::from(IN_FLIGHT),
                fails / 5.0,
                "more stacks; AWS support",
                queues,
            )
        },
        limit(
            "Lambda environments of the account",
            1_000.0,
            ingest_per_event(figures) + process_per_event(figures),
            "quota Concurrent executions",
            lambda,
        ),
        limit(
            "new environments of ingest in 10 s, when traffic comes at once",
            1_000.0,
            ingest_per_event(figures),
            "cannot be raised; senders get 429 and try again",
            "[Lambda scaling](https://docs.aws.amazon.com/lambda/latest/dg/scaling-behavior.html)",
        ),
        limit(
            "requests a second, all APIs of the account (in some regions 2,500)",
            10_000.0,
            1.0,
            "the quota, or the function URL",
            "[API Gateway quotas](https://docs.aws.amazon.com/apigateway/latest/developerguide/limits.html)",
        ),
        limit(
            "writes a second, events table",
            40_000.0,
            RECORD_WRITES,
            "quota of the table; more stacks",
            dynamodb,
        ),
        limit(
            "writes a second, documents table",
            40_000.0,
            1.0,
            "quota of the table; more stacks",
            dynamodb,
        ),
        limit(
            "reads a second, events table",
            40_000.0,
            1.0,
            "quota of the table; more stacks",
            dynamodb,
        ),
        limit(
            "process at the same time, the most of `MaximumConcurrency`",
            1_000.0,
            process_per_event(figures),
            "more stacks",
            "[Lambda and SQS](https://docs.aws.amazon.com/lambda/latest/dg/services-sqs-scaling.html)",
        ),
    ]
}
