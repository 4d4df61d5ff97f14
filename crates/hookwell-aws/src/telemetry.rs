//! Logs of the functions: one JSON line per delivery and per message, to standard error, which Lambda collects.

use tracing_subscriber::filter::{LevelFilter, Targets};
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::util::SubscriberInitExt as _;

use crate::settings::Environment;

/// Starts logging at the level of `HOOKWELL_LOG`: `error`, `warn`, `info` (the default) or `debug`. The AWS SDK is
/// held at `warn`, because its lower levels print requests, and with them bodies.
pub fn init(env: Environment<'_>) {
    let level = match env("HOOKWELL_LOG").as_deref() {
        Some("error") => LevelFilter::ERROR,
        Some("warn") => LevelFilter::WARN,
        Some("debug") => LevelFilter::DEBUG,
        _ => LevelFilter::INFO,
    };
    let ours = ["hookwell", "hookwell_aws", "ingest", "process"];
    let targets = Targets::new()
        .with_default(level.min(LevelFilter::WARN))
        .with_targets(ours.map(|target| (target, level)));
    let lines = tracing_subscriber::fmt::layer()
        .json()
        .flatten_event(true)
        .with_current_span(false)
        .with_span_list(false)
        .with_writer(std::io::stderr);
    // A second call in one process, as in tests, keeps the first subscriber.
    let _ = tracing_subscriber::registry()
        .with(targets)
        .with(lines)
        .try_init();
}
