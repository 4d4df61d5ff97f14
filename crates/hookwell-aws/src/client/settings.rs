//! The environment variables of the functions. An error names the variable, never its value.

/// Looks up one environment variable. Tests pass a map; [`process_environment`] is the real one.
pub type Environment<'a> = &'a (dyn Fn(&str) -> Option<String> + Sync);

/// A variable of this process; `None` when it is unset, empty or not text.
#[must_use]
pub fn process_environment(name: &str) -> Option<String> {
    std::env::var(name).ok().filter(|value| !value.is_empty())
}

/// A variable that must be set is not.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0} is not set")]
pub struct NotSet(pub &'static str);

/// A variable that must be set.
///
/// # Errors
/// When it is not.
pub fn required(env: Environment<'_>, name: &'static str) -> Result<String, NotSet> {
    env(name).ok_or(NotSet(name))
}
