//! Parts for the command-line tool and the tests: looking into tables and queues, putting secrets into
//! their stores, and playing the event source mapping.

pub mod admin;
pub mod dead_letters;
pub mod failure;
pub mod follow;
pub mod mapping;
pub mod records;
pub mod secret_store;
pub mod stack;
