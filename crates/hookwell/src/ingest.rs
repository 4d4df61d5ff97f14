//! The ingest protocol: verify, then put the event's record and send it to the queue at once, answer.
//!
//! 200 is answered only when SQS has the message, or when the record says that an earlier delivery of the event is done.
//! A record that merely exists is no reason: a crash or an error between a put and a send leaves the record of an event
//! that was never queued.

pub mod addresses;
mod admit;
mod enqueue;
mod invalid;
pub mod key_cache;
mod lists;
pub mod masked;
pub mod reading;
mod receive;
mod received;
mod told;
pub mod verified;

pub use admit::admit;
pub use enqueue::{ANSWER, MAX_INLINE_BODY};
pub use invalid::Invalid;
pub use receive::{read, receive};
pub use received::{OfDelivery, Received, Step};
