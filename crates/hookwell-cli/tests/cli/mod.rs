//! The `hookwell` command as its user runs it.

mod check;
mod dev;
mod help;
mod letters;
mod send;

use std::io::{BufRead as _, BufReader};
use std::process::{Command, Output, Stdio};
use std::time::Duration;

use hookwell_sandbox::child::Owned;
use serde_json::Value;

fn hookwell(arguments: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_hookwell"));
    command
        .current_dir(ROOT)
        .args(arguments)
        .env_remove("HOOKWELL_SECRET_RESOURCE")
        .output()
        .unwrap()
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).unwrap()
}

/// The folder of the project whose sources are meant.
const ROOT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../..");

/// Longer than anything that a working machine needs, and shorter than its own limit when it ends.
const PATIENCE: Duration = Duration::from_secs(30);

/// `hookwell dev` in a process of its own.
struct Dev {
    process: Owned,
    machine: Value,
}

impl Dev {
    fn start() -> Self {
        Self::with(&[])
    }

    fn with(arguments: &[&str]) -> Self {
        let mut process = Owned::spawn(
            Command::new(env!("CARGO_BIN_EXE_hookwell"))
                .current_dir(ROOT)
                .args(["dev", "--port", "0", "--json"])
                .args(arguments)
                .env_remove("HOOKWELL_SECRET_RESOURCE")
                .stdout(Stdio::piped())
                .stderr(Stdio::null()),
        )
        .unwrap();
        let mut line = String::new();
        BufReader::new(process.stdout.take().unwrap())
            .read_line(&mut line)
            .unwrap();
        Self {
            process,
            machine: serde_json::from_str(&line).unwrap(),
        }
    }

    fn url(&self) -> &str {
        self.machine["url"].as_str().unwrap()
    }

    /// Ends it as Ctrl-C does.
    fn interrupt(mut self) -> bool {
        self.process.interrupt().unwrap();
        self.process.wait().unwrap().success()
    }
}
