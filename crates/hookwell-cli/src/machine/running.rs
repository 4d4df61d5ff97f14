//! A machine with tables and queues of its own.

use std::path::PathBuf;
use std::time::Duration;

use anyhow::Result;
use hookwell::ports::handler::Handler;
use hookwell_aws::{BoxError, Context};
use hookwell_local::storage::{QueueSettings, Storage};
use hookwell_template::OwnTable;

use super::functions::{Functions, Machine};
use crate::sender::Senders;

/// Settings of a machine.
#[derive(Debug)]
pub struct Options {
    /// The port of the front; tables, queues and bucket take the next three where they are free. 0 for any.
    pub port: u16,
    /// Senders whose deliveries the machine takes.
    pub senders: Senders,
    /// Folder that keeps tables and queues; `None` keeps nothing.
    pub data: Option<PathBuf>,
    /// Settings of the queue.
    pub queue: QueueSettings,
    /// Tables of the handler's own.
    pub own_tables: Vec<OwnTable>,
}

impl Options {
    /// Options of `hookwell dev`: a message that failed three times waits for half a minute at most.
    #[must_use]
    pub fn new(port: u16, senders: Senders) -> Self {
        let queue = QueueSettings {
            visibility_timeout: 60,
            retry_every: Duration::from_secs(30),
        };
        Self {
            port,
            senders,
            data: None,
            queue,
            own_tables: Vec::new(),
        }
    }
}

/// A machine that runs until it is stopped.
#[derive(Debug)]
pub struct Running {
    /// Description of the machine.
    pub machine: Machine,
    functions: Functions,
    storage: Storage,
}

/// Starts everything, with the handler that `handler` makes of its context; when it returns, the front takes requests.
///
/// # Errors
/// When a port is taken, the data folder cannot be used, or the handler cannot be made.
pub async fn start<H: Handler + 'static>(
    options: Options,
    handler: impl FnOnce(Context<'_>) -> Result<H, BoxError>,
) -> Result<Running> {
    let Options {
        port,
        senders,
        data,
        queue,
        own_tables,
    } = options;
    let mut storage = Storage::start(port, data.as_deref(), queue).await?;
    storage.create_tables(&own_tables)?;
    let functions = Functions::start(port, senders, &storage.endpoints, handler).await?;
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
