//! Ctrl-C: the first one ends a command as soon as the work at hand is done, a second one at once.

use std::time::Duration;

use anyhow::{Context as _, Result};
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::time::sleep;

use super::print;

/// Longest wait for the work at hand. A batch takes up to 30 s; a client that never finishes its request would take for ever.
const LIMIT: Duration = Duration::from_secs(35);

/// Ctrl-C and requests to end.
#[derive(Debug)]
pub(super) struct Interrupts {
    interrupt: Signal,
    terminate: Signal,
}

impl Interrupts {
    /// Signals count from this call on, not only from the first poll.
    ///
    /// # Errors
    /// When the system gives no signals.
    pub(super) fn new() -> Result<Self> {
        Ok(Self {
            interrupt: signal(SignalKind::interrupt()).context("cannot wait for Ctrl-C")?,
            terminate: signal(SignalKind::terminate()).context("cannot wait for signals")?,
        })
    }

    /// Resolves at the next signal.
    pub(super) async fn next(&mut self) {
        tokio::select! {
            _ = self.interrupt.recv() => {}
            _ = self.terminate.recv() => {}
        }
    }

    /// Waits for the end of the work at hand; `None` when a signal or the limit comes first.
    pub(super) async fn finish<T>(&mut self, work: impl Future<Output = T>) -> Option<T> {
        print::note("stopping; Ctrl-C again ends it at once");
        self.finish_within(LIMIT, work).await
    }

    async fn finish_within<T>(
        &mut self,
        limit: Duration,
        work: impl Future<Output = T>,
    ) -> Option<T> {
        tokio::select! {
            done = work => return Some(done),
            () = self.next() => print::note("ended at once"),
            () = sleep(limit) => print::note("ended, although something was still at work"),
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use std::future::{pending, ready};

    use super::*;

    #[tokio::test]
    async fn the_end_of_a_command_has_a_limit() {
        let mut interrupts = Interrupts::new().unwrap();
        let left = interrupts.finish_within(Duration::ZERO, pending::<()>());
        assert_eq!(left.await, None);
        let done = interrupts.finish_within(Duration::MAX, ready(1));
        assert_eq!(done.await, Some(1));
    }
}
