//! What a function runs as, so that the system is asked for nothing that it need not do.

use std::time::Duration;

use tokio::task::{JoinError, spawn_local};
use tokio::time::sleep;

/// Shorter than any limit of a call ([`crate::Limits`]).
const TICK: Duration = Duration::from_millis(200);

/// Runs a function on a runtime of the flavour `local`, as a task: waking one takes no system call, waking what the
/// runtime itself blocks on takes one each time. Nor does setting a timer, unless it is the next to end; a clock that
/// ticks more often than calls have limits is the next to end nearly always.
///
/// # Errors
/// When it panicked.
pub async fn run<T: 'static>(function: impl Future<Output = T> + 'static) -> Result<T, JoinError> {
    spawn_local(async {
        loop {
            sleep(TICK).await;
        }
    });
    spawn_local(function).await
}
