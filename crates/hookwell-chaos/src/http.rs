//! A connection that can be reset and can stop in the middle of an answer.

use std::io;

use hookwell_sandbox::http::Message;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

/// A connection.
#[derive(Debug)]
pub(crate) struct Stream {
    socket: TcpStream,
    received: Vec<u8>,
}

impl Stream {
    /// A connection over a socket.
    pub(crate) fn new(socket: TcpStream) -> Self {
        let _ = socket.set_nodelay(true);
        Self {
            socket,
            received: Vec::new(),
        }
    }

    /// Reads a message; `None` when the other side has closed.
    pub(crate) async fn read(&mut self) -> io::Result<Option<Message>> {
        loop {
            if let Some(message) = Message::take(&mut self.received)? {
                return Ok(Some(message));
            }
            if self.socket.read_buf(&mut self.received).await? == 0 {
                let is_between = self.received.is_empty();
                return if is_between {
                    Ok(None)
                } else {
                    Err(io::ErrorKind::UnexpectedEof.into())
                };
            }
        }
    }

    /// Writes bytes.
    pub(crate) async fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.socket.write_all(bytes).await
    }

    /// Ends the connection with RST instead of FIN.
    pub(crate) fn reset(self) {
        let _ = self.socket.set_zero_linger();
    }

    /// Waits until the other side gives up.
    pub(crate) async fn outlast(&mut self) {
        let mut rest = [0; 64];
        while self.socket.read(&mut rest).await.is_ok_and(|read| read > 0) {}
    }
}
