//! The binary behind a Runtime API.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::process::{Command, Stdio};
use std::sync::mpsc::channel;
use std::time::Duration;

use hookwell_sandbox::http::Message;
use hookwell_sandbox::runtime::{self, Call};

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

#[test]
fn the_line_about_a_delivery_comes_after_its_answer_and_before_lambda_may_freeze_the_function() {
    let api = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = api.local_addr().unwrap().to_string();
    let mut function = Command::new(env!("CARGO_BIN_EXE_ingest"))
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
    let (line, lines) = channel();
    let log = BufReader::new(function.stderr.take().unwrap());
    std::thread::spawn(move || log.lines().try_for_each(|text| line.send(text.unwrap())));
    let (mut socket, _) = api.accept().unwrap();
    let mut received = Vec::new();

    let asked = next(&mut socket, &mut received);
    assert!(matches!(Call::of(asked.path()), Some(Call::Next)));
    // What the sources have to say of their secrets.
    while lines.recv_timeout(Duration::from_millis(100)).is_ok() {}
    let event = include_bytes!("../../../events/ingest-function-url-forged.json").to_vec();
    let work = runtime::invocation("ingest", "request-1", Duration::from_secs(10), event);
    socket.write_all(&work.bytes()).unwrap();
    let answer = next(&mut socket, &mut received);
    assert!(matches!(
        Call::of(answer.path()),
        Some(Call::Response { .. })
    ));
    let early = lines.recv_timeout(Duration::from_millis(100));
    assert!(early.is_err(), "before its answer was out: {early:?}");

    socket.write_all(&runtime::accepted().bytes()).unwrap();
    let asked = next(&mut socket, &mut received);
    assert!(matches!(Call::of(asked.path()), Some(Call::Next)));
    function.kill().unwrap();
    function.wait().unwrap();
    let line = lines.recv().unwrap();
    assert!(line.contains(r#""message":"delivery""#), "{line}");
}
