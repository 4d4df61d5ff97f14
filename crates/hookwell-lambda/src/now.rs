//! The machine's clock, and timers that follow it.

use std::sync::atomic::{AtomicI64, Ordering};
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
        reception: &reception,
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

/// A time of reception: the clock's time, but always later than the reception before. So of two deliveries in one
/// millisecond the second is the newer one.
fn reception() -> Millis {
    static LAST: AtomicI64 = AtomicI64::new(0);
    let now = now();
    let next = |last: Millis| Some(now.max(last.saturating_add(1)));
    let last = LAST.fetch_update(Ordering::Relaxed, Ordering::Relaxed, next);
    last.map_or(now, |last| now.max(last.saturating_add(1)))
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_two_receptions_are_at_one_time() {
        let mut before = reception();
        for _ in 0..10_000 {
            let next = reception();
            assert!(next > before);
            before = next;
        }
    }
}
