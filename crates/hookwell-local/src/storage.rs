//! The embedded DynamoDB, SQS and S3, with the tables, queues and bucket that the template makes.

use std::collections::BTreeMap;
use std::fs::{File, TryLockError};
use std::path::Path;
use std::time::Duration;

use anyhow::{Context as _, Result, bail};
use hookwell_aws::tools::admin::{Admin, Queues};
use hookwell_aws::{Connection, Context, DocumentsTable, Limits};
use hookwell_template::{OwnTable, own_tables};
use serde::{Deserialize, Serialize};
use tokio::sync::watch;
use tokio::task::JoinSet;

use crate::port::{near, url};
use crate::s3::Objects;
use crate::schedule;
use crate::sqs::Sqs;
use crate::tables::Tables;

/// Addresses and names of tables, queues and bucket.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Endpoints {
    /// The embedded DynamoDB.
    pub dynamodb_endpoint: String,
    /// The embedded SQS.
    pub sqs_endpoint: String,
    /// The stand-in for S3.
    pub s3_endpoint: String,
    /// The table of events.
    pub events_table: String,
    /// The table of documents.
    pub documents_table: String,
    /// The queue.
    pub queue_url: String,
    /// The queue in which failed messages wait.
    pub retry_queue_url: String,
    /// The dead-letter queue of that queue.
    pub dead_letter_queue_url: String,
    /// The bucket for large events.
    pub bucket: String,
    /// Tables of the handler's own, by the variable that names each.
    #[serde(default)]
    pub own_tables: BTreeMap<String, String>,
}

impl Endpoints {
    /// A connection to the tables and queues.
    ///
    /// # Errors
    /// When the system's certificates cannot be used.
    pub fn connection(&self) -> Result<Connection> {
        Ok(Connection::local(
            &self.dynamodb_endpoint,
            &self.sqs_endpoint,
            &self.s3_endpoint,
        )?)
    }

    /// Parts for a handler on this machine: its own tables, and these variables besides.
    ///
    /// # Errors
    /// When the system's certificates cannot be used.
    pub fn context<'a>(
        &self,
        env: impl Fn(&str) -> Option<String> + Sync + 'a,
    ) -> Result<Context<'a>> {
        let connection = self.connection()?;
        let tables = connection.dynamodb(Limits::PROCESS);
        let documents = DocumentsTable::new(tables, self.documents_table.clone());
        let own = self.own_tables.clone();
        let env = move |name: &str| own.get(name).cloned().or_else(|| env(name));
        Ok(Context::new(env, connection, documents))
    }

    /// Environment variables with which the functions run against them, as under `cargo lambda watch`.
    #[must_use]
    pub fn environment(&self) -> [(&'static str, &str); 11] {
        [
            ("AWS_ACCESS_KEY_ID", "local"),
            ("AWS_SECRET_ACCESS_KEY", "local"),
            ("AWS_REGION", "us-east-1"),
            ("AWS_ENDPOINT_URL_DYNAMODB", &self.dynamodb_endpoint),
            ("AWS_ENDPOINT_URL_SQS", &self.sqs_endpoint),
            ("AWS_ENDPOINT_URL_S3", &self.s3_endpoint),
            ("HOOKWELL_EVENTS_TABLE", &self.events_table),
            ("HOOKWELL_DOCUMENTS_TABLE", &self.documents_table),
            ("HOOKWELL_QUEUE_URL", &self.queue_url),
            (
                "HOOKWELL_DEAD_LETTER_QUEUE_URL",
                &self.dead_letter_queue_url,
            ),
            ("HOOKWELL_BUCKET", &self.bucket),
        ]
    }
}

/// Settings of the queues.
#[derive(Debug, Clone, Copy)]
pub struct QueueSettings {
    /// Visibility timeout of a received message, in seconds.
    pub visibility_timeout: u32,
    /// Pause between two moves of what waits in the retry queue.
    pub retry_every: Duration,
}

/// Tables and queues that run until they are stopped.
#[derive(Debug)]
pub struct Storage {
    /// Addresses and names of tables and queues.
    pub endpoints: Endpoints,
    tables: Tables,
    stop: watch::Sender<bool>,
    servers: JoinSet<()>,
    /// Lock of the folder, which ends with it, or with the process.
    _lock: Option<File>,
}

impl Storage {
    /// Starts the servers and creates what the functions need. They listen on the three ports above `port` where those
    /// are free, and keep their data in the folder `data`, or nowhere.
    ///
    /// # Errors
    /// When the folder cannot be used.
    pub async fn start(port: u16, data: Option<&Path>, queue: QueueSettings) -> Result<Self> {
        let lock = data.map(lock).transpose()?;
        let file = |name| data.map(|data| data.join(name));
        let (stop, stopped) = watch::channel(false);
        let mut servers = JoinSet::new();

        let listener = near(port, 1, "the tables are").await?;
        let dynamodb_endpoint = url(&listener)?;
        let tables = Tables::open(file("tables.sqlite").as_deref())?;
        let (served, until) = (tables.clone(), stopped.clone());
        servers.spawn(async move {
            if let Err(reason) = served.serve(listener, when_true(until)).await {
                tracing::error!(%reason, "the tables stopped");
            }
        });

        let listener = near(port, 2, "the queues are").await?;
        let sqs_endpoint = url(&listener)?;
        let queues = Sqs::open(file("queues.sqlite").as_deref())?;
        let until = stopped.clone();
        servers.spawn(async move {
            if let Err(reason) = queues.serve(listener, when_true(until)).await {
                tracing::error!(%reason, "the queues stopped");
            }
        });

        let listener = near(port, 3, "the bucket is").await?;
        let s3_endpoint = url(&listener)?;
        let objects = Objects::open(file("bucket"))?;
        let until = stopped.clone();
        servers.spawn(async move {
            if let Err(reason) = objects.serve(listener, when_true(until)).await {
                tracing::error!(%reason, "the bucket stopped");
            }
        });

        let connection = Connection::local(&dynamodb_endpoint, &sqs_endpoint, &s3_endpoint)?;
        let admin = Admin::new(&connection);
        let events_table = "hookwell-events".to_owned();
        let documents_table = "hookwell-documents".to_owned();
        admin.create_events_table(&events_table).await?;
        admin.create_documents_table(&documents_table).await?;
        let queues = admin.create_queues("hookwell", queue.visibility_timeout);
        let queues = queues.await?;
        let every = queue.retry_every;
        servers.spawn(schedule::run(
            admin,
            queues.clone(),
            every,
            when_true(stopped),
        ));
        let Queues {
            queue_url,
            retry_queue_url,
            dead_letter_queue_url,
        } = queues;
        let endpoints = Endpoints {
            dynamodb_endpoint,
            sqs_endpoint,
            s3_endpoint,
            events_table,
            documents_table,
            queue_url,
            retry_queue_url,
            dead_letter_queue_url,
            bucket: "hookwell".to_owned(),
            own_tables: BTreeMap::new(),
        };
        Ok(Self {
            endpoints,
            tables,
            stop,
            servers,
            _lock: lock,
        })
    }

    /// Starts the servers for a test: any ports, no folder, and the tables that this template gives to a handler.
    ///
    /// # Errors
    /// When the template cannot be read.
    pub async fn for_test(template: &str) -> Result<Self> {
        let queue = QueueSettings {
            visibility_timeout: 60,
            retry_every: Duration::from_secs(30),
        };
        let mut storage = Self::start(0, None, queue).await?;
        storage.create_tables(&own_tables(template)?)?;
        Ok(storage)
    }

    /// Creates tables of the handler's own, unless they are there.
    ///
    /// # Errors
    /// When a definition is wrong.
    pub fn create_tables(&mut self, own: &[OwnTable]) -> Result<()> {
        for table in own {
            let created = self.tables.create(&table.definition);
            created.with_context(|| format!("the table {}", table.name))?;
            let own_tables = &mut self.endpoints.own_tables;
            own_tables.insert(table.variable.clone(), table.name.clone());
        }
        Ok(())
    }

    /// Parts for a handler: its own tables, and these variables.
    ///
    /// # Errors
    /// When the system's certificates cannot be used.
    pub fn context<'a>(&self, variables: &'a [(&'a str, &'a str)]) -> Result<Context<'a>> {
        self.endpoints.context(move |name| {
            let mut found = variables.iter().filter(|(variable, _)| *variable == name);
            found.next().map(|(_, text)| (*text).to_owned())
        })
    }

    /// Closes tables and queues.
    pub async fn stop(mut self) {
        self.stop.send_replace(true);
        while self.servers.join_next().await.is_some() {}
    }
}

/// Makes a folder and locks it for this process: each of two machines over the same tables would apply the messages in
/// the other's queue.
fn lock(folder: &Path) -> Result<File> {
    let shown = folder.display();
    std::fs::create_dir_all(folder).with_context(|| format!("cannot create {shown}"))?;
    let lock = File::create(folder.join("lock"));
    let lock = lock.with_context(|| format!("cannot write to {shown}"))?;
    match lock.try_lock() {
        Ok(()) => Ok(lock),
        Err(TryLockError::WouldBlock) => bail!(
            "{shown} is the data of a `hookwell dev` that is running: end it, or choose another folder with --data"
        ),
        Err(TryLockError::Error(why)) => Err(why).with_context(|| format!("cannot lock {shown}")),
    }
}

/// Resolves when the signal is given, or when its sender is dropped together with the thing that it stops.
pub async fn when_true(mut signal: watch::Receiver<bool>) {
    let _ = signal.wait_for(|stop| *stop).await;
}
