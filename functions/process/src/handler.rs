//! Your code. Every event of every source comes through [`YourHandler::handle`] once it is verified and queued.

use hookwell::event::Event;
use hookwell::ports::handler::{HandleError, Handled, Handler};

/// Handles the events of this project. As shipped: create, update and delete change the documents table, everything
/// else is logged and done with.
#[derive(Debug, Clone)]
pub struct YourHandler<D> {
    documents: D,
}

impl<D: Handler> YourHandler<D> {
    /// A handler that passes on to the documents table what it does not handle itself.
    pub fn new(documents: D) -> Self {
        Self { documents }
    }
}

impl<D: Handler> Handler for YourHandler<D> {
    /// Add your own cases here, by source and type:
    ///
    /// ```ignore
    /// if event.source == "shop" && event.kind == "payment.succeeded" {
    ///     return self.mail.receipt(event).await;
    /// }
    /// ```
    ///
    /// In a request of your own, send `event.trace` as the header `traceparent`, so that one trace shows both ends.
    ///
    /// It may be called again with the same event, so pass `event.key` on as the idempotency key wherever a service
    /// takes one. Return `HandleError::Retry` to be called again later, `HandleError::RetryEnded` when besides nothing of
    /// the call is running any more (the service has answered 503), and `HandleError::Reject` when that can never help.
    async fn handle(&self, event: &Event) -> Result<Handled, HandleError> {
        self.documents.handle(event).await
    }

    /// Say `true` for the events of your own cases, so that no two calls work on one of them at once.
    fn reaches_outside(&self, event: &Event) -> bool {
        self.documents.reaches_outside(event)
    }
}
