//! Opens the tables and queues of a command: in the account of the AWS credentials, or on the machine of `hookwell
//! dev`.

use std::borrow::Cow;
use std::time::Duration;

use crate::front::DESCRIPTION_PATH;
use crate::machine::Machine;
use crate::page::Stack;
use anyhow::{Context as _, Result};
use clap::Args;
use hookwell_aws::settings::process_environment;
use hookwell_aws::tools::admin::Admin;
use hookwell_aws::tools::dead_letters::DeadLetters;
use hookwell_aws::{Bucket, Connection, Limits, SqsQueue};
use hookwell_local::storage::Endpoints;

/// Time within which a running `hookwell dev` describes itself.
const PATIENCE: Duration = Duration::from_secs(5);

/// The account or machine that a command looks into.
#[derive(Debug, Args)]
pub(crate) struct Target {
    /// Look into a running `hookwell dev` instead of the AWS account; give its URL or HOST:PORT when it is not on port 9000.
    #[arg(long, value_name = "URL", num_args = 0..=1, default_missing_value = "http://127.0.0.1:9000")]
    local: Option<String>,
}

/// Tables and queues that a command works on.
pub(crate) struct Opened {
    /// An operator's access to them.
    pub(crate) admin: Admin,
    /// The events table.
    pub(crate) events_table: String,
    /// The documents table.
    pub(crate) documents_table: String,
    connection: Connection,
    queue_url: Option<String>,
    dead_letter_queue_url: Option<String>,
    bucket: Option<String>,
}

impl Opened {
    /// The dead-letter queue.
    ///
    /// # Errors
    /// When nobody said which.
    pub(crate) fn dead_letters(&self) -> Result<DeadLetters> {
        let (queue, url) = (self.queue_url()?, self.dead_letter_queue_url()?);
        Ok(DeadLetters::new(
            &self.connection,
            queue,
            url,
            self.bucket(),
        ))
    }

    /// The queue.
    ///
    /// # Errors
    /// When nobody said which.
    pub(crate) fn queue(&self) -> Result<SqsQueue> {
        let client = self.connection.sqs(Limits::TOOL);
        Ok(SqsQueue::new(
            client,
            self.queue_url()?.to_owned(),
            self.bucket(),
        ))
    }

    /// The bucket for large events, where there is one.
    pub(crate) fn bucket(&self) -> Option<Bucket> {
        let name = self.bucket.clone()?;
        Some(Bucket::new(self.connection.clone(), name, Limits::TOOL))
    }

    /// Tables, queue and bucket, for the page.
    ///
    /// # Errors
    /// When nobody said which queue.
    pub(crate) fn stack(self) -> Result<Stack> {
        let queue_url = self.queue_url()?.to_owned();
        let dead_letter_queue_url = self.dead_letter_queue_url()?.to_owned();
        Ok(Stack {
            connection: self.connection,
            events_table: self.events_table,
            documents_table: self.documents_table,
            queue_url,
            dead_letter_queue_url,
            bucket: self.bucket,
        })
    }

    fn queue_url(&self) -> Result<&str> {
        let url = self.queue_url.as_deref();
        url.with_context(|| is_not_set("HOOKWELL_QUEUE_URL"))
    }

    fn dead_letter_queue_url(&self) -> Result<&str> {
        let url = self.dead_letter_queue_url.as_deref();
        url.with_context(|| is_not_set("HOOKWELL_DEAD_LETTER_QUEUE_URL"))
    }
}

fn is_not_set(name: &str) -> String {
    format!("{name} is not set: export it (the stack's outputs have it), or use --local")
}

impl Target {
    /// True for the machine of `hookwell dev`.
    pub(crate) fn is_local(&self) -> bool {
        self.local.is_some()
    }

    /// Connects.
    ///
    /// # Errors
    /// When `hookwell dev` is not running, or there are no credentials or table names.
    pub(crate) async fn open(&self) -> Result<Opened> {
        if let Some(url) = &self.local {
            let Machine { endpoints, .. } = describe(&with_scheme(url))?;
            let connection = endpoints.connection()?;
            let Endpoints {
                events_table,
                documents_table,
                queue_url,
                dead_letter_queue_url,
                bucket,
                ..
            } = endpoints;
            return Ok(Opened {
                admin: Admin::new(&connection),
                events_table,
                documents_table,
                connection,
                queue_url: Some(queue_url),
                dead_letter_queue_url: Some(dead_letter_queue_url),
                bucket: Some(bucket),
            });
        }
        let table = |name: &str| process_environment(name).with_context(|| is_not_set(name));
        let events_table = table("HOOKWELL_EVENTS_TABLE")?;
        let documents_table = table("HOOKWELL_DOCUMENTS_TABLE")?;
        let connection = Connection::from_default_chain(&process_environment).await?;
        Ok(Opened {
            admin: Admin::new(&connection),
            events_table,
            documents_table,
            connection,
            queue_url: process_environment("HOOKWELL_QUEUE_URL"),
            dead_letter_queue_url: process_environment("HOOKWELL_DEAD_LETTER_QUEUE_URL"),
            bucket: process_environment("HOOKWELL_BUCKET"),
        })
    }
}

/// The URL that a person means: `http://` before what has no scheme, as in `127.0.0.1:9100`.
pub(super) fn with_scheme(url: &str) -> Cow<'_, str> {
    if url.contains("://") {
        Cow::Borrowed(url)
    } else {
        Cow::Owned(format!("http://{url}"))
    }
}

fn describe(url: &str) -> Result<Machine> {
    let address = format!("{}{DESCRIPTION_PATH}", url.trim_end_matches('/'));
    let hint =
        || format!("no `hookwell dev` answers at {url}: start it, or pass its URL to --local");
    let agent = ureq::Agent::config_builder().timeout_global(Some(PATIENCE));
    let agent: ureq::Agent = agent.build().into();
    let mut answer = agent.get(&address).call().with_context(hint)?;
    answer.body_mut().read_json().with_context(hint)
}
