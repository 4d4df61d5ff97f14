//! The way to AWS: credentials, endpoints, limits, one connection for all clients. Knows no domain.

pub(crate) mod connection;
mod endpoints;
pub(crate) mod item;
pub(crate) mod limits;
pub mod settings;
