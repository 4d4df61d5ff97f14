//! An AWS on this machine: DynamoDB, SQS and S3 on 127.0.0.1, and the event source mapping between a queue and a function.

pub mod gate;
pub mod mapping;
pub mod port;
mod s3;
pub mod sqs;
pub mod storage;
