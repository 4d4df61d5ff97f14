//! The history of a document: its events that the page knows, newest first.

use std::collections::HashMap;

use hookwell::format::time::Millis;
use maud::{Markup, html};

use super::effect::Effect;
use super::event;
use super::index::Index;
use super::layout::{count, outcome, time};
use super::row::Row;

/// Number of events that are shown.
const LINES: usize = 50;

/// An event about the document.
struct Change<'i> {
    at: Millis,
    row: &'i Row,
    key: &'i str,
    effect: Option<&'i Effect>,
}

/// The events about the document with this key; `made_by` is the key of the one that made it as it is.
pub(super) fn history(index: &Index, document: &str, made_by: Option<&str>) -> Markup {
    let changes = changes(index, document);
    html! {
        h2 { "History" }
        @if changes.is_empty() {
            p.note { "Its events are forgotten: their records live for a while, and the document stays." }
        } @else {
            table.list.history {
                thead { tr { th { "Time, UTC" } th { "Type" } th { "Outcome" } th { "Event" } } }
                tbody { @for change in changes.iter().take(LINES) { (line(change, made_by)) } }
            }
            @if changes.len() > LINES { p.note { "The newest " (LINES) " of " (count(changes.len())) " events." } }
        }
    }
}

fn line(change: &Change<'_>, made_by: Option<&str>) -> Markup {
    let Change {
        at,
        row,
        key,
        effect,
    } = change;
    let reason = effect.and_then(|effect| effect.reason.as_deref());
    // The line of a delivery with many events names the first only.
    let is_first = row.keys.first().is_some_and(|first| first == key);
    let (kind, id) = if is_first {
        (&*row.kind, &*row.event_id)
    } else {
        ("", *key)
    };
    html! {
        tr {
            td.time { a href=(event::address(key)) { (time(*at)) } }
            td.type title=(kind) { (kind) }
            td.end title=[reason] {
                (outcome(effect.map_or("queued", |effect| effect.outcome)))
                @if made_by == Some(*key) { " " span.reason { "made this state" } }
                @if let Some(reason) = reason { " " span.reason { (reason) } }
            }
            td.id title=(id) { (id) }
        }
    }
}

fn changes<'i>(index: &'i Index, document: &str) -> Vec<Change<'i>> {
    let mut changes: HashMap<&str, Change<'i>> = HashMap::new();
    for row in index.rows.iter().rev() {
        let pairs = row.keys.iter().zip(&row.documents);
        for (key, _) in pairs.filter(|(_, one)| *one == document) {
            let change = Change {
                at: row.at,
                row,
                key,
                effect: index.effects.of(key),
            };
            // The oldest line of an event is its first arrival.
            changes.insert(key, change);
        }
    }
    let mut changes: Vec<_> = changes.into_values().collect();
    changes.sort_by_key(|change| std::cmp::Reverse((change.at, change.row.place)));
    changes
}
