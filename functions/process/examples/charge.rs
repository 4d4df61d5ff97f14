//! Your code. Every event of every source comes through [`YourHandler::handle`] once it is verified and queued.

use hookwell::event::Event;
use hookwell::ports::handler::{HandleError, Handled, Handler};
use hookwell_aws::{BoxError, Context, DocumentsTable, HandlerTable, Service};
use serde::{Deserialize, Serialize};

/// Charges the customer of each order, once; every other event changes the documents table.
#[derive(Debug)]
pub struct YourHandler {
    documents: DocumentsTable,
    charges: HandlerTable,
    payments: Service,
}

/// The part of an order that is charged.
#[derive(Deserialize, Serialize)]
struct Order {
    id: String,
    amount: u64,
    customer: String,
}

impl YourHandler {
    /// Takes what it needs from the context.
    ///
    /// # Errors
    /// When something is missing.
    pub fn new(context: Context<'_>) -> Result<Self, BoxError> {
        let token = context.secret("PAYMENTS_TOKEN")?;
        Ok(Self {
            payments: context.service("PAYMENTS_URL")?.with_token(token),
            charges: context.table()?,
            documents: context.documents,
        })
    }
}

impl Handler for YourHandler {
    async fn handle(&self, event: &Event) -> Result<Handled, HandleError> {
        if !is_order(event) {
            return self.documents.handle(event).await;
        }
        let order: Order = event.document_as()?;
        self.payments.post(event, "/charges", &order).await?;
        let booked = self.charges.put(event, &order.id, &order).await?;
        Ok(booked.into())
    }

    /// Money has left for good, so no two calls may work on one order at once.
    fn reaches_outside(&self, event: &Event) -> bool {
        is_order(event)
    }
}

fn is_order(event: &Event) -> bool {
    event.source == "shop" && event.kind == "order.placed"
}

#[cfg(test)]
mod tests {
    use hookwell::ports::handler::Outcome;
    use hookwell_local::service::TestService;
    use hookwell_local::storage::Storage;
    use hookwell_sandbox::sample;

    use super::*;

    const SOURCES: &str = include_str!("charge/sources.toml");
    const TEMPLATE: &str = include_str!("charge/template.yaml");

    const ORDER: &str = r#"{"id": "evt_1", "type": "order.placed",
        "data": {"id": "ord_1", "amount": 4200, "customer": "ada"}}"#;

    #[tokio::test]
    async fn an_order_is_charged_under_one_key_and_booked() {
        let storage = Storage::for_test(TEMPLATE).await.unwrap();
        let payments = TestService::answering(&[(503, ""), (201, "")]);
        let payments = payments.await.unwrap();
        let variables = [("PAYMENTS_URL", &*payments.url), ("PAYMENTS_TOKEN", "test")];
        let handler = YourHandler::new(storage.context(&variables).unwrap()).unwrap();
        let order = sample::event_of(SOURCES, "shop", ORDER).unwrap();

        let failed = handler.handle(&order).await;
        assert!(matches!(failed, Err(HandleError::RetryEnded(_))));
        assert_eq!(handler.handle(&order).await, Ok(Outcome::Applied.into()));
        let asked = payments.asked();
        let keys: Vec<_> = asked
            .iter()
            .map(|one| &one.headers["idempotency-key"])
            .collect();
        assert_eq!(keys, [keys[0], keys[0]]);
        let booked: Option<Order> = handler.charges.get("ord_1").await.unwrap();
        assert_eq!(booked.unwrap().amount, 4200);
    }
}
