//! The whole system on one machine: an embedded DynamoDB and SQS, the two functions as Lambda runs them, an HTTP
//! front and an event source mapping, all on 127.0.0.1, with the real SDK clients between them.

mod front;
mod mapping;
pub mod sqs;

use std::collections::BTreeMap;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::sync::Arc;

use anyhow::{Context as _, Result, anyhow};
pub use front::DESCRIPTION_PATH;
use hookwell::ingest::Sources;
use hookwell::source::Source;
use hookwell_aws::admin::{Admin, QueueSettings};
use hookwell_aws::{Connection, DocumentsTable, EventsTable, Limits, SqsQueue};
use ingest::Ingest;
use process::Process;
use process::handler::YourHandler;
use serde::{Deserialize, Serialize};
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::JoinSet;

use crate::secrets::Secrets;

type LocalIngest = Arc<Ingest<EventsTable, SqsQueue>>;
type LocalProcess = Process<EventsTable, SqsQueue, YourHandler<DocumentsTable>>;

/// How the machine is set up.
#[derive(Debug)]
pub struct Options {
    /// The port of the front; the tables and the queue take the next two where they are free. 0 for any.
    pub port: u16,
    /// The senders.
    pub sources: Vec<Source>,
    /// Their secrets.
    pub secrets: Secrets,
    /// Where tables and queues are kept; nowhere when `None`.
    pub data: Option<PathBuf>,
    /// How the queue behaves.
    pub queue: QueueSettings,
}

impl Options {
    /// What `hookwell dev` runs: messages that fail come back as in the cloud, by the pauses of
    /// [`hookwell::process::delay`].
    #[must_use]
    pub fn new(port: u16, sources: Vec<Source>, secrets: Secrets) -> Self {
        let queue = QueueSettings {
            visibility_timeout: 60,
            max_receive_count: 5,
        };
        Self {
            port,
            sources,
            secrets,
            data: None,
            queue,
        }
    }
}

/// Where the parts of a running machine are; also the first line of `hookwell dev --json`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Machine {
    /// The front; a source is at `/webhooks/NAME` below it.
    pub url: String,
    /// The embedded DynamoDB.
    pub dynamodb_endpoint: String,
    /// The embedded SQS.
    pub sqs_endpoint: String,
    /// The table of events.
    pub events_table: String,
    /// The table of documents.
    pub documents_table: String,
    /// The queue.
    pub queue_url: String,
    /// Its dead-letter queue.
    pub dead_letter_queue_url: String,
}

/// A machine that runs until it is stopped.
#[derive(Debug)]
pub struct Running {
    /// Where its parts are.
    pub machine: Machine,
    stop_work: watch::Sender<bool>,
    work: JoinSet<()>,
    stop_storage: watch::Sender<bool>,
    storage: JoinSet<()>,
}

/// Starts everything; when it returns, the front takes requests.
///
/// # Errors
/// When a port is taken or the data folder cannot be used.
pub async fn start(options: Options) -> Result<Running> {
    let front = bind(options.port).await.with_context(|| {
        format!(
            "port {} is taken: choose another with --port, or stop what uses it",
            options.port
        )
    })?;
    let (stop_storage, stopped) = watch::channel(false);
    let mut storage = JoinSet::new();
    let machine = start_storage(&mut storage, &front, &options, &stopped).await?;
    let connection = machine.connection()?;
    let (ingest, process) = functions(&connection, &machine, options);

    let (stop_work, stopped) = watch::channel(false);
    let mut work = JoinSet::new();
    mapping::start(&mut work, &connection, &machine, &process, &stopped);
    let router = front::router(ingest, machine.clone());
    let service = router.into_make_service_with_connect_info::<SocketAddr>();
    let stopped = when_true(stopped);
    work.spawn(async move {
        if let Err(error) = axum::serve(front, service)
            .with_graceful_shutdown(stopped)
            .await
        {
            tracing::error!(reason = %error, "the front stopped");
        }
    });
    Ok(Running {
        machine,
        stop_work,
        work,
        stop_storage,
        storage,
    })
}

/// Starts the embedded DynamoDB and SQS, with the tables and queues of the template.
async fn start_storage(
    storage: &mut JoinSet<()>,
    front: &TcpListener,
    options: &Options,
    stopped: &watch::Receiver<bool>,
) -> Result<Machine> {
    if let Some(data) = &options.data {
        let cannot = || format!("cannot create {}", data.display());
        std::fs::create_dir_all(data).with_context(cannot)?;
    }
    let file = |name| options.data.as_ref().map(|data| data.join(name));
    let port = front.local_addr()?.port();

    let listener = near(port, 1).await?;
    let dynamodb_endpoint = url(&listener)?;
    let tables = match file("tables.sqlite") {
        Some(path) => dynoxide::Database::new(path.to_string_lossy().as_ref()),
        None => dynoxide::Database::memory(),
    };
    let tables = tables.map_err(|error| anyhow!("the tables cannot be opened: {error}"))?;
    let stop = when_true(stopped.clone());
    storage.spawn(async move {
        if let Err(error) = dynoxide::server::serve_with_shutdown(listener, tables, stop).await {
            tracing::error!(reason = error, "the tables stopped");
        }
    });

    let listener = near(port, 2).await?;
    let sqs_endpoint = url(&listener)?;
    let queues = sqs::Sqs::open(file("queues.sqlite").as_deref())?;
    let stop = when_true(stopped.clone());
    storage.spawn(async move {
        if let Err(error) = queues.serve(listener, stop).await {
            tracing::error!(reason = %error, "the queues stopped");
        }
    });

    let admin = Admin::new(&Connection::local(&dynamodb_endpoint, &sqs_endpoint)?);
    let events_table = "hookwell-events".to_owned();
    let documents_table = "hookwell-documents".to_owned();
    admin.create_table(&events_table).await?;
    admin.create_table(&documents_table).await?;
    let (queue_url, dead_letter_queue_url) = admin.create_queues("hookwell", options.queue).await?;
    let url = url(front)?;
    Ok(Machine {
        url,
        dynamodb_endpoint,
        sqs_endpoint,
        events_table,
        documents_table,
        queue_url,
        dead_letter_queue_url,
    })
}

/// The two functions, wired as their `from_environment` does it on Lambda.
fn functions(
    connection: &Connection,
    machine: &Machine,
    options: Options,
) -> (LocalIngest, Arc<LocalProcess>) {
    let Machine {
        events_table,
        documents_table,
        queue_url,
        ..
    } = machine;
    let ingest = Ingest::new(
        Sources::new(options.sources, |reference| {
            options.secrets.fetch(reference)
        }),
        EventsTable::new(
            connection.dynamodb(Limits::INGEST_PUT),
            events_table.clone(),
        ),
        SqsQueue::new(connection.sqs(Limits::INGEST_SEND), queue_url.clone()),
    );
    let tables = connection.dynamodb(Limits::PROCESS);
    let process = Process::new(
        EventsTable::new(tables.clone(), events_table.clone()),
        SqsQueue::new(connection.sqs(Limits::PROCESS), queue_url.clone()),
        YourHandler::new(DocumentsTable::new(tables, documents_table.clone())),
    );
    (Arc::new(ingest), Arc::new(process))
}

impl Running {
    /// Takes no more requests, finishes the batches at hand, then closes tables and queues.
    pub async fn stop(mut self) {
        self.stop_work.send_replace(true);
        while self.work.join_next().await.is_some() {}
        self.stop_storage.send_replace(true);
        while self.storage.join_next().await.is_some() {}
    }

    /// A connection to its tables and queues.
    ///
    /// # Errors
    /// When the system's certificates cannot be used.
    pub fn connection(&self) -> Result<Connection> {
        self.machine.connection()
    }
}

impl Machine {
    /// A connection to its tables and queues.
    ///
    /// # Errors
    /// When the system's certificates cannot be used.
    pub fn connection(&self) -> Result<Connection> {
        Ok(Connection::local(
            &self.dynamodb_endpoint,
            &self.sqs_endpoint,
        )?)
    }

    /// What the functions need in their environment to run against this machine, as under `cargo lambda watch`.
    #[must_use]
    pub fn environment(&self) -> BTreeMap<&'static str, String> {
        BTreeMap::from([
            ("AWS_ACCESS_KEY_ID", "local".to_owned()),
            ("AWS_SECRET_ACCESS_KEY", "local".to_owned()),
            ("AWS_REGION", "us-east-1".to_owned()),
            ("AWS_ENDPOINT_URL_DYNAMODB", self.dynamodb_endpoint.clone()),
            ("AWS_ENDPOINT_URL_SQS", self.sqs_endpoint.clone()),
            ("HOOKWELL_EVENTS_TABLE", self.events_table.clone()),
            ("HOOKWELL_DOCUMENTS_TABLE", self.documents_table.clone()),
            ("HOOKWELL_QUEUE_URL", self.queue_url.clone()),
        ])
    }
}

async fn bind(port: u16) -> std::io::Result<TcpListener> {
    TcpListener::bind((Ipv4Addr::LOCALHOST, port)).await
}

/// A port a little above the front's, so that it is the same every time; any free one when it is taken.
async fn near(port: u16, above: u16) -> Result<TcpListener> {
    match port.checked_add(above) {
        Some(port) => match bind(port).await {
            Ok(listener) => Ok(listener),
            Err(_) => Ok(bind(0).await?),
        },
        None => Ok(bind(0).await?),
    }
}

fn url(listener: &TcpListener) -> Result<String> {
    Ok(format!("http://{}", listener.local_addr()?))
}

/// Resolves when the signal is given; also when its sender is gone, which it is only together with the machine.
async fn when_true(mut signal: watch::Receiver<bool>) {
    let _ = signal.wait_for(|stop| *stop).await;
}
