//! The share of a CPU that Lambda gives a function: its memory divided by 1,769 MB ("Configuring Lambda function memory",
//! developer guide), in periods of 20 ms. A process that has used its share is stopped until the next period.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::time::{ClockId, clock_gettime};
use nix::unistd::Pid;

/// The memory in MB at which a function has a whole CPU.
const WHOLE: u32 = 1_769;

/// Length of a period; each one grants the process its share of CPU time.
const PERIOD: Duration = Duration::from_millis(20);

/// Interval at which the used CPU time is read.
const LOOK: Duration = Duration::from_micros(200);

/// A process and its share; it runs freely again when this is dropped.
#[derive(Debug)]
pub(crate) struct Share {
    pid: Pid,
    quota: Duration,
    ended: Arc<AtomicBool>,
}

impl Share {
    /// The share of a function with so many MB; it is not held yet.
    pub(crate) fn new(pid: Pid, memory: u32) -> Self {
        Self {
            pid,
            quota: PERIOD
                .saturating_mul(memory)
                .checked_div(WHOLE)
                .unwrap_or(PERIOD),
            ended: Arc::new(AtomicBool::new(false)),
        }
    }
}

/// Holds a process to its share from now on.
pub(crate) fn hold(share: Share, clock: ClockId) -> Share {
    let (pid, quota, ended) = (share.pid, share.quota, share.ended.clone());
    std::thread::spawn(move || {
        let used = || clock_gettime(clock).map(Duration::from).ok();
        let Some(mut credited) = used() else { return };
        let mut period = Instant::now();
        while !ended.load(Ordering::Relaxed) {
            std::thread::sleep(LOOK);
            let Some(now) = used() else { return };
            let passed = period.elapsed();
            if passed >= PERIOD {
                // What was not used is gone; what was used too much is owed.
                let periods = u32::try_from(passed.as_micros() / PERIOD.as_micros()).unwrap_or(1);
                period += PERIOD.saturating_mul(periods);
                credited = now.min(credited.saturating_add(quota.saturating_mul(periods)));
            }
            if now.saturating_sub(credited) >= quota && kill(pid, Signal::SIGSTOP).is_ok() {
                std::thread::sleep(PERIOD.saturating_sub(period.elapsed()));
                let _ = kill(pid, Signal::SIGCONT);
            }
        }
    });
    share
}

impl Drop for Share {
    fn drop(&mut self) {
        self.ended.store(true, Ordering::Relaxed);
    }
}
