//! Your code. Every event of every source comes through [`YourHandler::handle`] once it is verified and queued.

use hookwell::event::Event;
use hookwell::ports::handler::{HandleError, Handled, Handler, Outcome};
use hookwell_aws::dynamodb::types::AttributeValue;
use hookwell_aws::{BoxError, Context, DocumentsTable, Secret, dynamodb, reason};
use serde::Deserialize;

/// Sends a receipt for each payment and books it; every other event changes the documents table.
#[derive(Debug)]
pub struct YourHandler {
    documents: DocumentsTable,
    tables: dynamodb::Client,
    receipts: String,
    http: reqwest::Client,
    mail_url: String,
    mail_token: Secret,
}

/// The part of a payment that this handler reads.
#[derive(Deserialize)]
struct Payment {
    id: String,
    amount: u64,
    receipt_email: String,
}

impl YourHandler {
    /// Takes what it needs from the context.
    ///
    /// # Errors
    /// When a variable is not set.
    pub fn new(context: Context<'_>) -> Result<Self, BoxError> {
        let http = reqwest::Client::builder().timeout(std::time::Duration::from_secs(5));
        // A redirected POST would become a GET, whose 200 says nothing of the event.
        let http = http.redirect(reqwest::redirect::Policy::none());
        Ok(Self {
            tables: context.dynamodb(),
            receipts: context.required("RECEIPTS_TABLE")?,
            http: http.build()?,
            mail_url: context.required("MAIL_URL")?,
            mail_token: context.secret("MAIL_TOKEN")?,
            documents: context.documents,
        })
    }

    async fn receipt(&self, event: &Event, payment: Payment) -> Result<Handled, HandleError> {
        let mail = format!("Thank you for {} cents.", payment.amount);
        let post = self.http.post(&self.mail_url);
        let post = post.query(&[("to", &payment.receipt_email)]).body(mail);
        let post = post.bearer_auth(self.mail_token.text().await?);
        // The same in every call, so that the service sends one mail however often it is asked.
        let post = post.header("idempotency-key", event.key.as_str());
        let answer = post.send().await.map_err(HandleError::retry)?;
        match answer.status().as_u16() {
            200..300 => {}
            400 | 422 => return Err(HandleError::Reject("the mail is refused".to_owned())),
            status => return Err(HandleError::retry(format!("mail answered {status}"))),
        }
        let booked = self.tables.put_item().table_name(&self.receipts);
        let booked = booked
            .item("payment", AttributeValue::S(payment.id))
            .item("amount", AttributeValue::N(payment.amount.to_string()))
            .send()
            .await;
        booked.map_err(|error| HandleError::retry(reason(&error)))?;
        Ok(Outcome::Applied.into())
    }
}

impl Handler for YourHandler {
    async fn handle(&self, event: &Event) -> Result<Handled, HandleError> {
        match (event.source.as_str(), event.kind.as_str()) {
            ("stripe", "payment_intent.succeeded") => {
                self.receipt(event, event.document_as()?).await
            }
            _ => self.documents.handle(event).await,
        }
    }

    /// A mail has left for good, so no two calls may work on one event at once.
    fn reaches_outside(&self, event: &Event) -> bool {
        event.source == "stripe" && event.kind == "payment_intent.succeeded"
    }
}

#[cfg(test)]
mod tests {
    use hookwell_local::storage::Storage;
    use hookwell_sandbox::sample;

    use super::*;

    const SOURCES: &str = include_str!("receipts/sources.toml");
    const TEMPLATE: &str = include_str!("receipts/template.yaml");

    const PAID: &str = r#"{"id": "evt_1", "type": "payment_intent.succeeded", "created": 1795251600,
        "data": {"object": {"id": "pi_1", "object": "payment_intent", "amount": 4200,
        "receipt_email": "ada@example.com"}}}"#;

    /// A mail service that takes everything, or nothing.
    async fn mail(status: axum::http::StatusCode) -> String {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/", listener.local_addr().unwrap());
        let router = axum::Router::new().fallback(async move || status);
        tokio::spawn(async move { axum::serve(listener, router).await });
        url
    }

    #[tokio::test]
    async fn a_payment_is_booked_once_its_receipt_is_sent() {
        let storage = Storage::for_test(TEMPLATE).await.unwrap();
        let event = sample::event_of(SOURCES, "stripe", PAID).unwrap();

        let url = mail(axum::http::StatusCode::SERVICE_UNAVAILABLE).await;
        let variables = [("MAIL_URL", url.as_str()), ("MAIL_TOKEN", "token")];
        let handler = YourHandler::new(storage.context(&variables).unwrap()).unwrap();
        assert!(matches!(
            handler.handle(&event).await,
            Err(HandleError::Retry(_))
        ));

        let url = mail(axum::http::StatusCode::OK).await;
        let variables = [("MAIL_URL", url.as_str()), ("MAIL_TOKEN", "token")];
        let handler = YourHandler::new(storage.context(&variables).unwrap()).unwrap();
        assert_eq!(handler.handle(&event).await, Ok(Outcome::Applied.into()));
        let booked = handler.tables.scan().table_name(&handler.receipts).send();
        let booked = booked.await.unwrap().items.unwrap();
        assert_eq!(booked.len(), 1);
        assert_eq!(booked[0]["amount"], AttributeValue::N("4200".to_owned()));
    }

    #[tokio::test]
    async fn without_the_address_of_the_mail_service_it_does_not_start() {
        let storage = Storage::for_test(TEMPLATE).await.unwrap();
        let why = YourHandler::new(storage.context(&[]).unwrap()).unwrap_err();
        assert_eq!(why.to_string(), "MAIL_URL is not set");
    }
}
