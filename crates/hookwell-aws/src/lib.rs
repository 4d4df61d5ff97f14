//! The domain's ledger, queue and documents on DynamoDB, SQS and S3, and its keys from where AWS keeps them. The only crate
//! that names an AWS SDK.
//!
//! # Map
//!
//! * `client`: the way to AWS: credentials, endpoints, limits, one connection for all clients; knows no domain.
//! * `http`: requests without a client: the bucket, the stores of secrets, endpoints.
//! * `ledger`: the events table; `by_time`: its index for the tools.
//! * `queue`: SQS, with the bucket for large messages.
//! * `recordings`: refused requests in the bucket.
//! * `documents`: the documents table, the handler unless a project has its own.
//! * `context`: what a handler is made from.
//! * `handler_table`: the handler's own table; `service`: a service that it calls.
//! * `secret`: a secret of the handler; `kept`: the text of a secret for some minutes.
//! * `destinations`: HTTP endpoints, buses and queues, the handler of the events' copies for them.
//! * `tools`: what only the command line and the tests need (a feature).

mod by_time;
mod client;
mod context;
mod destinations;
mod documents;
mod handler_table;
mod http;
mod kept;
mod ledger;
mod now;
mod queue;
mod recordings;
mod secret;
mod service;
#[cfg(feature = "tools")]
pub mod tools;

/// The SDK of DynamoDB, in the version of [`Connection::dynamodb`], for tables of your own.
pub use aws_sdk_dynamodb as dynamodb;
pub use by_time::EVENTS_INDEX;
pub use client::connection::{Connection, ConnectionError, reason};
pub use client::item::TTL_ATTRIBUTE;
pub use client::limits::{Idle, Limits};
pub use client::settings;
pub use context::{BoxError, Context};
pub use destinations::Destinations;
pub use documents::DocumentsTable;
pub use handler_table::HandlerTable;
pub use http::bucket::Bucket;
pub use http::stores;
pub use ledger::EventsTable;
pub use queue::SqsQueue;
pub use recordings::{PLACES, Place, Recordings};
pub use secret::{Secret, SecretError};
pub use service::Service;
