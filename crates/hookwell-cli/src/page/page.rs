//! The page of the local machine, or of an account's tables: what arrived, what became of it, and what to do about it.
//!
//! Server-made HTML; one small script keeps the open view current. Views are made from the `index`, never from a
//! whole table. `guard` keeps other machines and other pages out, `veil` keeps secrets in.

mod account;
mod charts;
mod deliveries;
mod delivery;
mod documents;
mod effects;
mod event;
mod fill;
mod filter;
mod guard;
mod index;
mod layout;
mod letters;
mod pretty;
mod recorder;
mod row;
mod send;
mod veil;

use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard};

pub use account::Account;
use axum::Router;
use axum::http::HeaderMap;
use axum::response::{IntoResponse as _, Response};
use axum::routing::{get, post};
use hookwell::source::Source;
use hookwell_aws::admin::{Admin, AdminError};
use hookwell_aws::dead_letters::DeadLetters;
use hookwell_aws::{Bucket, Connection, Limits, SqsQueue};
use http::StatusCode;
use http::header::CONTENT_TYPE;
use maud::{Markup, html};
pub(crate) use recorder::{Arrived, Recorder, Records};
use tokio::sync::Mutex;

use self::index::Index;
use self::veil::Veil;
use crate::local::{Front, Senders};

/// The tables and the queue that a page is over.
#[derive(Debug, Clone)]
pub struct Stack {
    /// How to reach them.
    pub connection: Connection,
    /// The table of events.
    pub events_table: String,
    /// The table of documents.
    pub documents_table: String,
    /// The queue.
    pub queue_url: String,
    /// The bucket for large events, where there is one.
    pub bucket: Option<String>,
}

/// What the views are made from.
pub(crate) struct Page {
    index: RwLock<Index>,
    recorder: Recorder,
    /// Who takes deliveries and tells of them; nobody does over an account, whose tables are all that there is to see.
    front: Option<Arc<Front>>,
    /// None are known over an account.
    senders: Senders,
    veil: Veil,
    admin: Admin,
    stack: Stack,
    /// One look into the dead-letter queue at a time: it hides the letters from every other.
    looking: Mutex<()>,
    started_at: i64,
}

impl Page {
    pub(crate) fn new(
        front: Option<Arc<Front>>,
        recorder: Recorder,
        senders: Senders,
        stack: Stack,
    ) -> Self {
        Self {
            index: RwLock::new(Index::new()),
            recorder,
            front,
            veil: Veil::new(&senders),
            senders,
            admin: Admin::new(&stack.connection),
            stack,
            looking: Mutex::new(()),
            started_at: ingest::now(),
        }
    }

    /// Takes in what the machine tells, for as long as it does.
    pub(crate) async fn listen(&self, mut records: Records) {
        while let Some(seen) = records.recv().await {
            self.index
                .write()
                .unwrap_or_else(PoisonError::into_inner)
                .take_in(seen);
        }
    }

    /// Reads the tables: once beside a machine, which tells the rest by itself; over an account for as long as it runs.
    pub(crate) async fn fill(&self) {
        fill::fill(self).await;
    }

    fn index(&self) -> RwLockReadGuard<'_, Index> {
        self.index.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn source(&self, name: &str) -> Option<&Source> {
        let mut sources = self.senders.sources.iter();
        sources.find(|source| source.name == name)
    }

    /// Whether it is over a machine that takes deliveries.
    fn is_machine(&self) -> bool {
        self.front.is_some()
    }

    fn bucket(&self) -> Option<Bucket> {
        let name = self.stack.bucket.clone()?;
        Some(Bucket::new(
            self.stack.connection.clone(),
            name,
            Limits::TOOL,
        ))
    }

    fn queue(&self) -> SqsQueue {
        let client = self.stack.connection.sqs(Limits::TOOL);
        SqsQueue::new(client, self.stack.queue_url.clone(), self.bucket())
    }

    async fn dead_letters(&self) -> Result<DeadLetters, AdminError> {
        let Stack {
            connection,
            queue_url,
            ..
        } = &self.stack;
        DeadLetters::of(connection, queue_url, self.bucket()).await
    }

    /// A page, without secrets: here, once, for everything that anybody wrote into it.
    fn html(&self, status: StatusCode, content: Markup) -> Response {
        let kind = [(CONTENT_TYPE, "text/html; charset=utf-8")];
        let text = self.veil.hide(content.into_string());
        (status, kind, text).into_response()
    }

    /// A view that the script keeps current: to the script only its changing part, and only when it changed.
    fn live(
        &self,
        headers: &HeaderMap,
        revision: &str,
        part: impl FnOnce() -> Markup,
        whole: impl FnOnce(Markup) -> Markup,
    ) -> Response {
        let Some(known) = headers.get("x-known") else {
            let part = html! { div #live data-revision=(revision) { (part()) } };
            return self.html(StatusCode::OK, whole(part));
        };
        if known == revision {
            return StatusCode::NO_CONTENT.into_response();
        }
        let mut response = self.html(StatusCode::OK, part());
        if let Ok(revision) = revision.parse() {
            response.headers_mut().insert("x-revision", revision);
        }
        response
    }

    /// What the script compares to know whether its view is current.
    fn revision(&self, of: impl std::fmt::Display) -> String {
        format!("{}-{of}", self.started_at)
    }
}

/// Who presses the buttons and gives the commands, as the records of events name them.
#[must_use]
pub fn user() -> String {
    std::env::var("USER").unwrap_or_else(|_| "unknown".to_owned())
}

/// The routes of the page.
pub(crate) fn router(page: Arc<Page>) -> Router {
    let file = |kind: &'static str, text: &'static str| {
        get(move || async move { ([(CONTENT_TYPE, kind)], text) })
    };
    let mut router = Router::new();
    if page.is_machine() {
        router = router
            .route("/deliveries/{number}", get(delivery::view))
            .route("/deliveries/{number}/again", post(send::again))
            .route("/send", get(send::view).post(send::sample));
    }
    router
        .route("/", get(deliveries::view))
        .route("/event", get(event::view))
        .route("/event/replay", post(event::replay))
        .route("/documents", get(documents::list))
        .route("/document", get(documents::view))
        .route("/dead-letters", get(letters::list))
        .route("/dead-letters/redrive", post(letters::redrive))
        .route("/page.css", file("text/css", include_str!("page.css")))
        .route("/page.js", file("text/javascript", include_str!("page.js")))
        .route("/page.svg", file("image/svg+xml", include_str!("page.svg")))
        .route_layer(axum::middleware::from_fn(guard::guard))
        .with_state(page)
}
