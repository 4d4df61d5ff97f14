//! The machine's clock, and timers that follow it.

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use futures_util::FutureExt as _;
use futures_util::future::BoxFuture;
use hookwell::format::time::Millis;
use hookwell::ports::clock::Clock;

/// The clock of a function. Its timers need a runtime.
#[must_use]
pub fn clock() -> Clock<'static> {
    Clock {
        now: &now,
        instant: &Instant::now,
        until: &until,
    }
}

/// Milliseconds since 1970, by the machine's clock.
#[must_use]
pub fn now() -> Millis {
    millis(
        SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .unwrap_or_default(),
    )
}

/// A duration in milliseconds.
#[must_use]
pub fn millis(duration: Duration) -> Millis {
    Millis::try_from(duration.as_millis()).unwrap_or(Millis::MAX)
}

fn until(end: Millis) -> BoxFuture<'static, ()> {
    let left = u64::try_from(end.saturating_sub(now())).unwrap_or(0);
    tokio::time::sleep(Duration::from_millis(left)).boxed()
}
