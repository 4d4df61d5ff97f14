//! The dead-letter queue as a person sees it: what is in it and why, and the way back.

use std::collections::{BTreeMap, HashMap};

use aws_sdk_sqs::Client;
use aws_sdk_sqs::types::{
    ChangeMessageVisibilityBatchRequestEntry, Message, MessageSystemAttributeName,
};
use hookwell::event::Event;
use hookwell::event::message::{Damage, Unreadable};
use hookwell::format::time::Millis;
use hookwell::ports::ledger::Status;
use hookwell::ports::queue::{OpenError, Queue as _, QueueError};

use crate::client::connection::{Connection, reason};
use crate::client::limits::Limits;
use crate::http::bucket::Bucket;
use crate::queue::{REASON, SqsQueue, stored};
use crate::tools::admin::Admin;
use crate::tools::failure::{AdminError, failed};
use crate::tools::mapping::MAX_BATCH;

/// Time that a message stays hidden from others while somebody looks at it, in seconds: long enough to ask a person.
const HOLD: i32 = 120;

/// A message of the dead-letter queue.
#[derive(Debug, Clone)]
pub struct DeadLetter {
    /// Id that the queue gave the message.
    pub message_id: String,
    /// Event of the message, or the reason why there is none to show.
    pub event: Result<Event, NoEvent>,
    /// Text of the message.
    pub body: String,
    /// Reason for which process put it here; `None` when SQS moved it here itself.
    pub reason: Option<String>,
    /// Time at which it came here.
    pub sent_at: Option<Millis>,
    receipt: String,
}

/// Reason why a dead letter shows no event.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NoEvent {
    /// The message is no event, whoever reads it.
    #[error(transparent)]
    Damaged(#[from] Damage),
    /// The message may be a good event: whoever reads it lacks something.
    #[error("cannot be read: {0}")]
    Unreadable(String),
}

impl From<OpenError> for NoEvent {
    fn from(why: OpenError) -> Self {
        match why {
            OpenError::Damaged(damage) => Self::Damaged(damage),
            OpenError::Unavailable(QueueError(why)) => Self::Unreadable(format!(
                "{why}. The event is in the bucket: export HOOKWELL_BUCKET, and have the right to s3:GetObject there"
            )),
        }
    }
}

impl From<Unreadable> for NoEvent {
    fn from(why: Unreadable) -> Self {
        match why {
            Unreadable::Damaged(damage) => Self::Damaged(damage),
            Unreadable::Newer(version) => Self::Unreadable(format!(
                "a later release wrote it, as version {version}: update hookwell"
            )),
        }
    }
}

impl DeadLetter {
    /// Id that the sender gave the event, else the one that the queue gave the message.
    #[must_use]
    pub fn id(&self) -> &str {
        let event = self.event.as_ref();
        event.map_or(&self.message_id, |event| &event.id)
    }

    /// Reason why the message is a dead letter, and why its event cannot be read, in a few words.
    #[must_use]
    pub fn why(&self) -> String {
        match (&self.reason, &self.event) {
            (Some(reason), Err(why @ NoEvent::Unreadable(_))) => format!("{reason}; {why}"),
            (Some(reason), _) => reason.clone(),
            (None, Ok(_)) => "out of tries".to_owned(),
            (None, Err(why)) => why.to_string(),
        }
    }

    /// True when the message may be a good event that cannot be read here.
    #[must_use]
    pub fn is_unreadable(&self) -> bool {
        matches!(self.event, Err(NoEvent::Unreadable(_)))
    }
}

/// A dead-letter queue and the queue that its letters go back to.
#[derive(Debug)]
pub struct DeadLetters {
    client: Client,
    queue: SqsQueue,
    queue_url: String,
    url: String,
    /// Time that SQS may look for messages before it says that there is none, in seconds.
    wait: i32,
}

impl DeadLetters {
    /// The dead-letter queue at `url` of the queue at `queue_url`.
    #[must_use]
    pub fn new(
        connection: &Connection,
        queue_url: &str,
        url: &str,
        bucket: Option<Bucket>,
    ) -> Self {
        let client = connection.sqs(Limits::TOOL);
        let queue = SqsQueue::new(client.clone(), queue_url.to_owned(), bucket);
        Self {
            client,
            queue_url: queue_url.to_owned(),
            url: url.to_owned(),
            queue,
            // A long poll asks every server of SQS, so that an empty answer means empty.
            wait: 1,
        }
    }

    /// Reader of a queue on this machine, which answers every poll from all of its messages, so that none has to wait.
    #[must_use]
    pub fn of_this_machine(self) -> Self {
        Self { wait: 0, ..self }
    }

    /// The messages there now, oldest first. SQS can only show a message by handing it out, so they stay hidden from
    /// others until they are [released](Self::release) or two minutes are over.
    ///
    /// # Errors
    /// When SQS refuses.
    pub async fn receive(&self) -> Result<Vec<DeadLetter>, AdminError> {
        let mut found = BTreeMap::new();
        loop {
            let count = found.len();
            for letter in self.some().await? {
                // A letter that came before has a newer receipt now, and can be deleted only by the newer receipt.
                found.insert(letter.message_id.clone(), letter);
            }
            if found.len() == count {
                break;
            }
        }
        let mut found: Vec<_> = found.into_values().collect();
        found.sort_by_key(|letter| letter.sent_at);
        Ok(found)
    }

    /// A look through the queue, a few letters at a time, however many there are.
    #[must_use]
    pub fn look(&self) -> Look<'_> {
        Look {
            letters: self,
            seen: HashMap::new(),
        }
    }

    /// Lets others see the messages again at once. Best effort: they come back by themselves.
    pub async fn release(&self, letters: &[DeadLetter]) {
        let receipts: Vec<_> = letters.iter().map(|letter| &*letter.receipt).collect();
        self.show_again(&receipts).await;
    }

    async fn show_again(&self, receipts: &[&str]) {
        for some in receipts.chunks(10) {
            let entry = |(index, receipt): (usize, &&str)| {
                ChangeMessageVisibilityBatchRequestEntry::builder()
                    .id(index.to_string())
                    .receipt_handle(*receipt)
                    .visibility_timeout(0)
                    .build()
                    .ok()
            };
            let entries = some.iter().enumerate().filter_map(entry).collect();
            let request = self.client.change_message_visibility_batch();
            let request = request.queue_url(&self.url).set_entries(Some(entries));
            if let Err(error) = request.send().await {
                tracing::info!(
                    reason = reason(&error),
                    "the messages come back by themselves"
                );
            }
        }
    }

    /// Opens the record of the event, with who did so in it and when, so that its time to be tried begins anew, then
    /// [redrives](Self::redrive) it. True when there was a record to open.
    ///
    /// # Errors
    /// When the letter may be somebody else's by now, or DynamoDB or SQS refuses. A record that is open already does no
    /// harm: the event is still here.
    pub async fn reopen(
        &self,
        admin: &Admin,
        events_table: &str,
        letter: &DeadLetter,
        by: &str,
        now: Millis,
    ) -> Result<bool, AdminError> {
        self.hold(letter).await?;
        let reopened = match &letter.event {
            Ok(event) => {
                let from = [Status::Quarantined, Status::Pending];
                admin
                    .reopen(events_table, &event.record_key(), &from, by, now)
                    .await?
            }
            Err(_) => false,
        };
        self.put_back(letter).await?;
        Ok(reopened)
    }

    /// Puts a message back into its queue, then takes it from here. When that second step fails it is in both, which
    /// does no harm.
    ///
    /// # Errors
    /// When the letter may be somebody else's by now, or SQS refuses.
    pub async fn redrive(&self, letter: &DeadLetter) -> Result<(), AdminError> {
        self.hold(letter).await?;
        self.put_back(letter).await
    }
}

impl DeadLetters {
    /// Some of the messages, with their time hidden from others begun.
    async fn some(&self) -> Result<Vec<DeadLetter>, AdminError> {
        let request = self.client.receive_message().queue_url(&self.url);
        let answer = request
            .max_number_of_messages(MAX_BATCH)
            .wait_time_seconds(self.wait)
            .visibility_timeout(HOLD)
            .message_attribute_names(REASON)
            .message_system_attribute_names(MessageSystemAttributeName::SentTimestamp)
            .send()
            .await
            .map_err(|error| {
                let what = format!("reading the dead-letter queue {}", self.url);
                failed(&what, reason(&error))
            })?;
        let mut some = Vec::new();
        for message in answer.messages.unwrap_or_default() {
            some.push(self.letter(message).await);
        }
        Ok(some)
    }

    /// Hides a letter from others for two minutes more: without that, somebody else could put it back as well.
    async fn hold(&self, letter: &DeadLetter) -> Result<(), AdminError> {
        let request = self.client.change_message_visibility();
        let request = request.queue_url(&self.url).visibility_timeout(HOLD);
        let held = request.receipt_handle(&letter.receipt).send().await;
        held.map(drop).map_err(|error| {
            let why = reason(&error);
            let why = format!("{why}: somebody else may have it by now, so look again");
            failed("holding the dead letter", why)
        })
    }

    async fn put_back(&self, letter: &DeadLetter) -> Result<(), AdminError> {
        let request = self.client.send_message().queue_url(&self.queue_url);
        let event = letter.event.as_ref().ok();
        let group = event.map(|event| event.group().into_owned());
        let request = request
            .message_body(&letter.body)
            .set_message_group_id(group);
        let sent = request.send().await;
        let sent = sent.map_err(|error| QueueError(reason(&error)));
        sent.and_then(|answer| stored(&answer))
            .map_err(|why| failed(&format!("sending to the queue {}", self.queue_url), why.0))?;
        let request = self.client.delete_message().queue_url(&self.url);
        let deleted = request.receipt_handle(&letter.receipt).send().await;
        deleted
            .map(drop)
            .map_err(|error| failed("taking it from the dead-letter queue", reason(&error)))
    }

    async fn letter(&self, message: Message) -> DeadLetter {
        let attributes = message.attributes.unwrap_or_default();
        let sent_at = attributes.get(&MessageSystemAttributeName::SentTimestamp);
        let own = message.message_attributes.unwrap_or_default();
        let body = message.body.unwrap_or_default();
        DeadLetter {
            message_id: message.message_id.unwrap_or_default(),
            // A large one whose object cannot be read is listed all the same, and can be redriven.
            event: self.read(&body).await,
            reason: own.get(REASON).and_then(|it| it.string_value.clone()),
            sent_at: sent_at.and_then(|text| text.parse().ok()),
            receipt: message.receipt_handle.unwrap_or_default(),
            body,
        }
    }

    async fn read(&self, body: &str) -> Result<Event, NoEvent> {
        let whole = self.queue.open(body).await?;
        Ok(Event::from_message(&whole)?)
    }
}

/// A look through the dead-letter queue. What it has given stays hidden from others until it is [released](Self::release) or
/// two minutes are over; of a letter it remembers no more than its id and its receipt.
#[derive(Debug)]
pub struct Look<'a> {
    letters: &'a DeadLetters,
    /// The receipt of each letter that was given, by its id.
    seen: HashMap<String, String>,
}

impl Look<'_> {
    /// A few letters that were not given yet, in the order in which SQS has them; none at the end.
    ///
    /// # Errors
    /// When SQS refuses.
    pub async fn next(&mut self) -> Result<Vec<DeadLetter>, AdminError> {
        let mut some = self.letters.some().await?;
        some.retain(|letter| {
            let receipt = letter.receipt.clone();
            self.seen
                .insert(letter.message_id.clone(), receipt)
                .is_none()
        });
        Ok(some)
    }

    /// Forgets a letter that is not in the queue any more.
    pub fn forget(&mut self, letter: &DeadLetter) {
        self.seen.remove(&letter.message_id);
    }

    /// Lets others see the letters again at once. Best effort: they come back by themselves.
    pub async fn release(self) {
        let receipts: Vec<_> = self.seen.values().map(String::as_str).collect();
        self.letters.show_again(&receipts).await;
    }
}
