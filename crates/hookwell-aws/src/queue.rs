//! The queue on SQS, standard, with a dead-letter queue that its redrive policy names.

use std::pin::pin;
use std::time::Duration;

use aws_sdk_sqs::Client;
use aws_sdk_sqs::error::SdkError;
use aws_sdk_sqs::operation::send_message::{SendMessageError, SendMessageOutput};
use aws_sdk_sqs::types::{
    BatchResultErrorEntry, MessageAttributeValue, QueueAttributeName, SendMessageBatchRequestEntry,
    SendMessageBatchResultEntry,
};
use futures_util::future::{Either, join_all, select};
use hookwell::event::{Event, REFUSED};
use hookwell::queue::{Queue, QueueError};
use tokio::sync::OnceCell;
use tokio::task::JoinHandle;
use tokio::time::timeout;

use crate::bucket::{Bucket, pointed_at, pointer};
use crate::connection::{Limits, reason};
use crate::gate::{Gate, step_back};

/// How long a message that is ready may wait for the put. Its limits count from when it was made, so after this it is made
/// anew.
const READY_FOR: Duration = Duration::from_millis(100);

/// The message attribute of a dead letter that says why it was rejected.
pub(crate) const REASON: &str = "reason";

/// How much of a reason goes into it, in characters.
const MAX_REASON: usize = 500;

/// The largest event that goes into a message, in bytes: SQS takes 1 MiB, attributes and all (`SendMessage`).
const MAX_EVENT: usize = 1_000_000;

/// The queue, with a bucket for events that are too large for it ("Managing large Amazon SQS messages").
#[derive(Debug)]
pub struct SqsQueue {
    client: Client,
    bucket: Option<Bucket>,
    url: String,
    dead_letter_url: OnceCell<String>,
}

impl SqsQueue {
    /// The queue at that URL. Without a bucket it takes what fits a message.
    #[must_use]
    pub fn new(client: Client, url: String, bucket: Option<Bucket>) -> Self {
        Self {
            client,
            bucket,
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

impl SqsQueue {
    /// The message of an event: the event itself, or where it is in the bucket by now.
    async fn message(&self, event: &Event) -> Result<String, QueueError> {
        let message = event.to_message();
        if message.len() <= MAX_EVENT {
            return Ok(message);
        }
        let name = self.bucket()?.store(event).await;
        name.map(pointer).map_err(|why| QueueError(why.to_string()))
    }

    /// Begins to send a message. SQS has it as soon as it says so with its status, which opens `taken`; the rest of the call
    /// is for the connection, which could not be used again otherwise, and a sender need not wait for that.
    #[inline] // compiled in this crate, it would bring a second copy of what every call of the SDK runs through
    fn begin(&self, message: String, taken: &Gate) -> JoinHandle<Sent> {
        let request = self.client.send_message().queue_url(&self.url);
        let call = request.message_body(message).send();
        tokio::spawn(Box::pin(taken.opened_by(call)))
    }

    fn bucket(&self) -> Result<&Bucket, QueueError> {
        let none =
            || QueueError("HOOKWELL_BUCKET is not set, and a message is too large".to_owned());
        self.bucket.as_ref().ok_or_else(none)
    }

    /// Sends one batch, and what SQS refused of it once more: it throttles entries one by one.
    async fn send_batch(&self, mut messages: Vec<String>) -> Result<(), QueueError> {
        let mut why = String::new();
        for _ in 0..2 {
            let mut request = self.client.send_message_batch().queue_url(&self.url);
            for (index, message) in messages.iter().enumerate() {
                let entry = SendMessageBatchRequestEntry::builder().id(index.to_string());
                let entry = entry.message_body(message).build();
                request = request.entries(entry.map_err(|_| QueueError("no message".to_owned()))?);
            }
            let answer = request.send().await;
            let answer = answer.map_err(|error| QueueError(reason(&error)))?;
            // Only what is named as sent is; an answer that says nothing of an entry is no promise.
            let successful = answer.successful().iter();
            let sent: Vec<_> = successful.map(SendMessageBatchResultEntry::id).collect();
            let mut position = 0_usize;
            messages.retain(|_| {
                let id = position.to_string();
                position = position.saturating_add(1);
                !sent.contains(&id.as_str())
            });
            if messages.is_empty() {
                return Ok(());
            }
            let failed = answer.failed();
            failed
                .first()
                .map_or("not confirmed", BatchResultErrorEntry::code)
                .clone_into(&mut why);
            if failed.iter().any(BatchResultErrorEntry::sender_fault) {
                break;
            }
        }
        Err(QueueError(why))
    }
}

/// What came of a call.
type Sent = Result<SendMessageOutput, SdkError<SendMessageError>>;

/// The most entries of a batch (`SendMessageBatch`).
const MAX_ENTRIES: usize = 10;

/// The most bytes of a batch, all messages together (`SendMessageBatch`).
const MAX_BATCH_BYTES: usize = 1024 * 1024;

/// Splits messages into batches that SQS takes.
fn batches(messages: Vec<String>) -> Vec<Vec<String>> {
    let mut batches: Vec<Vec<String>> = Vec::new();
    let mut bytes = 0_usize;
    for message in messages {
        let length = message.len();
        bytes = bytes.saturating_add(length);
        match batches.last_mut() {
            Some(batch) if batch.len() < MAX_ENTRIES && bytes <= MAX_BATCH_BYTES => {
                batch.push(message);
            }
            _ => {
                bytes = length;
                batches.push(vec![message]);
            }
        }
    }
    batches
}

impl Queue for SqsQueue {
    async fn send(&self, event: &Event) -> Result<(), QueueError> {
        let message = self.message(event).await?;
        let taken = Gate::new(Duration::MAX);
        let sent = self.begin(message, &taken);
        match select(pin!(taken.opened()), sent).await {
            Either::Left(_) => Ok(()),
            Either::Right((Ok(sent), _)) => {
                sent.map(drop).map_err(|error| QueueError(reason(&error)))
            }
            Either::Right((Err(_), _)) => Err(QueueError("a panic".to_owned())),
        }
    }

    async fn send_when(
        &self,
        event: &Event,
        needed: impl Future<Output = bool> + Send,
    ) -> Option<Result<(), QueueError>> {
        let gate = Gate::new(READY_FOR);
        let ready = Box::pin(gate.held(async {
            // What is waited for leaves first.
            step_back().await;
            self.send(event).await
        }));
        // The put of one event is all that decides here, and one that was taken is of an event that must be sent.
        let needed = gate.opened_by(needed);
        match select(pin!(needed), ready).await {
            Either::Left((false, _)) => return None,
            Either::Left((true, ready)) if gate.open() => return Some(ready.await),
            Either::Left((true, _)) => {}
            Either::Right((sent, needed)) => {
                if !needed.await {
                    return None;
                }
                // Before it was open nothing was sent: making it took longer than it may, or failed.
                if gate.is_open() {
                    return Some(sent);
                }
            }
        }
        Some(self.send(event).await)
    }

    async fn send_all(&self, events: &[&Event]) -> Result<(), QueueError> {
        let messages = join_all(events.iter().map(|event| self.message(event))).await;
        let messages = messages.into_iter().collect::<Result<_, _>>()?;
        let batches = batches(messages).into_iter();
        let sent = join_all(batches.map(|batch| self.send_batch(batch)));
        // The second send of a batch has what the first left of the time: a sender waits for the whole.
        match timeout(Limits::INGEST_SEND.operation, sent).await {
            Ok(sent) => sent.into_iter().collect(),
            Err(_) => Err(QueueError("timed out".to_owned())),
        }
    }

    async fn open(&self, message: String) -> Result<String, QueueError> {
        let Some(name) = pointed_at(&message) else {
            return Ok(message);
        };
        let read = self.bucket()?.read(&name).await;
        read.map_err(|why| QueueError(why.to_string()))
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
            .message_body(self.message(event).await?);
        let request = request.message_attributes(REASON, attribute);
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
            tracing::info!(
                reason = reason(&error),
                "a message comes back after the queue's own timeout"
            );
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn batches_keep_the_order_and_both_limits() {
        let messages: Vec<String> = (0..25).map(|number| number.to_string()).collect();
        let split = batches(messages.clone());
        assert_eq!(split.iter().map(Vec::len).collect::<Vec<_>>(), [10, 10, 5]);
        assert_eq!(split.concat(), messages);
        let large = vec!["x".repeat(600 * 1024); 3];
        assert_eq!(batches(large).len(), 3);
        let half = vec!["x".repeat(512 * 1024); 3];
        assert_eq!(
            batches(half).iter().map(Vec::len).collect::<Vec<_>>(),
            [2, 1]
        );
        assert!(batches(Vec::new()).is_empty());
    }
}
