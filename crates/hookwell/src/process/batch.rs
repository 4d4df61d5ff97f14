//! A batch of messages: read, asked for in the events table, grouped by document, and applied within the time.

use std::collections::BTreeMap;
use std::mem::take;
use std::pin::pin;
use std::sync::{Mutex, MutexGuard, PoisonError};

use futures_util::future::{join, join_all, select};

use super::message::OfEvent;
use super::message::{Fate, Invocation, Message, Processed};
use crate::event::Event;
use crate::event::message::{Damage, Unreadable};
use crate::format::cut;
use crate::format::time::Millis;
use crate::ports::clock::Clock;
use crate::ports::handler::Handler;
use crate::ports::ledger::{Ledger, Record, Remembered, Status};
use crate::ports::queue::{OpenError, Queue};

/// The longest pause before a retry, in seconds.
pub const MAX_DELAY: u32 = 900;

/// The time that an event needs to be started, in milliseconds: its writes at their slowest, and what comes after the work.
pub const TIME_TO_START: Millis = 5_000;

/// The time before Lambda's deadline at which work ends, in milliseconds: for the pauses of what failed, and the answer.
const WORK_ENDS: Millis = 2_000;

/// The time before Lambda's deadline at which the pauses end, in milliseconds. At the deadline itself Lambda would report
/// nothing, and every message of the batch would come back.
const PAUSES_END: Millis = 500;

/// Ports, clock and limits of an invocation.
pub(super) struct Call<'a, L, Q, H> {
    pub(super) ledger: &'a L,
    pub(super) queue: &'a Q,
    pub(super) handler: &'a H,
    pub(super) clock: Clock<'a>,
    pub(super) invocation: Invocation<'a>,
}

/// Processes a batch: documents side by side, the events of one document in the order of their versions, so that a
/// batch never contends with itself. Every message of the batch is in the answer exactly once.
///
/// All of it ends before the invocation's deadline: events are not started shortly before it, and what still runs when
/// the time for work is over is abandoned and comes back, whether or not it took effect.
pub async fn process<L: Ledger, Q: Queue, H: Handler>(
    ledger: &L,
    queue: &Q,
    handler: &H,
    batch: Vec<Message>,
    invocation: Invocation<'_>,
    clock: Clock<'_>,
) -> Vec<Processed> {
    let call = Call {
        ledger,
        queue,
        handler,
        clock,
        invocation,
    };
    let before_deadline = |time| (clock.until)(invocation.deadline.saturating_sub(time));
    let progress = Progress::default();
    {
        let work = pin!(call.work(batch, &progress));
        select(work, before_deadline(WORK_ENDS)).await;
    }
    let abandoned = take(&mut *locked(&progress.open));
    let mut processed = take(&mut *locked(&progress.done));
    processed.extend(abandoned.into_values().map(|(message, holds_lease)| {
        let fate = Fate::Retry("there was no time to finish it".to_owned());
        Processed {
            holds_lease,
            ..call.done(message, None, fate)
        }
    }));
    let failed = processed.iter().filter(|done| done.fate.is_failure());
    let pauses = failed.map(|done| queue.delay(&done.message.receipt, call.pause(done)));
    select(pin!(join_all(pauses)), before_deadline(PAUSES_END)).await;
    processed
}

/// The pause before try `receive_count + 1`, in seconds: 2, 6, 18, 54, 162, 486, then [`MAX_DELAY`]. Eight tries take
/// half an hour, so that an outage of minutes fills no dead-letter queue.
#[must_use]
pub fn delay(receive_count: u32) -> u32 {
    let power = 3_u32.saturating_pow(receive_count.saturating_sub(1));
    power.saturating_mul(2).min(MAX_DELAY)
}

/// Results of the messages so far, readable also when the work is abandoned.
#[derive(Default)]
struct Progress {
    /// The messages without an end, by id, each with whether its handler reaches outside.
    open: Mutex<BTreeMap<String, (Message, bool)>>,
    done: Mutex<Vec<Processed>>,
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Progress {
    fn end(&self, done: Processed) {
        locked(&self.open).remove(&done.message.id);
        locked(&self.done).push(done);
    }
}

/// Reason a message could not be read.
enum Unread {
    /// Not now, so it comes back: its text is elsewhere and cannot be had, or a later release wrote it.
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
    async fn work(&self, mut batch: Vec<Message>, progress: &Progress) {
        let texts: Vec<_> = batch
            .iter_mut()
            .map(|message| take(&mut message.body))
            .collect();
        for message in &batch {
            let open = (message.clone(), false);
            locked(&progress.open).insert(message.id.clone(), open);
        }
        let reading = texts.iter().map(|text| self.read(text));
        let read = join_all(reading).await;
        let (mut events, mut damaged) = (Vec::new(), Vec::new());
        for ((message, text), event) in batch.into_iter().zip(texts).zip(read) {
            match event {
                Ok(mut event) => {
                    event.renew((self.clock.now)());
                    if let Some((_, reaches_outside)) = locked(&progress.open).get_mut(&message.id)
                    {
                        *reaches_outside = self.reaches_outside(&event);
                    }
                    events.push((event, message));
                }
                Err(Unread::Now(why)) => {
                    progress.end(self.done(message, None, Fate::Retry(why)));
                }
                Err(Unread::Ever(damage)) => damaged.push((message, text, damage)),
            }
        }
        // The events do not wait for the dead-letter queue.
        let burying = damaged
            .into_iter()
            .map(|(message, text, damage)| async move {
                let buried = self.queue.bury_damaged(&text, &damage.to_string()).await;
                let fate = match buried {
                    Ok(()) => Fate::Malformed(damage),
                    Err(why) => Fate::retry(&why),
                };
                progress.end(self.done(message, None, fate));
            });
        join(join_all(burying), self.apply_all(events, progress)).await;
    }

    /// Reads a message.
    async fn read(&self, text: &str) -> Result<Event, Unread> {
        let whole = self.queue.open(text).await?;
        let event = Event::from_message(&whole)?;
        event.check_times((self.clock.now)())?;
        Ok(event)
    }

    /// Takes events to their ends, documents side by side.
    async fn apply_all(&self, events: Vec<(Event, Message)>, progress: &Progress) {
        let settled = self.settle(events, progress).await;
        let groups = by_document(settled).into_iter();
        let running = groups.map(|group| async move {
            for (event, message) in group {
                progress.end(self.process(event, message).await);
            }
        });
        join_all(running).await;
    }

    /// Asks the events table for the records of all events. An event that is done is a duplicate; every other one gets
    /// the version that its record holds, and where there is no record, because the table was away when ingest asked or
    /// the record has expired, it is written now.
    async fn settle(
        &self,
        events: Vec<(Event, Message)>,
        progress: &Progress,
    ) -> Vec<(Event, Message)> {
        if events.is_empty() {
            return events;
        }
        let asked: Vec<_> = events.iter().map(|(event, _)| event).collect();
        let now = (self.clock.now)();
        let records = match self.ledger.recall(&asked, now).await {
            Ok(records) => records,
            Err(why) => {
                for (event, message) in events {
                    let fate = Fate::retry(&why);
                    progress.end(self.done(message, Some(event), fate));
                }
                return Vec::new();
            }
        };
        let settling = events.into_iter().zip(records);
        let settling = settling.map(|((mut event, message), record)| async move {
            match self.settle_one(&mut event, record, now).await {
                Ok(()) => Some((event, message)),
                Err(fate) => {
                    progress.end(self.done(message, Some(event), fate));
                    None
                }
            }
        });
        join_all(settling).await.into_iter().flatten().collect()
    }

    async fn settle_one(
        &self,
        event: &mut Event,
        record: Option<Record>,
        now: Millis,
    ) -> Result<(), Fate> {
        let record = match record {
            Some(record) => record,
            None => match self.ledger.remember(event, now).await {
                Ok(Remembered::New) => return Ok(()),
                Ok(Remembered::Known(record)) => record,
                Err(why) => return Err(Fate::retry(&why)),
            },
        };
        match record.status {
            Status::Done => Err(Fate::Duplicate),
            Status::Pending | Status::Quarantined => {
                event.settle(record.version, record.received_at);
                Ok(())
            }
        }
    }

    /// The end of a message, at this moment.
    pub(super) fn done(&self, message: Message, event: Option<Event>, fate: Fate) -> Processed {
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
            holds_lease: false,
        }
    }

    /// Visibility timeout of a failed message, in seconds: until its next try, and no shorter than the lease lasts, since a
    /// try before its end would only be refused. A call that failed keeps its own lease, as what it started elsewhere may
    /// still be running.
    fn pause(&self, done: &Processed) -> u32 {
        let lease = match &done.fate {
            Fate::Busy { until } => *until,
            Fate::Retry(_) if done.holds_lease => self.invocation.lease_end(),
            _ => 0,
        };
        let seconds = lease.saturating_sub((self.clock.now)()).max(0) / 1000;
        let seconds = u32::try_from(seconds).unwrap_or(MAX_DELAY);
        let lease_ends = seconds.saturating_add(1).min(MAX_DELAY);
        lease_ends.max(delay(done.message.receive_count))
    }
}

/// Events by document, each group in order. An event without a document is a group of its own.
fn by_document(events: Vec<(Event, Message)>) -> Vec<Vec<(Event, Message)>> {
    let mut groups: BTreeMap<String, Vec<(Event, Message)>> = BTreeMap::new();
    for (event, message) in events {
        let group = match event.document_key() {
            Some(key) => format!("document {}", key.as_str()),
            None => format!("message {}", message.id),
        };
        groups.entry(group).or_default().push((event, message));
    }
    let mut groups: Vec<_> = groups.into_values().collect();
    for group in &mut groups {
        group.sort_by_cached_key(|(event, _)| (event.sequence, event.version()));
    }
    groups
}
