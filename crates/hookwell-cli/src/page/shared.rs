//! State that all views share: the index behind them, and the connection to tables and queue.

use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard};
use std::time::Duration;

use anyhow::Result;
use axum::http::HeaderMap;
use axum::response::{IntoResponse as _, Response};
use hookwell::source::Source;
use hookwell_aws::tools::admin::Admin;
use hookwell_aws::tools::dead_letters::DeadLetters;
use hookwell_aws::tools::follow::Follow;
use hookwell_aws::{Bucket, Connection, Limits, SqsQueue};
use hookwell_lambda::now::now;
use http::StatusCode;
use http::header::CONTENT_TYPE;
use maud::{Markup, html};
use serde_json::Value;
use tokio::sync::Mutex;

use super::entry::Entry;
use super::index::Index;
use super::letter_count::LetterCount;
use super::token::Token;
use super::veil::Veil;
use crate::front::Front;
use crate::news::{Recorder, Records};
use crate::sender::Senders;

/// The tables and the queue that a page is over.
#[derive(Debug, Clone)]
pub(crate) struct Stack {
    /// Connection to tables and queue.
    pub(crate) connection: Connection,
    /// The table of events.
    pub(crate) events_table: String,
    /// The table of documents.
    pub(crate) documents_table: String,
    /// The queue.
    pub(crate) queue_url: String,
    /// The queue's dead-letter queue.
    pub(crate) dead_letter_queue_url: String,
    /// The bucket for large events, where there is one.
    pub(crate) bucket: Option<String>,
}

/// State behind the views.
pub(crate) struct Page {
    index: RwLock<Index>,
    pub(super) recorder: Recorder,
    /// The front that takes deliveries and reports them; `None` over an account, whose tables show all that is known.
    pub(super) front: Option<Arc<Front>>,
    /// Sources and secrets of the machine; none over an account.
    pub(super) senders: Senders,
    veil: Veil,
    pub(super) admin: Admin,
    pub(super) stack: Stack,
    /// Number of dead letters.
    pub(super) letters: Arc<LetterCount>,
    /// Lock for one look into the dead-letter queue at a time: a look hides the letters from every other.
    pub(super) looking: Mutex<()>,
    pub(super) started_at: i64,
    /// Records of an account as they change; `None` before the first look.
    pub(super) follow: Mutex<Option<Follow>>,
    /// Token that every form carries; nothing changes without it.
    pub(super) token: Token,
    /// Secret of a page over an account; `None` on a machine, whose page everybody on this computer may see.
    pub(super) entry: Option<Entry>,
}

impl Page {
    /// A page that nobody has opened yet.
    ///
    /// # Errors
    /// When the system has no random numbers.
    pub(crate) fn new(
        front: Option<Arc<Front>>,
        recorder: Recorder,
        senders: Senders,
        stack: Stack,
        entry: Option<Entry>,
    ) -> Result<Self> {
        let admin = Admin::new(&stack.connection);
        // An account's queue costs something for each question.
        let pause = Duration::from_secs(if front.is_some() { 1 } else { 10 });
        let url = stack.dead_letter_queue_url.clone();
        Ok(Self {
            index: RwLock::new(Index::new()),
            recorder,
            front,
            veil: Veil::new(&senders),
            senders,
            letters: LetterCount::new(admin.clone(), url, pause),
            admin,
            stack,
            looking: Mutex::new(()),
            started_at: now(),
            follow: Mutex::default(),
            token: Token::new()?,
            entry,
        })
    }

    /// Takes in the reports of the machine, for as long as there are any.
    pub(crate) async fn listen(&self, mut records: Records) {
        while let Some(seen) = records.recv().await {
            self.index
                .write()
                .unwrap_or_else(PoisonError::into_inner)
                .take_in(seen);
        }
    }

    pub(super) fn index(&self) -> RwLockReadGuard<'_, Index> {
        self.index.read().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn source(&self, name: &str) -> Option<&Source> {
        let mut sources = self.senders.sources.iter();
        sources.find(|source| source.name == name)
    }

    /// True over a machine that takes deliveries.
    pub(super) fn is_machine(&self) -> bool {
        self.front.is_some()
    }

    pub(super) fn bucket(&self) -> Option<Bucket> {
        let name = self.stack.bucket.clone()?;
        Some(Bucket::new(
            self.stack.connection.clone(),
            name,
            Limits::TOOL,
        ))
    }

    pub(super) fn queue(&self) -> SqsQueue {
        let client = self.stack.connection.sqs(Limits::TOOL);
        SqsQueue::new(client, self.stack.queue_url.clone(), self.bucket())
    }

    pub(super) fn dead_letters(&self) -> DeadLetters {
        let Stack {
            connection,
            queue_url,
            dead_letter_queue_url,
            ..
        } = &self.stack;
        let letters = DeadLetters::new(connection, queue_url, dead_letter_queue_url, self.bucket());
        if self.is_machine() {
            letters.of_this_machine()
        } else {
            letters
        }
    }

    /// A page with every secret masked, whoever wrote the text that holds one.
    pub(super) fn html(&self, status: StatusCode, content: Markup) -> Response {
        let kind = [(CONTENT_TYPE, "text/html; charset=utf-8")];
        let text = self.veil.hide(content.into_string());
        (status, kind, text).into_response()
    }

    /// JSON for another command, without secrets.
    pub(super) fn json(&self, json: &Value) -> Response {
        let kind = [(CONTENT_TYPE, "application/json")];
        (kind, self.veil.hide(json.to_string())).into_response()
    }

    /// A plain text, without secrets.
    pub(super) fn text(&self, text: String) -> Response {
        let kind = [(CONTENT_TYPE, "text/plain; charset=utf-8")];
        (kind, self.veil.hide(text)).into_response()
    }

    /// A body without secrets, and otherwise byte for byte.
    pub(super) fn veiled_body(&self, body: &[u8]) -> Vec<u8> {
        let text = String::from_utf8_lossy(body);
        let veiled = self.veiled(&text);
        if veiled == text {
            body.to_vec()
        } else {
            veiled.into_bytes()
        }
    }

    /// A text of a sender without secrets.
    pub(super) fn veiled(&self, text: &str) -> String {
        self.veil.hide(text.to_owned())
    }

    /// A view that the script keeps current: to the script only its changing part, and only when it changed.
    pub(super) fn live(
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
        let mut response = if known == revision {
            StatusCode::NO_CONTENT.into_response()
        } else {
            self.html(StatusCode::OK, part())
        };
        if let Ok(letters) = self.letters.shown().parse() {
            response.headers_mut().insert("x-dead-letters", letters);
        }
        if let Ok(revision) = revision.parse() {
            response.headers_mut().insert("x-revision", revision);
        }
        response
    }

    /// Revision of a view; the script compares it to know whether its view is current.
    pub(super) fn revision(&self, of: impl std::fmt::Display) -> String {
        format!("{}-{of}", self.started_at)
    }
}
