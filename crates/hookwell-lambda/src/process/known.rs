//! The sources that process takes events of: those of its sources file, which ingest reads, too.

use std::collections::BTreeSet;

use hookwell::event::Event;
use hookwell::ports::handler::{HandleError, Handled, Handler};

/// A handler that gets the events of known sources only. Ingest queues no others, so a message of another one was sent by
/// somebody else, or its source was taken out of the file while it waited: a person has to look.
#[derive(Debug)]
pub(crate) struct Known<'a, H> {
    pub(crate) handler: &'a H,
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
        if self.knows(event) {
            self.handler.handle(event).await
        } else {
            let reason = "the sources file has no source of this name";
            Err(HandleError::Reject(reason.to_owned()))
        }
    }

    fn reaches_outside(&self, event: &Event) -> bool {
        self.knows(event) && self.handler.reaches_outside(event)
    }
}
