//! The two functions with their triggers: the front before ingest, the event source mapping before process.

use std::collections::HashSet;
use std::future::ready;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, SystemTime};

use anyhow::{Result, anyhow};
use aws_lambda_events::event::sqs::SqsEvent;
use hookwell::ingest::key_cache::{Fetch, Sources};
use hookwell::ports::handler::Handler;
use hookwell_aws::settings::process_environment;
use hookwell_aws::tools::mapping::EventSourceMapping;
use hookwell_aws::{
    BoxError, Bucket, Connection, Context, Destinations, EventsTable, Limits, SqsQueue,
};
use hookwell_lambda::ingest::Ingest;
use hookwell_lambda::now::now;
use hookwell_lambda::process::Process;
use hookwell_local::mapping;
use hookwell_local::port::{bind, url};
use hookwell_local::storage::{Endpoints, when_true};
use serde::{Deserialize, Serialize};
use tokio::sync::watch;
use tokio::task::JoinSet;

use crate::front::{self, Front};
use crate::news::Recorder;
use crate::page::{Page, Stack, fill, routes};
use crate::sender::Senders;

/// The timeout of process, as in template.yaml.
const TIMEOUT: Duration = Duration::from_secs(30);

type LocalProcess<H> = Process<EventsTable, SqsQueue, H>;

/// Description of a running machine; also the first line of `hookwell dev --json`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Machine {
    /// The front; a source is at `/webhooks/NAME` below it.
    pub url: String,
    /// Tables and queues of the machine.
    #[serde(flatten)]
    pub endpoints: Endpoints,
}

/// The functions with their triggers, which run until they are stopped.
#[derive(Debug)]
pub struct Functions {
    /// The machine on which the functions run.
    pub machine: Machine,
    front: Arc<Front>,
    stop: watch::Sender<bool>,
    work: JoinSet<()>,
}

impl Functions {
    /// Starts front and pollers over the given tables and queues.
    ///
    /// # Errors
    /// When the port is taken, the handler cannot be made, or the system has no random numbers.
    pub async fn start<H: Handler + 'static>(
        port: u16,
        senders: Senders,
        endpoints: &Endpoints,
        handler: impl FnOnce(Context<'_>) -> Result<H, BoxError>,
    ) -> Result<Self> {
        let listener = bind(port).await?;
        let machine = Machine {
            url: url(&listener)?,
            endpoints: endpoints.clone(),
        };
        let connection = endpoints.connection()?;
        let ingest = ingest(&connection, endpoints, &senders);
        let process = Arc::new(process(&connection, endpoints, &senders, handler)?);
        let (stop, stopped) = watch::channel(false);
        let mut work = JoinSet::new();
        let (recorder, records) = Recorder::new();
        let (teller, invocations) = (recorder.clone(), Arc::new(AtomicU64::new(1)));
        let invoke = move |event| {
            let number = invocations.fetch_add(1, Ordering::Relaxed);
            invoke(process.clone(), teller.clone(), number, event)
        };
        let queue = connection.sqs(Limits::TOOL);
        let queue = EventSourceMapping::new(queue, endpoints.queue_url.clone());
        mapping::start(&mut work, &queue, &invoke, &stopped);
        let front = Arc::new(Front::new(ingest, recorder.clone()));
        let stack = Stack {
            connection,
            events_table: endpoints.events_table.clone(),
            documents_table: endpoints.documents_table.clone(),
            queue_url: endpoints.queue_url.clone(),
            dead_letter_queue_url: endpoints.dead_letter_queue_url.clone(),
            bucket: Some(endpoints.bucket.clone()),
        };
        let page = Page::new(Some(front.clone()), recorder, senders, stack, None)?;
        let page = Arc::new(page);
        let router = front::router(front.clone(), routes::router(page.clone()), machine.clone());
        let until = when_true(stopped.clone());
        work.spawn(async move {
            tokio::select! {
                ((), ()) = async { tokio::join!(page.listen(records), fill(&page)) } => {}
                () = until => {}
            }
        });
        let service = router.into_make_service_with_connect_info::<SocketAddr>();
        work.spawn(async move {
            let until = when_true(stopped);
            if let Err(reason) = axum::serve(listener, service)
                .with_graceful_shutdown(until)
                .await
            {
                tracing::error!(%reason, "the front stopped");
            }
        });
        Ok(Self {
            machine,
            front,
            stop,
            work,
        })
    }

    /// Takes no more requests and finishes the deliveries and batches at hand.
    pub async fn stop(mut self) {
        self.stop.send_replace(true);
        while self.work.join_next().await.is_some() {}
        self.front.at_rest().await;
    }
}

/// Runs process on a batch as Lambda does, and gives the ids of the messages that failed; `None` when the invocation did.
async fn invoke<H: Handler>(
    process: Arc<LocalProcess<H>>,
    recorder: Recorder,
    number: u64,
    event: SqsEvent,
) -> Option<HashSet<String>> {
    let deadline = SystemTime::now()
        .checked_add(TIMEOUT)
        .unwrap_or_else(SystemTime::now);
    let request_id = format!("local-{}-p{number}", now());
    let processed = match process.process(event, &request_id, deadline).await {
        Ok(processed) => processed,
        Err(why) => {
            tracing::error!(reason = %why, "a batch failed");
            return None;
        }
    };
    let failed = processed
        .iter()
        .filter(|done| done.fate.is_failure())
        .map(|done| done.message.id.clone())
        .collect();
    for done in processed {
        recorder.processed(done);
    }
    Some(failed)
}

/// Ingest, wired as its `from_environment` does it on Lambda.
fn ingest(
    connection: &Connection,
    endpoints: &Endpoints,
    senders: &Senders,
) -> Ingest<EventsTable, SqsQueue> {
    let Senders {
        sources, secrets, ..
    } = senders;
    let tables = connection.dynamodb(Limits::INGEST_PUT);
    let recordings = bucket(connection, endpoints, Limits::INGEST_RECORD);
    let ingest = Ingest::new(
        Sources::new(sources.clone(), |reference| secrets.fetch(reference)),
        EventsTable::new(tables, endpoints.events_table.clone(), None),
        queue(
            connection,
            endpoints,
            Limits::INGEST_SEND,
            Limits::INGEST_STORE,
        ),
    );
    ingest.recording(&process_environment, Some(recordings))
}

/// Process, wired as its `from_environment` does it on Lambda.
fn process<H: Handler>(
    connection: &Connection,
    endpoints: &Endpoints,
    senders: &Senders,
    handler: impl FnOnce(Context<'_>) -> Result<H, BoxError>,
) -> Result<LocalProcess<H>> {
    let names = senders.sources.iter().map(|source| source.name.clone());
    let tables = connection.dynamodb(Limits::PROCESS);
    let bucket = bucket(connection, endpoints, Limits::PROCESS);
    let handler = handler(endpoints.context(process_environment)?);
    let handler = handler.map_err(|why| anyhow!("the handler cannot start: {why}"))?;
    let process = Process::new(
        EventsTable::new(tables, endpoints.events_table.clone(), Some(bucket)),
        queue(connection, endpoints, Limits::PROCESS, Limits::PROCESS)
            .with_dead_letters(endpoints.dead_letter_queue_url.clone()),
        handler,
    )
    .of(names.collect());
    if senders.destinations.is_empty() {
        return Ok(process);
    }
    let secrets = senders.secrets.clone();
    let fetch = Fetch::new(move |reference| ready(secrets.fetch(&reference)));
    let all = senders.destinations.clone();
    Ok(process.telling(Destinations::new(all, connection.clone(), fetch)))
}

fn queue(
    connection: &Connection,
    endpoints: &Endpoints,
    of_queue: Limits,
    of_bucket: Limits,
) -> SqsQueue {
    let client = connection.sqs(of_queue);
    let bucket = bucket(connection, endpoints, of_bucket);
    SqsQueue::new(client, endpoints.queue_url.clone(), Some(bucket))
}

fn bucket(connection: &Connection, endpoints: &Endpoints, limits: Limits) -> Bucket {
    Bucket::new(connection.clone(), endpoints.bucket.clone(), limits)
}
