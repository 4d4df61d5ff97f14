//! Prints lines, tables and JSON, colours on a terminal only, and log lines for people.
//!
//! Nothing else prints, so nothing reaches a terminal that was not cleaned.

use std::collections::BTreeMap;
use std::fmt::{self, Write as _};
use std::io::{self, IsTerminal as _};

use hookwell::format::time::to_rfc3339;
use hookwell_lambda::now::now;
use hookwell_lambda::telemetry;
use indicatif::ProgressBar;
use terminal_size::{Width, terminal_size_of};
use tracing::field::{Field, Visit};
use tracing::{Event, Level, Subscriber};
use tracing_subscriber::fmt::format::Writer;
use tracing_subscriber::fmt::{FmtContext, FormatEvent, FormatFields};
use tracing_subscriber::registry::LookupSpan;

use super::clean::{clean, clean_json, clean_lines};
use super::columns::aligned;

fn paint(code: &str, text: &str, to_terminal: bool) -> String {
    // Set and not empty (https://no-color.org).
    let is_plain = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
    if to_terminal && !is_plain {
        format!("\x1b[{code}m{text}\x1b[0m")
    } else {
        text.to_owned()
    }
}

/// Reason for which standard output takes nothing more.
#[derive(Debug)]
pub(crate) enum Unprinted {
    /// The reader has gone, as `head` goes after its lines. The command ends, and that is no failure.
    Gone,
    /// A write failed, as on a full disk.
    Failed(io::Error),
}

impl fmt::Display for Unprinted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("cannot write to standard output")
    }
}

impl std::error::Error for Unprinted {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Gone => None,
            Self::Failed(why) => Some(why),
        }
    }
}

/// Result of printing.
pub(crate) type Printed = Result<(), Unprinted>;

/// Prints a line to standard output.
pub(crate) fn line(text: &str) -> Printed {
    raw(&format!("{}\n", clean(text)))
}

/// Prints a text of several lines to standard output.
pub(crate) fn lines(text: &str) -> Printed {
    raw(&format!("{}\n", clean_lines(text)))
}

/// Prints JSON to standard output, and a line end.
pub(crate) fn json(json: &str) -> Printed {
    raw(&format!("{}\n", clean_json(json)))
}

/// Prints a text of our own to standard output as it is.
pub(crate) fn raw(text: &str) -> Printed {
    let mut output = io::stdout().lock();
    let written = io::Write::write_all(&mut output, text.as_bytes());
    written
        .and_then(|()| io::Write::flush(&mut output))
        .map_err(|why| match why.kind() {
            io::ErrorKind::BrokenPipe => Unprinted::Gone,
            _ => Unprinted::Failed(why),
        })
}

/// Prints a line to standard error. Where nobody reads that, there is nobody to tell.
pub(crate) fn note(text: &str) {
    write_error(&format!("{}\n", clean(text)));
}

/// Asks on standard error, without a line end.
pub(crate) fn ask(text: &str) {
    write_error(&clean(text));
}

fn write_error(text: &str) {
    let _ = io::Write::write_all(&mut io::stderr(), text.as_bytes());
}

/// Prints why a command failed, to standard error.
pub(crate) fn failure(error: &anyhow::Error) {
    let label = paint("31", "error:", io::stderr().is_terminal());
    let why = format!("{error:#}");
    write_error(&format!("{label} {}\n", clean_lines(&why)));
}

/// Prints rows under their headings, columns aligned; nothing but a sentence when there are none.
pub(crate) fn table(headings: &[&str], rows: &[Vec<String>]) -> Printed {
    if rows.is_empty() {
        note("nothing there");
        return Ok(());
    }
    lines(&aligned(headings, rows, terminal_width()).join("\n"))
}

/// Width of the terminal that standard output goes to, in columns; `None` for a file or pipe.
pub(crate) fn terminal_width() -> Option<usize> {
    let (Width(width), _) = terminal_size_of(io::stdout())?;
    Some(usize::from(width))
}

/// A number with its digits in groups: 2,877.
pub(crate) fn grouped(number: usize) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (index, digit) in digits.chars().enumerate() {
        let left = digits.len().saturating_sub(index);
        if index > 0 && left.is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// A bar on standard error for work on so many items; shown on a terminal only, and only when it takes a while.
pub(crate) fn progress(items: usize) -> ProgressBar {
    ProgressBar::new(u64::try_from(items).unwrap_or(u64::MAX))
}

/// Crates whose log lines are shown.
const OURS: [&str; 6] = [
    "hookwell",
    "hookwell_aws",
    "hookwell_cli",
    "hookwell_lambda",
    "hookwell_local",
    "handler",
];

/// Log lines for people: one per delivery (`<-`), one per event (`->`) and one per panic, to standard error.
pub(crate) fn start_log() {
    use tracing_subscriber::filter::{LevelFilter, Targets};
    use tracing_subscriber::layer::SubscriberExt as _;
    use tracing_subscriber::util::SubscriberInitExt as _;
    let targets = Targets::new()
        .with_default(LevelFilter::ERROR)
        .with_targets(OURS.map(|target| (target, LevelFilter::INFO)));
    let colours = io::stderr().is_terminal();
    let lines = tracing_subscriber::fmt::layer()
        .with_writer(io::stderr)
        // Where standard error is closed, a complaint about it would be a panic.
        .log_internal_errors(false)
        .event_format(Lines { colours });
    tracing_subscriber::registry()
        .with(targets)
        .with(lines)
        .init();
    std::panic::set_hook(Box::new(telemetry::panicked));
}

struct Lines {
    colours: bool,
}

#[derive(Default)]
struct Fields(BTreeMap<&'static str, String>);

impl Fields {
    fn get(&self, name: &str) -> &str {
        self.0.get(name).map_or("", String::as_str)
    }

    /// The source, and the destination of a copy.
    fn source_and_destination(&self) -> String {
        match (self.get("source"), self.get("destination")) {
            (source, "") => source.to_owned(),
            (source, destination) => format!("{source} to {destination}"),
        }
    }
}

impl Visit for Fields {
    // What a sender wrote is in there: it is cleaned before our own colours are added.
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        self.record_str(field, &format!("{value:?}"));
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        self.0.insert(field.name(), clean(value).into_owned());
    }
}

impl<S, N> FormatEvent<S, N> for Lines
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    N: for<'a> FormatFields<'a> + 'static,
{
    fn format_event(
        &self,
        _: &FmtContext<'_, S, N>,
        mut writer: Writer<'_>,
        event: &Event<'_>,
    ) -> fmt::Result {
        let mut fields = Fields::default();
        event.record(&mut fields);
        let code = match *event.metadata().level() {
            Level::ERROR => "31",
            Level::WARN => "33",
            _ => "32",
        };
        let time = to_rfc3339(now());
        let time = time.get(11..23).unwrap_or(&time);
        let mut line = match fields.get("message") {
            "delivery" => format!(
                "<- {:<10} {} {:<12}",
                fields.get("source"),
                fields.get("http.status"),
                paint(code, fields.get("outcome"), self.colours)
            ),
            "event" => format!(
                "-> {:<10} {:<16}",
                fields.source_and_destination(),
                paint(code, fields.get("outcome"), self.colours)
            ),
            other => paint(code, other, self.colours),
        };
        for name in [
            "event.id",
            "event.type",
            "event.operation",
            "document.id",
            "reason",
            "location",
        ] {
            let value = fields.get(name);
            if !value.is_empty() {
                write!(line, "  {value}")?;
            }
        }
        if !fields.get("duration_ms").is_empty() {
            write!(line, "  {} ms", fields.get("duration_ms"))?;
        }
        if fields.get("dedup_unavailable") == "true" {
            line.push_str("  (acknowledged without the events table)");
        }
        writeln!(writer, "{time} {line}")
    }
}
