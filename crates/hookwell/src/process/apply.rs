//! One event whose record is known: leased if it reaches outside, kept if its source says so, handled, and recorded.

use std::panic::{AssertUnwindSafe, catch_unwind};

use futures_util::FutureExt as _;

use super::batch::{Call, TIME_TO_START};
use super::known::Known;
use super::message::{Fate, OfEvent, Processed, Tried};
use crate::event::{Event, Operation};
use crate::format::cut;
use crate::ports::handler::{HandleError, Handled, Handler, Outcome};
use crate::ports::ledger::{Claim, End, Finish, Lease, Ledger};
use crate::ports::queue::Queue;

/// Bytes of a body above which copies for destinations are queued one after another.
const LARGE_BODY: usize = 256 * 1024;

impl<L: Ledger, Q: Queue, H: Handler> Call<'_, L, Q, H> {
    /// Takes one event to its end, or to the reason why its message must come back.
    pub(super) async fn process(&self, known: Known) -> Processed {
        let (started, mut steps) = ((self.clock.instant)(), OfEvent::default());
        let (fate, reason, tie) = match self.apply(&known, &mut steps).await {
            Ok(end) => (Fate::Finished(end.outcome), end.reason, end.tie),
            Err(fate) => (fate, None, false),
        };
        steps.total = Some(self.clock.since(started));
        let done = Processed {
            reason,
            tie,
            steps,
            tried: self.progress.tried(&known.message),
            pause: self.progress.pause(&known.message),
            ..self.done(known.message, Some(known.event), fate)
        };
        // At once: a later event of the batch may kill the function.
        self.note_failure(&done).await;
        done
    }

    async fn apply(&self, known: &Known, steps: &mut OfEvent) -> Result<End, Fate> {
        let event = &*known.event;
        let now = (self.clock.now)();
        if self.invocation.deadline.saturating_sub(now) < TIME_TO_START {
            return Err(Fate::NotStarted);
        }
        let reaches_outside = self.reaches_outside(event);
        let is_leased = event.invalid.is_none() && (reaches_outside || known.is_watched());
        let owner = if is_leased {
            Some(self.lease(known).await?)
        } else {
            None
        };
        let refusal = known.refusal(now);
        let is_over = refusal.is_some();
        let handled = match refusal {
            Some(reason) => Err(HandleError::Reject(reason)),
            None => self.handle(known, reaches_outside, steps).await,
        };
        let ended = match handled {
            Ok(handled) => Ok(handled),
            Err(HandleError::Retry(why) | HandleError::RetryEnded(why)) => {
                return Err(Fate::retry(&why));
            }
            Err(HandleError::RetryAfter { why, seconds }) => {
                self.progress.pauses(&known.message, seconds);
                return Err(Fate::retry(&why));
            }
            // The record and the letter both have a limit, and the handler may say anything.
            Err(HandleError::Reject(reason)) => Err(cut::reason(&reason)),
        };
        // Queued before the record says done: a crash in between repeats both steps, and the copies' own records tell
        // which copies are repetitions.
        let queued = self.queue_copies(event).await;
        // An event whose time is over becomes a letter even when its copies cannot be queued. Once the letter is put
        // back, the copies are queued again.
        if !is_over {
            queued?;
        }
        let (handled, reason) = match ended {
            Ok(handled) => (handled, reason_of(handled.outcome, event)),
            Err(reason) => {
                let buried = self.queue.bury(event, &reason).await;
                buried.map_err(|why| Fate::retry(&why))?;
                (Outcome::Rejected.into(), Some(reason))
            }
        };
        let end = End {
            outcome: handled.outcome,
            reason,
            tie: handled.tie,
            at: (self.clock.now)(),
            owner,
        };
        let recorded = self.ledger.finish(event, &end);
        match self.clock.timed(&mut steps.record, recorded).await {
            Ok(Finish::Recorded) => Ok(end),
            Ok(Finish::Before) => Err(Fate::Duplicate),
            // Another call took over: it decides what becomes of the message.
            Ok(Finish::NotOwner) => Err(Fate::Retry("the lease was lost".to_owned())),
            Err(why) => Err(Fate::retry(&why)),
        }
    }

    /// Queues an event once more for each of its destinations. An event that the project's own handler rejects goes to
    /// its destinations as well: they may take it.
    async fn queue_copies(&self, event: &Event) -> Result<(), Fate> {
        if event.destination.is_some() {
            return Ok(());
        }
        let now = (self.clock.now)();
        let takers = self.destinations.iter().filter(|one| one.takes(event));
        let takers: Vec<_> = takers.collect();
        // A copy takes its size several times in memory until it is queued.
        let at_once = if event.body.0.len() > LARGE_BODY {
            1
        } else {
            takers.len().max(1)
        };
        for some in takers.chunks(at_once) {
            let copies = some.iter().map(|one| event.copy_for(&one.name, now));
            let copies: Vec<_> = copies.collect();
            let copies: Vec<_> = copies.iter().collect();
            // Boxed: otherwise every enclosing future grows by its size.
            let sent = Box::pin(self.queue.send_all(&copies)).await;
            let sent: Result<(), _> = sent.into_iter().collect();
            sent.map_err(|why| Fate::retry(&why))?;
        }
        Ok(())
    }

    /// Takes the lease of an event, and gives its owner.
    async fn lease(&self, known: &Known) -> Result<String, Fate> {
        let tried = Tried {
            runs_on: false,
            retry_until: known.retry_until,
        };
        // Noted before the claim: the lease may be taken although the answer is lost.
        self.progress.tries(&known.message, &known.event, tried);
        let owner = self.invocation.owner(&known.message);
        let lease = Lease {
            owner: &owner,
            now: (self.clock.now)(),
            until: self.invocation.lease_end(),
        };
        match self.ledger.claim(&known.event, &lease).await {
            Ok(Claim::Held) => Ok(owner),
            Ok(Claim::Finished) => Err(Fate::Duplicate),
            Ok(Claim::Busy { until }) => Err(Fate::Busy { until }),
            Err(why) => Err(Fate::retry(&why)),
        }
    }

    /// True when the handler reaches outside for this event. A panic counts as true; the call of the handler then
    /// panics again and fails.
    fn reaches_outside(&self, event: &Event) -> bool {
        let asked = catch_unwind(AssertUnwindSafe(|| self.handler.reaches_outside(event)));
        asked.unwrap_or(true)
    }

    /// Keeps the event if its source says so, and calls the handler.
    async fn handle(
        &self,
        known: &Known,
        reaches_outside: bool,
        steps: &mut OfEvent,
    ) -> Result<Handled, HandleError> {
        // Before the handler: a failure after it would have it called again.
        if known.event.retain_until.is_some() {
            let kept = self.ledger.keep(&known.event).await;
            kept.map_err(|why| HandleError::RetryEnded(why.to_string()))?;
        }
        self.progress.runs_on(&known.message, reaches_outside);
        let handled = self
            .clock
            .timed(&mut steps.handler, self.call(&known.event));
        let handled = handled.await;
        let may_run_on = matches!(handled, Err(HandleError::Retry(_)));
        self.progress
            .runs_on(&known.message, reaches_outside && may_run_on);
        handled
    }

    /// Calls the handler; its panic fails this event only.
    async fn call(&self, event: &Event) -> Result<Handled, HandleError> {
        // In a future of its own, so that a panic before the handler's future is there is caught as well.
        let handling = AssertUnwindSafe(async { self.handler.handle(event).await });
        let handled = handling.catch_unwind().await;
        handled.unwrap_or_else(|_| Err(HandleError::Retry("the handler panicked".to_owned())))
    }
}

/// Reason why an event changed nothing, where the event itself has one.
fn reason_of(outcome: Outcome, event: &Event) -> Option<String> {
    if outcome != Outcome::Ignored {
        return None;
    }
    let reason = match event.without_state {
        Some(why) => why.reason(),
        None if event.operation == Operation::Other => {
            "its type is no create, update or delete of a document"
        }
        None => return None,
    };
    Some(reason.to_owned())
}
