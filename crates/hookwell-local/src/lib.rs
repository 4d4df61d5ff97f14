//! An AWS on this machine, on 127.0.0.1.
//!
//! * `storage`: DynamoDB, SQS and S3 with the tables, queues and bucket that the template makes
//! * `port`: where they listen
//! * `guard`: keeps web pages away from these ports
//! * `tables`: DynamoDB's JSON protocol over dynoxide
//! * `sqs`: SQS's JSON protocol over SQLite
//! * `s3`: objects in a folder
//! * `mapping`: the event source mapping between a queue and a function
//! * `schedule`: moves back what waits in the retry queue
//! * `service`: a service over HTTP, for tests of a handler that calls one
//! * `gate`: a gate in front of a server, for tests that take the server away

pub mod gate;
pub mod guard;
pub mod mapping;
pub mod port;
mod s3;
mod schedule;
pub mod service;
pub mod sqs;
pub mod storage;
mod tables;
