//! One event: its record, what became of it, and the document it changed.

use std::sync::Arc;

use axum::extract::{Form, Query, State};
use axum::http::HeaderMap;
use axum::response::{IntoResponse as _, Redirect, Response};
use hookwell_aws::admin::{AdminError, Item, readable};
use hookwell_aws::replay::Replay;
use hookwell_aws::{Limits, SqsQueue};
use http::StatusCode;
use maud::{Markup, html};
use serde::Deserialize;

use super::layout::{date, encoded, frame, kind, outcome, pairs, sentence};
use super::recorder::Seen;
use super::row::Effect;
use super::{Page, user};

/// Which event.
#[derive(Debug, Deserialize)]
pub(super) struct Which {
    key: String,
}

/// Where an event is shown.
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
    let record = page.record(&which.key).await;
    if record.is_none() && effect.is_none() {
        let text = "There is no record of this event: it was forgotten, or never arrived.";
        return page.html(StatusCode::NOT_FOUND, sentence("No such event", text));
    }
    let effect = effect.or_else(|| record.as_ref().map(Effect::of_record));
    let effect = effect.unwrap_or_default();
    let state = format_args!(
        "{}-{}-{}",
        effect.outcome,
        effect.tries.len(),
        deliveries.len()
    );
    let revision = page.revision(state);
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
                div.act { (actions(&page, &which.key, &effect)) }
                (part(&effect, &deliveries, record.as_ref()))
            }
        },
        |part| {
            let content = html! {
                p.back { a href="/" { "Deliveries" } }
                h1 { (title) }
                (part)
            };
            frame(title, "Deliveries", &content)
        },
    )
}

fn part(effect: &Effect, deliveries: &[u64], record: Option<&Item>) -> Markup {
    html! {
        div.sides {
            div { (about(record)) }
            div {
                @if !effect.tries.is_empty() {
                    h2 { "Timeline" }
                    ol.timeline { (tries(effect)) }
                }
                h2 { "Deliveries" }
                @if deliveries.is_empty() {
                    p.note { "Headers and body are remembered while the machine runs, for the last 1,000 deliveries." }
                } @else {
                    p { @for number in deliveries { a href={ "/deliveries/" (number) } { "delivery " (number) } " " } }
                }
            }
        }
    }
}

/// What to do about an event.
fn actions(page: &Page, key: &str, effect: &Effect) -> Markup {
    let source = key.split_once('#').and_then(|(name, _)| page.source(name));
    html! {
        @if ["rejected", "out of tries"].contains(&effect.outcome) {
            a.button href="/dead-letters" { "See the dead letters" } " "
        }
        @if source.is_some_and(|source| source.retain_days > 0) {
            form method="post" action="/event/replay" {
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
            page.html(StatusCode::NOT_FOUND, sentence("Nothing to replay", text))
        }
        Err(why) => {
            let content = sentence("Not replayed", &why.to_string());
            page.html(StatusCode::BAD_GATEWAY, content)
        }
    }
}

impl Page {
    /// False when the event was not kept.
    async fn put_again(&self, key: &str) -> Result<bool, AdminError> {
        let (table, bucket) = (&self.endpoints.events_table, self.bucket());
        let at = ingest::now();
        let kept = self.admin.kept(table, key, Some(&bucket), at).await?;
        if kept.is_none() {
            return Ok(false);
        }
        // Before the queue has it: process may be quick.
        let put_back = Seen::PutBack {
            key: key.to_owned(),
            at,
        };
        self.recorder.tell(put_back);
        let url = self.endpoints.queue_url.clone();
        let client = self.connection.sqs(Limits::TOOL);
        let replay = Replay {
            admin: &self.admin,
            events_table: table,
            queue: &SqsQueue::new(client, url, Some(self.bucket())),
            bucket: Some(&bucket),
        };
        let replayed = replay.replay(key, &user(), at).await?;
        self.recorder.caught_up().await;
        Ok(replayed)
    }

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
pub(super) fn about(record: Option<&Item>) -> Markup {
    let Some(record) = record else {
        return html! { p.note { "The events table has no record of it." } };
    };
    let text = |name| {
        let value = record.get(name).and_then(serde_json::Value::as_str);
        value.unwrap_or_default()
    };
    let [source, kind, id] = ["source", "document_type", "document_id"].map(text);
    let document = encoded(&format!("{source}#{kind}#{id}"));
    html! {
        h2 { "Record" }
        (pairs(record, |_| true))
        @if !id.is_empty() && text("operation") != "other" {
            p { "Document " a href={ "/document?key=" (document) } { (id) } }
        }
    }
}
