//! A batch of messages: read, asked for in the events table, grouped by document, and applied within the time.

use std::mem::take;
use std::pin::pin;
use std::sync::Arc;

use futures_util::future::{join, join_all, select};

use super::known::{Known, by_document};
use super::message::{Fate, Invocation, Message, OfEvent, Processed};
use super::progress::{Open, Progress};
use crate::deliver::Destination;
use crate::event::Event;
use crate::event::message::{Damage, Unreadable};
use crate::format::cut;
use crate::format::time::Millis;
use crate::ports::clock::Clock;
use crate::ports::handler::Handler;
use crate::ports::ledger::{Failure, Ledger, Record, Remembered, Status};
use crate::ports::queue::{OpenError, Queue};

/// The time that must be left to start an event, in milliseconds: its writes at their slowest, and the end of the
/// invocation.
pub const TIME_TO_START: Millis = 5_000;

/// The time before Lambda's deadline at which work ends, in milliseconds: for the pauses of what failed, and the answer.
const WORK_ENDS: Millis = 2_000;

/// The time before Lambda's deadline at which the pauses end, in milliseconds. At the deadline itself Lambda would report
/// nothing, and every message of the batch would come back.
const PAUSES_END: Millis = 500;

/// The longest pause that a handler may ask for, in seconds: a message that waits in place counts as in flight.
const LONGEST_PAUSE: u32 = 15 * 60;

/// Ports, clock and limits of an invocation.
pub(super) struct Call<'a, L, Q, H> {
    pub(super) ledger: &'a L,
    pub(super) queue: &'a Q,
    pub(super) handler: &'a H,
    pub(super) destinations: &'a [Destination],
    pub(super) clock: Clock<'a>,
    pub(super) invocation: Invocation<'a>,
    pub(super) progress: Progress,
}

/// Processes a batch: documents side by side, the events of one document in the order of their versions, so that a
/// batch never contends with itself. Every message of the batch is in the answer exactly once.
///
/// An event that has come to its end is queued once more for each of its destinations, and only then is it marked done. `handler`
/// gets these copies as well: [`Event::destination`] tells them.
///
/// All of it ends before the invocation's deadline: events are not started shortly before it, and what still runs when
/// the time for work is over is abandoned and comes back, whether or not it took effect.
pub async fn process<L: Ledger, Q: Queue, H: Handler>(
    ledger: &L,
    queue: &Q,
    handler: &H,
    destinations: &[Destination],
    batch: Vec<Message>,
    invocation: Invocation<'_>,
    clock: Clock<'_>,
) -> Vec<Processed> {
    let call = Call {
        ledger,
        queue,
        handler,
        destinations,
        clock,
        invocation,
        progress: Progress::default(),
    };
    let before_deadline = |time| (clock.until)(invocation.deadline.saturating_sub(time));
    {
        // Boxed: otherwise every enclosing future grows by its size, and nests too deep for the compiler.
        let work = Box::pin(call.work(batch));
        select(work, before_deadline(WORK_ENDS)).await;
    }
    let (mut processed, abandoned) = call.progress.take();
    let mut abandoned: Vec<_> = abandoned
        .into_iter()
        .map(|open| call.abandon(open))
        .collect();
    for done in processed.iter_mut().chain(&mut abandoned) {
        if done.fate.is_failure() {
            done.hidden_for = call.pause(done);
        }
    }
    {
        let failed = processed.iter().chain(&abandoned);
        let failed = failed.filter(|done| done.fate.is_failure());
        let pauses = failed.map(|done| queue.delay(&done.message.receipt, done.hidden_for));
        let notes = abandoned.iter().map(|done| call.note_failure(done));
        let back = pin!(join(join_all(pauses), join_all(notes)));
        select(back, before_deadline(PAUSES_END)).await;
    }
    processed.extend(abandoned);
    processed
}

/// Reason a message could not be read.
enum Unread {
    /// The message cannot be read now and comes back: the bucket does not answer, or a later release wrote it.
    Now(String),
    /// The message is no event, and no try changes that.
    Ever(Damage),
}

impl From<Damage> for Unread {
    fn from(damage: Damage) -> Self {
        Self::Ever(damage)
    }
}

impl From<OpenError> for Unread {
    fn from(why: OpenError) -> Self {
        match why {
            OpenError::Unavailable(why) => Self::Now(cut::reason(&why)),
            OpenError::Damaged(damage) => Self::Ever(damage),
        }
    }
}

impl From<Unreadable> for Unread {
    fn from(why: Unreadable) -> Self {
        match why {
            Unreadable::Newer(_) => Self::Now(why.to_string()),
            Unreadable::Damaged(damage) => Self::Ever(damage),
        }
    }
}

impl<L: Ledger, Q: Queue, H: Handler> Call<'_, L, Q, H> {
    async fn work(&self, batch: Vec<Message>) {
        for message in &batch {
            self.progress.begin(message);
        }
        let read = join_all(batch.iter().map(|message| self.read(&message.body))).await;
        let (mut events, mut damaged) = (Vec::new(), Vec::new());
        for (mut message, read) in batch.into_iter().zip(read) {
            match read {
                Ok(mut event) => {
                    message.body = String::new();
                    event.renew((self.clock.now)());
                    events.push((event, message));
                }
                Err(Unread::Now(why)) => {
                    let fate = Fate::Retry(why);
                    self.progress.end(self.done(message, None, fate));
                }
                Err(Unread::Ever(damage)) => damaged.push((message, damage)),
            }
        }
        // The events do not wait for the dead-letter queue.
        let burying = damaged
            .into_iter()
            .map(|(message, damage)| self.bury(message, damage));
        join(join_all(burying), self.apply_all(events)).await;
    }

    /// Reads a message.
    async fn read(&self, text: &str) -> Result<Event, Unread> {
        let whole = self.queue.open(text).await?;
        let event = Event::from_message(&whole)?;
        event.check_times((self.clock.now)())?;
        Ok(event)
    }

    /// Puts a message that is no event into the dead-letter queue.
    async fn bury(&self, mut message: Message, damage: Damage) {
        let text = take(&mut message.body);
        let buried = self.queue.bury_damaged(&text, &damage.to_string()).await;
        let fate = match buried {
            Ok(()) => Fate::Malformed(damage),
            Err(why) => Fate::retry(&why),
        };
        self.progress.end(self.done(message, None, fate));
    }

    /// Takes events to their ends, documents side by side. An event that may be killing the function comes last and
    /// alone: then its own try is counted, and no neighbour's.
    async fn apply_all(&self, events: Vec<(Event, Message)>) {
        let known = self.settle(events).await;
        let (suspicious, others): (Vec<_>, Vec<_>) =
            known.into_iter().partition(Known::is_suspicious);
        let groups = by_document(others).into_iter();
        join_all(groups.map(|group| self.one_by_one(group))).await;
        self.one_by_one(suspicious).await;
    }

    async fn one_by_one(&self, events: Vec<Known>) {
        for known in events {
            // Boxed, as the work.
            self.progress.end(Box::pin(self.process(known)).await);
        }
    }

    /// Asks the events table for the records of all events. An event that is done is a duplicate; every other one gets
    /// the version that its record holds, and where there is no record, because the table was away when ingest asked or
    /// the record has expired, it is written now.
    async fn settle(&self, events: Vec<(Event, Message)>) -> Vec<Known> {
        if events.is_empty() {
            return Vec::new();
        }
        let asked: Vec<_> = events.iter().map(|(event, _)| event).collect();
        let now = (self.clock.now)();
        let records = match self.ledger.recall(&asked, now).await {
            Ok(records) => records,
            Err(why) => {
                for (event, message) in events {
                    let fate = Fate::retry(&why);
                    self.progress
                        .end(self.done(message, Some(event.into()), fate));
                }
                return Vec::new();
            }
        };
        let settling = events.into_iter().zip(records);
        let settling = settling.map(|((event, message), record)| async move {
            match self.record_of(&event, record, now).await {
                Ok(record) => Some(Known::new(event, message, record)),
                Err(fate) => {
                    self.progress
                        .end(self.done(message, Some(event.into()), fate));
                    None
                }
            }
        });
        join_all(settling).await.into_iter().flatten().collect()
    }

    /// The record of an event that is not done; `None` when it was written now.
    async fn record_of(
        &self,
        event: &Event,
        record: Option<Record>,
        now: Millis,
    ) -> Result<Option<Record>, Fate> {
        let record = match record {
            Some(record) => record,
            None => match self.ledger.remember(event, now).await {
                Ok(Remembered::New) => return Ok(None),
                Ok(Remembered::Known(record)) => record,
                Err(why) => return Err(Fate::retry(&why)),
            },
        };
        match record.status {
            Status::Done => Err(Fate::Duplicate),
            Status::Pending | Status::Quarantined => Ok(Some(record)),
        }
    }

    /// The end of a message, at this moment.
    pub(super) fn done(
        &self,
        message: Message,
        event: Option<Arc<Event>>,
        fate: Fate,
    ) -> Processed {
        let reason = match &fate {
            Fate::Malformed(damage) => Some(damage.to_string()),
            _ => None,
        };
        Processed {
            message,
            event,
            fate,
            reason,
            tie: false,
            at: (self.clock.now)(),
            steps: OfEvent::default(),
            tried: None,
            pause: 0,
            hidden_for: 0,
        }
    }

    /// The end of a message whose work was not finished in time.
    fn abandon(&self, open: Open) -> Processed {
        let fate = Fate::Retry("there was no time to finish it".to_owned());
        Processed {
            tried: open.tried,
            ..self.done(open.message, open.event, fate)
        }
    }

    /// Notes in the record of an event that was tried under a lease that the try has failed.
    pub(super) async fn note_failure(&self, done: &Processed) {
        let (Some(event), Some(tried), Fate::Retry(reason)) = (&done.event, done.tried, &done.fate)
        else {
            return;
        };
        let at = (self.clock.now)();
        let failure = Failure {
            owner: &self.invocation.owner(&done.message),
            reason,
            at,
            lease_end: if tried.runs_on {
                self.invocation.lease_end()
            } else {
                at
            },
            waits_until: done.waits_until(),
        };
        self.ledger.fail(event, &failure).await;
    }

    /// Visibility timeout of a failed message, in seconds: its backoff, or, where that is longer, the pause that the
    /// handler asks for or the rest of the lease. A message that comes back while the lease lasts would only use up a
    /// try.
    fn pause(&self, done: &Processed) -> u32 {
        let asked = done.pause.min(LONGEST_PAUSE);
        let lease = match &done.fate {
            Fate::Busy { until } => *until,
            Fate::Retry(_) if done.tried.is_some_and(|tried| tried.runs_on) => {
                self.invocation.lease_end()
            }
            _ => return asked.max(done.message.backoff()),
        };
        let seconds = lease.saturating_sub((self.clock.now)()).max(0) / 1000;
        let seconds = u32::try_from(seconds).unwrap_or(u32::MAX).saturating_add(1);
        seconds.max(done.message.backoff())
    }
}
