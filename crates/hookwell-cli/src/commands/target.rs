//! Opens the tables and queues of a command: in the account of the AWS credentials, by the outputs of a stack or by
//! variables, or on the machine of `hookwell dev`.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::time::Duration;

use crate::front::DESCRIPTION_PATH;
use crate::machine::Machine;
use crate::page::Stack;
use anyhow::{Context as _, Result, bail};
use clap::Args;
use hookwell_aws::settings::process_environment;
use hookwell_aws::tools::admin::Admin;
use hookwell_aws::tools::dead_letters::DeadLetters;
use hookwell_aws::tools::stack;
use hookwell_aws::{Bucket, Connection, Limits, Recordings, SqsQueue};

/// Time within which a running `hookwell dev` describes itself.
const PATIENCE: Duration = Duration::from_secs(5);

/// The longest answer of a `hookwell dev`, in bytes: a page of deliveries, or the largest request with its body in Base64.
const MAX_ANSWER: u64 = 64 * 1024 * 1024;

/// The account or machine that a command looks into.
#[derive(Debug, Args)]
pub(crate) struct Target {
    /// CloudFormation stack in the AWS account: its outputs name tables, queues and bucket. Without it the variables
    /// HOOKWELL_EVENTS_TABLE, HOOKWELL_DOCUMENTS_TABLE, HOOKWELL_QUEUE_URL, HOOKWELL_DEAD_LETTER_QUEUE_URL and HOOKWELL_BUCKET do.
    #[arg(long, value_name = "NAME", conflicts_with = "local")]
    stack: Option<String>,
    /// Look into a running `hookwell dev` instead of the AWS account; give its URL or HOST:PORT when it is not on port 9000.
    #[arg(long, value_name = "URL", num_args = 0..=1, default_missing_value = "http://127.0.0.1:9000")]
    local: Option<String>,
}

/// A table, queue or bucket of a command.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Part {
    EventsTable,
    DocumentsTable,
    Queue,
    DeadLetterQueue,
    Bucket,
}

impl Part {
    const ALL: [Self; 5] = [
        Self::EventsTable,
        Self::DocumentsTable,
        Self::Queue,
        Self::DeadLetterQueue,
        Self::Bucket,
    ];

    /// The variable that names the part, and the template's output that names it.
    fn named_by(self) -> (&'static str, &'static str) {
        match self {
            Self::EventsTable => ("HOOKWELL_EVENTS_TABLE", "EventsTableName"),
            Self::DocumentsTable => ("HOOKWELL_DOCUMENTS_TABLE", "DocumentsTableName"),
            Self::Queue => ("HOOKWELL_QUEUE_URL", "QueueUrl"),
            Self::DeadLetterQueue => ("HOOKWELL_DEAD_LETTER_QUEUE_URL", "DeadLetterQueueUrl"),
            Self::Bucket => ("HOOKWELL_BUCKET", "BucketName"),
        }
    }
}

/// Names of tables and bucket and URLs of queues, as far as somebody said them.
struct Names {
    /// The stack that gave the names; `None` for variables or a machine.
    stack: Option<String>,
    known: BTreeMap<Part, String>,
}

impl Names {
    fn collect(stack: Option<&str>, name: impl Fn(Part) -> Option<String>) -> Self {
        let known = Part::ALL.into_iter();
        Self {
            stack: stack.map(str::to_owned),
            known: known.filter_map(|part| Some((part, name(part)?))).collect(),
        }
    }

    fn of_environment() -> Self {
        Self::collect(None, |part| process_environment(part.named_by().0))
    }

    /// # Errors
    /// When neither a stack nor a variable names the part; the error says what to do.
    fn get(&self, part: Part) -> Result<&str> {
        let name = self.known.get(&part).map(String::as_str);
        name.with_context(|| {
            let (variable, output) = part.named_by();
            match &self.stack {
                Some(stack) => format!(
                    "the stack {stack} has no output {output}: give its template the one of Hookwell's, or export {variable} in place of --stack"
                ),
                None => format!(
                    "{variable} is not set: name the stack with --stack, export it (the stack's outputs have it), or use --local"
                ),
            }
        })
    }
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
    names: Names,
}

impl Opened {
    fn new(connection: Connection, names: Names) -> Result<Self> {
        Ok(Self {
            admin: Admin::new(&connection),
            events_table: names.get(Part::EventsTable)?.to_owned(),
            documents_table: names.get(Part::DocumentsTable)?.to_owned(),
            connection,
            names,
        })
    }

    /// The dead-letter queue.
    ///
    /// # Errors
    /// When neither a stack nor a variable names the queue.
    pub(crate) fn dead_letters(&self) -> Result<DeadLetters> {
        let (queue, url) = (
            self.names.get(Part::Queue)?,
            self.names.get(Part::DeadLetterQueue)?,
        );
        Ok(DeadLetters::new(
            &self.connection,
            queue,
            url,
            self.bucket(),
        ))
    }

    /// The number of dead letters that wait, and of those that somebody looks at.
    ///
    /// # Errors
    /// When neither a stack nor a variable names the queue, or SQS refuses.
    pub(crate) async fn dead_letter_depth(&self) -> Result<(u64, u64)> {
        let url = self.names.get(Part::DeadLetterQueue)?;
        Ok(self.admin.queue_depth(url).await?)
    }

    /// The queue.
    ///
    /// # Errors
    /// When neither a stack nor a variable names the queue.
    pub(crate) fn queue(&self) -> Result<SqsQueue> {
        let client = self.connection.sqs(Limits::TOOL);
        let url = self.names.get(Part::Queue)?.to_owned();
        Ok(SqsQueue::new(client, url, self.bucket()))
    }

    /// The bucket for large events, where there is one.
    pub(crate) fn bucket(&self) -> Option<Bucket> {
        let name = self.names.get(Part::Bucket).ok()?.to_owned();
        Some(Bucket::new(self.connection.clone(), name, Limits::TOOL))
    }

    /// Tables, queue and bucket, for the page.
    ///
    /// # Errors
    /// When neither a stack nor a variable names the queue.
    pub(crate) fn stack(self) -> Result<Stack> {
        let of = |part| self.names.get(part).map(str::to_owned);
        Ok(Stack {
            queue_url: of(Part::Queue)?,
            dead_letter_queue_url: of(Part::DeadLetterQueue)?,
            bucket: of(Part::Bucket).ok(),
            connection: self.connection,
            events_table: self.events_table,
            documents_table: self.documents_table,
        })
    }
}

impl Target {
    /// True for the machine of `hookwell dev`.
    pub(crate) fn is_local(&self) -> bool {
        self.local.is_some()
    }

    /// Asks the machine of `hookwell dev` about its deliveries.
    ///
    /// # Errors
    /// When it does not answer or says no, or an account is meant.
    pub(crate) fn ask(&self, method: http::Method, what: &str) -> Result<String> {
        let Some(url) = &self.local else {
            bail!("this is for a running `hookwell dev`: add --local");
        };
        ask(method, &with_scheme(url), what)
    }

    /// The refused requests that an account has recorded.
    ///
    /// # Errors
    /// When there are no credentials, no such stack or no name of a bucket.
    pub(crate) async fn recordings(&self) -> Result<Recordings> {
        let environment = Names::of_environment();
        if self.stack.is_none() {
            environment.get(Part::Bucket)?;
        }
        let connection = Connection::from_default_chain(&process_environment).await?;
        let names = match &self.stack {
            Some(stack) => named_by(&connection, stack).await?,
            None => environment,
        };
        let bucket = names.get(Part::Bucket)?.to_owned();
        Ok(Recordings::new(Bucket::new(
            connection,
            bucket,
            Limits::TOOL,
        )))
    }

    /// Connects.
    ///
    /// # Errors
    /// When `hookwell dev` is not running, or there are no credentials, no such stack or no table names.
    pub(crate) async fn open(&self) -> Result<Opened> {
        if let Some(url) = &self.local {
            let Machine { endpoints, .. } = describe(&with_scheme(url))?;
            let names = Names::collect(None, |part| {
                let name = match part {
                    Part::EventsTable => &endpoints.events_table,
                    Part::DocumentsTable => &endpoints.documents_table,
                    Part::Queue => &endpoints.queue_url,
                    Part::DeadLetterQueue => &endpoints.dead_letter_queue_url,
                    Part::Bucket => &endpoints.bucket,
                };
                Some(name.clone())
            });
            return Opened::new(endpoints.connection()?, names);
        }
        let connect = Connection::from_default_chain(&process_environment);
        let Some(stack) = &self.stack else {
            // What nobody said is missed before the credentials are: it needs no network to say so.
            let names = Names::of_environment();
            names.get(Part::EventsTable)?;
            names.get(Part::DocumentsTable)?;
            return Opened::new(connect.await?, names);
        };
        let connection = connect.await?;
        let names = named_by(&connection, stack).await?;
        Opened::new(connection, names)
    }
}

/// The names that the outputs of a stack give.
async fn named_by(connection: &Connection, stack: &str) -> Result<Names> {
    let outputs = stack::outputs(connection, stack).await?;
    let name = |part: Part| outputs.get(part.named_by().1).cloned();
    Ok(Names::collect(Some(stack), name))
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
    let answer = ask(http::Method::GET, url, "")?;
    serde_json::from_str(&answer).with_context(|| silent(url))
}

fn silent(url: &str) -> String {
    format!("no `hookwell dev` answers at {url}: start it, or pass its URL to --local")
}

/// Sends a request to a running `hookwell dev`, and returns the answer.
///
/// # Errors
/// When `hookwell dev` does not answer, or refuses; the error holds its reason.
fn ask(method: http::Method, url: &str, what: &str) -> Result<String> {
    let address = format!("{}{DESCRIPTION_PATH}{what}", url.trim_end_matches('/'));
    let agent = ureq::Agent::config_builder()
        .timeout_global(Some(PATIENCE))
        .http_status_as_error(false);
    let agent: ureq::Agent = agent.build().into();
    let request = http::Request::builder()
        .method(method)
        .uri(address)
        .body(());
    let mut answer = agent.run(request?).with_context(|| silent(url))?;
    let text = answer.body_mut().with_config().limit(MAX_ANSWER);
    let text = text.read_to_string().with_context(|| silent(url))?;
    match answer.status().as_u16() {
        200 => Ok(text),
        404 | 422 if !what.is_empty() && !text.is_empty() => bail!("{text}"),
        _ => bail!("{}", silent(url)),
    }
}
