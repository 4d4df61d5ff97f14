//! An SQS queue: one message for each event.

use aws_sdk_sqs::error::SdkError;
use hookwell::deliver::entry;
use hookwell::event::Event;
use hookwell::event::identity::hash;
use hookwell::ports::handler::HandleError;

use super::Destinations;
use crate::client::connection::reason;
use crate::queue::{MAX_MESSAGE_BYTES, stored};

/// The end of every FIFO queue's name ("`CreateQueue`").
const FIFO: &str = ".fifo";

impl Destinations {
    /// Sends an event to a queue. In a FIFO queue the events of a document are one group, so that consumers get them
    /// one after the other, and the event's key tells SQS which message is a repetition.
    pub(super) async fn send_message(&self, url: &str, event: &Event) -> Result<(), HandleError> {
        let body = entry(event);
        if body.len() > MAX_MESSAGE_BYTES {
            let kb = body.len().div_ceil(1024);
            return Err(HandleError::Reject(format!(
                "the event has {kb} KiB, and SQS takes at most 1,024"
            )));
        }
        let mut request = self.queues.send_message().queue_url(url).message_body(body);
        if url.strip_suffix(FIFO).is_some() {
            request = request
                .message_group_id(group(event))
                .message_deduplication_id(event.key.as_str());
        }
        // Boxed: otherwise every enclosing future grows by its size.
        let answer = Box::pin(request.send()).await.map_err(|error| {
            let why = format!("SQS: {}", reason(&error));
            match error {
                SdkError::ServiceError(_) => HandleError::RetryEnded(why),
                _ => HandleError::Retry(why),
            }
        })?;
        stored(&answer).map_err(|why| HandleError::RetryEnded(why.to_string()))
    }
}

/// The group of an event in a FIFO queue: its document, hashed because SQS takes 128 characters of ASCII.
fn group(event: &Event) -> String {
    match event.document_key() {
        Some(document) => hash(&[document.as_str().as_bytes()]),
        None => event.key.as_str().to_owned(),
    }
}
