//! Requests without a client of the SDK: signed ones to the bucket and the stores of secrets, plain ones to endpoints.

pub(crate) mod bucket;
pub(crate) mod posted;
pub(crate) mod signed;
pub mod stores;
