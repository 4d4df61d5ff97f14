//! One event: its record, its outcome, and the document it changed.

use std::sync::Arc;

use axum::extract::{Form, Query, State};
use axum::http::HeaderMap;
use axum::response::{IntoResponse as _, Redirect, Response};
use hookwell::event::identity::DocumentKey;
use hookwell_aws::tools::admin::{Item, readable};
use hookwell_aws::tools::failure::AdminError;
use hookwell_lambda::now::now;
use http::StatusCode;
use maud::{Markup, html};
use serde::Deserialize;

use super::effect::Effect;
use super::layout::{self, encoded, frame, outcome, pairs, sentence};
use super::shared::Page;
use super::story::{story, tries};
use crate::news::Seen;
use crate::user::user;

/// Query of the page about an event.
#[derive(Debug, Deserialize)]
pub(super) struct Which {
    key: String,
}

/// Path of the page about an event.
pub(super) fn address(key: &str) -> String {
    format!("/event?key={}", encoded(key))
}

pub(super) async fn view(
    State(page): State<Arc<Page>>,
    Query(which): Query<Which>,
    asked: HeaderMap,
) -> Response {
    let (effect, deliveries) = {
        let index = page.index();
        let effect = index.effects.of(&which.key).cloned();
        (effect, index.deliveries_of(&which.key))
    };
    let state = effect.as_ref().map(|effect| {
        let copies = effect.copies.values().map(|copy| copy.tries.len());
        let tries = effect.tries.len() + copies.sum::<usize>();
        format!("{}-{tries}-{:?}", effect.outcome, effect.ended_at)
    });
    let revision = page.revision(format_args!(
        "{}-{}",
        deliveries.len(),
        state.unwrap_or_default()
    ));
    if asked
        .get("x-known")
        .is_some_and(|known| *known == *revision)
    {
        return page.live(&asked, &revision, || html! {}, |_| html! {});
    }
    let record = page.record(&which.key).await;
    if record.is_none() && effect.is_none() {
        let text = "There is no record of this event: it was forgotten, or never arrived.";
        let content = sentence(&page, "No such event", text);
        return page.html(StatusCode::NOT_FOUND, content);
    }
    let copies = effect.as_ref().map(|effect| effect.copies.clone());
    let stored = record.as_ref().map(|record| Effect {
        copies: copies.unwrap_or_default(),
        ..Effect::of_record(record)
    });
    // What the page knows of a machine's event is newer than its record, and of an account's older.
    let effect = if page.is_machine() {
        effect.or(stored)
    } else {
        stored.or(effect)
    };
    let effect = effect.unwrap_or_default();
    let is_kept = page.is_kept(&which.key).await;
    let kind = record.as_ref().map(|record| readable(record, "type"));
    let title = kind.as_deref().unwrap_or("Event");
    page.live(
        &asked,
        &revision,
        || {
            html! {
                p.lead {
                    (outcome(effect.outcome))
                    @if let Some(reason) = &effect.reason { " " span.reason { (reason) } }
                }
                div.act { (actions(&page, &which.key, &effect, is_kept)) }
                (part(&page, &effect, &deliveries, record.as_ref()))
            }
        },
        |part| {
            let content = html! {
                p.back { a href="/" { (layout::list(&page).0) } }
                h1 { (title) }
                (part)
            };
            frame(&page, title, layout::list(&page), &content)
        },
    )
}

fn part(page: &Page, effect: &Effect, deliveries: &[u64], record: Option<&Item>) -> Markup {
    html! {
        div.sides {
            div {
                h2 { "Timeline" }
                (story(effect, record))
                (document(record))
                @for (destination, copy) in &effect.copies {
                    h2 { "Destination " (destination) }
                    p {
                        (outcome(copy.outcome))
                        @if let Some(reason) = &copy.reason { " " span.reason { (reason) } }
                    }
                    @if !copy.tries.is_empty() { ol.timeline { (tries(copy)) } }
                }
                @if page.is_machine() {
                    h2 { "Deliveries" }
                    @if deliveries.is_empty() {
                        p.note { "Headers and body are remembered while the machine runs, for the last 1,000 deliveries." }
                    } @else {
                        p { @for number in deliveries { a href={ "/deliveries/" (number) } { "delivery " (number) } " " } }
                    }
                }
            }
            div {
                h2 { "Record" }
                (attributes(record))
            }
        }
    }
}

/// Links and buttons for an event.
fn actions(page: &Page, key: &str, effect: &Effect, is_kept: bool) -> Markup {
    html! {
        @if effect.outcome == "rejected" {
            a.button href="/dead-letters" { "See the dead letters" } " "
        }
        @if is_kept {
            form method="post" action="/event/replay" {
                (page.token.field())
                input type="hidden" name="key" value=(key);
                button { "Replay" }
            }
        }
    }
}

/// Puts an event that was kept into the queue again.
pub(super) async fn replay(State(page): State<Arc<Page>>, Form(which): Form<Which>) -> Response {
    match page.put_again(&which.key).await {
        Ok(true) => Redirect::to(&address(&which.key)).into_response(),
        Ok(false) => {
            let text =
                "The event was not kept, or its time is over: see retain in the sources file.";
            let content = sentence(&page, "Nothing to replay", text);
            page.html(StatusCode::NOT_FOUND, content)
        }
        Err(why) => {
            let content = sentence(&page, "Not replayed", &why.to_string());
            page.html(StatusCode::BAD_GATEWAY, content)
        }
    }
}

impl Page {
    /// Puts an event into the queue again; false when it was not kept.
    async fn put_again(&self, key: &str) -> Result<bool, AdminError> {
        let (table, bucket) = (&self.stack.events_table, self.bucket());
        let at = now();
        let kept = self.admin.kept(table, key, bucket.as_ref(), at).await?;
        let Some(event) = kept else {
            return Ok(false);
        };
        let (queue, by) = (self.queue(), user());
        self.admin.replay(table, &queue, &event, &by, at).await?;
        let key = key.to_owned();
        self.recorder.tell(Seen::PutBack { key, at });
        self.recorder.caught_up().await;
        Ok(true)
    }

    /// True when the event can be replayed, as far as the tables tell.
    async fn is_kept(&self, key: &str) -> bool {
        let (table, bucket) = (&self.stack.events_table, self.bucket());
        let at = now();
        let kept = self.admin.kept(table, key, bucket.as_ref(), at).await;
        matches!(kept, Ok(Some(_)))
    }

    /// The record of an event; `None` also while the table is away.
    pub(super) async fn record(&self, key: &str) -> Option<Item> {
        let table = &self.stack.events_table;
        self.admin.get(table, key).await.ok().flatten()
    }
}

/// The document that an event is about, where it is about one.
pub(super) fn document(record: Option<&Item>) -> Markup {
    let text = |name| {
        let value = record.and_then(|record| record.get(name));
        value
            .and_then(serde_json::Value::as_str)
            .unwrap_or_default()
    };
    let [source, kind, id] = ["source", "document_type", "document_id"].map(text);
    let key = encoded(DocumentKey::new(source, kind, id).as_str());
    html! {
        @if !id.is_empty() && text("operation") != "other" {
            p { "Document " a href={ "/document?key=" (key) } { (id) } }
        }
    }
}

/// The attributes of an event's record.
pub(super) fn attributes(record: Option<&Item>) -> Markup {
    html! {
        @match record {
            Some(record) => (pairs(record, |_| true)),
            None => p.note { "The events table has no record of it." },
        }
    }
}
