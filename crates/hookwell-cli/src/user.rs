//! Name of the person who gives the commands and presses the buttons.

/// The name under which a record is reopened.
pub(crate) fn user() -> String {
    std::env::var("USER").unwrap_or_else(|_| "unknown".to_owned())
}
