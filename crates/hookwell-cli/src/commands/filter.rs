//! Filters of events, and the columns of a line about one.

use clap::Args;
use hookwell::format::pattern::Pattern;
use hookwell::format::time::Millis;
use hookwell::ports::handler::Outcome;
use hookwell_aws::tools::admin::{Item, readable};
use hookwell_aws::tools::records::Search;
use hookwell_lambda::now::now;
use jiff::{Span, SpanRelativeTo, Timestamp};

use super::items::{Column, DESTINATION};

/// Columns of a line about an event.
pub(super) const COLUMNS: &[Column] = &[
    ("received_at", "RECEIVED"),
    ("source", "SOURCE"),
    ("status", "STATUS"),
    ("outcome", "OUTCOME"),
    ("operation", "OPERATION"),
    ("type", "TYPE"),
    ("event_id", "EVENT"),
    ("document_id", "DOCUMENT"),
    (DESTINATION, "DESTINATION"),
];

/// Filters of events.
#[derive(Debug, Args)]
pub(super) struct Filter {
    /// Only of this source.
    #[arg(long)]
    source: Option<String>,
    /// Only of this type, or of types like it: `invoice.*`.
    #[arg(long = "type", value_name = "PATTERN", value_parser = pattern)]
    kind: Option<Pattern>,
    /// Only with this outcome, or `pending` or `waiting` for those without one yet.
    #[arg(long, value_parser = outcome)]
    pub(super) outcome: Option<String>,
    /// Only about this document.
    #[arg(long, value_name = "ID")]
    document: Option<String>,
    /// Only received since then: a time, or so long ago, as in `90m` or `2d`.
    #[arg(long, value_name = "TIME", value_parser = since)]
    pub(super) since: Option<Millis>,
}

impl Filter {
    /// The part of the filter that the index of the events table answers: all but the outcome.
    pub(super) fn search(&self) -> Search {
        Search {
            source: self.source.clone(),
            kind: self.kind.clone(),
            document_id: self.document.clone(),
            since: self.since,
            ..Search::default()
        }
    }

    /// True when the event of the record has the outcome that is asked for.
    pub(super) fn has_outcome(&self, item: &Item) -> bool {
        self.outcome.as_ref().is_none_or(|one| *one == became(item))
    }
}

fn pattern(text: &str) -> Result<Pattern, &'static str> {
    Pattern::parse(text).ok_or("a type, with at most one * in it")
}

fn outcome(text: &str) -> Result<String, String> {
    let names = Outcome::NAMES.map(|(name, _)| name);
    if ["pending", "waiting"].contains(&text) || names.contains(&text) {
        return Ok(text.to_owned());
    }
    Err(format!("one of pending, waiting, {}", names.join(", ")))
}

pub(super) fn since(text: &str) -> Result<Millis, String> {
    if let Ok(time) = text.parse::<Timestamp>() {
        return Ok(time.as_millisecond());
    }
    let span = text.parse::<Span>().ok();
    let days = SpanRelativeTo::days_are_24_hours();
    let ago = span
        .and_then(|span| span.to_duration(days).ok())
        .ok_or("a time such as 2026-11-21T09:00:00Z, or how long ago, such as 90m or 2d")?;
    let millis = Millis::try_from(ago.as_millis()).unwrap_or(Millis::MAX);
    Ok(now().saturating_sub(millis))
}

/// The outcome, or that there is none yet: `waiting` for an event that failed and waits in the retry queue.
pub(super) fn became(item: &Item) -> String {
    match readable(item, "status") {
        status if ["pending", "waiting"].contains(&status.as_str()) => status,
        _ => readable(item, "outcome"),
    }
}
