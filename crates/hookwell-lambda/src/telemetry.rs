//! Logs and metrics of the functions: one JSON line per delivery and per message, to standard error, which Lambda
//! collects. docs/operations.md has their fields.

use std::fmt;
use std::panic::{self, PanicHookInfo};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use hookwell::format::cut;
use hookwell_aws::settings::Environment;
use tracing::{Event, Subscriber};
use tracing_subscriber::Layer;
use tracing_subscriber::filter::{LevelFilter, Targets};
use tracing_subscriber::fmt::format::{Format, Json, JsonFields, Writer};
use tracing_subscriber::fmt::{FmtContext, FormatEvent, FormatFields, MakeWriter};
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::registry::LookupSpan;
use tracing_subscriber::util::SubscriberInitExt as _;

/// Starts logging at the level of `HOOKWELL_LOG`: `error`, `warn` or `info` (the default). The AWS SDK is held at `warn`,
/// because its lower levels print requests, and with them bodies; its lines for debugging are not even in the functions
/// (`release_max_level_info` in their `Cargo.toml`).
pub fn init(env: Environment<'_>) {
    let level = match env("HOOKWELL_LOG").as_deref() {
        Some("error") => LevelFilter::ERROR,
        Some("warn") => LevelFilter::WARN,
        _ => LevelFilter::INFO,
    };
    // A second call in one process, as in tests, keeps the first subscriber.
    let _ = tracing_subscriber::registry()
        .with(targets(level))
        .with(lines(env, std::io::stderr))
        .try_init();
    panic::set_hook(Box::new(panicked));
}

/// Logs one line for a panic, of a handler or of ours. The text may be of any length and hold what a sender wrote; the
/// standard library would print all of it as it is.
pub fn panicked(panic: &PanicHookInfo<'_>) {
    let reason = cut::reason(panic.payload_as_str().unwrap_or("no text"));
    let location = panic.location().map(ToString::to_string);
    tracing::error!(reason, location, "panic");
}

/// Our own lines from `level` on; the lines of other crates from `level` on too, but none below `warn`.
#[must_use]
pub fn targets(level: LevelFilter) -> Targets {
    let ours = [
        "hookwell",
        "hookwell_aws",
        "hookwell_lambda",
        "handler",
        "process",
    ];
    Targets::new()
        .with_default(level.min(LevelFilter::WARN))
        .with_targets(ours.map(|target| (target, level)))
}

/// The layer that writes log lines. Where `HOOKWELL_METRICS` names a namespace, the lines of deliveries and events are
/// metrics too.
pub fn lines<S, W>(env: Environment<'_>, writer: W) -> impl Layer<S>
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    W: for<'w> MakeWriter<'w> + 'static,
{
    let json = tracing_subscriber::fmt::format()
        .json()
        .flatten_event(true)
        .with_current_span(false)
        .with_span_list(false);
    let metrics = env("HOOKWELL_METRICS");
    tracing_subscriber::fmt::layer()
        .fmt_fields(JsonFields::new())
        .event_format(Lines { json, metrics })
        .with_writer(writer)
}

/// Milliseconds with three decimals, as a log line shows them.
#[must_use]
pub(crate) fn millis(duration: Duration) -> f64 {
    (duration.as_secs_f64() * 1_000_000.0).round() / 1000.0
}

/// The fields that CloudWatch counts: how long a sender waited, and how old an event was when process was done with it.
/// A line is a metric by the first of these fields that its event declares.
const METRICS: [&str; 2] = ["since_received_ms", "duration_ms"];

struct Lines {
    json: Format<Json>,
    /// The namespace of the metrics.
    metrics: Option<String>,
}

impl<S, N> FormatEvent<S, N> for Lines
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    N: for<'a> FormatFields<'a> + 'static,
{
    fn format_event(
        &self,
        context: &FmtContext<'_, S, N>,
        mut writer: Writer<'_>,
        event: &Event<'_>,
    ) -> fmt::Result {
        let fields = event.metadata().fields();
        let is_counted = |name: &&&str| fields.field(**name).is_some();
        let counted = METRICS.iter().find(is_counted);
        let (Some(namespace), Some(metric)) = (&self.metrics, counted) else {
            return self.json.format_event(context, writer, event);
        };
        let mut line = String::new();
        self.json
            .format_event(context, Writer::new(&mut line), event)?;
        let line = line.trim_end();
        // A quotation mark inside a text has a backslash before it, so this is the field itself.
        let has_value = line.contains(&format!("\"{metric}\":"));
        let dimensions = if line.contains(r#""destination":""#) {
            r#""source","destination","outcome""#
        } else {
            r#""source","outcome""#
        };
        match line.strip_suffix('}') {
            Some(open) if has_value => {
                writeln!(writer, "{open},{}}}", emf(namespace, dimensions, metric))
            }
            _ => writeln!(writer, "{line}"),
        }
    }
}

/// Fields that make a line a metric: "Specification: Embedded metric format", CloudWatch user guide.
fn emf(namespace: &str, dimensions: &str, metric: &str) -> String {
    let now = SystemTime::now().duration_since(UNIX_EPOCH);
    let now = now.unwrap_or_default().as_millis();
    format!(
        r#""_aws":{{"Timestamp":{now},"CloudWatchMetrics":[{{"Namespace":"{namespace}","Dimensions":[[{dimensions}]],"Metrics":[{{"Name":"{metric}","Unit":"Milliseconds"}}]}}]}}"#
    )
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use std::sync::{Arc, Mutex};

    use super::*;

    #[derive(Clone, Default)]
    struct Log(Arc<Mutex<Vec<u8>>>);

    impl std::io::Write for Log {
        fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
            self.0.lock().unwrap().write(bytes)
        }

        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }

    /// Logs two lines about deliveries and two others, and returns them.
    fn logged(env: Environment<'_>) -> Vec<String> {
        let log = Log::default();
        let into = log.clone();
        let subscriber = tracing_subscriber::registry().with(lines(env, move || into.clone()));
        tracing::subscriber::with_default(subscriber, || {
            let none: Option<i64> = None;
            tracing::info!(
                source = "shop",
                outcome = "received",
                duration_ms = 1.5,
                "delivery"
            );
            tracing::info!(
                source = "shop",
                outcome = "applied",
                since_received_ms = 9,
                duration_ms = 2.5,
                "event"
            );
            tracing::error!(
                source = "unknown",
                outcome = "malformed",
                since_received_ms = none,
                reason = r#"","since_received_ms":1"#,
                "event"
            );
            tracing::warn!(reason = "timed out", "polling failed");
        });
        let log = String::from_utf8(log.0.lock().unwrap().clone()).unwrap();
        log.lines().map(str::to_owned).collect()
    }

    #[test]
    fn a_line_is_a_metric_by_source_and_outcome_where_a_namespace_is_named() {
        let lines =
            logged(&|name| (name == "HOOKWELL_METRICS").then(|| "Hookwell/test".to_owned()));
        for (line, expected) in
            lines
                .iter()
                .zip([Some("duration_ms"), Some("since_received_ms"), None, None])
        {
            let found = line.find(",\"_aws\":{").map(|at| &line[at..]);
            let Some(metric) = expected else {
                assert_eq!(found, None, "{line}");
                continue;
            };
            let (head, rest) = found.unwrap().split_once("\"Timestamp\":").unwrap();
            let (time, rest) = rest.split_once(',').unwrap();
            assert_eq!((head, time.len()), (",\"_aws\":{", 13));
            assert_eq!(
                rest,
                format!(
                    r#""CloudWatchMetrics":[{{"Namespace":"Hookwell/test","Dimensions":[["source","outcome"]],"Metrics":[{{"Name":"{metric}","Unit":"Milliseconds"}}]}}]}}}}"#
                )
            );
            assert!(line.contains(r#""source":"shop","outcome":""#), "{line}");
        }
    }

    #[test]
    fn without_a_namespace_no_line_is_a_metric() {
        let lines = logged(&|_| None);
        assert_eq!(lines.len(), 4);
        assert!(
            lines.iter().all(|line| !line.contains("\"_aws\"")),
            "{lines:?}"
        );
    }

    #[test]
    fn milliseconds_are_shown_with_three_decimals() {
        assert_eq!(millis(Duration::from_nanos(1_234_567)).to_string(), "1.235");
        assert_eq!(millis(Duration::ZERO).to_string(), "0");
    }

    #[test]
    fn a_panic_is_one_line_of_json_however_much_it_says() {
        let log = Log::default();
        let into = log.clone();
        let subscriber =
            tracing_subscriber::registry().with(lines(&|_| None, move || into.clone()));
        let hook = panic::take_hook();
        panic::set_hook(Box::new(panicked));
        let panics = || panic!("{}", "\u{20ac}\n".repeat(1_000_000));
        let caught = tracing::subscriber::with_default(subscriber, || panic::catch_unwind(panics));
        panic::set_hook(hook);
        assert!(caught.is_err());
        let log = String::from_utf8(log.0.lock().unwrap().clone()).unwrap();
        let line: serde_json::Value = serde_json::from_str(&log).unwrap();
        assert_eq!(line["message"], "panic");
        let reason = line["reason"].as_str().unwrap();
        assert!((900..=1_000).contains(&reason.len()), "{}", reason.len());
        let location = line["location"].as_str().unwrap();
        assert!(location.contains("telemetry.rs:"), "{location}");
    }
}
