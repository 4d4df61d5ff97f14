//! Test senders: sources, the secrets that they sign with on this machine, and signing.

mod secrets;
mod senders;
mod sign;

pub use secrets::{Secrets, from_environment};
pub use senders::Senders;
pub use sign::signed;
