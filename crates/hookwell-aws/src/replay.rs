//! An event that was kept, once more through the queue.

use hookwell::event::{Event, Key};
use hookwell::ledger::Status;
use hookwell::queue::Queue as _;
use hookwell::time::Millis;

use crate::admin::{Admin, AdminError, failed};
use crate::bucket::Bucket;
use crate::queue::SqsQueue;

/// What replaying works on.
#[derive(Debug)]
pub struct Replay<'a> {
    /// Hands on the tables.
    pub admin: &'a Admin,
    /// The events table.
    pub events_table: &'a str,
    /// Where the events go.
    pub queue: &'a SqsQueue,
    /// Where large ones are.
    pub bucket: Option<&'a Bucket>,
}

impl Replay<'_> {
    /// Puts the event whose record has this `pk` into the queue again. False when it was not kept.
    ///
    /// A record that had ended is opened first, with who did so and when, or a handler with effects elsewhere would
    /// not be called. When the send then fails the record stays open, and replaying again is all there is to do. An
    /// event that is older than its document changes nothing, as always.
    ///
    /// # Errors
    /// When a table, the bucket or the queue refuses.
    pub async fn replay(&self, pk: &str, by: &str, now: Millis) -> Result<bool, AdminError> {
        let (admin, table) = (self.admin, self.events_table);
        let Some(event) = admin.kept(table, pk, self.bucket, now).await? else {
            return Ok(false);
        };
        self.open(&event.key, by, now).await?;
        self.send(&event).await?;
        Ok(true)
    }

    async fn open(&self, key: &Key, by: &str, now: Millis) -> Result<(), AdminError> {
        for from in [Status::Done, Status::Quarantined] {
            let (admin, table) = (self.admin, self.events_table);
            if admin.reopen(table, key, from, by, now).await? {
                return Ok(());
            }
        }
        Ok(())
    }

    async fn send(&self, event: &Event) -> Result<(), AdminError> {
        let sent = self.queue.send(event).await;
        sent.map_err(|error| failed("sending to the queue", error.to_string()))
    }
}
