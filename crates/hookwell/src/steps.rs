//! How long the steps of the two protocols took, for the log; no decision hangs on it.

use std::time::Duration;

/// The time that ingest took over a delivery, by step; `None` for a step that it did not come to the end of.
#[derive(Debug, Clone, Copy, Default)]
pub struct OfDelivery {
    /// Verifying and reading it, with the fetch of a key where that was needed.
    pub verify: Option<Duration>,
    /// Putting the records.
    pub remember: Option<Duration>,
    /// Sending to the queue, beside the puts.
    pub send: Option<Duration>,
}

/// The time that process took over an event, by step; `None` for a step that it did not come to the end of.
#[derive(Debug, Clone, Copy, Default)]
pub struct OfEvent {
    /// The whole try, from the batch's records to the event's own.
    pub total: Option<Duration>,
    /// The call of the handler.
    pub handler: Option<Duration>,
    /// Writing its end into the record.
    pub record: Option<Duration>,
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
