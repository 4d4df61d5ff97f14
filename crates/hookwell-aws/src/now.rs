//! The clock of this machine.

use std::time::{SystemTime, UNIX_EPOCH};

use hookwell::format::time::Millis;

/// The time, in milliseconds since 1970.
pub(crate) fn now() -> Millis {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    Millis::try_from(since.unwrap_or_default().as_millis()).unwrap_or(Millis::MAX)
}
