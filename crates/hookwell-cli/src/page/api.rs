//! The deliveries of a machine in JSON, for `hookwell deliveries`.

use std::sync::Arc;

use axum::Router;
use axum::body::to_bytes;
use axum::extract::{Path, Query, State};
use axum::middleware::from_fn;
use axum::response::{IntoResponse as _, Response};
use axum::routing::{get, post};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hookwell::format::time::Millis;
use hookwell_local::guard::local_only;
use http::{HeaderMap, StatusCode};
use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::effects::Effects;
use super::filter::Filter;
use super::kept::{delivery, why_refused};
use super::row::Row;
use super::shared::Page;
use super::veil::credential_hidden;
use crate::front::DESCRIPTION_PATH;
use crate::news::Arrived;

/// Which deliveries to list, beside the filter of the page.
#[derive(Debug, Deserialize)]
pub(super) struct Which {
    /// At most so many, the newest.
    limit: usize,
    /// Only those after this number.
    #[serde(default)]
    after: u64,
    /// Only those that came then or later.
    #[serde(default)]
    since: Millis,
    /// Only those that were answered with 400 or more.
    #[serde(default)]
    refused: bool,
}

/// The routes, for programs of this machine.
pub(super) fn routes() -> Router<Arc<Page>> {
    let all = format!("{DESCRIPTION_PATH}/deliveries");
    Router::new()
        .route(&all, get(list))
        .route(&format!("{all}/{{number}}"), get(show))
        .route(&format!("{all}/{{number}}/again"), post(again))
        .route_layer(from_fn(local_only))
}

async fn list(
    State(page): State<Arc<Page>>,
    Query(filter): Query<Filter>,
    Query(which): Query<Which>,
) -> Response {
    page.recorder.caught_up().await;
    let index = page.index();
    let is_meant = |row: &&Row| {
        let is_refused = row.status.is_some_and(|status| status >= 400);
        row.number.is_some_and(|number| number > which.after)
            && row.at >= which.since
            && (is_refused || !which.refused)
    };
    let (mut found, mut deliveries) = (0_usize, Vec::new());
    for row in filter.rows(&index).filter(is_meant) {
        found = found.saturating_add(1);
        if deliveries.len() < which.limit {
            deliveries.push(summary(row, &index.effects));
        }
    }
    page.json(&json!({ "started_at": page.started_at, "found": found, "deliveries": deliveries }))
}

/// A line about a delivery, in the words of the events table.
fn summary(row: &Row, effects: &Effects) -> Map<String, Value> {
    let (outcome, effect) = row.outcome(effects);
    let reason = effect.and_then(|effect| effect.reason.as_deref());
    let line = json!({
        "number": row.number,
        "received_at": row.at,
        "source": row.source,
        "status": row.status,
        "outcome": outcome,
        "type": row.kind,
        "event_id": row.event_id,
        "document_id": row.document_id,
        "reason": reason.or(row.reason.as_deref()).unwrap_or_default(),
        "milliseconds": row.ack.map(|ack| ack.as_secs_f64() * 1000.0),
    });
    match line {
        Value::Object(line) => line,
        _ => Map::new(),
    }
}

async fn show(State(page): State<Arc<Page>>, Path(number): Path<u64>) -> Response {
    page.recorder.caught_up().await;
    let Some(line) = line(&page, number) else {
        let why = format!("there is no delivery {number}");
        return (StatusCode::NOT_FOUND, why).into_response();
    };
    page.json(&line)
}

/// All about a delivery: its line, and, while they are kept, its request and its answer.
pub(super) fn line(page: &Page, number: u64) -> Option<Value> {
    let index = page.index();
    let row = index.row(number)?;
    let mut shown = summary(row, &index.effects);
    shown.insert("events".to_owned(), json!(row.keys));
    let kept = index.delivery(number);
    drop(index);
    shown.insert("kept".to_owned(), json!(kept.is_some()));
    if let Some(kept) = kept {
        shown.extend(request(page, &kept));
    }
    Some(Value::Object(shown))
}

/// The request of a delivery as `hookwell verify` reads it, why it was refused, and its answer.
fn request(page: &Page, kept: &Arrived) -> Map<String, Value> {
    let delivery = delivery(kept);
    let body = page.veiled_body(&kept.request.body);
    let parts = json!({
        "why": why_refused(page, kept, &delivery),
        "answer": kept.received.reply.body,
        "method": kept.request.method,
        "path": kept.request.path,
        "query": kept.request.query,
        "headers": headers(page, &kept.request.headers, delivery.source.as_deref()),
        "source_ip": kept.request.source_ip,
        "body_base64": STANDARD.encode(body),
    });
    match parts {
        Value::Object(parts) => parts,
        _ => Map::new(),
    }
}

/// The headers by their names; a list of texts where there are many of one name.
fn headers(page: &Page, headers: &HeaderMap, source: Option<&str>) -> Map<String, Value> {
    let source = source.and_then(|name| page.source(name));
    let texts = |name: &str| {
        let all = headers.get_all(name).iter();
        let all = all.map(|value| {
            let text = String::from_utf8_lossy(value.as_bytes());
            Value::String(credential_hidden(source, name, &text))
        });
        all.collect::<Vec<_>>()
    };
    let names = headers.keys().map(http::HeaderName::as_str);
    names
        .map(|name| match <[Value; 1]>::try_from(texts(name)) {
            Ok([one]) => (name.to_owned(), one),
            Err(many) => (name.to_owned(), Value::Array(many)),
        })
        .collect()
}

/// Sends a delivery again as its sender would: the same body, signed now.
async fn again(State(page): State<Arc<Page>>, Path(number): Path<u64>) -> Response {
    let request = page.signed_anew(number);
    let (Some(front), Ok(request)) = (&page.front, &request) else {
        let why = request.map_or_else(|why| format!("{why:#}"), |_| String::new());
        return (StatusCode::UNPROCESSABLE_ENTITY, why).into_response();
    };
    let (number, answer) = front.deliver(request.clone()).await;
    let status = answer.status().as_u16();
    let body = to_bytes(answer.into_body(), usize::MAX)
        .await
        .unwrap_or_default();
    let body = String::from_utf8_lossy(&body);
    page.json(&json!({ "number": number, "status": status, "body": body }))
}
