//! The queue on SQS, standard, with its dead-letter queue. The retry queue is between the two and none of the code's
//! business: SQS itself moves messages there, and a schedule moves them back.

use std::borrow::Cow;

use aws_sdk_sqs::Client;
use aws_sdk_sqs::operation::send_message::SendMessageOutput;
use aws_sdk_sqs::types::{
    BatchResultErrorEntry, MessageAttributeValue, SendMessageBatchRequestEntry,
};
use futures_util::future::join_all;
use hookwell::event::Event;
use hookwell::event::body::REFUSED;
use hookwell::format::cut::{MAX_REASON, cut};
use hookwell::ports::queue::{OpenError, Queue, QueueError};

use crate::client::connection::reason;
use crate::http::bucket::{Bucket, pointed_at, pointer};

/// The message attribute of a dead letter that says why it was rejected.
pub(crate) const REASON: &str = "reason";

/// The largest event that goes into a message, in bytes: SQS takes 1 MiB, attributes and all (`SendMessage`).
const MAX_EVENT: usize = 1_000_000;

/// The queue, with a bucket for events that are too large for it ("Managing large Amazon SQS messages").
#[derive(Debug)]
pub struct SqsQueue {
    client: Client,
    bucket: Option<Bucket>,
    url: String,
    dead_letter_url: Option<String>,
}

impl SqsQueue {
    /// The queue at that URL. Without a bucket it takes what fits a message.
    #[must_use]
    pub fn new(client: Client, url: String, bucket: Option<Bucket>) -> Self {
        Self {
            client,
            bucket,
            url,
            dead_letter_url: None,
        }
    }

    /// URL of the queue.
    #[must_use]
    pub fn url(&self) -> &str {
        &self.url
    }

    /// Adds the dead-letter queue, for callers that put events there.
    #[must_use]
    pub fn with_dead_letters(self, url: String) -> Self {
        Self {
            dead_letter_url: Some(url),
            ..self
        }
    }
}

/// A message as it is sent.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Outgoing {
    body: String,
    /// The event's [group](Event::group).
    group: String,
}

impl SqsQueue {
    /// The message of an event: the event itself, or where it is in the bucket by now.
    async fn message(&self, event: &Event) -> Result<Outgoing, QueueError> {
        let mut body = event.to_message();
        if body.len() > MAX_EVENT {
            let name = self.bucket()?.store(event).await;
            body = pointer(name.map_err(|why| QueueError(why.to_string()))?);
        }
        let group = event.group().into_owned();
        Ok(Outgoing { body, group })
    }

    fn bucket(&self) -> Result<&Bucket, QueueError> {
        let none = || {
            QueueError(
                "HOOKWELL_BUCKET is not set, and the event is too large for a message".to_owned(),
            )
        };
        self.bucket.as_ref().ok_or_else(none)
    }

    /// Puts a message into the dead-letter queue, with the reason as its attribute, as far as there is room for it.
    async fn send_letter(
        &self,
        body: String,
        group: Option<String>,
        why: &str,
    ) -> Result<(), QueueError> {
        let none = || QueueError("HOOKWELL_DEAD_LETTER_QUEUE_URL is not set".to_owned());
        let url = self.dead_letter_url.as_ref().ok_or_else(none)?;
        let room = MAX_MESSAGE_BYTES.saturating_sub(body.len() + REASON.len() + TEXT.len());
        let request = self.client.send_message().queue_url(url);
        let mut request = request.message_body(body).set_message_group_id(group);
        let plain = plain(why);
        let plain = cut(&plain, room.min(MAX_REASON));
        if !plain.is_empty() {
            let attribute = MessageAttributeValue::builder().data_type(TEXT);
            let attribute = attribute.string_value(plain).build();
            let attribute = attribute.map_err(|error| QueueError(error.to_string()))?;
            request = request.message_attributes(REASON, attribute);
        }
        let answer = request.send().await;
        stored(&answer.map_err(|error| QueueError(reason(&error)))?)
    }

    /// Sends one batch, and once more the entries that SQS refused: SQS throttles entries one by one. Says of each
    /// message whether it is queued.
    async fn send_batch(&self, messages: &[Outgoing]) -> Vec<Result<(), QueueError>> {
        let mut sent = vec![not_confirmed(); messages.len()];
        for _ in 0..2 {
            let mut request = self.client.send_message_batch().queue_url(&self.url);
            for (index, message) in messages.iter().enumerate() {
                if sent.get(index).is_some_and(Result::is_err) {
                    let entry = SendMessageBatchRequestEntry::builder().id(index.to_string());
                    let entry = entry.message_body(&message.body);
                    let entry = entry.message_group_id(&message.group);
                    // With an id and a body every entry can be built.
                    if let Ok(entry) = entry.build() {
                        request = request.entries(entry);
                    }
                }
            }
            let answer = match request.send().await {
                Ok(answer) => answer,
                Err(error) => {
                    let failed = Err(QueueError(reason(&error)));
                    let open = sent.iter_mut().filter(|sent| sent.is_err());
                    open.for_each(|sent| sent.clone_from(&failed));
                    return sent;
                }
            };
            // Only an entry that the answer names as sent is sent; an answer without the entry is no promise.
            for entry in answer.successful() {
                if let Some(sent) = at(&mut sent, entry.id()) {
                    *sent = Ok(());
                }
            }
            for entry in answer.failed() {
                if let Some(sent) = at(&mut sent, entry.id()) {
                    *sent = Err(QueueError(entry.code().to_owned()));
                }
            }
            let is_final = answer
                .failed()
                .iter()
                .any(BatchResultErrorEntry::sender_fault);
            if is_final || sent.iter().all(Result::is_ok) {
                break;
            }
        }
        sent
    }
}

/// A reason without the few characters that SQS refuses: they would make the message impossible to bury.
fn plain(reason: &str) -> String {
    let plain = reason.replace(|c: char| c.is_control() || REFUSED.contains(&c), "");
    if plain.is_empty() {
        return "no reason given".to_owned();
    }
    plain
}

/// The entry of a batch that has this id, its position.
fn at<'a, T>(all: &'a mut [T], id: &str) -> Option<&'a mut T> {
    all.get_mut(id.parse::<usize>().ok()?)
}

/// Success when SQS's answer names the message. An answer without a message id is not from SQS, which always gives one
/// (`SendMessage`).
pub(crate) fn stored(answer: &SendMessageOutput) -> Result<(), QueueError> {
    match answer.message_id() {
        Some(_) => Ok(()),
        None => not_confirmed(),
    }
}

fn not_confirmed() -> Result<(), QueueError> {
    Err(QueueError("not confirmed".to_owned()))
}

/// The most entries of a batch (`SendMessageBatch`).
const MAX_ENTRIES: usize = 10;

/// The most bytes of a message with its attributes, and of all messages of a batch (`SendMessageBatch`).
pub(crate) const MAX_MESSAGE_BYTES: usize = 1024 * 1024;

/// The type of the attribute.
const TEXT: &str = "String";

/// Splits messages into batches that SQS takes.
fn batches(messages: Vec<Outgoing>) -> Vec<Vec<Outgoing>> {
    let mut batches: Vec<Vec<Outgoing>> = Vec::new();
    let mut bytes = 0_usize;
    for message in messages {
        let length = message.body.len();
        bytes = bytes.saturating_add(length);
        match batches.last_mut() {
            Some(batch) if batch.len() < MAX_ENTRIES && bytes <= MAX_MESSAGE_BYTES => {
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
        let Outgoing { body, group } = self.message(event).await?;
        let request = self.client.send_message().queue_url(&self.url);
        let request = request.message_body(body).message_group_id(group);
        // Boxed: otherwise every enclosing future grows by its size.
        let answer = Box::pin(request.send()).await;
        stored(&answer.map_err(|error| QueueError(reason(&error)))?)
    }

    async fn send_all(&self, events: &[&Event]) -> Vec<Result<(), QueueError>> {
        let messages = join_all(events.iter().map(|event| self.message(event))).await;
        let mut unmade = Vec::with_capacity(events.len());
        let ready = messages.into_iter().filter_map(|message| {
            let (message, why) = match message {
                Ok(message) => (Some(message), None),
                Err(why) => (None, Some(why)),
            };
            unmade.push(why);
            message
        });
        let batches = batches(ready.collect());
        let sent = join_all(batches.iter().map(|batch| self.send_batch(batch))).await;
        let mut sent = sent.into_iter().flatten();
        let ends = unmade.into_iter().map(|why| match why {
            Some(why) => Err(why),
            None => sent.next().unwrap_or_else(not_confirmed),
        });
        ends.collect()
    }

    async fn open<'m>(&self, message: &'m str) -> Result<Cow<'m, str>, OpenError> {
        let Some(name) = pointed_at(message) else {
            return Ok(Cow::Borrowed(message));
        };
        self.bucket()?.read(&name).await.map(Cow::Owned)
    }

    async fn bury(&self, event: &Event, reason: &str) -> Result<(), QueueError> {
        let Outgoing { body, group } = self.message(event).await?;
        self.send_letter(body, Some(group), reason).await
    }

    async fn bury_damaged(&self, message: &str, reason: &str) -> Result<(), QueueError> {
        self.send_letter(message.to_owned(), None, reason).await
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
        let outgoing = |body: String| Outgoing {
            body,
            group: "shop".to_owned(),
        };
        let numbers = (0..25).map(|number| number.to_string());
        let messages: Vec<_> = numbers.map(outgoing).collect();
        let split = batches(messages.clone());
        assert_eq!(split.iter().map(Vec::len).collect::<Vec<_>>(), [10, 10, 5]);
        assert_eq!(split.concat(), messages);
        let large = vec![outgoing("x".repeat(600 * 1024)); 3];
        assert_eq!(batches(large).len(), 3);
        let half = vec![outgoing("x".repeat(512 * 1024)); 3];
        assert_eq!(
            batches(half).iter().map(Vec::len).collect::<Vec<_>>(),
            [2, 1]
        );
        assert!(batches(Vec::new()).is_empty());
    }
}
