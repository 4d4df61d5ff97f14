//! The handler of the copies of events for destinations: HTTP endpoints, EventBridge buses, SQS queues.

mod endpoint;
mod event_bus;
mod outbound_queue;
mod signing_keys;

use aws_sdk_sqs::Client;
use hookwell::deliver::{Destination, Target};
use hookwell::event::Event;
use hookwell::ingest::key_cache::Fetch;
use hookwell::ports::handler::{HandleError, Handled, Handler, Outcome};

use self::signing_keys::SigningKeys;
use crate::client::connection::Connection;
use crate::client::limits::Limits;

/// The destinations of a sources file and the way to them.
#[derive(Debug)]
pub struct Destinations {
    all: Vec<Destination>,
    connection: Connection,
    queues: Client,
    keys: SigningKeys,
}

impl Destinations {
    /// The way to these destinations. `fetch` finds the secrets that sign their requests.
    #[must_use]
    pub fn new(all: Vec<Destination>, connection: Connection, fetch: Fetch) -> Self {
        Self {
            queues: connection.sqs(Limits::PROCESS),
            connection,
            keys: SigningKeys::new(&all, fetch),
            all,
        }
    }

    /// The destinations.
    #[must_use]
    pub fn all(&self) -> &[Destination] {
        &self.all
    }

    /// The destination that a copy is for. A copy for one that an older sources file lacks is tried again.
    fn of(&self, event: &Event) -> Result<&Destination, HandleError> {
        let name = event.destination.as_deref();
        let found = self.all.iter().find(|one| Some(one.name.as_str()) == name);
        found.ok_or_else(|| {
            HandleError::RetryEnded("the sources file has no destination of this name".to_owned())
        })
    }
}

impl Handler for Destinations {
    async fn handle(&self, event: &Event) -> Result<Handled, HandleError> {
        let destination = self.of(event)?;
        match &destination.to {
            Target::Http {
                url,
                secret,
                timeout,
            } => {
                let key = self.keys.key(secret).await?;
                self.post(url, &key, *timeout, event).await?;
            }
            Target::EventBridge(bus) => self.put_event(bus, event).await?,
            Target::Sqs(url) => self.send_message(url, event).await?,
        }
        Ok(Outcome::Applied.into())
    }

    fn reaches_outside(&self, _: &Event) -> bool {
        true
    }
}
