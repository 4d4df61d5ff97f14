//! Settings of a stack: what `template.yaml` says, and what this page advises for a rate.

use crate::figures::Figures;

/// `MaximumConcurrency` of template.yaml.
pub(crate) const MAXIMUM_CONCURRENCY: u32 = 5;
/// `ThrottleRate` of template.yaml, requests a second of the HTTP API.
pub(crate) const THROTTLE_RATE: u32 = 100;
/// `RetryRate` of template.yaml, events a second; also the most that SQS takes.
pub(crate) const RETRY_RATE: u32 = 500;
/// `RetryEveryMinutes` of template.yaml, in seconds.
pub(crate) const RETRY_EVERY: u32 = 600;
/// `BatchSize` of template.yaml.
pub(crate) const BATCH: usize = 10;
/// `maxReceiveCount` of the queue in template.yaml.
pub(crate) const TRIES: u32 = 3;
/// The pauses after the first and the second try in place, in seconds.
pub(crate) const PAUSES: [u32; 2] = [5, 30];
/// `retry_for` of a source that does not say, in seconds.
pub(crate) const RETRY_FOR: u32 = 3 * 86_400;
/// `MessageRetentionPeriod` of the three queues in template.yaml, in seconds.
pub(crate) const RETENTION: f64 = 1_209_600.0;
/// The messages that SQS lets a queue have in flight.
pub(crate) const IN_FLIGHT: u32 = 120_000;
/// The invocations of one environment in a second, synchronous as those of an event source mapping are.
pub(crate) const INVOCATIONS: u32 = 10;
/// Rate of events that one stack takes; for more, sources are spread over several.
pub(crate) const STACK: u32 = 10_000;
/// Times the rate for which process and ingest are set, so that a backlog drains.
pub(crate) const HEADROOM: u32 = 2;

/// One stack and what arrives at it.
#[derive(Debug, Clone)]
pub(crate) struct Settings {
    /// Events a second.
    pub(crate) rate: u32,
    /// `MaximumConcurrency`.
    pub(crate) concurrency: u32,
    /// True when messages carry the source as their group, so that SQS serves quiet sources first.
    pub(crate) lanes: bool,
    /// Time that a batch takes in which nothing fails, in seconds.
    pub(crate) batch: f64,
}

impl Settings {
    /// Settings that the page advises for a rate, of one stack.
    pub(crate) fn for_rate(rate: u32, figures: &Figures) -> Self {
        Self {
            rate,
            concurrency: concurrency(rate, figures),
            lanes: true,
            batch: figures.batch,
        }
    }

    /// Settings as template.yaml has them.
    pub(crate) fn as_shipped(rate: u32, figures: &Figures) -> Self {
        Self {
            concurrency: MAXIMUM_CONCURRENCY,
            ..Self::for_rate(rate, figures)
        }
    }
}

/// Environments of process that an event keeps busy for a second: a tenth of the time of its batch, or of the tenth of a
/// second below which Lambda gives an environment no second invocation.
pub(crate) fn process_per_event(figures: &Figures) -> f64 {
    figures.batch.max(1.0 / f64::from(INVOCATIONS)) / batch_size()
}

/// Environments of ingest that an event keeps busy for a second, by the same rule.
pub(crate) fn ingest_per_event(figures: &Figures) -> f64 {
    figures.ingest.max(1.0 / f64::from(INVOCATIONS))
}

/// `BatchSize` for sums.
pub(crate) fn batch_size() -> f64 {
    f64::from(u32::try_from(BATCH).unwrap())
}

/// `MaximumConcurrency` for a rate: the rate with its headroom, and all tries of what comes back from the retry queue.
pub(crate) fn concurrency(rate: u32, figures: &Figures) -> u32 {
    let events = f64::from(HEADROOM * rate + TRIES * RETRY_RATE);
    whole(events * process_per_event(figures))
}

/// The next whole number.
pub(crate) fn whole(number: f64) -> u32 {
    format!("{:.0}", (number - 1e-9).ceil()).parse().unwrap()
}

/// The page would go stale in silence otherwise: its tables are computed from what stands above.
#[test]
fn the_settings_are_those_of_the_template() {
    const TEMPLATE: &str = include_str!("../../../../template.yaml");
    let section = |name: &str| {
        let (_, rest) = TEMPLATE.split_once(&format!("\n  {name}:\n")).unwrap();
        rest.split("\n\n").next().unwrap()
    };
    let minutes = RETRY_EVERY / 60;
    for (name, number) in [
        ("MaximumConcurrency", MAXIMUM_CONCURRENCY),
        ("ThrottleRate", THROTTLE_RATE),
        ("RetryRate", RETRY_RATE),
        ("RetryEveryMinutes", minutes),
    ] {
        let default = format!("Default: {number}\n");
        assert!(section(name).contains(&default), "{name}: {default}");
    }
    let batch = format!("BatchSize: {BATCH}\n");
    assert!(section("ProcessMapping").contains(&batch), "{batch}");
    let tries = format!("maxReceiveCount: {TRIES}");
    assert!(section("Queue").contains(&tries), "{tries}");
    for queue in ["Queue", "RetryQueue", "DeadLetterQueue"] {
        let kept = format!("MessageRetentionPeriod: {RETENTION:.0}");
        assert!(section(queue).contains(&kept), "{queue}: {kept}");
    }
}
