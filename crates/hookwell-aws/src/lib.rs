//! The domain's ledger, queue and documents on DynamoDB, SQS and S3, and its keys from where AWS keeps them. The only crate
//! that names an AWS SDK.

#[cfg(feature = "tools")]
pub mod admin;
pub mod bucket;
pub mod connection;
#[cfg(feature = "tools")]
pub mod dead_letters;
pub mod documents;
pub mod ledger;
#[cfg(feature = "tools")]
pub mod mapping;
pub mod queue;
pub mod settings;
mod signed;
pub mod stores;

pub use bucket::Bucket;
pub use connection::{Connection, Limits};
pub use documents::DocumentsTable;
pub use ledger::EventsTable;
pub use queue::SqsQueue;
