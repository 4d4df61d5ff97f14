//! A child process that ends with its owner, so that a test that fails leaves none behind.

use std::io;
use std::ops::{Deref, DerefMut};
use std::process::{Child, Command, ExitStatus};

/// A child that is killed, if it still runs, when this is dropped.
#[derive(Debug)]
pub struct Owned(Child);

impl Owned {
    /// Starts a command.
    ///
    /// # Errors
    /// When it cannot be started.
    pub fn spawn(command: &mut Command) -> io::Result<Self> {
        command.spawn().map(Self)
    }

    /// Asks it to end, as Ctrl-C does. Gives the status of `kill`.
    ///
    /// # Errors
    /// When there is no `kill`.
    pub fn interrupt(&self) -> io::Result<ExitStatus> {
        let id = self.id().to_string();
        Command::new("kill").args(["-INT", &id]).status()
    }
}

impl Deref for Owned {
    type Target = Child;

    fn deref(&self) -> &Child {
        &self.0
    }
}

impl DerefMut for Owned {
    fn deref_mut(&mut self) -> &mut Child {
        &mut self.0
    }
}

impl Drop for Owned {
    fn drop(&mut self) {
        // Both fail where it has ended and been waited for.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}
