//! Texts that a person copies from the page of a delivery: its JSON line, a curl command, its body, its URL. A link
//! leads to each; the script copies the text in place of following the link. Each text is made when it is asked for.

use std::sync::Arc;

use axum::extract::{Path, State};
use axum::http::HeaderMap;
use axum::response::{IntoResponse as _, Response};
use http::StatusCode;
use http::header::HOST;
use maud::{Markup, html};
use serde::Deserialize;

use super::kept::source_of;
use super::shared::Page;
use super::veil::credential_hidden;
use super::{api, curl};
use crate::news::Arrived;

/// A text of a delivery.
#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Copy {
    /// Line of JSON, as `hookwell deliveries show --json` prints it and `hookwell verify --explain` reads it.
    Line,
    /// A command that sends the same request.
    Curl,
    /// The body as sent.
    Body,
    /// The address with its query.
    Url,
}

/// The links to the texts of a delivery.
pub(super) fn links(number: u64) -> Markup {
    let texts = [
        ("line", "JSON line"),
        ("curl", "curl"),
        ("body", "Body"),
        ("url", "URL"),
    ];
    html! {
        p.copies {
            span { "Copy as" }
            @for (text, name) in texts {
                " " a.button data-copy href={ "/deliveries/" (number) "/copy/" (text) } { (name) }
            }
        }
    }
}

pub(super) async fn view(
    State(page): State<Arc<Page>>,
    Path((number, copy)): Path<(u64, Copy)>,
    asked: HeaderMap,
) -> Response {
    let kept = page.index().delivery(number);
    let Some(kept) = kept else {
        let why = "the delivery is not kept any more\n";
        return (StatusCode::NOT_FOUND, why).into_response();
    };
    let text = match copy {
        Copy::Line => match api::line(&page, number) {
            Some(line) => format!("{line}\n"),
            None => String::new(),
        },
        Copy::Curl => command(&page, &kept, &asked),
        Copy::Body => String::from_utf8_lossy(&kept.request.body).into_owned(),
        Copy::Url => url(&kept, &asked),
    };
    page.text(text)
}

/// The address that was asked for, on the machine's address as this browser knows it.
fn url(kept: &Arrived, asked: &HeaderMap) -> String {
    // The guard lets no other name of this machine in.
    let host = asked.get(HOST).and_then(|host| host.to_str().ok());
    let host = host.unwrap_or("127.0.0.1");
    let request = &kept.request;
    let mark = if request.query.is_empty() { "" } else { "?" };
    format!("http://{host}{}{mark}{}", request.path, request.query)
}

/// The request as a command. Secrets are masked before the text is quoted: quotes would hide them from the veil.
fn command(page: &Page, kept: &Arrived, asked: &HeaderMap) -> String {
    let request = &kept.request;
    let source = source_of(page, kept);
    let headers = request.headers.iter().map(|(name, value)| {
        let value = String::from_utf8_lossy(value.as_bytes());
        let value = credential_hidden(source, name.as_str(), &value);
        (name.as_str().to_owned(), page.veiled(&value))
    });
    let headers: Vec<_> = headers.collect();
    let url = page.veiled(&url(kept, asked));
    let body = page.veiled_body(&request.body);
    curl::command(&request.method, &url, &headers, &body)
}
