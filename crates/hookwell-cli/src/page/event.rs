//! One event: its record, what became of it, and the document it changed.

use std::sync::Arc;

use axum::extract::{Query, State};
use axum::response::Response;
use hookwell_aws::admin::{Item, readable};
use http::StatusCode;
use maud::{Markup, html};
use serde::Deserialize;

use super::Page;
use super::layout::{date, encoded, frame, kind, outcome, pairs, sentence};
use super::row::Effect;

/// Which event.
#[derive(Debug, Deserialize)]
pub(super) struct Which {
    key: String,
}

pub(super) async fn view(State(page): State<Arc<Page>>, Query(which): Query<Which>) -> Response {
    let record = page.record(&which.key).await;
    let index = page.index();
    let has_it = |row: &&super::row::Row| row.keys.contains(&which.key);
    let numbers: Vec<_> = index
        .rows
        .iter()
        .filter(has_it)
        .filter_map(|row| row.number)
        .collect();
    let effect = index.effects.get(&which.key);
    if record.is_none() && effect.is_none() {
        let text = "There is no record of this event: it was forgotten, or never arrived.";
        return page.html(StatusCode::NOT_FOUND, sentence("No such event", text));
    }
    let content = html! {
        p.back { a href="/" { "Deliveries" } }
        h1 { "Event" }
        @if let Some(effect) = effect {
            p.lead { (outcome(effect.outcome)) @if let Some(reason) = &effect.reason { " " (reason) } }
            @if !effect.tries.is_empty() { ol.timeline { (tries(effect)) } }
        }
        @if !numbers.is_empty() {
            p { "Came with " @for number in numbers { a href={ "/deliveries/" (number) } { "delivery " (number) } " " } }
        } @else {
            p.note { "Its delivery is not kept: headers and body are remembered while the machine runs, for the last 1,000." }
        }
        (about(&which.key, record.as_ref()))
    };
    page.html(StatusCode::OK, frame("Event", "Deliveries", &content))
}

impl Page {
    /// The record of an event; `None` also while the table is away.
    pub(super) async fn record(&self, key: &str) -> Option<Item> {
        let table = &self.endpoints.events_table;
        self.admin.get(table, key).await.ok().flatten()
    }
}

/// The steps of a timeline that processing an event took.
pub(super) fn tries(effect: &Effect) -> Markup {
    html! {
        @for one in &effect.tries {
            li.(kind(one.what)) {
                (date(one.at)) " "
                @match one.number {
                    Some(number) => { b { (one.what.replace('_', " ")) } " on try " (number) }
                    None => { b { (one.what) } " by hand" }
                }
                @if let Some(reason) = &one.reason { span.reason { (reason) } }
            }
        }
        @if effect.ended_at.is_none() && effect.outcome == "out of tries" {
            li.bad { "It goes to " a href="/dead-letters" { "the dead letters" } " when its last pause is over." }
        }
    }
}

/// The record of an event and the document that it is about.
pub(super) fn about(key: &str, record: Option<&Item>) -> Markup {
    let Some(record) = record else {
        return html! { p.note { "The events table has no record of it." } };
    };
    let shown = record.keys().map(|name| {
        let text = readable(record, name);
        (name.as_str(), html! { (text) })
    });
    let text = |name| {
        record
            .get(name)
            .and_then(serde_json::Value::as_str)
            .unwrap_or_default()
    };
    let document = format!(
        "{}#{}#{}",
        text("source"),
        text("document_type"),
        text("document_id")
    );
    html! {
        h2 { "Record" }
        (pairs(shown))
        @if !text("document_id").is_empty() && text("operation") != "other" {
            p { "Document " a href={ "/document?key=" (encoded(&document)) } { (text("document_id")) } }
        }
        p.note { "Key " code { (key) } }
    }
}
