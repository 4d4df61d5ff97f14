//! The sources that process takes events of: those of its sources file, which ingest reads, too.

use std::collections::BTreeSet;

use hookwell::event::Event;
use hookwell::ports::handler::{HandleError, Handled, Handler};
use hookwell_aws::Destinations;

/// A handler that gets the events of known sources only. Ingest queues no others, so a message of another one was sent by
/// somebody else, or its source was taken out of the file while it waited: a person has to look.
#[derive(Debug)]
pub(crate) struct Known<'a, H> {
    pub(crate) handler: &'a H,
    /// The handler of the copies for destinations; `None` where the sources file names none.
    pub(crate) destinations: Option<&'a Destinations>,
    /// Every source, where `None`.
    pub(crate) sources: Option<&'a BTreeSet<String>>,
}

impl<H> Known<'_, H> {
    fn knows(&self, event: &Event) -> bool {
        self.sources
            .is_none_or(|sources| sources.contains(&event.source))
    }
}

impl<H: Handler> Handler for Known<'_, H> {
    async fn handle(&self, event: &Event) -> Result<Handled, HandleError> {
        if !self.knows(event) {
            let reason = "the sources file has no source of this name";
            return Err(HandleError::Reject(reason.to_owned()));
        }
        match (&event.destination, self.destinations) {
            (None, _) => self.handler.handle(event).await,
            // Boxed: otherwise every enclosing future grows by its size.
            (Some(_), Some(destinations)) => Box::pin(destinations.handle(event)).await,
            (Some(_), None) => {
                let reason = "the sources file has no destinations";
                Err(HandleError::RetryEnded(reason.to_owned()))
            }
        }
    }

    fn reaches_outside(&self, event: &Event) -> bool {
        self.knows(event) && (event.destination.is_some() || self.handler.reaches_outside(event))
    }
}
