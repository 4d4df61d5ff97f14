//! The binary behind a Runtime API.
#![allow(clippy::unwrap_used, clippy::indexing_slicing)] // helpers of tests

mod support;

use std::io::{BufRead as _, BufReader};
use std::process::{Command, Stdio};

use serde_json::Value;

use support::Function;

/// Nobody is there.
const NOWHERE: &str = "http://127.0.0.1:9/1/queue";

/// The function, which logs to this test.
fn start() -> Function {
    let command = Command::new(env!("CARGO_BIN_EXE_ingest"));
    let variables = [("HOOKWELL_QUEUE_URL", NOWHERE)];
    Function::start(command, &variables, Stdio::piped())
}

/// Ends the function when it asks for more. What it has logged of deliveries, and how many lines are no JSON.
fn end(mut function: Function) -> (Vec<Value>, usize) {
    function.asks().unwrap();
    function.process.kill().unwrap();
    let log = BufReader::new(function.process.stderr.take().unwrap());
    let (mut deliveries, mut others) = (Vec::new(), 0);
    for line in log.lines() {
        match serde_json::from_str::<Value>(&line.unwrap()) {
            Ok(line) if line["message"] == "delivery" => deliveries.push(line),
            Ok(_) => {}
            Err(_) => others += 1,
        }
    }
    (deliveries, others)
}

#[test]
fn an_event_that_nobody_can_read_gets_400_and_a_line_and_the_next_one_is_served() {
    let good = include_str!("../../../events/ingest-function-url-forged.json");
    let not_base64 = good.replace(r#""isBase64Encoded": false"#, r#""isBase64Encoded": true"#);
    assert_ne!(good, not_base64);
    let escape = good.replacen("application/json", r"Beno\xEEt", 1);
    let unreadable: [&[u8]; 7] = [
        b"",
        b"no JSON",
        b"{\"body\": ",
        b"{\"body\": \"\xee\"}",
        b"{}",
        escape.as_bytes(),
        not_base64.as_bytes(),
    ];
    let mut function = start();
    for event in unreadable {
        assert_eq!(function.invoke(event).unwrap()["statusCode"], 400);
        let answer = function.invoke(good.as_bytes()).unwrap();
        assert_ne!(answer["statusCode"], 400);
    }
    let (lines, others) = end(function);
    assert_eq!(lines.len(), 2 * unreadable.len());
    let refused = lines.iter().step_by(2);
    for line in refused {
        assert_eq!(line["outcome"], "bad_request", "{line}");
        assert!(line["reason"].is_string(), "{line}");
    }
    // A panic of the reader says nothing: its text may be the sender's.
    assert_eq!(others, 0);
}
