//! Test senders: deliveries that a source takes, made from its own configuration and signed as its sender would.
//!
//! Behind the feature `sender`, so that no function on Lambda has code for private keys.

pub mod edit;
pub mod key_pair;
pub(crate) mod providers;
pub(crate) mod recipe;
mod renew;
pub mod sample;
pub mod samples;
pub(crate) mod sign;
pub mod signer;
