//! The whole system on one machine: an embedded DynamoDB and SQS, the two functions as Lambda runs them, an HTTP
//! front and an event source mapping, all on 127.0.0.1, with the real SDK clients between them.

mod bucket;
mod front;
mod mapping;
pub mod sqs;
mod storage;

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;

use anyhow::{Context as _, Result};
pub use front::DESCRIPTION_PATH;
pub(crate) use front::Front;
use hookwell::ingest::Sources;
use hookwell::source::Source;
pub use hookwell_aws::admin::QueueSettings;
use hookwell_aws::{Bucket, Connection, DocumentsTable, EventsTable, Limits, SqsQueue};
use ingest::Ingest;
use process::Process;
use process::handler::YourHandler;
use serde::{Deserialize, Serialize};
use storage::when_true;
pub use storage::{Endpoints, Storage};
pub(crate) use storage::{bind, url};
use tokio::sync::watch;
use tokio::task::JoinSet;

use crate::page::{self, Page, Recorder, Stack};
use crate::secrets::Secrets;

type LocalIngest = Arc<Ingest<EventsTable, SqsQueue>>;
type LocalProcess = Process<EventsTable, SqsQueue, YourHandler<DocumentsTable>>;

/// Who sends to the machine.
#[derive(Debug, Clone)]
pub struct Senders {
    /// The sources.
    pub sources: Vec<Source>,
    /// Their secrets.
    pub secrets: Secrets,
}

/// How the machine is set up.
#[derive(Debug)]
pub struct Options {
    /// The port of the front; tables and queues take the next two where they are free. 0 for any.
    pub port: u16,
    /// Who sends to it.
    pub senders: Senders,
    /// Where tables and queues are kept; nowhere when `None`.
    pub data: Option<PathBuf>,
    /// How the queue behaves.
    pub queue: QueueSettings,
}

impl Options {
    /// What `hookwell dev` runs: a message that fails every time is in the dead-letter queue after half a minute.
    #[must_use]
    pub fn new(port: u16, senders: Senders) -> Self {
        let queue = QueueSettings {
            visibility_timeout: 60,
            max_receive_count: 5,
        };
        Self {
            port,
            senders,
            data: None,
            queue,
        }
    }
}

/// What a running machine is made of; also the first line of `hookwell dev --json`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Machine {
    /// The front; a source is at `/webhooks/NAME` below it.
    pub url: String,
    /// Its tables and queues.
    #[serde(flatten)]
    pub endpoints: Endpoints,
}

/// A machine that runs until it is stopped.
#[derive(Debug)]
pub struct Running {
    /// What it is made of.
    pub machine: Machine,
    functions: Functions,
    storage: Storage,
}

/// Starts everything; when it returns, the front takes requests.
///
/// # Errors
/// When a port is taken or the data folder cannot be used.
pub async fn start(options: Options) -> Result<Running> {
    let Options {
        port,
        senders,
        data,
        queue,
    } = options;
    let storage = Storage::start(port, data.as_deref(), queue).await?;
    let functions = Functions::start(port, senders, &storage.endpoints).await?;
    let machine = functions.machine.clone();
    Ok(Running {
        machine,
        functions,
        storage,
    })
}

impl Running {
    /// Takes no more requests, finishes the batches at hand, then closes tables and queues.
    pub async fn stop(self) {
        self.functions.stop().await;
        self.storage.stop().await;
    }
}

/// The functions with their triggers, which run until they are stopped.
#[derive(Debug)]
pub struct Functions {
    /// What they work on.
    pub machine: Machine,
    stop: watch::Sender<bool>,
    work: JoinSet<()>,
}

impl Functions {
    /// Starts front and pollers over the given tables and queues.
    ///
    /// # Errors
    /// When the port is taken.
    pub async fn start(port: u16, senders: Senders, endpoints: &Endpoints) -> Result<Self> {
        let listener = bind(port).await.with_context(|| {
            format!("port {port} is taken: choose another with --port, or stop what uses it")
        })?;
        let machine = Machine {
            url: url(&listener)?,
            endpoints: endpoints.clone(),
        };
        let connection = endpoints.connection()?;
        let (ingest, process) = functions(&connection, endpoints, senders.clone());
        let (stop, stopped) = watch::channel(false);
        let mut work = JoinSet::new();
        let (recorder, records) = Recorder::new();
        mapping::start(
            &mut work,
            &connection,
            endpoints,
            &process,
            &recorder,
            &stopped,
        );
        let front = Arc::new(Front::new(ingest, recorder.clone()));
        let stack = Stack {
            connection,
            events_table: endpoints.events_table.clone(),
            documents_table: endpoints.documents_table.clone(),
            queue_url: endpoints.queue_url.clone(),
            bucket: Some(endpoints.bucket.clone()),
        };
        let page = Page::new(Some(front.clone()), recorder, senders, stack);
        let page = Arc::new(page);
        let router = front::router(front, page::router(page.clone()), machine.clone());
        let until = when_true(stopped.clone());
        work.spawn(async move {
            tokio::select! {
                ((), ()) = async { tokio::join!(page.listen(records), page.fill()) } => {}
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
            stop,
            work,
        })
    }

    /// Takes no more requests and finishes the batches at hand.
    pub async fn stop(mut self) {
        self.stop.send_replace(true);
        while self.work.join_next().await.is_some() {}
    }
}

/// The two functions, wired as their `from_environment` does it on Lambda.
fn functions(
    connection: &Connection,
    endpoints: &Endpoints,
    senders: Senders,
) -> (LocalIngest, Arc<LocalProcess>) {
    let Endpoints {
        events_table,
        documents_table,
        queue_url,
        bucket,
        ..
    } = endpoints;
    let bucket = |limits| Bucket::new(connection.clone(), bucket.clone(), limits);
    let ingest = Ingest::new(
        Sources::new(senders.sources, |reference| {
            senders.secrets.fetch(reference)
        }),
        EventsTable::new(
            connection.dynamodb(Limits::INGEST_PUT),
            events_table.clone(),
            None,
        ),
        SqsQueue::new(
            connection.sqs(Limits::INGEST_SEND),
            queue_url.clone(),
            Some(bucket(Limits::INGEST_STORE)),
        ),
    );
    let tables = connection.dynamodb(Limits::PROCESS);
    let process = Process::new(
        EventsTable::new(
            tables.clone(),
            events_table.clone(),
            Some(bucket(Limits::PROCESS)),
        ),
        SqsQueue::new(
            connection.sqs(Limits::PROCESS),
            queue_url.clone(),
            Some(bucket(Limits::PROCESS)),
        ),
        YourHandler::new(DocumentsTable::new(tables, documents_table.clone())),
    );
    (Arc::new(ingest), Arc::new(process))
}
