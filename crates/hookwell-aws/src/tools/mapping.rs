//! Lambda's event source mapping for machines without Lambda: receives a batch, hands it on, deletes the messages that
//! succeeded and leaves the rest to come back.

use std::collections::BTreeMap;

use aws_sdk_sqs::Client;
use aws_sdk_sqs::types::{DeleteMessageBatchRequestEntry, MessageSystemAttributeName};
use hookwell::ports::queue::QueueError;

use crate::client::connection::reason;

/// The most messages of one batch (`ReceiveMessage`).
pub const MAX_BATCH: i32 = 10;

/// The longest poll, in seconds (`ReceiveMessage`).
pub const MAX_WAIT: i32 = 20;

/// One received message, as the function's event shows it.
#[derive(Debug, Clone)]
pub struct Received {
    /// Id that the queue gave the message.
    pub id: String,
    /// SQS receipt handle.
    pub receipt: String,
    /// Text of the message.
    pub body: String,
    /// System attributes of the message, `ApproximateReceiveCount` among them.
    pub attributes: BTreeMap<String, String>,
}

/// The polling half of an event source mapping.
#[derive(Debug, Clone)]
pub struct EventSourceMapping {
    client: Client,
    url: String,
}

impl EventSourceMapping {
    /// A mapping of the queue at that URL.
    #[must_use]
    pub fn new(client: Client, url: String) -> Self {
        Self { client, url }
    }

    /// Waits for messages; empty after [`MAX_WAIT`] seconds without any.
    ///
    /// # Errors
    /// When the queue does not answer.
    pub async fn receive(&self) -> Result<Vec<Received>, QueueError> {
        let request = self.client.receive_message().queue_url(&self.url);
        let request = request
            .max_number_of_messages(MAX_BATCH)
            .wait_time_seconds(MAX_WAIT)
            .message_system_attribute_names(MessageSystemAttributeName::All);
        let answer = request
            .send()
            .await
            .map_err(|error| QueueError(reason(&error)))?;
        let messages = answer.messages.unwrap_or_default().into_iter();
        let received = messages.map(|message| {
            let attributes = message.attributes.unwrap_or_default().into_iter();
            Received {
                id: message.message_id.unwrap_or_default(),
                receipt: message.receipt_handle.unwrap_or_default(),
                body: message.body.unwrap_or_default(),
                attributes: attributes
                    .map(|(name, value)| (name.to_string(), value))
                    .collect(),
            }
        });
        Ok(received.collect())
    }

    /// Deletes what was processed.
    ///
    /// # Errors
    /// When the queue does not answer; the messages come back.
    pub async fn delete(&self, receipts: Vec<String>) -> Result<(), QueueError> {
        if receipts.is_empty() {
            return Ok(());
        }
        let mut request = self.client.delete_message_batch().queue_url(&self.url);
        for (index, receipt) in receipts.into_iter().enumerate() {
            let entry = DeleteMessageBatchRequestEntry::builder().id(index.to_string());
            let entry = entry.receipt_handle(receipt).build();
            request = request.entries(entry.map_err(|_| QueueError("no receipt".to_owned()))?);
        }
        request
            .send()
            .await
            .map(drop)
            .map_err(|error| QueueError(reason(&error)))
    }
}
