//! The health of each source in the last 24 hours: when it last sent, what was refused or failed, and why.

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::extract::State;
use axum::http::HeaderMap;
use axum::response::Response;
use hookwell::format::time::Millis;
use hookwell_lambda::now::now;
use maud::{Markup, html};

use super::deliveries::address;
use super::index::Index;
use super::layout::{SOURCES, count, encoded, frame, kind, outcome, time};
use super::row::Row;
use super::shared::Page;

/// Time that the view looks back, in milliseconds.
const DAY: Millis = 24 * HOUR;

/// An hour in milliseconds.
const HOUR: Millis = 60 * 60 * 1000;

/// Time after which a source may have become quiet, in milliseconds.
const TICK: Millis = 60_000;

/// Deliveries or events of a source: the newest, the last day's numbers, the newest problem.
#[derive(Default)]
struct Health<'i> {
    /// The newest line of all, also when it is older than a day.
    newest: Option<&'i Row>,
    /// Numbers of the last 24 hours.
    arrived: usize,
    refused: usize,
    open: usize,
    rejected: usize,
    /// The newest line that was refused or failed.
    problem: Option<&'i Row>,
}

impl<'i> Health<'i> {
    fn take_in(&mut self, row: &'i Row, index: &Index, since: Millis) {
        self.newest.get_or_insert(row);
        if row.at < since {
            return;
        }
        self.arrived = self.arrived.saturating_add(1);
        let (name, _) = row.outcome(&index.effects);
        let is_problem = match kind(name) {
            "bad" => {
                let is_refused = row.status.is_some_and(|status| status >= 400);
                let count = if is_refused {
                    &mut self.refused
                } else {
                    &mut self.rejected
                };
                *count = count.saturating_add(1);
                true
            }
            "open" => {
                self.open = self.open.saturating_add(1);
                matches!(name, "waiting" | "retrying")
            }
            _ => false,
        };
        if is_problem {
            self.problem.get_or_insert(row);
        }
    }

    /// The state in a word, and its kind. `expected` is the time within which the source should send.
    fn state(&self, expected: Option<Millis>, now: Millis) -> (&'static str, &'static str) {
        let Some(newest) = self.newest else {
            return ("nothing yet", "plain");
        };
        let is_newest = |problem: &Row| problem.place == newest.place;
        match self.problem {
            Some(problem) if is_newest(problem) => ("failing", "bad"),
            Some(_) => ("some failed", "open"),
            None if expected.is_some_and(|expected| now.saturating_sub(newest.at) > expected) => {
                ("quiet", "open")
            }
            None => ("healthy", "good"),
        }
    }
}

pub(super) async fn view(State(page): State<Arc<Page>>, headers: HeaderMap) -> Response {
    let index = page.index();
    let now = now();
    let revision = page.revision(format_args!("{}-{}", index.revision, now / TICK));
    page.live(
        &headers,
        &revision,
        || part(&page, &index, now),
        |part| {
            let content = html! { h1.unseen { "Sources" } (part) };
            frame(&page, "Sources", SOURCES, &content)
        },
    )
}

fn part(page: &Page, index: &Index, now: Millis) -> Markup {
    let sources = of_sources(page, index, now.saturating_sub(DAY));
    let is_machine = page.is_machine();
    html! {
        p.found {
            @match since_read(index, now) {
                Some(at) => { "Since " (time(at)) " UTC: older events were not read" }
                None => { "The last 24 hours" }
            }
            @if let Some(at) = index.looked_at { " · as of " (time(at)) " UTC" }
            @if !index.is_filled { " · reading the tables …" }
        }
        @if !is_machine { p.note { "Of what was taken. Refused requests leave no record: the log of ingest has them." } }
        @if sources.is_empty() {
            p.empty { "No source has sent an event. One that did is listed here, with what was applied and what failed." }
        } @else {
            table.list.sources {
                thead { tr {
                    th { "Source" } th { "State" } th { "Last, UTC" }
                    th.number { @if is_machine { "Deliveries" } @else { "Events" } }
                    @if is_machine { th.number { "Refused" } }
                    th.number { "Rejected" } th.number { "Under way" } th { "Latest problem" }
                } }
                tbody { @for (name, health) in &sources { (line(page, index, name, health, now)) } }
            }
        }
    }
}

/// Time since which the page has read all events, where that is less than the time that the view looks back.
fn since_read(index: &Index, now: Millis) -> Option<Millis> {
    index.read_since.filter(|at| *at > now.saturating_sub(DAY))
}

/// The health of the machine's sources, or of those that an account's events name.
fn of_sources<'i>(
    page: &'i Page,
    index: &'i Index,
    since: Millis,
) -> BTreeMap<&'i str, Health<'i>> {
    let own = page.senders.sources.iter();
    let mut sources: BTreeMap<_, Health<'_>> = own
        .map(|source| (source.name.as_str(), Health::default()))
        .collect();
    let is_machine = page.is_machine();
    for row in index.rows.iter().rev() {
        if let Some(health) = sources.get_mut(row.source.as_str()) {
            health.take_in(row, index, since);
        } else if !is_machine {
            let health = sources.entry(row.source.as_str()).or_default();
            health.take_in(row, index, since);
        }
    }
    sources
}

fn line(page: &Page, index: &Index, name: &str, health: &Health<'_>, now: Millis) -> Markup {
    let expected = page.source(name).and_then(|source| source.expect_every);
    let expected = expected.map(|hours| Millis::from(hours).saturating_mul(HOUR));
    let (state, kind) = health.state(expected, now);
    // What was refused is in no table.
    let state = match state {
        "healthy" if !page.is_machine() => "no failures",
        state => state,
    };
    let is_day = since_read(index, now).is_none();
    html! {
        tr {
            td.source { a href={ "/?source=" (encoded(name)) } { (name) } }
            td.health { span.outcome.(kind) { (state) } }
            td.time { @if let Some(newest) = health.newest { (time(newest.at)) } }
            td.number.all[is_day] { (count(health.arrived)) }
            @if page.is_machine() { (number("refused", health.refused)) }
            (number("rejected", health.rejected))
            (number("way", health.open))
            td.trouble {
                @if let Some(row) = health.problem { (problem(index, row)) }
                @else if kind == "open" { "No delivery within " code { "expect_every" } "." }
                @else if health.newest.is_none() && page.is_machine() { a href="/send" { "Send a sample" } }
            }
        }
    }
}

fn number(class: &str, number: usize) -> Markup {
    html! { td.number.(class) { @if number > 0 { (count(number)) } } }
}

fn problem(index: &Index, row: &Row) -> Markup {
    let (name, effect) = row.outcome(&index.effects);
    let reason = effect.and_then(|effect| effect.reason.as_deref());
    html! {
        a href=(address(row)) { (time(row.at)) } " " (outcome(name))
        @if let Some(reason) = reason.or(row.reason.as_deref()) { " " span.reason { (reason) } }
    }
}
