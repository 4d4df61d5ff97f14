//! Verification: the one gate between bytes from the internet and everything behind it.

pub(crate) mod address;
pub mod algorithm;
pub mod providers;
pub mod recipe;
pub(crate) mod rsa;
pub mod scheme;
pub mod verifier;
