//! The process protocol: apply, record, and report message by message.
//!
//! The authority is the handler's own conditional write, not the record: overlapping copies of a message may both get
//! here, and a record that says "done" before the effect would lose the event at the first crash.

use std::collections::BTreeMap;
use std::mem;
use std::panic::AssertUnwindSafe;
use std::pin::pin;
use std::sync::{Mutex, PoisonError};
use std::time::Instant;

use futures_util::FutureExt as _;
use futures_util::future::{Either, join_all, select};
use futures_util::stream::{FuturesUnordered, StreamExt as _};

use crate::event::{Event, hash};
use crate::format::time::Millis;
use crate::handler::{HandleError, Handler, Outcome};
use crate::ledger::{Claim, End, Finish, Lease, Ledger, Remembered, Status};
use crate::queue::Queue;
use crate::steps::{OfEvent, timed};

/// The longest pause before a retry, in seconds.
pub const MAX_DELAY: u32 = 900;

/// No event is started with less time left than this, in milliseconds: its writes at their slowest.
pub const TIME_TO_START: Millis = 5_000;

/// How long a lease outlives the deadline of the call that holds it, in milliseconds. Lambda ends the call at its
/// deadline, so no effect comes after it; the margin is for clocks that differ.
pub const LEASE_MARGIN: Millis = 1_000;

/// One message of a batch.
#[derive(Debug, Clone)]
pub struct Message {
    /// The queue's id of it.
    pub id: String,
    /// What steers this one reception of it.
    pub receipt: String,
    /// How often it was received, this time included.
    pub receive_count: u32,
    /// Its text; empty once it is read.
    pub body: String,
}

/// One call of process.
#[derive(Debug, Clone, Copy)]
pub struct Invocation<'a> {
    /// Its id. MUST be new for every call: Lambda may hand the very same reception of a message to two of them
    /// ("Using Lambda with Amazon SQS": at least once).
    pub id: &'a str,
    /// When it ends.
    pub deadline: Millis,
}

impl Invocation<'_> {
    /// When its leases end.
    fn lease_end(&self) -> Millis {
        self.deadline.saturating_add(LEASE_MARGIN)
    }
}

/// What came of a message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fate {
    /// It took effect now, and its record says so.
    Finished(Outcome),
    /// It had ended before; this was a copy.
    Duplicate,
    /// Not now; it comes back.
    Retry(String),
    /// Another call is at it until this time; it comes back then.
    Busy {
        /// The end of that call's lease.
        until: Millis,
    },
    /// Not one of our messages; it comes back until the queue gives up.
    Malformed,
    /// There was no time to start it.
    NotStarted,
}

impl Fate {
    /// Its name, the log field and the metric label.
    #[must_use]
    pub fn name(&self) -> &'static str {
        match self {
            Self::Finished(outcome) => outcome.name(),
            Self::Duplicate => "duplicate",
            Self::Retry(_) => "retry",
            Self::Busy { .. } => "busy",
            Self::Malformed => "malformed",
            Self::NotStarted => "not_started",
        }
    }

    /// Whether the queue must keep the message.
    #[must_use]
    pub fn is_failure(&self) -> bool {
        match self {
            Self::Finished(_) | Self::Duplicate => false,
            Self::Retry(_) | Self::Busy { .. } | Self::Malformed | Self::NotStarted => true,
        }
    }
}

/// One message and what came of it.
#[derive(Debug, Clone)]
pub struct Processed {
    /// The message.
    pub message: Message,
    /// Its event, when it is one.
    pub event: Option<Event>,
    /// What came of it.
    pub fate: Fate,
    /// Why, for rejected events.
    pub reason: Option<String>,
    /// When.
    pub at: Millis,
    /// How long its steps took.
    pub steps: OfEvent,
}

/// Processes a batch: documents side by side, the events of one document in the order of their versions, so that a
/// batch never contends with itself. Every message of the batch is in the answer exactly once.
///
/// Events are not started shortly before the deadline, and when `stop` resolves, what still runs is abandoned and comes
/// back, whether or not it took effect.
pub async fn process<L: Ledger, Q: Queue, H: Handler>(
    ledger: &L,
    queue: &Q,
    handler: &H,
    batch: Vec<Message>,
    now: impl Fn() -> Millis + Sync,
    invocation: Invocation<'_>,
    stop: impl Future<Output = ()> + Send,
) -> Vec<Processed> {
    let (groups, unread) = group(queue, batch, now()).await;
    let finished = Mutex::new(unread);
    let (call, processed) = (
        &Call {
            ledger,
            queue,
            handler,
            now,
            invocation,
        },
        &finished,
    );
    let mut open: BTreeMap<String, Message> = groups
        .values()
        .flatten()
        .map(|(_, message)| (message.id.clone(), message.clone()))
        .collect();
    let running: FuturesUnordered<_> = groups
        .into_values()
        .map(|group| async move {
            for (event, message) in group {
                let done = call.process(event, message).await;
                processed
                    .lock()
                    .unwrap_or_else(PoisonError::into_inner)
                    .push(done);
            }
        })
        .collect();
    let in_time = matches!(
        select(pin!(running.collect::<Vec<()>>()), pin!(stop)).await,
        Either::Left(_)
    );

    let mut processed = finished
        .into_inner()
        .unwrap_or_else(PoisonError::into_inner);
    for done in &processed {
        open.remove(&done.message.id);
    }
    processed.extend(open.into_values().map(|message| {
        let fate = Fate::Retry("there was no time to finish it".to_owned());
        Processed {
            message,
            event: None,
            fate,
            reason: None,
            at: (call.now)(),
            steps: OfEvent::default(),
        }
    }));
    if in_time {
        let failed = processed.iter().filter(|done| done.fate.is_failure());
        let delays: FuturesUnordered<_> = failed
            .map(|done| queue.delay(&done.message.receipt, call.pause(done)))
            .collect();
        delays.collect::<Vec<()>>().await;
    }
    processed
}

/// The pause before try `receive_count + 1`, in seconds: 2, 6, 18, 54, 162, 486, then [`MAX_DELAY`]. Eight tries take
/// half an hour, so that an outage of minutes fills no dead-letter queue.
#[must_use]
pub fn delay(receive_count: u32) -> u32 {
    let power = 3_u32.saturating_pow(receive_count.saturating_sub(1));
    power.saturating_mul(2).min(MAX_DELAY)
}

/// Events by document, each group in order. An event without a document is a group of its own.
type Groups = BTreeMap<String, Vec<(Event, Message)>>;

async fn group<Q: Queue>(
    queue: &Q,
    mut batch: Vec<Message>,
    at: Millis,
) -> (Groups, Vec<Processed>) {
    let mut groups = Groups::new();
    let mut unread = Vec::new();
    let bodies = batch.iter_mut().map(|message| mem::take(&mut message.body));
    let texts = join_all(bodies.map(|body| queue.open(body))).await;
    for (message, text) in batch.into_iter().zip(texts) {
        let event = match text {
            Ok(text) => Event::from_message(&text).map_err(|_| Fate::Malformed),
            Err(why) => Err(Fate::Retry(why.to_string())),
        };
        match event {
            Ok(event) => {
                let document = event
                    .document_key()
                    .map(|key| format!("document {}", key.as_str()));
                let group = document.unwrap_or_else(|| format!("message {}", message.id));
                groups.entry(group).or_default().push((event, message));
            }
            Err(fate) => unread.push(Processed {
                message,
                event: None,
                fate,
                reason: None,
                at,
                steps: OfEvent::default(),
            }),
        }
    }
    for group in groups.values_mut() {
        group.sort_by_cached_key(|(event, _)| event.version());
    }
    (groups, unread)
}

/// What an invocation works with.
struct Call<'a, L, Q, H, N> {
    ledger: &'a L,
    queue: &'a Q,
    handler: &'a H,
    now: N,
    invocation: Invocation<'a>,
}

impl<L: Ledger, Q: Queue, H: Handler, N: Fn() -> Millis + Sync> Call<'_, L, Q, H, N> {
    async fn process(&self, mut event: Event, message: Message) -> Processed {
        let (started, mut steps) = (Instant::now(), OfEvent::default());
        let (fate, reason) = match self.apply(&mut event, &message, &mut steps).await {
            Ok((outcome, reason)) => (Fate::Finished(outcome), reason),
            Err(fate) => (fate, None),
        };
        steps.total = Some(started.elapsed());
        Processed {
            message,
            event: Some(event),
            fate,
            reason,
            at: (self.now)(),
            steps,
        }
    }

    /// How long a failed message is hidden, in seconds. While a lease lasts, to come back would only use up a try; a
    /// call that failed keeps its own, as what it started elsewhere may still be running.
    fn pause(&self, done: &Processed) -> u32 {
        let reaches_outside = |event: &Event| self.handler.reaches_outside(event);
        let lease = match &done.fate {
            Fate::Busy { until } => Some(*until),
            Fate::Retry(_) if done.event.as_ref().is_some_and(reaches_outside) => {
                Some(self.invocation.lease_end())
            }
            _ => None,
        };
        let Some(until) = lease else {
            return delay(done.message.receive_count);
        };
        let seconds = until.saturating_sub((self.now)()).max(0) / 1000;
        let seconds = u32::try_from(seconds).unwrap_or(MAX_DELAY);
        seconds.saturating_add(1).min(MAX_DELAY)
    }

    /// Settles, keeps and claims if it must, calls the handler, and records how that ended.
    async fn apply(
        &self,
        event: &mut Event,
        message: &Message,
        steps: &mut OfEvent,
    ) -> Result<(Outcome, Option<String>), Fate> {
        let (now, Invocation { id, deadline }) = ((self.now)(), self.invocation);
        if deadline.saturating_sub(now) < TIME_TO_START {
            return Err(Fate::NotStarted);
        }
        let retry = |why: &dyn ToString| Fate::Retry(why.to_string());
        if event.time.is_none() && event.document_at.is_some() {
            self.settle(event).await?;
        }
        // Before the handler: a failure after it would have it called again.
        if event.retain_until.is_some() {
            let kept = self.ledger.keep(event).await;
            kept.map_err(|why| retry(&why))?;
        }
        let mut owner = None;
        if event.invalid.is_none() && self.handler.reaches_outside(event) {
            // Neither is enough: two invocations may have one reception, and one invocation two messages of the event.
            let name = hash(&[id.as_bytes(), message.receipt.as_bytes()]);
            let until = self.invocation.lease_end();
            match self
                .ledger
                .claim(
                    event,
                    &Lease {
                        owner: &name,
                        now,
                        until,
                    },
                )
                .await
            {
                Ok(Claim::Held) => owner = Some(name),
                Ok(Claim::Finished) => return Err(Fate::Duplicate),
                Ok(Claim::Busy { until }) => return Err(Fate::Busy { until }),
                Err(why) => return Err(retry(&why)),
            }
        }
        let (outcome, reason) = match timed(&mut steps.handler, self.handle(event)).await {
            Ok(outcome) => (outcome, None),
            Err(HandleError::Retry(why)) => return Err(Fate::Retry(why)),
            Err(HandleError::Reject(reason)) => {
                self.queue
                    .bury(event, &reason)
                    .await
                    .map_err(|why| retry(&why))?;
                (Outcome::Rejected, Some(reason))
            }
        };
        let end = End {
            outcome,
            reason: reason.clone(),
            at: (self.now)(),
            owner,
        };
        match timed(&mut steps.record, self.ledger.finish(event, &end)).await {
            Ok(Finish::Recorded) => Ok((outcome, reason)),
            Ok(Finish::Before) => Err(Fate::Duplicate),
            // Another call took over: it decides what becomes of the message.
            Ok(Finish::NotOwner) => Err(Fate::Retry("the lease was lost".to_owned())),
            Err(why) => Err(retry(&why)),
        }
    }

    /// Gives an event without a time of its own the one time under which all its copies are known. Ingest acknowledges
    /// also while the table is away, and then two copies of one event carry different times: the later one would
    /// overwrite what came in between.
    async fn settle(&self, event: &mut Event) -> Result<(), Fate> {
        match self.ledger.remember(event, (self.now)()).await {
            Ok(Remembered::New) => {}
            Ok(Remembered::Known {
                status: Status::Done,
                ..
            }) => return Err(Fate::Duplicate),
            Ok(Remembered::Known { received_at, .. }) => event.received_at = received_at,
            Err(why) => return Err(Fate::Retry(why.to_string())),
        }
        Ok(())
    }

    /// Calls the handler; its panic fails this event only.
    async fn handle(&self, event: &Event) -> Result<Outcome, HandleError> {
        if let Some(reason) = &event.invalid {
            return Err(HandleError::Reject(reason.clone()));
        }
        let handled = AssertUnwindSafe(self.handler.handle(event))
            .catch_unwind()
            .await;
        handled.unwrap_or_else(|_| Err(HandleError::Retry("the handler panicked".to_owned())))
    }
}
