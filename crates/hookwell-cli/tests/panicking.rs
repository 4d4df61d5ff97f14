//! A handler that panics with what a sender wrote. The log of `hookwell dev` has one line about it, which does not act on
//! the terminal.
//!
//! A handler is part of its binary, so this one is `hookwell` with that handler as well as its test: it runs itself.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing)]

use std::io::{BufRead as _, BufReader, Read as _};
use std::process::{Command, ExitCode, Stdio};
use std::time::Duration;

use hookwell::event::Event;
use hookwell::ports::handler::{HandleError, Handled, Handler};
use hookwell_sandbox::child::Owned;
use serde_json::{Value, json};

/// Turns everything red and begins a line of its own.
const HOSTILE: &str = "\u{1b}[31m\n-> shop applied \u{9b}2J";

const SOURCES: &str = "[sources.plain]\npreset = \"plain\"\nallow_ips = [\"127.0.0.1\"]\n";

/// Longer than anything that a working machine needs.
const PATIENCE: Duration = Duration::from_mins(1);

struct Panicking;

impl Handler for Panicking {
    async fn handle(&self, event: &Event) -> Result<Handled, HandleError> {
        panic!("no such document: {}", event.document_id.as_ref().unwrap());
    }
}

fn main() -> ExitCode {
    if std::env::var_os("IS_HOOKWELL").is_some() {
        return hookwell_cli::main(Some(SOURCES), |_| Ok(Panicking));
    }
    a_panic_of_the_handler_is_one_line_that_does_not_act_on_the_terminal();
    ExitCode::SUCCESS
}

fn a_panic_of_the_handler_is_one_line_that_does_not_act_on_the_terminal() {
    let mut dev = Owned::spawn(
        Command::new(std::env::current_exe().unwrap())
            .args(["dev", "--port", "0", "--json"])
            .env("IS_HOOKWELL", "yes")
            .stdout(Stdio::piped())
            .stderr(Stdio::piped()),
    )
    .unwrap();
    let mut line = String::new();
    let mut output = BufReader::new(dev.stdout.take().unwrap());
    output.read_line(&mut line).unwrap();
    let machine: Value = serde_json::from_str(&line).unwrap();
    let url = format!("{}/webhooks/plain", machine["url"].as_str().unwrap());
    let event = json!({ "event": "asset.created", "data": { "id": HOSTILE } });
    assert_eq!(ureq::post(&url).send_json(event).unwrap().status(), 200);

    let id = dev.id().to_string();
    let interrupt = move || Command::new("kill").args(["-INT", &id]).status().unwrap();
    let end = interrupt.clone();
    std::thread::spawn(move || {
        std::thread::sleep(PATIENCE);
        end();
    });
    let mut errors = BufReader::new(dev.stderr.take().unwrap());
    let mut log = String::new();
    while !log.contains("panic") {
        assert!(errors.read_line(&mut log).unwrap() > 0, "no panic: {log}");
    }
    interrupt();
    errors.read_to_string(&mut log).unwrap();
    dev.wait().unwrap();
    assert!(
        !log.contains(|c: char| c.is_control() && c != '\n'),
        "{log:?}"
    );
    let lines: Vec<_> = log
        .lines()
        .filter(|line| line.contains(" panic "))
        .collect();
    let [line] = lines[..] else {
        panic!("{log}");
    };
    for part in ["no such document: \\u{1b}[31m", "panicking.rs:"] {
        assert!(line.contains(part), "{part}: {line}");
    }
    assert!(!log.contains("\n-> shop applied"), "{log}");
}
