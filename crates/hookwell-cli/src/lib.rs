//! The `hookwell` command-line tool, as a library for tests.

pub mod decide;
pub mod explain;
pub mod local;
pub mod page;
pub mod request;
pub mod secrets;
pub mod template;
pub mod test_keys;
pub mod trigger;
