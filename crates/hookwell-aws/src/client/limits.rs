//! Limits of calls: their time and their tries.

use std::time::Duration;

use aws_sdk_dynamodb::config::retry::{RetryConfig, RetryPartition, TokenBucket};
use aws_sdk_dynamodb::config::timeout::TimeoutConfig;

/// The pause before the second try of a call.
pub(crate) const FIRST_PAUSE: Duration = Duration::from_millis(25);

/// Number of connections to a host that stay open without a call, at most.
#[derive(Debug, Clone, Copy)]
pub struct Idle(pub(super) usize);

impl Idle {
    /// For ingest, which makes one call to a host at a time, except for lists. After a freeze a connection may be dead,
    /// and waiting for its answer takes a whole try: with one idle connection at most, the second try opens a new one.
    pub const INGEST: Self = Self(1);
    /// For process, which has ten events at once, and for tools.
    pub const PROCESS: Self = Self(10);
}

/// Limits of one call. The SDK itself waits for an answer without end.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// One try.
    pub attempt: Duration,
    /// All tries and the pauses between them.
    pub operation: Duration,
    /// The number of tries.
    pub attempts: u32,
}

impl Limits {
    /// One put of ingest. A table that does not answer in time is passed over.
    pub const INGEST_PUT: Self = Self::millis(300, 400, 2);
    /// One send of ingest, which runs beside the puts. `hookwell::ingest` has the limit for all of a delivery.
    pub const INGEST_SEND: Self = Self::millis(300, 750, 3);
    /// Ingest's put into the bucket, which comes before the send and only for messages too large for the queue: their
    /// senders have their answer within 2.2 seconds.
    pub const INGEST_STORE: Self = Self::millis(700, 1000, 2);
    /// Ingest's put of a refused request. It comes after a fetch of a key, if there was one, and its sender waits for it.
    pub const INGEST_RECORD: Self = Self::millis(500, 500, 1);
    /// One fetch of a key, which comes before the send.
    pub const KEYS: Self = Self::millis(300, 400, 2);
    /// Process has a queue behind it and can wait longer.
    pub const PROCESS: Self = Self::millis(1000, 2500, 3);
    /// The command-line tool, and the long poll of the local event source mapping.
    pub const TOOL: Self = Self::millis(30_000, 60_000, 3);

    const fn millis(attempt: u64, operation: u64, attempts: u32) -> Self {
        Self {
            attempt: Duration::from_millis(attempt),
            operation: Duration::from_millis(operation),
            attempts,
        }
    }

    pub(super) fn timeouts(self) -> TimeoutConfig {
        TimeoutConfig::builder()
            .operation_attempt_timeout(self.attempt)
            .operation_timeout(self.operation)
            .build()
    }

    pub(super) fn retries(self) -> RetryConfig {
        RetryConfig::standard()
            .with_max_attempts(self.attempts)
            .with_initial_backoff(FIRST_PAUSE)
            .with_max_backoff(Duration::from_millis(500))
    }

    /// Retries without the SDK's quota. Earlier failures use the quota up, so that a delivery after an outage would
    /// have a single try.
    pub(super) fn quota() -> RetryPartition {
        let quota = RetryPartition::custom("hookwell");
        quota.token_bucket(TokenBucket::unlimited()).build()
    }
}
