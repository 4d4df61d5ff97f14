//! The queue: what keeps an acknowledged event alive until it is applied.

use std::borrow::Cow;

use crate::event::Event;
use crate::event::message::Damage;

/// Sends and steers messages.
pub trait Queue: Send + Sync {
    /// Queues an event. `Ok` MUST mean that it is stored durably.
    ///
    /// # Errors
    /// When that is not known; it may be queued all the same.
    fn send(&self, event: &Event) -> impl Future<Output = Result<(), QueueError>> + Send;

    /// Queues all of these events, and says of each, in their order, whether it is queued. `Ok` MUST mean that it is
    /// stored durably.
    fn send_all(
        &self,
        events: &[&Event],
    ) -> impl Future<Output = Vec<Result<(), QueueError>>> + Send {
        async move {
            let mut sent = Vec::with_capacity(events.len());
            for event in events {
                sent.push(self.send(event).await);
            }
            sent
        }
    }

    /// The whole text of a received message. A queue MAY keep an event that is too large for it elsewhere, and send a
    /// pointer in place of the event; then the object there MUST be the event that the message points to.
    ///
    /// # Errors
    /// When the text cannot be read now, or never.
    fn open<'m>(
        &self,
        message: &'m str,
    ) -> impl Future<Output = Result<Cow<'m, str>, OpenError>> + Send {
        std::future::ready(Ok(Cow::Borrowed(message)))
    }

    /// Puts an event into the dead-letter queue with the reason beside it. `Ok` MUST mean that it is stored durably.
    ///
    /// # Errors
    /// When that is not known.
    fn bury(
        &self,
        event: &Event,
        reason: &str,
    ) -> impl Future<Output = Result<(), QueueError>> + Send;

    /// Puts a message that is no event into the dead-letter queue as it is, with the reason beside it. `Ok` MUST mean that it
    /// is stored durably. A queue that cannot do it keeps the message until its tries are over.
    ///
    /// # Errors
    /// When that is not known.
    fn bury_damaged(
        &self,
        message: &str,
        reason: &str,
    ) -> impl Future<Output = Result<(), QueueError>> + Send {
        let _ = message;
        std::future::ready(Err(QueueError(reason.to_owned())))
    }

    /// Hides a received message for so many seconds, so that a retry neither hurries nor waits for the queue's whole
    /// visibility timeout. Best effort: without it the message comes back by itself.
    fn delay(&self, receipt: &str, seconds: u32) -> impl Future<Output = ()> + Send;
}

/// The queue did not answer, or not in time.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the queue is unavailable: {0}")]
pub struct QueueError(pub String);

/// Reason a message cannot be opened.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum OpenError {
    /// The text cannot be read now; a later try may read it.
    #[error(transparent)]
    Unavailable(#[from] QueueError),
    /// The text can never be read.
    #[error(transparent)]
    Damaged(#[from] Damage),
}
