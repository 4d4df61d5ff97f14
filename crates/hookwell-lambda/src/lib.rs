//! The two functions on Lambda: from a trigger's event to an answer, and from a batch of the queue to its failures.

pub mod ingest;
mod now;
pub mod process;
pub mod telemetry;

pub use lambda_runtime::Error;
pub use now::now;
