//! From a batch of the queue to the list of what failed.
//!
//! The event source mapping MUST have `ReportBatchItemFailures` (template.yaml sets it): without it Lambda ignores
//! the list and deletes the whole batch.

mod known;
mod log;

use std::collections::BTreeSet;
use std::time::{Duration, SystemTime};

use self::known::Known;
use crate::now::{clock, millis, now};
use crate::settings::{lines, sources_text};
use aws_lambda_events::event::sqs::{BatchItemFailure, SqsBatchResponse, SqsEvent, SqsMessage};
use hookwell::config;
use hookwell::ports::handler::Handler;
use hookwell::ports::ledger::Ledger;
use hookwell::ports::queue::Queue;
use hookwell::process::{Invocation, Message, Processed, process};
use hookwell_aws::settings::{Environment, NotSet, required};
use hookwell_aws::{
    BoxError, Bucket, Connection, Context, Destinations, DocumentsTable, EventsTable, Idle, Limits,
    SqsQueue, stores,
};
use lambda_runtime::{Error, LambdaEvent, Runtime, service_fn};

/// The function's timeout in template.yaml.
const TIMEOUT: Duration = Duration::from_secs(30);

/// Reasons for which the function cannot start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// A variable is missing, or the certificates cannot be read.
    #[error(transparent)]
    Connection(#[from] hookwell_aws::ConnectionError),
    /// A variable is missing.
    #[error(transparent)]
    NotSet(#[from] NotSet),
    /// The sources file cannot be read.
    #[error("the sources file cannot be read: {0}")]
    File(std::io::Error),
    /// The sources file has mistakes.
    #[error("the sources file has mistakes:\n{0}")]
    Sources(String),
    /// The handler lacks something.
    #[error("the handler cannot start: {0}")]
    Handler(BoxError),
}

/// A batch that cannot be answered message by message.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a message of the batch has no id, so its failure could not be reported")]
pub struct NoMessageId;

/// The process function with everything it needs.
#[derive(Debug)]
pub struct Process<L, Q, H> {
    ledger: L,
    queue: Q,
    handler: H,
    /// The destinations of events; `None` without any.
    destinations: Option<Destinations>,
    /// The sources whose events it takes; all, where `None`.
    sources: Option<BTreeSet<String>>,
}

impl<H: Handler> Process<EventsTable, SqsQueue, H> {
    /// The function as Lambda runs it, for the events of the sources in the file `sources`, with the handler that
    /// `handler` makes of its context. `HOOKWELL_EVENTS_TABLE`, `HOOKWELL_DOCUMENTS_TABLE`, `HOOKWELL_QUEUE_URL` and
    /// `HOOKWELL_DEAD_LETTER_QUEUE_URL` name its tables and queues, and `HOOKWELL_SOURCES_FILE` may replace the
    /// sources.
    ///
    /// # Errors
    /// When a setting is missing, the sources file cannot be read, or the handler cannot be made.
    pub fn from_environment(
        env: Environment<'static>,
        sources: &str,
        handler: impl FnOnce(Context<'_>) -> Result<H, BoxError>,
    ) -> Result<Self, StartError> {
        let text = sources_text(env, sources).map_err(StartError::File)?;
        let sources =
            config::names(&text).map_err(|problem| StartError::Sources(problem.to_string()))?;
        let destinations =
            config::destinations(&text).map_err(|all| StartError::Sources(lines(&all)))?;
        let connection = Connection::from_environment(env, Idle::PROCESS)?;
        let tables = connection.dynamodb(Limits::PROCESS);
        let documents =
            DocumentsTable::new(tables.clone(), required(env, "HOOKWELL_DOCUMENTS_TABLE")?);
        let bucket = Bucket::from_environment(env, &connection, Limits::PROCESS);
        let events = required(env, "HOOKWELL_EVENTS_TABLE")?;
        let ledger = EventsTable::new(tables, events, bucket.clone());
        let queue = SqsQueue::new(
            connection.sqs(Limits::PROCESS),
            required(env, "HOOKWELL_QUEUE_URL")?,
            bucket,
        );
        let queue = queue.with_dead_letters(required(env, "HOOKWELL_DEAD_LETTER_QUEUE_URL")?);
        let context = Context::new(env, connection.clone(), documents);
        let handler = handler(context).map_err(StartError::Handler)?;
        let process = Self::new(ledger, queue, handler).of(sources);
        if destinations.is_empty() {
            return Ok(process);
        }
        let fetch = stores::fetch(env, connection.clone());
        Ok(process.telling(Destinations::new(destinations, connection, fetch)))
    }

    /// Answers invocations until Lambda ends the process.
    ///
    /// # Errors
    /// When the Lambda Runtime API cannot be reached.
    pub async fn run(&self) -> Result<(), Error> {
        let respond = |event: LambdaEvent<SqsEvent>| async move {
            let LambdaEvent { payload, context } = event;
            let deadline = context.deadline();
            let response = self.respond(payload, &context.request_id, deadline).await;
            response.map_err(Error::from)
        };
        Runtime::new(service_fn(respond)).run().await
    }
}

impl<L: Ledger, Q: Queue, H: Handler> Process<L, Q, H> {
    /// The function over any ledger, queue and handler, for the events of every source.
    pub fn new(ledger: L, queue: Q, handler: H) -> Self {
        Self {
            ledger,
            queue,
            handler,
            destinations: None,
            sources: None,
        }
    }

    /// Adds destinations, which are told of each event as well.
    #[must_use]
    pub fn telling(self, destinations: Destinations) -> Self {
        Self {
            destinations: Some(destinations),
            ..self
        }
    }

    /// Limits the function to the events of these sources.
    #[must_use]
    pub fn of(self, sources: BTreeSet<String>) -> Self {
        Self {
            sources: Some(sources),
            ..self
        }
    }

    /// Processes a batch and names the messages that must come back.
    ///
    /// # Errors
    /// When a message has no id: Lambda takes an empty id in the answer for the whole batch, so the whole batch fails
    /// visibly instead.
    pub async fn respond(
        &self,
        event: SqsEvent,
        request_id: &str,
        deadline: SystemTime,
    ) -> Result<SqsBatchResponse, NoMessageId> {
        let mut response = SqsBatchResponse::default();
        for done in self.process(event, request_id, deadline).await? {
            if done.fate.is_failure() {
                let mut failure = BatchItemFailure::default();
                failure.item_identifier = done.message.id;
                response.batch_item_failures.push(failure);
            }
        }
        Ok(response)
    }

    /// Processes a batch, and logs what came of each message.
    ///
    /// # Errors
    /// As [`Self::respond`].
    pub async fn process(
        &self,
        event: SqsEvent,
        request_id: &str,
        deadline: SystemTime,
    ) -> Result<Vec<Processed>, NoMessageId> {
        let batch = event
            .records
            .into_iter()
            .map(message)
            .collect::<Result<Vec<_>, _>>()?;
        // No invocation arrives after its own deadline; `cargo lambda watch` gives ten minutes after 1970.
        let started = SystemTime::now();
        let left = deadline.duration_since(started).unwrap_or(TIMEOUT);
        let invocation = Invocation {
            id: request_id,
            deadline: now().saturating_add(millis(left)),
        };
        let sources = self.sources.as_ref();
        let known = Known {
            handler: &self.handler,
            destinations: self.destinations.as_ref(),
            sources,
        };
        let destinations = self
            .destinations
            .as_ref()
            .map_or(&[][..], Destinations::all);
        let (ledger, queue) = (&self.ledger, &self.queue);
        let clock = clock();
        let processed = process(
            ledger,
            queue,
            &known,
            destinations,
            batch,
            invocation,
            clock,
        );
        let processed = processed.await;
        for done in &processed {
            log::message(done, sources, destinations);
        }
        Ok(processed)
    }
}

fn message(record: SqsMessage) -> Result<Message, NoMessageId> {
    let id = record
        .message_id
        .filter(|id| !id.is_empty())
        .ok_or(NoMessageId)?;
    let count = record.attributes.get("ApproximateReceiveCount");
    Ok(Message {
        id,
        receipt: record.receipt_handle.unwrap_or_default(),
        receive_count: count.and_then(|count| count.parse().ok()).unwrap_or(1),
        body: record.body.unwrap_or_default(),
    })
}
