//! A service that the handler calls over HTTP.

use std::time::Duration;

use hookwell::deliver::check_address;
use hookwell::event::Event;
use hookwell::ports::handler::HandleError;
use serde::Serialize;

use crate::client::connection::Connection;
use crate::secret::Secret;

/// Time for the status of an answer. A batch of ten events has 30 s.
const PATIENCE: Duration = Duration::from_secs(5);

/// Time for the rest of the answer.
const REST: Duration = Duration::from_secs(2);

/// The longest answer, in bytes.
const MAX_ANSWER: usize = 1024 * 1024;

/// A service with an HTTP API, called over the connections that the function has anyway.
#[derive(Debug)]
pub struct Service {
    connection: Connection,
    url: String,
    token: Option<Secret>,
}

/// A variable holds no address that may be called.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0} is no https:// address (http:// on this machine only)")]
pub(crate) struct NoAddress(&'static str);

impl Service {
    /// The service at the address that is in a variable.
    pub(crate) fn new(
        connection: Connection,
        variable: &'static str,
        url: &str,
    ) -> Result<Self, NoAddress> {
        check_address(url).map_err(|_| NoAddress(variable))?;
        Ok(Self {
            connection,
            url: url.trim_end_matches('/').to_owned(),
            token: None,
        })
    }

    /// Sends this secret with every request: `Authorization: Bearer`.
    #[must_use]
    pub fn with_token(mut self, token: Secret) -> Self {
        self.token = Some(token);
        self
    }

    /// Posts JSON for an event to a path, and gives the body of the answer when its status is 2xx.
    ///
    /// `Idempotency-Key` is the event's key with the path behind it: the same in every call of this event, so that a service
    /// which takes it does its work once, and another one for another path. The trace goes out as `traceparent`.
    ///
    /// # Errors
    /// The event is rejected after 400, 413, 415 and 422, which find fault with the request, because every try sends the same one.
    /// Anything else is tried again, also a wrong token, after the `Retry-After` of the service if it has one.
    pub async fn post(
        &self,
        event: &Event,
        path: &str,
        body: &impl Serialize,
    ) -> Result<Vec<u8>, HandleError> {
        let body = serde_json::to_vec(body)
            .map_err(|why| HandleError::Reject(format!("the request is no JSON: {why}")))?;
        let mut headers = vec![
            ("content-type", "application/json".to_owned()),
            ("user-agent", "hookwell".to_owned()),
            ("idempotency-key", format!("{}{path}", event.key.as_str())),
        ];
        if let Some(token) = &self.token {
            headers.push(("authorization", format!("Bearer {}", token.text().await?)));
        }
        if let Some(trace) = &event.trace {
            headers.push(("traceparent", trace.traceparent().to_owned()));
        }
        let url = format!("{}{path}", self.url);
        let answer = self.connection.post(WHO, &url, &headers, &body, PATIENCE);
        let answer = answer.await?;
        let (status, retry_after) = (answer.status, answer.retry_after);
        let body = answer.read(REST, MAX_ANSWER).await;
        judge(status, retry_after)?;
        // What was to be done is done, and asking again gives the same answer.
        body.ok_or_else(|| HandleError::RetryEnded(format!("{WHO}: the answer cannot be read")))
    }
}

const WHO: &str = "the service";

/// Result of the call, by the status of its answer.
fn judge(status: u16, retry_after: Option<u32>) -> Result<(), HandleError> {
    let why = format!("{WHO} answered {status}");
    match (status, retry_after) {
        (200..=299, _) => Ok(()),
        (400 | 413 | 415 | 422, _) => Err(HandleError::Reject(why)),
        // An earlier call may be at work still, or a proxy on the way answered.
        (408 | 409 | 502 | 504, _) => Err(HandleError::Retry(why)),
        (_, Some(seconds)) => Err(HandleError::RetryAfter { why, seconds }),
        (_, None) => Err(HandleError::RetryEnded(why)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_mean_what_the_documents_say() {
        for status in [200, 201, 204] {
            assert_eq!(judge(status, Some(9)), Ok(()));
        }
        let mine = judge(422, None);
        assert!(matches!(mine, Err(HandleError::Reject(_))), "{mine:?}");
        for status in [301, 401, 404, 429, 500, 503] {
            let end = judge(status, None);
            assert!(matches!(end, Err(HandleError::RetryEnded(_))), "{status}");
        }
        for status in [409, 504] {
            let end = judge(status, Some(9));
            assert!(matches!(end, Err(HandleError::Retry(_))), "{status}");
        }
        let later = judge(429, Some(90));
        assert!(
            matches!(later, Err(HandleError::RetryAfter { seconds: 90, .. })),
            "{later:?}"
        );
    }
}
