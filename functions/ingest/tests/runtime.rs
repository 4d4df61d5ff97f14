//! The binary behind a Runtime API.
#![allow(clippy::unwrap_used, clippy::indexing_slicing)] // helpers of tests

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use hookwell_sandbox::http::Message;
use hookwell_sandbox::runtime::{self, Call};
use serde_json::Value;

/// Nobody is there.
const NOWHERE: &str = "http://127.0.0.1:9/1/queue";

/// The next request that the function sends.
fn next(socket: &mut TcpStream, received: &mut Vec<u8>) -> Message {
    loop {
        if let Some(message) = Message::take(received).unwrap() {
            return message;
        }
        let mut part = [0; 4096];
        let read = socket.read(&mut part).unwrap();
        assert_ne!(read, 0, "the function ended");
        received.extend_from_slice(part.get(..read).unwrap());
    }
}

/// The function with a Runtime API that this test plays.
struct Function {
    process: Child,
    socket: TcpStream,
    received: Vec<u8>,
}

impl Function {
    fn start() -> Self {
        let api = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = api.local_addr().unwrap().to_string();
        let process = Command::new(env!("CARGO_BIN_EXE_ingest"))
            .env_clear()
            .envs(runtime::environment("ingest", &address, 256))
            .envs([
                ("AWS_REGION", "us-east-1"),
                ("AWS_ACCESS_KEY_ID", "none"),
                ("AWS_SECRET_ACCESS_KEY", "none"),
                ("HOOKWELL_EVENTS_TABLE", "events"),
                ("HOOKWELL_QUEUE_URL", NOWHERE),
            ])
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let (socket, _) = api.accept().unwrap();
        Self {
            process,
            socket,
            received: Vec::new(),
        }
    }

    /// Hands over an event when the function asks for one, and reads the answer.
    fn invoke(&mut self, event: &[u8]) -> Value {
        let asked = next(&mut self.socket, &mut self.received);
        assert!(matches!(Call::of(asked.path()), Some(Call::Next)));
        let timeout = Duration::from_secs(10);
        let work = runtime::invocation("ingest", "request-1", timeout, event.to_vec());
        self.socket.write_all(&work.bytes()).unwrap();
        let answer = next(&mut self.socket, &mut self.received);
        let is_response = matches!(Call::of(answer.path()), Some(Call::Response { .. }));
        assert!(is_response, "{}", answer.path());
        let accepted = runtime::accepted().bytes();
        self.socket.write_all(&accepted).unwrap();
        serde_json::from_slice(&answer.body).unwrap()
    }

    /// Ends the function when it asks for more. What it has logged of deliveries, and how many lines are no JSON.
    fn end(mut self) -> (Vec<Value>, usize) {
        next(&mut self.socket, &mut self.received);
        self.process.kill().unwrap();
        self.process.wait().unwrap();
        let log = BufReader::new(self.process.stderr.take().unwrap());
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
    let mut function = Function::start();
    for event in unreadable {
        assert_eq!(function.invoke(event)["statusCode"], 400);
        assert_ne!(function.invoke(good.as_bytes())["statusCode"], 400);
    }
    let (lines, others) = function.end();
    assert_eq!(lines.len(), 2 * unreadable.len());
    let refused = lines.iter().step_by(2);
    for line in refused {
        assert_eq!(line["outcome"], "bad_request", "{line}");
        assert!(line["reason"].is_string(), "{line}");
    }
    // A panic of the reader says nothing: its text may be the sender's.
    assert_eq!(others, 0);
}
