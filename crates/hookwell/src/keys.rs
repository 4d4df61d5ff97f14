//! Key material: where it is kept, what it is, and what a source has of it.

pub mod certificates;
pub mod key_set;
pub mod not_ready;
pub mod public_key;
pub mod reference;
pub mod secret;
pub mod web_keys;
