//! Put and send: each event's record into the table and its message into the queue, at once.
//!
//! The put never decides whether an event is sent, so no event waits for it: it tells duplicates, and settles which copy of
//! an event came first. The send decides: an event is acknowledged when the queue has it, or when its record says that an
//! earlier delivery of it is done.

use std::pin::pin;
use std::sync::{Mutex, MutexGuard, PoisonError};

use futures_util::future::{join, join_all, select};

use super::received::OfDelivery;
use crate::event::Event;
use crate::format::time::Millis;
use crate::ports::clock::Clock;
use crate::ports::ledger::{Ledger, Record, Remembered, Status};
use crate::ports::queue::{Queue, QueueError};
use crate::source::reply::Receipt;

/// The time for all puts of a delivery, from the first one on, in milliseconds. A table that has not answered by then is
/// passed over.
const PUTS: Millis = 400;

/// The time from the reception of a delivery to its answer at the latest, in milliseconds: a fetch of keys (0.4 s) and a
/// send (0.75 s). Senders wait for 1.2 s at most.
pub const ANSWER: Millis = 1_150;

/// The time that the bucket may add to [`ANSWER`], in milliseconds, for bodies that may be too large for a message.
const STORE: Millis = 1_000;

/// The largest body that fits a message of SQS for certain, in bytes: in base64 it takes a third more, of at most 1 MiB.
pub const MAX_INLINE_BODY: usize = 700 * 1024;

/// The events of one call of the queue: `SendMessageBatch` takes ten.
const EVENTS_PER_SEND: usize = 10;

/// The most calls of the queue that run at once.
const SENDS_AT_ONCE: usize = 10;

/// The events that are put, and those that are sent, at once.
const ROUND: usize = EVENTS_PER_SEND * SENDS_AT_ONCE;

/// The end of a delivery whose events were to be remembered and queued.
pub(super) struct Enqueued {
    pub(super) receipt: Receipt,
    pub(super) reason: Option<String>,
    pub(super) dedup_unavailable: bool,
    pub(super) steps: OfDelivery,
}

/// Puts and sends the events of a delivery that was received at `now`, all within one deadline.
pub(super) async fn enqueue<L: Ledger, Q: Queue>(
    ledger: &L,
    queue: &Q,
    events: &[Event],
    now: Millis,
    clock: Clock<'_>,
) -> Enqueued {
    let is_large = events
        .iter()
        .any(|event| event.body.0.len() > MAX_INLINE_BODY);
    let store = if is_large { STORE } else { 0 };
    let answer_by = now.saturating_add(ANSWER).saturating_add(store);
    let puts_end = (clock.now)().saturating_add(PUTS);
    let progress = &Progress::new(events);
    let mut steps = OfDelivery::default();
    let puts = async {
        let puts = pin!(progress.put(ledger, now));
        select(puts, (clock.until)(puts_end)).await;
    };
    let puts = clock.timed(&mut steps.remember, puts);
    let sends = clock.timed(&mut steps.send, progress.send(queue));
    let work = async {
        // A list that takes several rounds of sends waits for what the table says. Otherwise every try of its sender would
        // begin with the same events, and a list that does not fit the time would never be done. A large body waits, too:
        // to compress it for the bucket takes the only thread longer than a put may take.
        if events.len() > ROUND || is_large {
            puts.await;
            sends.await;
        } else {
            join(puts, sends).await;
        }
    };
    select(pin!(work), (clock.until)(answer_by)).await;
    let (receipt, reason) = progress.answer();
    Enqueued {
        receipt,
        reason,
        dedup_unavailable: progress.is_any_unknown(),
        steps,
    }
}

/// State of an event's record, as far as the table has answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Known {
    /// Unknown: there is no answer to the put yet.
    Nothing,
    /// The event is not done, so it must be queued. Where there was a record before, nobody knows whether the call that
    /// wrote it sent the message.
    Unfinished,
    /// An earlier delivery of the event is done.
    Done,
}

/// Progress of an event on its way into the queue.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Message {
    Waiting,
    Sending,
    Queued,
}

/// The events of a delivery, and how far each has come.
struct Progress<'e> {
    events: &'e [Event],
    states: Mutex<Vec<(Known, Message)>>,
    /// Notes for the log: a problem of the puts, and the reason why a send failed.
    notes: Mutex<(Option<String>, Option<String>)>,
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl<'e> Progress<'e> {
    fn new(events: &'e [Event]) -> Self {
        Self {
            events,
            states: Mutex::new(vec![(Known::Nothing, Message::Waiting); events.len()]),
            notes: Mutex::default(),
        }
    }

    /// Puts the records of all events, a round at a time.
    async fn put<L: Ledger>(&self, ledger: &L, now: Millis) {
        let all: Vec<_> = (0..self.events.len()).collect();
        for round in all.chunks(ROUND) {
            join_all(round.iter().map(|index| self.put_one(ledger, *index, now))).await;
        }
    }

    async fn put_one<L: Ledger>(&self, ledger: &L, index: usize, now: Millis) {
        let Some(event) = self.events.get(index) else {
            return;
        };
        match ledger.remember(event, now).await {
            Ok(remembered) => self.knows(index, event, &remembered),
            // The table only helps; the queue is what counts.
            Err(why) => locked(&self.notes).0 = Some(why.to_string()),
        }
    }

    fn knows(&self, index: usize, event: &Event, remembered: &Remembered) {
        // A record of this very reception is process's: it had the message, and was done before the table answered here.
        let is_earlier = |record: &Record| record.received_at != event.received_at;
        let known = match remembered {
            Remembered::Known(record) if record.status == Status::Done && is_earlier(record) => {
                Known::Done
            }
            Remembered::New | Remembered::Known(_) => Known::Unfinished,
        };
        if let Remembered::Known(record) = remembered
            && record.body_hash != event.body.hash()
        {
            let note = "the same id came with another body".to_owned();
            locked(&self.notes).0 = Some(note);
        }
        if let Some(state) = locked(&self.states).get_mut(index) {
            state.0 = known;
        }
    }

    /// Sends every event that is not known to be done by the time its turn comes.
    async fn send<Q: Queue>(&self, queue: &Q) {
        let sends = (0..SENDS_AT_ONCE).map(|_| async {
            loop {
                let turn = self.next();
                let events: Vec<_> = turn.iter().map(|(_, event)| *event).collect();
                let sent = match events.as_slice() {
                    [] => return,
                    [one] => vec![queue.send(one).await],
                    some => queue.send_all(some).await,
                };
                for ((index, _), sent) in turn.into_iter().zip(sent) {
                    match (sent, locked(&self.states).get_mut(index)) {
                        (Ok(()), Some(state)) => state.1 = Message::Queued,
                        (Err(QueueError(why)), _) => locked(&self.notes).1 = Some(why),
                        (Ok(()), None) => {}
                    }
                }
            }
        });
        join_all(sends).await;
    }

    /// Takes the next events to send.
    fn next(&self) -> Vec<(usize, &'e Event)> {
        let mut states = locked(&self.states);
        let waiting = states.iter_mut().enumerate().zip(self.events);
        let waiting = waiting.filter(|((_, (known, message)), _)| {
            *message == Message::Waiting && *known != Known::Done
        });
        let turn = waiting
            .take(EVENTS_PER_SEND)
            .map(|((index, state), event)| {
                state.1 = Message::Sending;
                (index, event)
            });
        turn.collect()
    }

    fn is_any_unknown(&self) -> bool {
        let states = locked(&self.states);
        states.iter().any(|(known, _)| *known == Known::Nothing)
    }

    /// The answer, and its reason: what is neither done nor in the queue must come again.
    fn answer(&self) -> (Receipt, Option<String>) {
        let states = locked(&self.states);
        let (put, send) = locked(&self.notes).clone();
        let unfinished = states.iter().zip(self.events);
        let mut unfinished = unfinished.filter(|((known, _), _)| *known != Known::Done);
        let is_open = |(_, message): &(Known, Message)| *message != Message::Queued;
        if unfinished.clone().any(|(state, _)| is_open(state)) {
            let why = send.unwrap_or_else(|| "timed out".to_owned());
            return (Receipt::Unavailable, Some(QueueError(why).to_string()));
        }
        if unfinished.clone().next().is_none() {
            return (Receipt::Duplicate, put);
        }
        match unfinished.find_map(|(_, event)| event.invalid.clone()) {
            Some(unreadable) => (Receipt::Quarantined, Some(unreadable)),
            None => (Receipt::Received, put),
        }
    }
}
