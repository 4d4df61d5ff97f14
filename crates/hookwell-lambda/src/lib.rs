//! The two functions on Lambda.
//!
//! * `ingest`: from a trigger's event to an answer
//!   * `ingest/runtime`: invocations of the Lambda Runtime API
//!   * `ingest/request`: from a trigger's JSON to a delivery
//!   * `ingest/recorder`: refused requests of one source, for a while
//!   * `ingest/log`: one line per delivery
//! * `process`: from a batch of the queue to the messages that failed
//!   * `process/known`: only events of the sources that the sources file has
//!   * `process/log`: one line per message
//! * `telemetry`: log lines as JSON, and the metrics in them
//! * `settings`: the sources file that both read
//! * `now`: the clock and its timers

pub mod ingest;
pub mod now;
pub mod process;
mod settings;
pub mod telemetry;

pub use lambda_runtime::Error;
