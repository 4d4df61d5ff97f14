//! Sending from the page: a sample of a source, a forged one, a body of one's own, or a delivery again. Each goes the
//! way of every request.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::Arc;

use anyhow::{Context as _, Result, bail};
use axum::extract::{Path, State};
use axum::response::{IntoResponse as _, Redirect, Response};
use hookwell::event::Operation;
use hookwell::sender::samples;
use hookwell::source::Source;
use hookwell_lambda::now::now;
use hookwell_sandbox::sender::{Draft, Signed};
use hookwell_sandbox::trigger::HttpRequest;
use http::StatusCode;
use maud::{Markup, html};

use super::kept::delivery;
use super::layout::{SEND, frame};
use super::shared::Page;
use crate::sender::signed;

/// An address of nobody (RFC 5737), for a source that knows its sender by the address alone.
const STRANGER: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(203, 0, 113, 7));

/// Buttons of the form: value and label.
const BUTTONS: [(&str, &str); 4] = [
    ("create", "Create"),
    ("update", "Update"),
    ("delete", "Delete"),
    ("forged", "Forged"),
];

pub(super) async fn view(State(page): State<Arc<Page>>) -> Response {
    show(&page, StatusCode::OK, None)
}

fn show(page: &Page, code: StatusCode, problem: Option<&str>) -> Response {
    let sources = &page.senders.sources;
    let content = html! {
        h1.unseen { "Send" }
        @if let Some(problem) = problem { p.problem role="alert" { (problem) } }
        p.found { "Signed as their senders sign, about document " code { "sample-1" } ". A forged one is changed after it was signed." }
        table.list.senders {
            thead { tr { th { "Source" } th { "Address" } th { "Send a sample" } } }
            tbody { @for source in sources { (line(page, source)) } }
        }
        @if sources.iter().any(|source| !types(source).is_empty()) {
            h2 { "An event in its sender's own shape" }
            form.own method="post" action="/send" {
                (page.token.field())
                label { span { "Event" } select name="event" {
                    @for source in sources {
                        optgroup label=(source.name) {
                            @for kind in types(source) { option value={ (source.name) "/" (kind) } { (kind) } }
                        }
                    }
                } }
                button name="what" value="shaped" { "Send in its shape" }
            }
        }
        h2 { "A body of your own" }
        form.own method="post" action="/send" {
            (page.token.field())
            label { span { "Source" } select name="source" { @for source in sources { option value=(source.name) { (source.name) } } } }
            label { span { "Body" } textarea name="body" rows="8" spellcheck="false" required {} }
            button name="what" value="own" { "Sign and send" }
        }
    };
    page.html(code, frame(page, "Send", SEND, &content))
}

/// Types of the events of a source that there is a sample of in its sender's own shape.
fn types(source: &Source) -> Vec<String> {
    source
        .preset
        .as_deref()
        .map(samples::types)
        .unwrap_or_default()
}

fn line(page: &Page, source: &Source) -> Markup {
    html! {
        tr {
            td.source { (source.name) }
            td.address { code { "/webhooks/" (source.name) } }
            td.do {
                form method="post" action="/send" {
                    (page.token.field())
                    input type="hidden" name="source" value=(source.name);
                    @for (value, name) in BUTTONS {
                        button name="what" value=(value) aria-label={ (name) " " (source.name) } { (name) }
                    }
                }
            }
        }
    }
}

/// Sends what the form asks for, and shows the delivery.
pub(super) async fn sample(State(page): State<Arc<Page>>, form: String) -> Response {
    let fields: BTreeMap<_, _> = form_urlencoded::parse(form.as_bytes()).collect();
    let field = |name: &str| fields.get(name).map_or("", |value| &**value);
    let (name, kind) = match field("event").split_once('/') {
        Some((name, kind)) => (name, Some(kind)),
        None => (field("source"), None),
    };
    let request = page
        .source(name)
        .context("there is no such source")
        .and_then(|source| match kind {
            Some(kind) => page.shaped(source, kind),
            None => page.request(source, field("what"), field("body")),
        });
    answer(&page, request).await
}

/// Sends a delivery again as its sender would: the same body, signed now.
pub(super) async fn again(State(page): State<Arc<Page>>, Path(number): Path<u64>) -> Response {
    let request = page.signed_anew(number);
    answer(&page, request).await
}

async fn answer(page: &Page, request: Result<HttpRequest>) -> Response {
    let front = page.front.as_ref().context("nothing here takes deliveries");
    match front.and_then(|front| Ok((front, request?))) {
        Ok((front, request)) => {
            let (number, _) = front.deliver(request).await;
            page.recorder.caught_up().await;
            Redirect::to(&format!("/deliveries/{number}")).into_response()
        }
        Err(why) => {
            let problem = format!("Nothing was sent: {why:#}");
            show(page, StatusCode::UNPROCESSABLE_ENTITY, Some(&problem))
        }
    }
}

impl Page {
    /// An event of this type in its sender's own shape.
    fn shaped(&self, source: &Source, kind: &str) -> Result<HttpRequest> {
        let draft = Draft::of_type(source, kind, now())?;
        signed(source, &self.senders.secrets, draft, now())?.to_http()
    }

    /// The request of a delivery that is kept, signed now.
    pub(super) fn signed_anew(&self, number: u64) -> Result<HttpRequest> {
        let kept = self.index().delivery(number);
        let kept = kept.context("the delivery is not kept any more")?;
        let delivery = delivery(&kept);
        let name = delivery.source.as_deref();
        let source = name.and_then(|name| self.source(name));
        let source = source.context("there is no such source")?;
        signed(source, &self.senders.secrets, Draft::of(&delivery), now())?.to_http()
    }

    fn request(&self, source: &Source, what: &str, body: &str) -> Result<HttpRequest> {
        let now = now();
        let operation = match what {
            "create" | "forged" | "own" => Operation::Create,
            "update" => Operation::Update,
            "delete" => Operation::Delete,
            _ => bail!("there is no such button"),
        };
        let mut draft = Draft::sample(source, operation, now)?;
        if what == "own" {
            // A browser ends the lines of a form with CR LF.
            draft.set_body(body.replace("\r\n", "\n").into_bytes());
        }
        let signed = signed(source, &self.senders.secrets, draft, now)?;
        if what != "forged" {
            return signed.to_http();
        }
        let mut request = signed.to_http()?;
        if source.is_unsigned() {
            request.source_ip = STRANGER;
        } else {
            request.body = forged(&signed);
        }
        Ok(request)
    }
}

/// A changed body: another name, or one byte more where the body has no name.
fn forged(signed: &Signed) -> Vec<u8> {
    let text = String::from_utf8_lossy(&signed.body);
    let other = text.replace("Sample at", "Forged at");
    if other.as_bytes() != signed.body {
        return other.into_bytes();
    }
    let mut body = signed.body.clone();
    body.push(b' ');
    body
}
