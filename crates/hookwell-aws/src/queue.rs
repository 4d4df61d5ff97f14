//! The queue on SQS, standard, with a dead-letter queue that its redrive policy names.

use aws_sdk_sqs::Client;
use aws_sdk_sqs::types::{MessageAttributeValue, QueueAttributeName};
use hookwell::event::{Event, REFUSED};
use hookwell::queue::{Queue, QueueError};
use tokio::sync::OnceCell;

use crate::connection::reason;

/// How much of a reason goes into a message attribute, in characters.
const MAX_REASON: usize = 500;

/// The queue.
#[derive(Debug)]
pub struct SqsQueue {
    client: Client,
    url: String,
    dead_letter_url: OnceCell<String>,
}

impl SqsQueue {
    /// The queue at that URL.
    #[must_use]
    pub fn new(client: Client, url: String) -> Self {
        Self {
            client,
            url,
            dead_letter_url: OnceCell::new(),
        }
    }

    /// The URL of the dead-letter queue, asked for once: most functions never need it.
    ///
    /// # Errors
    /// When SQS does not answer, or the queue has none.
    pub async fn dead_letter_url(&self) -> Result<&str, QueueError> {
        self.dead_letter_url
            .get_or_try_init(|| self.find_dead_letter_url())
            .await
            .map(String::as_str)
    }

    async fn find_dead_letter_url(&self) -> Result<String, QueueError> {
        let unavailable = |why| QueueError(format!("the dead-letter queue: {why}"));
        let name = QueueAttributeName::RedrivePolicy;
        let request = self
            .client
            .get_queue_attributes()
            .queue_url(&self.url)
            .attribute_names(name.clone());
        let answer = request
            .send()
            .await
            .map_err(|error| unavailable(reason(&error)))?;
        let policy = answer
            .attributes
            .and_then(|mut all| all.remove(&name))
            .unwrap_or_default();
        let target = policy.split('"').find(|part| part.starts_with("arn:"));
        let Some(name) = target.and_then(|arn| arn.rsplit(':').next()) else {
            return Err(unavailable(
                "the queue's redrive policy names none".to_owned(),
            ));
        };
        let answer = self.client.get_queue_url().queue_name(name).send().await;
        let answer = answer.map_err(|error| unavailable(reason(&error)))?;
        answer
            .queue_url
            .ok_or_else(|| unavailable("it has no URL".to_owned()))
    }
}

impl Queue for SqsQueue {
    async fn send(&self, event: &Event) -> Result<(), QueueError> {
        let request = self
            .client
            .send_message()
            .queue_url(&self.url)
            .message_body(event.to_message());
        request
            .send()
            .await
            .map(drop)
            .map_err(|error| QueueError(reason(&error)))
    }

    async fn bury(&self, event: &Event, reason_text: &str) -> Result<(), QueueError> {
        // The few characters that SQS refuses would make the event impossible to bury.
        let plain: String = reason_text
            .chars()
            .filter(|c| !c.is_control() && !REFUSED.contains(c))
            .take(MAX_REASON)
            .collect();
        let plain = if plain.is_empty() {
            "no reason given".to_owned()
        } else {
            plain
        };
        let attribute = MessageAttributeValue::builder()
            .data_type("String")
            .string_value(plain);
        let attribute = attribute
            .build()
            .map_err(|_| QueueError("the reason cannot be sent".to_owned()))?;
        let url = self.dead_letter_url().await?;
        let request = self
            .client
            .send_message()
            .queue_url(url)
            .message_body(event.to_message());
        let request = request.message_attributes("reason", attribute);
        request
            .send()
            .await
            .map(drop)
            .map_err(|error| QueueError(reason(&error)))
    }

    async fn delay(&self, receipt: &str, seconds: u32) {
        let seconds = i32::try_from(seconds).unwrap_or(i32::MAX);
        let request = self.client.change_message_visibility().queue_url(&self.url);
        let request = request.receipt_handle(receipt).visibility_timeout(seconds);
        if let Err(error) = request.send().await {
            tracing::debug!(
                reason = reason(&error),
                "a message comes back after the queue's own timeout"
            );
        }
    }
}
