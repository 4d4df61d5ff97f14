//! Bytes into values. Knows nothing of webhooks.

pub mod body;
pub mod cut;
pub mod encoding;
pub(crate) mod form;
pub mod json;
pub(crate) mod multipart;
pub mod pattern;
pub(crate) mod template;
pub mod time;
pub mod trace;
