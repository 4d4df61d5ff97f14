//! Test senders: sources, the secrets that they sign with on this machine, and signing.

mod local_secrets;
mod secrets;
mod senders;
mod sign;

pub use local_secrets::{LOCAL_SECRETS, get as local_secret, put as put_local_secret};
pub use secrets::{Secrets, from_environment};
pub use senders::Senders;
pub use sign::signed;
