//! One event whose record is known: kept if its source says so, leased if it reaches outside, handled, and recorded.

use std::panic::{AssertUnwindSafe, catch_unwind};

use futures_util::FutureExt as _;

use super::batch::{Call, TIME_TO_START};
use super::message::OfEvent;
use super::message::{Fate, Message, Processed};
use crate::event::identity::hash;
use crate::event::{Event, Operation};
use crate::format::cut;
use crate::ports::handler::{HandleError, Handled, Handler, Outcome};
use crate::ports::ledger::{Claim, End, Finish, Lease, Ledger};
use crate::ports::queue::Queue;

impl<L: Ledger, Q: Queue, H: Handler> Call<'_, L, Q, H> {
    /// Takes one event to its end, or to the reason why its message must come back.
    pub(super) async fn process(&self, event: Event, message: Message) -> Processed {
        let (started, mut steps) = ((self.clock.instant)(), OfEvent::default());
        let (fate, reason, tie) = match self.apply(&event, &message, &mut steps).await {
            Ok(end) => (Fate::Finished(end.outcome), end.reason, end.tie),
            Err(fate) => (fate, None, false),
        };
        steps.total = Some(self.clock.since(started));
        Processed {
            holds_lease: self.reaches_outside(&event),
            reason,
            tie,
            steps,
            ..self.done(message, Some(event), fate)
        }
    }

    async fn apply(
        &self,
        event: &Event,
        message: &Message,
        steps: &mut OfEvent,
    ) -> Result<End, Fate> {
        let now = (self.clock.now)();
        if self.invocation.deadline.saturating_sub(now) < TIME_TO_START {
            return Err(Fate::NotStarted);
        }
        // Before the handler: a failure after it would have it called again.
        if event.retain_until.is_some() {
            let kept = self.ledger.keep(event).await;
            kept.map_err(|why| Fate::retry(&why))?;
        }
        let owner = if event.invalid.is_none() && self.reaches_outside(event) {
            Some(self.lease(event, message).await?)
        } else {
            None
        };
        let handled = self.clock.timed(&mut steps.handler, self.handle(event));
        let (handled, reason) = match handled.await {
            Ok(handled) => (handled, reason_of(handled.outcome, event)),
            Err(HandleError::Retry(why)) => return Err(Fate::retry(&why)),
            Err(HandleError::Reject(reason)) => {
                // The record and the letter both have a limit, and the handler may say anything.
                let reason = cut::reason(&reason);
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

    /// Takes the lease of an event, and gives its owner.
    async fn lease(&self, event: &Event, message: &Message) -> Result<String, Fate> {
        // Neither is enough: two invocations may have one reception, and one invocation two messages of the event.
        let owner = hash(&[self.invocation.id.as_bytes(), message.receipt.as_bytes()]);
        let lease = Lease {
            owner: &owner,
            now: (self.clock.now)(),
            until: self.invocation.lease_end(),
        };
        match self.ledger.claim(event, &lease).await {
            Ok(Claim::Held) => Ok(owner),
            Ok(Claim::Finished) => Err(Fate::Duplicate),
            Ok(Claim::Busy { until }) => Err(Fate::Busy { until }),
            Err(why) => Err(Fate::retry(&why)),
        }
    }

    /// True when the handler reaches outside for this event. Where it panics, it may, and its call panics again and fails.
    pub(super) fn reaches_outside(&self, event: &Event) -> bool {
        let asked = catch_unwind(AssertUnwindSafe(|| self.handler.reaches_outside(event)));
        asked.unwrap_or(true)
    }

    /// Calls the handler; its panic fails this event only.
    async fn handle(&self, event: &Event) -> Result<Handled, HandleError> {
        if let Some(reason) = &event.invalid {
            return Err(HandleError::Reject(reason.clone()));
        }
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
