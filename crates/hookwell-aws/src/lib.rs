//! The domain's ledger, queue and documents on DynamoDB, SQS and S3, and its keys from where AWS keeps them. The only crate
//! that names an AWS SDK.
//!
//! # Map
//!
//! * `client`: the way to AWS: credentials, endpoints, limits, one connection for all clients; knows no domain.
//! * `http`: signed requests: the bucket, the stores of secrets.
//! * `ledger`: the events table.
//! * `queue`: SQS, with the bucket for large messages.
//! * `documents`: the documents table, the handler unless a project has its own.
//! * `destinations`: HTTP endpoints, buses and queues, the handler of the events' copies for them.
//! * `tools`: what only the command line and the tests need (a feature).

mod client;
mod destinations;
mod documents;
mod http;
mod ledger;
mod queue;
#[cfg(feature = "tools")]
pub mod tools;

pub use client::connection::{Connection, ConnectionError};
pub use client::item::TTL_ATTRIBUTE;
pub use client::limits::Limits;
pub use client::settings;
pub use destinations::Destinations;
pub use documents::DocumentsTable;
pub use http::bucket::Bucket;
pub use http::stores;
pub use ledger::EventsTable;
pub use queue::SqsQueue;
