//! The process protocol: ask the records, apply, record, and report message by message.
//!
//! The authority is the handler's own conditional write, not the record: overlapping copies of a message may both get
//! here, and a record that says "done" before the effect would lose the event at the first crash.

mod apply;
mod batch;
mod known;
mod message;
mod progress;

pub use batch::{TIME_TO_START, process};
pub use message::{Fate, Invocation, LEASE_MARGIN, Message, OfEvent, Processed, TRIES_IN_PLACE};
