//! Amazon SQS on this machine: its JSON protocol over HTTP, with queues and messages in `SQLite`.
//!
//! Standard queues only. Limits, defaults and error codes are those of the "Amazon SQS API
//! Reference" and the Developer Guide; the page is named where it matters. `SQLite` also reads and
//! writes the JSON: most operations are one statement with a request or a reply in it.

use std::path::Path;
use std::pin::pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use axum::Router;
use axum::body::Bytes;
use axum::extract::{DefaultBodyLimit, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::middleware::from_fn;
use axum::response::{IntoResponse, Response};
use rusqlite::Connection;
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::sync::Notify;
use tokio::time;

use self::call::Call;
use self::fault::{Outcome, fault};
use self::message::MAX_BYTES;
use self::request::text;
use crate::guard;

mod attribute;
mod call;
mod fault;
mod message;
mod move_task;
mod queue;
mod request;

/// Times are milliseconds since 1970. A queue's secret is part of its receipt handles, so that a
/// handle from elsewhere is recognised although the issued ones are not stored. `origin` is the
/// queue that a dead letter comes from. Bodies are last, so that counting does not read them.
const SCHEMA: &str = "
    PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL; PRAGMA foreign_keys = ON;
    CREATE TABLE IF NOT EXISTS queue (
        name TEXT PRIMARY KEY, arn TEXT AS ('arn:aws:sqs:us-east-1:000000000000:' || name),
        secret TEXT NOT NULL DEFAULT (lower(hex(randomblob(16)))), attributes TEXT NOT NULL,
        dead_letter_arn TEXT AS (attributes ->> 'RedrivePolicy' ->> 'deadLetterTargetArn'),
        max_receives INTEGER AS (attributes ->> 'RedrivePolicy' ->> 'maxReceiveCount'));
    CREATE TABLE IF NOT EXISTS message (
        seq INTEGER PRIMARY KEY, id TEXT NOT NULL UNIQUE DEFAULT (lower(hex(randomblob(16)))),
        queue TEXT NOT NULL REFERENCES queue ON DELETE CASCADE, origin TEXT, sent INTEGER NOT NULL,
        visible_at INTEGER NOT NULL, received INTEGER NOT NULL DEFAULT 0, first_received INTEGER,
        message_group TEXT, trace TEXT, attributes TEXT NOT NULL, body TEXT NOT NULL);
    CREATE INDEX IF NOT EXISTS message_by_visibility ON message (queue, visible_at);
    CREATE INDEX IF NOT EXISTS message_by_receives ON message (queue, received);
    CREATE INDEX IF NOT EXISTS message_by_age ON message (queue, sent);
    CREATE TABLE IF NOT EXISTS move_task (
        seq INTEGER PRIMARY KEY, handle TEXT UNIQUE DEFAULT (lower(hex(randomblob(16)))),
        source TEXT NOT NULL REFERENCES queue ON DELETE CASCADE, destination TEXT, rate INTEGER,
        started INTEGER NOT NULL, next_at INTEGER NOT NULL, to_move INTEGER NOT NULL,
        moved INTEGER NOT NULL DEFAULT 0, status TEXT NOT NULL DEFAULT 'RUNNING', failure TEXT);";

/// The queues of one account in one region; clones share them.
#[derive(Debug, Clone)]
pub struct Sqs {
    db: Arc<Mutex<Connection>>,
    changed: Arc<Notify>,
    closing: Arc<AtomicBool>,
}

impl Sqs {
    /// Opens the queues, in memory or in a `SQLite` file that keeps messages over restarts.
    ///
    /// # Errors
    /// The file cannot be opened or is not a `SQLite` database.
    pub fn open(path: Option<&Path>) -> anyhow::Result<Self> {
        let db = path.map_or_else(Connection::open_in_memory, Connection::open)?;
        db.execute_batch(SCHEMA)?;
        let (db, changed, closing) = (Arc::new(Mutex::new(db)), Arc::default(), Arc::default());
        Ok(Self {
            db,
            changed,
            closing,
        })
    }

    /// Serves the SQS JSON protocol on `listener` to the programs of this machine until `shutdown` resolves; receives that still
    /// wait for a message are then answered without one.
    ///
    /// # Errors
    /// The listener fails.
    pub async fn serve(
        mut self,
        listener: TcpListener,
        shutdown: impl Future<Output = ()> + Send + 'static,
    ) -> anyhow::Result<()> {
        self.closing = Arc::default(); // a clone that was served before may have closed
        let mover = tokio::spawn(self.clone().run_move_tasks());
        let limit = DefaultBodyLimit::max(8 * MAX_BYTES); // JSON may take six bytes a character
        let app = Router::new()
            .fallback(answer)
            .layer(limit)
            .layer(from_fn(guard::local_only))
            .with_state(self.clone());
        let closed = async move {
            shutdown.await;
            self.closing.store(true, Ordering::SeqCst);
            self.changed.notify_waiters();
        };
        let served = axum::serve(listener, app)
            .with_graceful_shutdown(closed)
            .await;
        mover.abort();
        Ok(served?)
    }

    async fn perform(&self, headers: &HeaderMap, body: &[u8]) -> Outcome<Value> {
        let header = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
        let host = header("host").unwrap_or("localhost");
        let request = serde_json::from_slice(body)
            .map_err(|error| fault("SerializationException", error.to_string()))?;
        match header("x-amz-target").and_then(|target| target.strip_prefix("AmazonSQS.")) {
            Some("ReceiveMessage") => self.receive(&request).await,
            Some(operation) => self.transact(host, |call| call.perform(operation, &request)),
            None => Err(fault(
                "InvalidAction",
                "only the JSON protocol of SQS is emulated",
            )),
        }
    }

    /// Looks again after each change and when a message becomes visible, until the wait is over.
    async fn receive(&self, request: &Value) -> Outcome<Value> {
        let started = now();
        loop {
            let mut changed = pin!(self.changed.notified());
            changed.as_mut().enable(); // before looking, so that nothing is missed in between
            let found = self.transact("", |call| call.receive_message(request))?;
            let deadline = started + found.wait;
            let closing = self.closing.load(Ordering::SeqCst);
            if !found.messages.is_empty() || closing || now() >= deadline {
                return Ok(json!({ "Messages": found.messages }));
            }
            let until = found
                .next_visible
                .map_or(deadline, |next| next.min(deadline));
            let _woken = time::timeout(pause_until(until), changed).await;
        }
    }

    /// Moves one message at a time, for all running move tasks, also those of an earlier run.
    async fn run_move_tasks(self) {
        loop {
            let mut changed = pin!(self.changed.notified());
            changed.as_mut().enable();
            match self.transact("", move_task::move_next_message) {
                Ok(Some(next_at)) => time::sleep(pause_until(next_at)).await,
                Ok(None) | Err(_) => changed.await,
            }
        }
    }

    /// Runs `work` in a transaction, which a fault undoes, and tells those who wait of changes.
    fn transact<T>(&self, host: &str, work: impl FnOnce(&Call) -> Outcome<T>) -> Outcome<T> {
        let mut db = self.db.lock().unwrap_or_else(PoisonError::into_inner);
        let changes = db.total_changes();
        let transaction = db.transaction()?;
        let call = Call {
            db: &transaction,
            host,
            now: now(),
        };
        let done = work(&call)?;
        transaction.commit()?;
        if db.total_changes() > changes {
            self.changed.notify_waiters();
        }
        Ok(done)
    }
}

async fn answer(State(sqs): State<Sqs>, headers: HeaderMap, body: Bytes) -> Response {
    let json = [(header::CONTENT_TYPE, "application/x-amz-json-1.0")];
    match sqs.perform(&headers, &body).await {
        Ok(reply) => (json, reply.to_string()).into_response(),
        Err(fault) => {
            let (status, whose) = if fault.is_internal() {
                (StatusCode::INTERNAL_SERVER_ERROR, "Receiver")
            } else {
                (StatusCode::BAD_REQUEST, "Sender")
            };
            let code = [("x-amzn-query-error", format!("{};{whose}", fault.code))];
            let shape = format!("com.amazonaws.sqs#{}", fault.shape());
            let body = json!({ "__type": shape, "message": fault.message });
            (status, json, code, body.to_string()).into_response()
        }
    }
}

fn now() -> i64 {
    let elapsed = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default();
    i64::try_from(elapsed.as_millis()).unwrap_or(i64::MAX)
}

fn pause_until(time: i64) -> Duration {
    Duration::from_millis(u64::try_from(time - now()).unwrap_or_default())
}

impl Call<'_> {
    fn perform(&self, operation: &str, request: &Value) -> Outcome<Value> {
        let queue = || self.queue(text(request, "QueueUrl")?);
        match operation {
            "CreateQueue" => self.create_queue(request),
            "GetQueueUrl" => self.get_queue_url(request),
            "ListQueues" => self.list_queues(request),
            "DeleteQueue" => self.delete_queue(&queue()?),
            "GetQueueAttributes" => self.get_queue_attributes(&queue()?, request),
            "SetQueueAttributes" => self.set_queue_attributes(queue()?, request),
            "PurgeQueue" => self.purge_queue(&queue()?),
            "ListDeadLetterSourceQueues" => self.list_dead_letter_source_queues(&queue()?),
            "SendMessage" => self.send_message(&queue()?, request),
            "SendMessageBatch" => self.batch(&queue()?, request, Self::send_message),
            "DeleteMessage" => self.delete_message(&queue()?, request),
            "DeleteMessageBatch" => self.batch(&queue()?, request, Self::delete_message),
            "ChangeMessageVisibility" => self.change_visibility(&queue()?, request),
            "ChangeMessageVisibilityBatch" => {
                self.batch(&queue()?, request, Self::change_visibility)
            }
            "StartMessageMoveTask" => self.start_message_move_task(request),
            "ListMessageMoveTasks" => self.list_message_move_tasks(request),
            "CancelMessageMoveTask" => self.cancel_message_move_task(request),
            _ => Err(fault(
                "UnsupportedOperation",
                format!("{operation} is not emulated"),
            )),
        }
    }
}
