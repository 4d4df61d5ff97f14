//! The clock of the functions and of the tools.

use std::time::{SystemTime, UNIX_EPOCH};

use hookwell::time::Millis;

/// Milliseconds since 1970, by the machine's clock.
#[must_use]
pub fn now() -> Millis {
    let since = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default();
    Millis::try_from(since.as_millis()).unwrap_or(Millis::MAX)
}
