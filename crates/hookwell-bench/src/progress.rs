//! Shows the progress of a run: a line that changes on a terminal, one line a step elsewhere.

use std::cell::Cell;
use std::io::{IsTerminal as _, Write as _};
use std::time::Instant;

/// One part of a run.
#[derive(Debug)]
pub(crate) struct Progress {
    name: String,
    all: usize,
    done: Cell<usize>,
    started: Instant,
}

impl Progress {
    /// A part of so many steps.
    pub(crate) fn new(name: &str, all: usize) -> Self {
        if !std::io::stderr().is_terminal() {
            eprintln!("{name}: {all} steps");
        }
        Self {
            name: name.to_owned(),
            all,
            done: Cell::new(0),
            started: Instant::now(),
        }
    }

    /// One step is done.
    pub(crate) fn step(&self, what: &str) {
        self.done.set(self.done.get().saturating_add(1));
        let mut out = std::io::stderr();
        if out.is_terminal() {
            let (name, done, all) = (&self.name, self.done.get(), self.all);
            let seconds = self.started.elapsed().as_secs();
            let _ = write!(out, "\r\x1b[K{name}: {done} of {all}, {seconds} s, {what}");
            let _ = out.flush();
        }
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        if std::io::stderr().is_terminal() {
            eprintln!();
        }
    }
}
