//! From a Lambda event to an answer: the trigger's JSON in, the domain's protocol, one log line, a reply out.

mod log;
mod recorder;
mod request;
mod runtime;

use std::collections::BTreeMap;

use futures_util::future::{OptionFuture, join};
use hookwell::config;
use hookwell::ingest::key_cache::Sources;
use hookwell::ingest::{MAX_INLINE_BODY, Received, receive};
use hookwell::ports::clock::Clock;
use hookwell::ports::ledger::Ledger;
use hookwell::ports::queue::Queue;
use hookwell::source::Source;
use hookwell::source::reply::{Receipt, Reply};
use hookwell_aws::settings::{Environment, required};
use hookwell_aws::{Bucket, Connection, EventsTable, Idle, Limits, SqsQueue, stores};
use serde::Serialize;

use self::recorder::Recorder;
use crate::now::now;
use crate::settings::{self, sources_text};

/// Reasons for which the function cannot start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// A variable is missing, or the certificates cannot be read.
    #[error(transparent)]
    Connection(#[from] hookwell_aws::ConnectionError),
    /// A variable is missing.
    #[error(transparent)]
    NotSet(#[from] hookwell_aws::settings::NotSet),
    /// The sources file cannot be read.
    #[error("the sources file cannot be read: {0}")]
    File(std::io::Error),
    /// The sources file has mistakes; all of them, a line each.
    #[error("the sources file has mistakes:\n{0}")]
    Sources(String),
}

/// The ingest function with everything it needs.
#[derive(Debug)]
pub struct Ingest<L, Q> {
    sources: Sources,
    ledger: L,
    queue: Q,
    recorder: Option<Recorder>,
}

impl Ingest<EventsTable, SqsQueue> {
    /// The function as Lambda runs it, with the sources file `sources`: `HOOKWELL_EVENTS_TABLE` and `HOOKWELL_QUEUE_URL`
    /// name where to write, `HOOKWELL_SOURCES_FILE` may replace the sources, and `HOOKWELL_RECORD_REFUSED` may ask for a
    /// recording. Inside a runtime, because it opens a connection.
    ///
    /// # Errors
    /// When a setting is missing or the sources file has mistakes.
    pub async fn from_environment(
        env: Environment<'static>,
        sources: &str,
    ) -> Result<Self, StartError> {
        let connection = Connection::from_environment(env, Idle::INGEST)?;
        let bucket = Bucket::from_environment(env, &connection, Limits::INGEST_STORE);
        let recordings = Bucket::from_environment(env, &connection, Limits::INGEST_RECORD);
        let mut sources = config(env, sources)?;
        if bucket.is_none() {
            for source in &mut sources {
                source.max_body_bytes = source.max_body_bytes.min(MAX_INLINE_BODY);
            }
        }
        let ledger = EventsTable::new(
            connection.dynamodb(Limits::INGEST_PUT),
            required(env, "HOOKWELL_EVENTS_TABLE")?,
            None,
        );
        let queue_url = required(env, "HOOKWELL_QUEUE_URL")?;
        let sqs = connection.sqs(Limits::INGEST_SEND);
        let queue = SqsQueue::new(sqs, queue_url.clone(), bucket);
        // Opened beside the first question for work, and nobody waits for it: when the connection never opens, one
        // handshake is lost.
        let to_queue = connection.clone();
        tokio::spawn(async move { to_queue.open_sqs(&queue_url).await });
        let sources = Sources::fetched(sources, &stores::fetch(env, connection), now()).await;
        for (source, keys) in sources.iter() {
            if let Err(why) = &*keys {
                log::not_ready(&source.name, why);
            }
        }
        Ok(Self::new(sources, ledger, queue).recording(env, recordings))
    }
}

fn config(env: Environment<'_>, sources: &str) -> Result<Vec<Source>, StartError> {
    let text = sources_text(env, sources).map_err(StartError::File)?;
    config::parse(&text).map_err(|problems| StartError::Sources(settings::lines(&problems)))
}

impl<L: Ledger, Q: Queue> Ingest<L, Q> {
    /// The function over any ledger and queue.
    pub fn new(sources: Sources, ledger: L, queue: Q) -> Self {
        Self {
            sources: sources.telling(log::keys),
            ledger,
            queue,
            recorder: None,
        }
    }

    /// Records refused requests in this bucket as `HOOKWELL_RECORD_REFUSED` says: `SOURCE until TIME`. A value that cannot
    /// be read records nothing, and a line of the log says so.
    #[must_use]
    pub fn recording(self, env: Environment<'_>, bucket: Option<Bucket>) -> Self {
        let recorder = Recorder::from_environment(env, bucket, &self.sources, now());
        let recorder = recorder.unwrap_or_else(|problem| {
            tracing::warn!(problem, "HOOKWELL_RECORD_REFUSED records nothing");
            None
        });
        Self { recorder, ..self }
    }

    /// Answers one trigger event: a function URL's, an HTTP API's, a REST API's or a load balancer's, as JSON. `xray` is
    /// the trace header of the invocation.
    pub async fn respond(
        &self,
        event: &str,
        request_id: &str,
        xray: Option<&str>,
        clock: Clock<'_>,
    ) -> Response {
        let (received, multi_value_headers) = self.take(event, request_id, xray, clock).await;
        let response = Response::from(received.reply);
        if multi_value_headers {
            response.with_multi_value_headers()
        } else {
            response
        }
    }

    /// Receives the delivery of one trigger event, and logs what came of it.
    pub async fn receive(
        &self,
        event: &str,
        request_id: &str,
        xray: Option<&str>,
        clock: Clock<'_>,
    ) -> Received {
        self.take(event, request_id, xray, clock).await.0
    }

    /// Receives the delivery of one trigger event, and says whether its answer must have lists of headers.
    async fn take(
        &self,
        event: &str,
        request_id: &str,
        xray: Option<&str>,
        clock: Clock<'_>,
    ) -> (Received, bool) {
        let started = (clock.instant)();
        let read = request::read(event, request_id, xray);
        let received = match &read.delivery {
            Ok(delivery) => {
                // A renewal of the keys runs beside the delivery, which goes by the keys that are here, and the answer
                // waits for it: after the answer Lambda freezes the function. A fetch has less time (`Limits::KEYS`)
                // than the put and the send.
                let name = delivery.source.as_deref();
                let renewal = name.and_then(|name| self.sources.renewal(name, (clock.now)()));
                let received = receive(&self.sources, &self.ledger, &self.queue, delivery, clock);
                let received = join(received, OptionFuture::from(renewal)).await.0;
                if let Some(recorder) = &self.recorder {
                    let now = (clock.now)();
                    let recorded = recorder.record(&self.sources, delivery, &received, now);
                    // Boxed: otherwise the future of every delivery grows by its size.
                    Box::pin(recorded).await;
                }
                received
            }
            Err(why) => Received::refused(Receipt::BadRequest, Some(why.to_string())),
        };
        let took = (clock.instant)().saturating_duration_since(started);
        log::delivery(read.delivery.as_ref().ok(), &received, took);
        (received, read.multi_value_headers)
    }
}

/// The answer in the form that all four triggers understand.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Response {
    /// The status.
    pub status_code: u16,
    /// The headers.
    pub headers: BTreeMap<&'static str, String>,
    /// The headers again, as the lists that some load balancers take instead.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub multi_value_headers: Option<BTreeMap<&'static str, [String; 1]>>,
    /// The body, text.
    pub body: String,
    /// Always false.
    pub is_base64_encoded: bool,
}

impl From<Reply> for Response {
    fn from(reply: Reply) -> Self {
        let mut headers = BTreeMap::from([
            ("content-type", reply.content_type.into_owned()),
            // What is echoed to a sender must never run as a page.
            ("x-content-type-options", "nosniff".to_owned()),
        ]);
        let more = reply.headers.into_iter();
        headers.extend(more.map(|(name, value)| (name, value.into_owned())));
        Self {
            status_code: reply.status.as_u16(),
            headers,
            multi_value_headers: None,
            body: reply.body.into_owned(),
            is_base64_encoded: false,
        }
    }
}

impl Response {
    fn with_multi_value_headers(self) -> Self {
        let headers = self.headers.iter();
        let lists = headers.map(|(name, value)| (*name, [value.clone()]));
        Self {
            multi_value_headers: Some(lists.collect()),
            ..self
        }
    }
}
