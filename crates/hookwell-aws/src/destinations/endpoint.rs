//! An HTTP endpoint: one signed request for each event, and what its answer means.

use std::time::Duration;

use hookwell::deliver::{Request, SigningKey};
use hookwell::event::Event;
use hookwell::ports::handler::HandleError;

use super::Destinations;
use crate::now::now;

/// The most of an answer that is read, in bytes.
const MAX_ANSWER: usize = 64 * 1024;

/// Time to read the body of an answer.
const DRAIN: Duration = Duration::from_millis(500);

impl Destinations {
    /// Posts an event, and takes 2xx for done. Redirects are not followed: a signed body goes to the address in the file.
    pub(super) async fn post(
        &self,
        url: &str,
        key: &SigningKey,
        limit: Duration,
        event: &Event,
    ) -> Result<(), HandleError> {
        let headers = Request::new(event, key, now()).headers;
        let (who, body) = ("the endpoint", event.body.0.as_slice());
        let answer = self.connection.post(who, url, &headers, body, limit);
        let answer = answer.await?;
        let (status, retry_after) = (answer.status, answer.retry_after);
        // So that the connection can be used again. The status has said everything.
        let _ = answer.read(DRAIN, MAX_ANSWER).await;
        judge(status, retry_after)
    }
}

/// Result of telling the endpoint, by the status of its answer.
fn judge(status: u16, retry_after: Option<u32>) -> Result<(), HandleError> {
    let why = format!("the endpoint answered {status}");
    match (status, retry_after) {
        (200..=299, _) => Ok(()),
        (410, _) => Err(HandleError::Reject(format!("{why}: it wants no more"))),
        (300..=399, _) => Err(HandleError::RetryEnded(format!(
            "{why}: redirects are not followed"
        ))),
        // A proxy on the way timed out: the endpoint itself may still be at work.
        (504, _) => Err(HandleError::Retry(why)),
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
        let rejected = "the endpoint answered 410: it wants no more".to_owned();
        assert_eq!(judge(410, None), Err(HandleError::Reject(rejected)));
        for status in [301, 400, 401, 404, 500, 503] {
            let end = judge(status, None);
            assert!(matches!(end, Err(HandleError::RetryEnded(_))), "{status}");
        }
        assert!(matches!(judge(504, Some(9)), Err(HandleError::Retry(_))));
        let seconds = 90;
        let why = "the endpoint answered 429".to_owned();
        let later = HandleError::RetryAfter { why, seconds };
        assert_eq!(judge(429, Some(90)), Err(later));
    }
}
