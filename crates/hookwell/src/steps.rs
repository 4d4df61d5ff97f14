//! How long the steps of the two protocols took, for the log. What time it is comes in as an argument, because decisions
//! hang on it; how long something took decides nothing, so it is measured where it happens.

use std::time::{Duration, Instant};

/// How long ingest took over a delivery, by step; `None` for a step that it did not come to the end of.
#[derive(Debug, Clone, Copy, Default)]
pub struct OfDelivery {
    /// Verifying and reading it, with the fetch of a key where that was needed.
    pub verify: Option<Duration>,
    /// Putting the records.
    pub remember: Option<Duration>,
    /// Sending to the queue.
    pub send: Option<Duration>,
}

/// How long process took over an event, by step; `None` for a step that it did not come to the end of.
#[derive(Debug, Clone, Copy, Default)]
pub struct OfEvent {
    /// The whole try.
    pub total: Option<Duration>,
    /// The call of the handler.
    pub handler: Option<Duration>,
    /// Writing its end into the record.
    pub record: Option<Duration>,
}

/// Runs a step and notes how long it took.
pub(crate) async fn timed<T>(took: &mut Option<Duration>, step: impl Future<Output = T>) -> T {
    let started = Instant::now();
    let done = step.await;
    *took = Some(started.elapsed());
    done
}

/// Milliseconds with three decimals, as a log line shows them.
#[must_use]
pub fn millis(duration: Duration) -> f64 {
    (duration.as_secs_f64() * 1_000_000.0).round() / 1000.0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn milliseconds_are_shown_with_three_decimals() {
        assert_eq!(millis(Duration::from_nanos(1_234_567)).to_string(), "1.235");
        assert_eq!(millis(Duration::ZERO).to_string(), "0");
    }
}
