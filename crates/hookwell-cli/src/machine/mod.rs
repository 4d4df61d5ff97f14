//! The whole system on one machine: an embedded DynamoDB and SQS, the two functions as Lambda runs them, an HTTP
//! front and an event source mapping, all on 127.0.0.1, with the real SDK clients between them.

mod functions;
mod running;

pub use functions::{Functions, Machine};
pub use running::{Options, Running, start};
