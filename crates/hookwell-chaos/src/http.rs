//! As much HTTP/1.1 as the SDK, the Lambda runtime and the embedded servers speak to each other. Written by hand, so
//! that an answer can stop in its middle and a connection can be reset, which a server library does not let one do.

use std::io;

use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::TcpStream;

/// A connection.
pub(crate) type Stream = BufReader<TcpStream>;

/// A request or an answer.
#[derive(Debug)]
pub(crate) struct Message {
    /// The request line or status line.
    pub(crate) start: String,
    /// Names in lower case, without the length of the body.
    pub(crate) headers: Vec<(String, String)>,
    /// The body.
    pub(crate) body: Vec<u8>,
}

impl Message {
    /// An answer.
    pub(crate) fn answer(status: &str, body: impl Into<Vec<u8>>) -> Self {
        let json = (
            "content-type".to_owned(),
            "application/x-amz-json-1.0".to_owned(),
        );
        Self {
            start: format!("HTTP/1.1 {status}"),
            headers: vec![json],
            body: body.into(),
        }
    }

    /// With one more header.
    pub(crate) fn with(mut self, name: &str, value: &str) -> Self {
        self.headers.push((name.to_owned(), value.to_owned()));
        self
    }

    /// A header.
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        let mut headers = self.headers.iter();
        headers
            .find(|(other, _)| other == name)
            .map(|(_, value)| value.as_str())
    }

    /// The path of a request.
    pub(crate) fn path(&self) -> &str {
        self.start.split(' ').nth(1).unwrap_or_default()
    }

    /// The status of an answer.
    pub(crate) fn status(&self) -> u16 {
        let status = self.start.split(' ').nth(1);
        status.and_then(|text| text.parse().ok()).unwrap_or(0)
    }

    /// Its bytes.
    pub(crate) fn bytes(&self) -> Vec<u8> {
        let mut head = format!("{}\r\n", self.start);
        for (name, value) in &self.headers {
            head.extend([name, ": ", value, "\r\n"]);
        }
        let length = self.body.len().to_string();
        head.extend(["content-length: ", &length, "\r\n\r\n"]);
        let mut bytes = head.into_bytes();
        bytes.extend_from_slice(&self.body);
        bytes
    }
}

fn broken(what: &'static str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, what)
}

/// Reads a message; `None` when the other side has closed.
pub(crate) async fn read(stream: &mut Stream) -> io::Result<Option<Message>> {
    let mut start = String::new();
    if stream.read_line(&mut start).await? == 0 {
        return Ok(None);
    }
    let mut headers = Vec::new();
    let mut length = 0;
    loop {
        let mut line = String::new();
        if stream.read_line(&mut line).await? == 0 {
            return Err(broken("the head ends early"));
        }
        let line = line.trim_end();
        if line.is_empty() {
            break;
        }
        let (name, value) = line.split_once(':').ok_or_else(|| broken("no colon"))?;
        let (name, value) = (name.to_ascii_lowercase(), value.trim().to_owned());
        match name.as_str() {
            "content-length" => length = value.parse().map_err(|_| broken("no length"))?,
            "transfer-encoding" => return Err(broken("chunks are not expected")),
            _ => headers.push((name, value)),
        }
    }
    let mut body = vec![0; length];
    stream.read_exact(&mut body).await?;
    let start = start.trim_end().to_owned();
    Ok(Some(Message {
        start,
        headers,
        body,
    }))
}

/// Writes bytes.
pub(crate) async fn write(stream: &mut Stream, bytes: &[u8]) -> io::Result<()> {
    stream.get_mut().write_all(bytes).await
}

/// Ends a connection with RST instead of FIN.
pub(crate) fn reset(stream: Stream) {
    let stream = stream.into_inner();
    let _ = stream.set_zero_linger();
    drop(stream);
}

/// Waits until the other side gives up.
pub(crate) async fn outlast(stream: &mut Stream) {
    let mut rest = [0; 64];
    while stream.read(&mut rest).await.is_ok_and(|read| read > 0) {}
}
