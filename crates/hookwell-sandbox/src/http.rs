//! As much HTTP/1.1 as the SDKs, the Lambda runtimes and the emulated services speak to each other. Written by hand, so
//! that an answer can stop in its middle, which a server library does not let one do.

/// A request or an answer.
#[derive(Debug)]
pub struct Message {
    /// The request line or status line.
    pub start: String,
    /// Names in lower case, without the length of the body.
    pub headers: Vec<(String, String)>,
    /// The body.
    pub body: Vec<u8>,
}

/// Error: the bytes are no message that the tools know.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not a message: {0}")]
pub struct Malformed(&'static str);

impl From<Malformed> for std::io::Error {
    fn from(why: Malformed) -> Self {
        Self::new(std::io::ErrorKind::InvalidData, why)
    }
}

impl Message {
    /// An answer with JSON in it.
    #[must_use]
    pub fn answer(status: &str, body: impl Into<Vec<u8>>) -> Self {
        let json = ("content-type", "application/x-amz-json-1.0");
        Self {
            start: format!("HTTP/1.1 {status}"),
            headers: vec![(json.0.to_owned(), json.1.to_owned())],
            body: body.into(),
        }
    }

    /// The message with one more header.
    #[must_use]
    pub fn with(mut self, name: &str, value: &str) -> Self {
        self.headers.push((name.to_owned(), value.to_owned()));
        self
    }

    /// A header, by its name in lower case.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        let mut headers = self.headers.iter();
        headers
            .find(|(other, _)| other == name)
            .map(|(_, value)| value.as_str())
    }

    /// The path of a request.
    #[must_use]
    pub fn path(&self) -> &str {
        self.start.split(' ').nth(1).unwrap_or_default()
    }

    /// The status of an answer; 0 when it has none.
    #[must_use]
    pub fn status(&self) -> u16 {
        let status = self.start.split(' ').nth(1);
        status.and_then(|text| text.parse().ok()).unwrap_or(0)
    }

    /// Bytes of the message as they go over the connection.
    #[must_use]
    pub fn bytes(&self) -> Vec<u8> {
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

    /// Takes the first message off what was received; `None` when more of it has to come.
    ///
    /// # Errors
    /// When it is not HTTP, or its body comes in chunks.
    pub fn take(received: &mut Vec<u8>) -> Result<Option<Self>, Malformed> {
        let Some(end) = received.windows(4).position(|part| part == b"\r\n\r\n") else {
            return Ok(None);
        };
        let head = received.get(..end).unwrap_or_default();
        let head = std::str::from_utf8(head).map_err(|_| Malformed("the head is not text"))?;
        let mut lines = head.split("\r\n");
        let start = lines.next().unwrap_or_default().to_owned();
        let (mut headers, mut length) = (Vec::new(), 0_usize);
        for line in lines {
            let (name, value) = line.split_once(':').ok_or(Malformed("no colon"))?;
            let (name, value) = (name.to_ascii_lowercase(), value.trim().to_owned());
            match name.as_str() {
                "content-length" => length = value.parse().map_err(|_| Malformed("no length"))?,
                "transfer-encoding" => return Err(Malformed("chunks are not expected")),
                _ => headers.push((name, value)),
            }
        }
        let body = end.saturating_add(4);
        let all = body.saturating_add(length);
        if received.len() < all {
            return Ok(None);
        }
        let rest = received.split_off(all);
        let mut whole = std::mem::replace(received, rest);
        let body = whole.split_off(body);
        Ok(Some(Self {
            start,
            headers,
            body,
        }))
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn messages_come_off_one_by_one_and_only_whole() {
        let two = [
            Message::answer("200 OK", "one").with("x-a", "b").bytes(),
            Message::answer("503 Later", "").bytes(),
        ];
        let mut received = Vec::new();
        let mut taken = Vec::new();
        for byte in two.concat() {
            received.push(byte);
            taken.extend(Message::take(&mut received).unwrap());
        }
        let seen: Vec<_> = taken
            .iter()
            .map(|message| (message.status(), message.header("x-a"), &*message.body))
            .collect();
        assert_eq!(seen, [(200, Some("b"), &b"one"[..]), (503, None, &b""[..])]);
        assert!(received.is_empty());
    }

    #[test]
    fn chunks_and_lines_without_a_colon_are_refused() {
        for head in [
            "GET / HTTP/1.1\r\ntransfer-encoding: chunked\r\n\r\n",
            "GET /\r\nx\r\n\r\n",
        ] {
            assert!(
                Message::take(&mut head.as_bytes().to_vec()).is_err(),
                "{head}"
            );
        }
    }
}
