//! The binary behind a Runtime API that the test plays.

use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use hookwell_sandbox::http::Message;
use hookwell_sandbox::runtime::{self, Call};
use serde_json::Value;

/// Time after which a function that says nothing is as good as gone.
const PATIENCE: Duration = Duration::from_mins(1);

/// The next message on a connection; `None` at its end.
pub(crate) fn next(socket: &mut TcpStream, received: &mut Vec<u8>) -> Option<Message> {
    let mut part = vec![0; 64 * 1024];
    loop {
        if let Some(message) = Message::take(received).unwrap() {
            return Some(message);
        }
        match socket.read(&mut part) {
            Ok(read) if read > 0 => received.extend_from_slice(&part[..read]),
            _ => return None,
        }
    }
}

/// A running function.
pub(crate) struct Function {
    pub(crate) process: Child,
    socket: TcpStream,
    received: Vec<u8>,
}

impl Function {
    /// Starts it by a command that ends in the binary, with these variables and no others.
    pub(crate) fn start(mut command: Command, variables: &[(&str, &str)], log: Stdio) -> Self {
        let api = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = api.local_addr().unwrap().to_string();
        let process = command
            .env_clear()
            .envs(runtime::environment("ingest", &address, 128))
            .envs([
                ("AWS_REGION", "us-east-1"),
                ("AWS_ACCESS_KEY_ID", "none"),
                ("AWS_SECRET_ACCESS_KEY", "none"),
                ("HOOKWELL_EVENTS_TABLE", "events"),
            ])
            .envs(variables.iter().copied())
            .stderr(log)
            .spawn()
            .unwrap();
        let (socket, _) = api.accept().unwrap();
        socket.set_read_timeout(Some(PATIENCE)).unwrap();
        Self {
            process,
            socket,
            received: Vec::new(),
        }
    }

    /// Hands over an event when the function asks for one. Its answer, or `None` when it ends.
    pub(crate) fn invoke(&mut self, event: &[u8]) -> Option<Value> {
        self.asks()?;
        let work = runtime::invocation("ingest", "request-1", PATIENCE, event.to_vec());
        self.socket.write_all(&work.bytes()).ok()?;
        let answer = next(&mut self.socket, &mut self.received)?;
        let is_response = matches!(Call::of(answer.path()), Some(Call::Response { .. }));
        assert!(is_response, "{}", answer.path());
        let accepted = runtime::accepted().bytes();
        self.socket.write_all(&accepted).ok()?;
        Some(serde_json::from_slice(&answer.body).unwrap())
    }

    /// Waits until the function asks for the next event; `None` when it ends.
    pub(crate) fn asks(&mut self) -> Option<()> {
        let asked = next(&mut self.socket, &mut self.received)?;
        assert!(matches!(Call::of(asked.path()), Some(Call::Next)));
        Some(())
    }
}

impl Drop for Function {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}
