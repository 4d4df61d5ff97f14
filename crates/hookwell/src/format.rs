//! Bytes into values. Knows nothing of webhooks.

pub mod encoding;
pub(crate) mod form;
pub mod json;
pub mod pattern;
pub(crate) mod template;
pub mod time;
pub mod trace;
