//! The documents as the newest events left them.

use std::sync::Arc;

use axum::extract::{Query, State};
use axum::http::HeaderMap;
use axum::response::Response;
use http::StatusCode;
use maud::{Markup, html};
use serde::Deserialize;
use serde_json::Value;

use super::event;
use super::history::history;
use super::index::{DocumentRow, Index};
use super::layout::{DOCUMENTS, count, encoded, frame, pairs, sentence};
use super::pretty::pretty;
use super::shared::Page;

/// Number of lines on a page.
const LINES: usize = 100;

/// Query of the list of documents.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Which {
    q: String,
    /// Key after which the page begins.
    after: String,
}

/// Query of the page about a document.
#[derive(Debug, Deserialize)]
pub(super) struct One {
    key: String,
}

pub(super) async fn list(
    State(page): State<Arc<Page>>,
    Query(which): Query<Which>,
    headers: HeaderMap,
) -> Response {
    let index = page.index();
    let revision = page.revision(index.revision);
    page.live(
        &headers,
        &revision,
        || part(&index, &which),
        |part| {
            let content = html! {
                h1.unseen { "Documents" }
                form.filter #filter action="/documents" role="search" {
                    label.wide {
                        span { "Search" }
                        input type="search" name="q" value=(which.q) placeholder="source, type, id, state" autocomplete="off";
                    }
                    button { "Filter" }
                }
                (part)
            };
            frame(&page, "Documents", DOCUMENTS, &content)
        },
    )
}

fn part(index: &Index, which: &Which) -> Markup {
    let words = which.q.trim().to_lowercase();
    let fits = |(key, row): &(&String, &DocumentRow)| {
        words.is_empty()
            || key.to_lowercase().contains(&words)
            || row.state.to_lowercase().contains(&words)
    };
    let all = index.documents.iter().filter(fits);
    let found = all.clone().count();
    let is_after =
        |(key, _): &(&String, &DocumentRow)| which.after.is_empty() || **key > which.after;
    let mut rows: Vec<_> = all.filter(is_after).take(LINES + 1).collect();
    let has_more = rows.len() > LINES;
    rows.truncate(LINES);
    let last = rows.last().filter(|_| has_more).map(|(key, _)| *key);
    html! {
        p.found {
            (count(found)) @if found == 1 { " document" } @else { " documents" }
            @if !index.is_filled { " · reading the tables …" }
        }
        @if rows.is_empty() {
            p.empty { @if words.is_empty() { "No event has made a document yet. Here stands each as its newest event left it." } @else { "Nothing fits." } }
        } @else {
            table.list.documents {
                thead { tr { th { "Document" } th { "Source" } th { "Type" } th { "Made by event" } th { "State" } } }
                tbody {
                    @for (key, row) in rows {
                        tr {
                            td.id { a href={ "/document?key=" (encoded(key)) } { (row.id) } }
                            td.source { (row.source) }
                            td.type { (row.kind) }
                            td.event { (row.event_id) }
                            td.state { @if row.is_deleted { span.outcome.plain { "deleted" } } @else { (row.state) } }
                        }
                    }
                }
            }
        }
        @if let Some(last) = last {
            p { a.button href={ "/documents?q=" (encoded(&which.q)) "&after=" (encoded(last)) } { "More" } }
        }
    }
}

pub(super) async fn view(State(page): State<Arc<Page>>, Query(one): Query<One>) -> Response {
    let table = &page.stack.documents_table;
    let item = match page.admin.get(table, &one.key).await {
        Ok(Some(item)) => item,
        Ok(None) => {
            let text = "There is no document under this key: no event was applied to it.";
            return page.html(
                StatusCode::NOT_FOUND,
                sentence(&page, "No such document", text),
            );
        }
        Err(why) => {
            return page.html(
                StatusCode::BAD_GATEWAY,
                sentence(
                    &page,
                    "The documents table does not answer",
                    &why.to_string(),
                ),
            );
        }
    };
    let text = |name| item.get(name).and_then(Value::as_str).unwrap_or_default();
    let is_deleted = item.get("deleted") == Some(&Value::Bool(true));
    let state = pretty(text("document")).unwrap_or_else(|| text("document").to_owned());
    let made_by = made_by(&page, text("source"), text("event_id"));
    let content = html! {
        p.back { a href="/documents" { "Documents" } }
        h1 { (text("document_id")) }
        div.sides { div {
        @if is_deleted { p.lead { span.outcome.plain { "deleted" } " A tombstone stays, so that an older event cannot bring it back." } }
        @else { h2 { "State" } pre tabindex="0" { (state) } }
        h2 { "Made by" }
        p {
            @match &made_by {
                Some(key) => { a href=(event::address(key)) { "event " (text("event_id")) } }
                None => { "event " (text("event_id")) }
            }
        }
        } div { (history(&page.index(), &one.key, made_by.as_deref())) } }
        h2 { "Record" }
        (pairs(&item, |name| name != "document"))
    };
    page.html(
        StatusCode::OK,
        frame(&page, text("document_id"), DOCUMENTS, &content),
    )
}

/// The key of the event that made a document, among those that the page knows.
fn made_by(page: &Page, source: &str, event_id: &str) -> Option<String> {
    let index = page.index();
    let mut rows = index.rows.iter().rev();
    let row =
        rows.find(|row| row.source == source && row.event_id == event_id && !row.keys.is_empty())?;
    row.keys.first().cloned()
}
