//! The list of deliveries, or of an account's events, newest first, with charts of the last minutes above it.

use std::collections::BTreeSet;
use std::sync::Arc;

use axum::extract::{Query, State};
use axum::http::HeaderMap;
use axum::response::Response;
use hookwell::source::reply::Receipt;
use hookwell_lambda::now::now;
use maud::{Markup, html};

use super::effect::{OUTCOMES, RECORDED};
use super::filter::Filter;
use super::index::Index;
use super::layout::{self, count, frame, millis, outcome, select, status, time};
use super::row::Row;
use super::shared::Page;
use super::{charts, event};

/// Time after which the charts move on, in milliseconds.
const TICK: i64 = 5_000;

/// Outcomes of a delivery that became no event.
const RECEIPTS: [Receipt; 16] = [
    Receipt::Duplicate,
    Receipt::Filtered,
    Receipt::Handshake,
    Receipt::Unverified,
    Receipt::Invalid,
    Receipt::BadRequest,
    Receipt::AddressNotAllowed,
    Receipt::UnknownSource,
    Receipt::MethodNotAllowed,
    Receipt::TooLarge,
    Receipt::Compressed,
    Receipt::NoCertificate,
    Receipt::NoKeyYet,
    Receipt::NotConfigured,
    Receipt::NotReady,
    Receipt::Unavailable,
];

pub(super) async fn view(
    State(page): State<Arc<Page>>,
    Query(filter): Query<Filter>,
    headers: HeaderMap,
) -> Response {
    let index = page.index();
    let now = now();
    let revision = page.revision(format_args!("{}-{}", index.revision, now / TICK));
    page.live(
        &headers,
        &revision,
        || part(&page, &index, &filter, now),
        |part| {
            let list = layout::list(&page);
            let content = html! {
                h1.unseen { (list.0) }
                (form(&page, &index, &filter))
                (part)
            };
            frame(&page, list.0, list, &content)
        },
    )
}

fn form(page: &Page, index: &Index, filter: &Filter) -> Markup {
    let is_machine = page.is_machine();
    let sources: BTreeSet<_> = if is_machine {
        let sources = page.senders.sources.iter();
        sources.map(|source| source.name.as_str()).collect()
    } else {
        index.rows.iter().map(|row| row.source.as_str()).collect()
    };
    let statuses: BTreeSet<_> = index.rows.iter().filter_map(|row| row.status).collect();
    let statuses: Vec<_> = statuses.iter().map(ToString::to_string).collect();
    let receipts = RECEIPTS.map(Receipt::name);
    let outcomes = OUTCOMES.into_iter().rev().chain(receipts);
    let outcomes = outcomes.filter(|name| is_machine || RECORDED.contains(name));
    html! {
        form.filter #filter action="/" role="search" {
            label.wide {
                span { "Search" }
                input type="search" name="q" value=(filter.q) placeholder="id, type, document, reason" autocomplete="off";
            }
            (select("source", "Source", &filter.source, sources))
            (select("outcome", "Outcome", &filter.outcome, outcomes))
            @if is_machine {
                (select("status", "Status", &filter.status, statuses.iter().map(String::as_str)))
            }
            (minute("from", "From, UTC", &filter.from.text))
            (minute("to", "To, UTC", &filter.to.text))
            button { "Filter" }
            @if filter.is_set() { a.clear href="/" { "Show all" } }
        }
    }
}

fn minute(name: &str, label: &str, text: &str) -> Markup {
    html! { label.minute { span { (label) } input type="datetime-local" name=(name) value=(text); } }
}

fn part(page: &Page, index: &Index, filter: &Filter, now: i64) -> Markup {
    let lines = filter.lines(index);
    let (one, many) = if page.is_machine() {
        (" delivery", " deliveries")
    } else {
        (" event", " events")
    };
    html! {
        @if filter.is_newest() { (charts::charts(page, index, filter, now)) }
        p.found {
            (count(lines.found)) @if filter.is_set() { " of " (count(index.rows.len())) }
            @if lines.found == 1 { (one) } @else { (many) }
            @if let Some(at) = index.looked_at { " · as of " (time(at)) " UTC" }
            @if !index.is_filled { " · reading the tables …" }
            @if !filter.is_newest() { " · " a href=(filter.address(None)) { "back to the newest" } }
        }
        @if let Some(at) = index.read_since {
            form.older method="post" action="/older" {
                (page.token.field())
                "Events before " (time(at)) " UTC were not read yet. " button { "Read older ones" }
            }
        }
        @if index.rows.is_empty() && !page.is_machine() {
            @if index.is_filled { p.empty {
                "The events table holds no event. One is written for each delivery that was verified; those that were refused are in the log of ingest."
            } }
        } @else if index.rows.is_empty() {
            p.empty {
                "Nothing arrived yet. " a href="/send" { "Send a sample" } " or point a sender at one of the sources. "
                "Every request shows up here at once, also one that is refused, with the reason."
            }
        } @else if lines.rows.is_empty() {
            p.empty {
                "Nothing fits. The search looks for a part of an id, a type, a document or a reason. " a href="/" { "Show all" }
            }
        } @else {
            (table(page, index, &lines.rows))
        }
        @if let Some(older) = lines.older { p { a.button href=(older) { "Older" } } }
    }
}

fn table(page: &Page, index: &Index, rows: &[&Row]) -> Markup {
    let is_machine = page.is_machine();
    html! {
        table.list.deliveries[is_machine].events[!is_machine] {
            thead { tr {
                th { "Time, UTC" } th { "Source" } th { "Type" } @if is_machine { th { "Status" } } th { "Outcome" }
                th { "Document" } th { "Event" } @if is_machine { th.number { "Ack" } } th.number { "Effect" }
            } }
            tbody { @for row in rows { (line(index, row, is_machine)) } }
        }
    }
}

fn line(index: &Index, row: &Row, is_machine: bool) -> Markup {
    let (name, effect) = row.outcome(&index.effects);
    let reason = effect.and_then(|it| it.reason.as_deref());
    let reason = reason.or(row.reason.as_deref());
    let many = row.keys.len();
    html! {
        tr {
            td.time { a href=(address(row)) { (time(row.at)) } }
            td.source { (row.source) }
            td.type title=(row.kind) { (row.kind) }
            @if is_machine { td.code { @if let Some(code) = row.status { (status(code)) } } }
            td.end title=[reason] {
                (outcome(name)) @if many > 1 { " ×" (many) }
                @if let Some(reason) = reason { " " span.reason { (reason) } }
            }
            td.document title=(row.document_id) { (row.document_id) }
            td.id title=(row.event_id) { (row.event_id) }
            @if is_machine { td.number.ack { @if let Some(ack) = row.ack { (millis(ack)) } } }
            td.number.effect {
                @if let Some(effect) = row.to_effect(&index.effects) { (millis(effect)) }
            }
        }
    }
}

/// Path of the page that a line leads to.
pub(super) fn address(row: &Row) -> String {
    match (row.number, row.keys.first()) {
        (Some(number), _) => format!("/deliveries/{number}"),
        (None, Some(key)) => event::address(key),
        (None, None) => "/".to_owned(),
    }
}
