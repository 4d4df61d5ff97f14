//! Results of the messages of a batch so far, readable also when the work on it is abandoned.

use std::collections::BTreeMap;
use std::mem::take;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::message::{Message, Processed, Tried};
use crate::event::Event;

/// The messages of a batch, open and done.
#[derive(Default)]
pub(super) struct Progress {
    open: Mutex<BTreeMap<String, Open>>,
    done: Mutex<Vec<Processed>>,
}

/// A message without an end.
pub(super) struct Open {
    pub(super) message: Message,
    /// Event of the message, once a lease is asked for.
    pub(super) event: Option<Arc<Event>>,
    /// The lease under which it is being tried.
    pub(super) tried: Option<Tried>,
    /// Pause that the handler asks for, in seconds.
    pause: u32,
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Progress {
    /// Notes that a message has come.
    pub(super) fn begin(&self, message: &Message) {
        let open = Open {
            message: message.without_body(),
            event: None,
            tried: None,
            pause: 0,
        };
        locked(&self.open).insert(message.id.clone(), open);
    }

    /// Notes that an event is tried under a lease.
    pub(super) fn tries(&self, message: &Message, event: &Arc<Event>, tried: Tried) {
        if let Some(open) = locked(&self.open).get_mut(&message.id) {
            open.event = Some(event.clone());
            open.tried = Some(tried);
        }
    }

    /// Notes that something of a try may be running elsewhere, or that nothing is.
    pub(super) fn runs_on(&self, message: &Message, runs_on: bool) {
        if let Some(open) = locked(&self.open).get_mut(&message.id)
            && let Some(tried) = &mut open.tried
        {
            tried.runs_on = runs_on;
        }
    }

    /// Notes for how many seconds the handler asks not to be called again.
    pub(super) fn pauses(&self, message: &Message, seconds: u32) {
        if let Some(open) = locked(&self.open).get_mut(&message.id) {
            open.pause = seconds;
        }
    }

    /// The pause that the handler asks for, in seconds.
    pub(super) fn pause(&self, message: &Message) -> u32 {
        let open = locked(&self.open);
        open.get(&message.id).map_or(0, |open| open.pause)
    }

    /// The lease under which a message is being tried.
    pub(super) fn tried(&self, message: &Message) -> Option<Tried> {
        locked(&self.open).get(&message.id)?.tried
    }

    /// Notes the result of a message.
    pub(super) fn end(&self, done: Processed) {
        locked(&self.open).remove(&done.message.id);
        locked(&self.done).push(done);
    }

    /// Takes the results, and the messages without one.
    pub(super) fn take(&self) -> (Vec<Processed>, Vec<Open>) {
        let open = take(&mut *locked(&self.open));
        (take(&mut *locked(&self.done)), open.into_values().collect())
    }
}
