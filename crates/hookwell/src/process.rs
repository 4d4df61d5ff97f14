//! The process protocol: apply, record, and report message by message.
//!
//! The authority is the handler's own conditional write, not the record: overlapping copies of a message may both get
//! here, and a record that says "done" before the effect would lose the event at the first crash.

use std::collections::BTreeMap;
use std::panic::AssertUnwindSafe;
use std::pin::pin;
use std::sync::{Mutex, PoisonError};

use futures_util::FutureExt as _;
use futures_util::future::select;
use futures_util::stream::{FuturesUnordered, StreamExt as _};

use crate::event::Event;
use crate::handler::{HandleError, Handler, Outcome};
use crate::ledger::{End, Ledger};
use crate::queue::Queue;
use crate::time::Millis;

/// The longest pause before a retry, in seconds.
pub const MAX_DELAY: u32 = 900;

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

/// What came of a message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fate {
    /// It took effect now, and its record says so.
    Finished(Outcome),
    /// It had ended before; this was a copy.
    Duplicate,
    /// Not now; it comes back.
    Retry(String),
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
            Self::Malformed => "malformed",
            Self::NotStarted => "not_started",
        }
    }

    /// Whether the queue must keep the message.
    #[must_use]
    pub fn is_failure(&self) -> bool {
        match self {
            Self::Finished(_) | Self::Duplicate => false,
            Self::Retry(_) | Self::Malformed | Self::NotStarted => true,
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
}

/// Processes a batch: documents side by side, the events of one document in the order of their versions, so that a
/// batch never contends with itself.
///
/// `has_time` is asked before each event whether there is time for one more; when `stop` resolves, what still runs is
/// abandoned and comes back, whether or not it took effect. Every message of the batch is in the answer exactly once.
pub async fn process<L: Ledger, Q: Queue, H: Handler>(
    ledger: &L,
    queue: &Q,
    handler: &H,
    batch: Vec<Message>,
    now: impl Fn() -> Millis + Sync,
    has_time: impl Fn() -> bool + Sync,
    stop: impl Future<Output = ()> + Send,
) -> Vec<Processed> {
    let (groups, malformed) = group(batch);
    let started = Mutex::new(malformed);
    let (now, has_time, processed) = (&now, &has_time, &started);
    let mut open: BTreeMap<String, Message> = groups
        .values()
        .flatten()
        .map(|(_, message)| (message.id.clone(), message.clone()))
        .collect();
    let running: FuturesUnordered<_> = groups
        .into_values()
        .map(|group| async move {
            for (event, message) in group {
                let done = if has_time() {
                    apply(ledger, queue, handler, event, message, now).await
                } else {
                    Processed {
                        message,
                        event: Some(event),
                        fate: Fate::NotStarted,
                        reason: None,
                    }
                };
                processed
                    .lock()
                    .unwrap_or_else(PoisonError::into_inner)
                    .push(done);
            }
        })
        .collect();
    select(pin!(running.collect::<Vec<()>>()), pin!(stop)).await;

    let mut processed = started.into_inner().unwrap_or_else(PoisonError::into_inner);
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
        }
    }));
    let delays: FuturesUnordered<_> = processed
        .iter()
        .filter(|done| done.fate.is_failure())
        .map(|done| queue.delay(&done.message.receipt, delay(done.message.receive_count)))
        .collect();
    delays.collect::<Vec<()>>().await;
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

fn group(batch: Vec<Message>) -> (Groups, Vec<Processed>) {
    let mut groups = Groups::new();
    let mut malformed = Vec::new();
    for mut message in batch {
        match Event::from_message(&std::mem::take(&mut message.body)) {
            Ok(event) => {
                let document = event
                    .document_key()
                    .map(|key| format!("document {}", key.as_str()));
                let group = document.unwrap_or_else(|| format!("message {}", message.id));
                groups.entry(group).or_default().push((event, message));
            }
            Err(_) => malformed.push(Processed {
                message,
                event: None,
                fate: Fate::Malformed,
                reason: None,
            }),
        }
    }
    for group in groups.values_mut() {
        group.sort_by_cached_key(|(event, _)| event.version());
    }
    (groups, malformed)
}

async fn apply<L: Ledger, Q: Queue, H: Handler>(
    ledger: &L,
    queue: &Q,
    handler: &H,
    event: Event,
    message: Message,
    now: &impl Fn() -> Millis,
) -> Processed {
    let result = match &event.invalid {
        Some(reason) => Err(HandleError::Reject(reason.clone())),
        None => AssertUnwindSafe(handler.handle(&event))
            .catch_unwind()
            .await
            .unwrap_or_else(|_| Err(HandleError::Retry("the handler panicked".to_owned()))),
    };
    let (outcome, reason) = match result {
        Ok(outcome) => (outcome, None),
        Err(HandleError::Reject(reason)) => match queue.bury(&event, &reason).await {
            Ok(()) => (Outcome::Rejected, Some(reason)),
            Err(why) => return retry(event, message, why.to_string()),
        },
        Err(HandleError::Retry(why)) => return retry(event, message, why),
    };
    let end = End {
        outcome,
        reason: reason.clone(),
        at: now(),
    };
    match ledger.finish(&event, &end).await {
        Ok(true) => Processed {
            message,
            event: Some(event),
            fate: Fate::Finished(outcome),
            reason,
        },
        Ok(false) => Processed {
            message,
            event: Some(event),
            fate: Fate::Duplicate,
            reason,
        },
        Err(why) => retry(event, message, why.to_string()),
    }
}

fn retry(event: Event, message: Message, why: String) -> Processed {
    Processed {
        message,
        event: Some(event),
        fate: Fate::Retry(why),
        reason: None,
    }
}
