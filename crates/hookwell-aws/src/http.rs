//! Signed requests to services that have no client of the SDK here: the bucket and the stores of secrets.

pub(crate) mod bucket;
mod signed;
pub mod stores;
