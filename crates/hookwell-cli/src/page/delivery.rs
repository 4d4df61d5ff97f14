//! One delivery: its way through the machine, the request as it came in, and why it was refused.

use std::sync::Arc;

use axum::extract::{Path, State};
use axum::http::HeaderMap;
use axum::response::{IntoResponse as _, Redirect, Response};
use hookwell::source::Source;
use hookwell::source::reply::Receipt;
use hookwell_aws::tools::admin::Item;
use http::StatusCode;
use maud::{Markup, html};

use super::copy;
use super::effect::Effect;
use super::event::{self, attributes, document};
use super::kept::{delivery, source_of, why_refused};
use super::layout::{self, date, frame, kind, millis, outcome, sentence, status};
use super::pretty;
use super::row::Row;
use super::shared::Page;
use super::story::tries;
use super::veil::headers;
use crate::news::Arrived;

/// Bytes of a body that are shown; the rest is only counted.
const MAX_BODY: usize = 64 * 1024;

pub(super) async fn view(
    State(page): State<Arc<Page>>,
    Path(number): Path<u64>,
    asked: HeaderMap,
) -> Response {
    let (kept, row, effects) = {
        let index = page.index();
        let row = index.row(number).cloned();
        let keys = row.iter().flat_map(|row| row.keys.clone());
        let effects: Vec<_> = keys
            .map(|key| {
                let effect = index.effects.of(&key).cloned().unwrap_or_default();
                (key, effect)
            })
            .collect();
        (index.delivery(number), row, effects)
    };
    let Some(row) = row else {
        let text = "Deliveries are remembered while the machine runs, and this is none of them.";
        return page.html(
            StatusCode::NOT_FOUND,
            sentence(&page, "No such delivery", text),
        );
    };
    let Some(kept) = kept else {
        return not_kept(&page, &row);
    };
    let changes: usize = effects.iter().map(|(_, effect)| effect.tries.len()).sum();
    let revision = page.revision(format_args!("{number}-{changes}"));
    if asked
        .get("x-known")
        .is_some_and(|known| *known == *revision)
    {
        return page.live(&asked, &revision, || html! {}, |_| html! {});
    }
    let mut records = Vec::new();
    // Of a delivery with hundreds of events the first say enough.
    for (key, _) in effects.iter().take(10) {
        records.push((key.as_str(), page.record(key).await));
    }
    let title = if row.kind.is_empty() {
        "Delivery"
    } else {
        &row.kind
    };
    page.live(
        &asked,
        &revision,
        || part(&page, &kept, &effects, &records),
        |part| {
            let content = html! {
                p.back { a href="/" { "Deliveries" } }
                h1 { (title) }
                (part)
            };
            frame(&page, title, layout::list(&page), &content)
        },
    )
}

/// Page of an older delivery: its event, or, where it was refused, no more than its line.
fn not_kept(page: &Page, row: &Row) -> Response {
    if let Some(key) = row.keys.first() {
        return Redirect::to(&event::address(key)).into_response();
    }
    let content = html! {
        p.back { a href="/" { "Deliveries" } }
        h1 { "Delivery" }
        p.lead {
            @if let Some(code) = row.status { (status(code)) " " }
            @if let Some(receipt) = row.receipt { (outcome(receipt.name())) }
        }
        @if let Some(reason) = &row.reason {
            section.why aria-label="Why" { h2 { "Why" } p { (reason) } }
        }
        p { (row.source) " at " (date(row.at)) }
        p.note { "Headers and body are remembered for the last 1,000 deliveries." }
    };
    let content = frame(page, "Delivery", layout::list(page), &content);
    page.html(StatusCode::OK, content)
}

fn part(
    page: &Page,
    kept: &Arrived,
    effects: &[(String, Effect)],
    records: &[(&str, Option<Item>)],
) -> Markup {
    let Arrived {
        request, received, ..
    } = kept;
    let delivery = delivery(kept);
    let source = source_of(page, kept);
    let refused = why_refused(page, kept, &delivery);
    html! {
        p.lead {
            (status(received.reply.status.as_u16())) " " (outcome(received.receipt.name()))
            @for (_, effect) in effects.iter().take(1) { " → " (outcome(effect.outcome)) }
            @if effects.len() > 1 { " and " (effects.len() - 1) " more" }
        }
        @if let Some(why) = &refused {
            section.why aria-label="Why it was refused" { h2 { "Why it was refused" } p { (why) } }
        }
        @if source.is_some() && request.method == "POST" {
            form.act method="post" action={ "/deliveries/" (kept.number) "/again" } {
                (page.token.field())
                button { "Send again, signed anew" }
            }
        }
        div.sides {
            div {
                h2 { "Timeline" }
                ol.timeline { (timeline(page, kept, effects)) }
                @for (key, record) in records {
                    (document(record.as_ref()))
                    p { a href=(event::address(key)) { "event " (key) } }
                    details { summary { "Record" } (attributes(record.as_ref())) }
                }
            }
            div {
                (copy::links(kept.number))
                (body(&request.body))
                h2 { "Request" }
                p.request { code { (request.method) " " (request.path) @if !request.query.is_empty() { "?" (request.query) } } " from " (request.source_ip) }
                dl.pairs {
                    @for (name, value) in headers(source, &request.headers) { dt { (name) } dd { (value) } }
                }
                h2 { "Answer" }
                pre tabindex="0" { (received.reply.body) }
            }
        }
    }
}

fn timeline(page: &Page, kept: &Arrived, effects: &[(String, Effect)]) -> Markup {
    let received = &kept.received;
    let receipt = received.receipt;
    let answered = kept
        .at
        .saturating_add(i64::try_from(kept.ack.as_millis()).unwrap_or(0));
    let unsigned = source_of(page, kept).is_some_and(Source::is_unsigned);
    let is_queued =
        matches!(receipt, Receipt::Received | Receipt::Quarantined) && !effects.is_empty();
    html! {
        li.plain { (date(kept.at)) " " b { "received" } " " (kept.request.body.len()) " bytes" }
        @if received.verified {
            li.good {
                b { "verified" } " "
                @if unsigned { "by its address: this source signs nothing" }
                @else if received.secret == 0 { "with the newest secret" }
                @else { "with older secret " (received.secret) }
            }
        }
        @if received.dedup_unavailable {
            li.open { b { "not remembered" } " the events table did not answer; acknowledged all the same" }
        } @else if is_queued {
            li.good { b { "remembered" } " in the events table" }
        }
        @if is_queued {
            li.good { b { "queued" } @if effects.len() > 1 { " " (effects.len()) " events" } }
        }
        li.(kind(receipt.name())) {
            (date(answered)) " " b { "answered " (received.reply.status.as_u16()) } " " (receipt.name().replace('_', " "))
            " after " (millis(kept.ack))
        }
        @if is_queued || receipt == Receipt::Duplicate {
            @for (_, effect) in effects.iter().take(10) {
                @if effect.tries.is_empty() && effect.ended_at.is_none() { li.open { "waiting in the queue" } }
                (tries(effect))
            }
        }
    }
}

/// The body, pretty where it is JSON, and as it was sent.
fn body(bytes: &[u8]) -> Markup {
    let shown = bytes.get(..MAX_BODY).unwrap_or(bytes);
    let text = String::from_utf8_lossy(shown);
    let pretty = std::str::from_utf8(bytes)
        .ok()
        .filter(|_| bytes.len() <= MAX_BODY);
    let pretty = pretty.and_then(pretty::pretty);
    html! {
        h2 { "Body" }
        @if bytes.is_empty() {
            p.note { "Empty." }
        } @else if let Some(pretty) = pretty {
            pre tabindex="0" { (pretty) }
            details { summary { "As sent" } pre tabindex="0" { (text) } }
        } @else {
            pre tabindex="0" { (text) }
            @if bytes.len() > MAX_BODY { p.note { "The first " (MAX_BODY) " of " (bytes.len()) " bytes." } }
        }
    }
}
