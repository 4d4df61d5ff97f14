//! The time, as its owner hands it in: the domain has no clock and no timer of its own.

use std::fmt;
use std::time::{Duration, Instant};

use futures_util::future::BoxFuture;

use crate::format::time::Millis;

/// The clocks of one call of a function.
#[derive(Clone, Copy)]
pub struct Clock<'a> {
    /// The time now, in milliseconds since 1970.
    pub now: &'a (dyn Fn() -> Millis + Sync),
    /// The time of a reception, in milliseconds since 1970: now, but never the time of an earlier reception of the process.
    pub reception: &'a (dyn Fn() -> Millis + Sync),
    /// The monotonic time now, to measure how long a step took.
    pub instant: &'a (dyn Fn() -> Instant + Sync),
    /// A future that ends at that time, in milliseconds since 1970.
    pub until: &'a (dyn Fn(Millis) -> BoxFuture<'static, ()> + Sync),
}

impl Clock<'_> {
    /// Runs a step and notes how long it took.
    pub(crate) async fn timed<T>(
        &self,
        took: &mut Option<Duration>,
        step: impl Future<Output = T>,
    ) -> T {
        let started = (self.instant)();
        let done = step.await;
        *took = Some(self.since(started));
        done
    }

    /// Time since that instant.
    pub(crate) fn since(&self, started: Instant) -> Duration {
        (self.instant)().saturating_duration_since(started)
    }
}

impl fmt::Debug for Clock<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Clock(..)")
    }
}
