//! The Lambda Runtime API ("Using the Lambda runtime API for custom runtimes", developer guide), and the environment
//! variables that point to it ("Defined runtime environment variables").

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use crate::http::Message;

/// A call of a function's runtime to the Runtime API.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Call<'p> {
    /// Asks for the next invocation.
    Next,
    /// Gives the answer of an invocation.
    Response {
        /// The invocation's id.
        id: &'p str,
    },
    /// Reports an error: of an invocation, or of the start.
    Error {
        /// The invocation's id; `None` when the function could not start.
        id: Option<&'p str>,
    },
}

impl<'p> Call<'p> {
    /// Reads a path, without what stands before `/2018-06-01`.
    #[must_use]
    pub fn of(path: &'p str) -> Option<Self> {
        let path = path.trim_start_matches('/');
        let mut parts = path.strip_prefix("2018-06-01/runtime/")?.split('/');
        match (parts.next()?, parts.next()?, parts.next()) {
            ("invocation", "next", None) => Some(Self::Next),
            ("invocation", id, Some("response")) => Some(Self::Response { id }),
            ("invocation", id, Some("error")) => Some(Self::Error { id: Some(id) }),
            ("init", "error", None) => Some(Self::Error { id: None }),
            _ => None,
        }
    }
}

/// The answer to [`Call::Next`].
#[must_use]
pub fn invocation(function: &str, id: &str, timeout: Duration, event: Vec<u8>) -> Message {
    let now = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default();
    let deadline = now.saturating_add(timeout).as_millis().to_string();
    let arn = format!("arn:aws:lambda:us-east-1:000000000000:function:{function}");
    let answer = Message {
        start: "HTTP/1.1 200 OK".to_owned(),
        // Some runtimes pass anything else on as bytes.
        headers: vec![("content-type".to_owned(), "application/json".to_owned())],
        body: event,
    };
    answer
        .with("lambda-runtime-aws-request-id", id)
        .with("lambda-runtime-deadline-ms", &deadline)
        .with("lambda-runtime-invoked-function-arn", &arn)
}

/// The answer to the other calls.
#[must_use]
pub fn accepted() -> Message {
    Message::answer("202 Accepted", r#"{"status":"OK"}"#)
}

/// Environment variables that Lambda sets for every function. `api` is the Runtime API without its `http://`, `memory` is
/// in MB.
#[must_use]
pub fn environment(function: &str, api: &str, memory: u32) -> [(&'static str, String); 6] {
    [
        ("AWS_LAMBDA_RUNTIME_API", api.to_owned()),
        ("AWS_LAMBDA_FUNCTION_NAME", function.to_owned()),
        ("AWS_LAMBDA_FUNCTION_VERSION", "$LATEST".to_owned()),
        ("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", memory.to_string()),
        (
            "AWS_LAMBDA_LOG_GROUP_NAME",
            format!("/aws/lambda/{function}"),
        ),
        ("AWS_LAMBDA_LOG_STREAM_NAME", "sandbox".to_owned()),
    ]
}
