//! Your code. Every event of every source comes through [`YourHandler::handle`] once it is verified and queued.
//! docs/handler.md of Hookwell's repository walks from here to a handler with an HTTP call, data of its own and a test.

use hookwell::event::Event;
use hookwell::ports::handler::{HandleError, Handled, Handler};
use hookwell_aws::{BoxError, Context, DocumentsTable};

/// Handles the events of this project. As shipped: create, update and delete change the documents table, everything
/// else is logged and done with.
#[derive(Debug)]
pub struct YourHandler {
    documents: DocumentsTable,
}

impl YourHandler {
    /// Takes what it needs: `context.service("PAYMENTS_URL")?`, `context.table()?`, `context.secret("TOKEN")?`.
    ///
    /// # Errors
    /// When something is missing. The function does not start then, and says why.
    pub fn new(context: Context<'_>) -> Result<Self, BoxError> {
        Ok(Self {
            documents: context.documents,
        })
    }
}

impl Handler for YourHandler {
    /// Add your own cases here, by source and type:
    ///
    /// ```ignore
    /// if event.source == "shop" && event.kind == "order.placed" {
    ///     let order: Order = event.document_as()?;
    ///     self.payments.post(event, "/charges", &order).await?;
    ///     return Ok(self.charges.put(event, &order.id, &order).await?.into());
    /// }
    /// ```
    ///
    /// It may be called again with the same event. `Service::post` and `HandlerTable::put` forgive it; in a request of your
    /// own pass `event.key` on as the idempotency key. Return `HandleError::Retry` to be called again later,
    /// `HandleError::RetryEnded` when besides nothing of the call is running any more (the service has answered 503), and
    /// `HandleError::Reject` when that can never help.
    async fn handle(&self, event: &Event) -> Result<Handled, HandleError> {
        self.documents.handle(event).await
    }

    /// Say `true` for the events of your own cases, so that no two calls work on one of them at once.
    fn reaches_outside(&self, event: &Event) -> bool {
        self.documents.reaches_outside(event)
    }
}
