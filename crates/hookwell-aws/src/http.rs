//! Signed requests to services that have no client of the SDK here: the bucket and the stores of secrets.

pub(crate) mod bucket;
pub(crate) mod signed;
pub mod stores;
