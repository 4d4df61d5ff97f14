//! The documents as the newest events left them.

use std::sync::Arc;

use axum::extract::{Query, State};
use axum::http::HeaderMap;
use axum::response::Response;
use hookwell_aws::tools::failure::AdminError;
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

/// Pages of an account's table, of a thousand documents each, that one search reads at most.
const PAGES: usize = 5;

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

/// The lines of a page of the list.
struct Lines {
    rows: Vec<(String, DocumentRow)>,
    /// Number of all that fit, where somebody has counted.
    found: Option<usize>,
    /// Key after which the next page begins.
    next: Option<String>,
}

pub(super) async fn list(
    State(page): State<Arc<Page>>,
    Query(which): Query<Which>,
    asked: HeaderMap,
) -> Response {
    let (changes, is_filled) = {
        let index = page.index();
        let changes = if page.is_machine() {
            index.revision
        } else {
            index.finds
        };
        (changes, index.is_filled || !page.is_machine())
    };
    let revision = page.revision(changes);
    if asked
        .get("x-known")
        .is_some_and(|known| *known == *revision)
    {
        return page.live(&asked, &revision, || html! {}, |_| html! {});
    }
    let lines = if page.is_machine() {
        Ok(Lines::of_index(&page.index(), &which))
    } else {
        Lines::of_table(&page, &which).await
    };
    let part = match &lines {
        Ok(lines) => part(lines, &which, is_filled),
        Err(why) => html! { p.empty { "The documents table does not answer: " (why) } },
    };
    page.live(
        &asked,
        &revision,
        || part,
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

impl Which {
    /// True when the search finds the document with this key.
    fn fits(&self, key: &str, row: &DocumentRow) -> bool {
        let words = self.q.trim().to_lowercase();
        words.is_empty()
            || key.to_lowercase().contains(&words)
            || row.state.to_lowercase().contains(&words)
    }
}

impl Lines {
    fn of_index(index: &Index, which: &Which) -> Self {
        let all = index
            .documents
            .iter()
            .filter(|(key, row)| which.fits(key, row));
        let found = all.clone().count();
        let rows = all.filter(|(key, _)| which.after.is_empty() || **key > which.after);
        let rows = rows.map(|(key, row)| (key.clone(), row.clone()));
        Self {
            found: Some(found),
            ..Self::cut(rows.take(LINES + 1).collect(), None)
        }
    }

    /// Reads on in the table of an account until a page is full, or until it has read some thousands.
    async fn of_table(page: &Page, which: &Which) -> Result<Self, AdminError> {
        let mut pages = page
            .admin
            .pages(&page.stack.documents_table, None)
            .after(&which.after);
        if which.q.trim().is_empty() {
            pages = pages.of_at_most(LINES + 1);
        }
        let (mut rows, mut last) = (Vec::new(), None);
        for _ in 0..PAGES {
            let Some(items) = pages.next().await? else {
                break;
            };
            for (key, row) in items.iter().map(DocumentRow::of_item) {
                last = Some(key.to_owned());
                if which.fits(key, &row) {
                    rows.push((key.to_owned(), row));
                }
            }
            if rows.len() > LINES {
                break;
            }
        }
        Ok(Self::cut(rows, last.filter(|_| !pages.is_over())))
    }

    /// A page of the first rows; `last` is the key of the last item that was read, where there are more.
    fn cut(mut rows: Vec<(String, DocumentRow)>, last: Option<String>) -> Self {
        let has_more = rows.len() > LINES;
        rows.truncate(LINES);
        let shown = rows.last().map(|(key, _)| key.clone());
        Self {
            next: if has_more { shown } else { last },
            found: None,
            rows,
        }
    }
}

fn part(lines: &Lines, which: &Which, is_filled: bool) -> Markup {
    html! {
        p.found {
            @match lines.found {
                Some(found) => { (count(found)) @if found == 1 { " document" } @else { " documents" } }
                None => { (count(lines.rows.len())) " on this page" }
            }
            @if !is_filled { " · reading the tables …" }
        }
        @if lines.rows.is_empty() {
            p.empty {
                @if !which.q.trim().is_empty() { "Nothing fits" @if lines.next.is_some() { " so far" } "." }
                @else { "No event has made a document yet. Here stands each as its newest event left it." }
            }
        } @else {
            table.list.documents {
                thead { tr { th { "Document" } th { "Source" } th { "Type" } th { "Made by event" } th { "State" } } }
                tbody {
                    @for (key, row) in &lines.rows {
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
        @if let Some(next) = &lines.next {
            p { a.button href={ "/documents?q=" (encoded(&which.q)) "&after=" (encoded(next)) } { "More" } }
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
