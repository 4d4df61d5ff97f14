//! An HTTP endpoint: one signed request for each event, and what its answer means.

use std::time::Duration;

use aws_smithy_runtime_api::client::orchestrator::{HttpRequest, HttpResponse};
use aws_smithy_types::body::SdkBody;
use aws_smithy_types::byte_stream::ByteStream;
use hookwell::deliver::{Request, SigningKey};
use hookwell::event::Event;
use hookwell::ports::handler::HandleError;
use tokio::time::timeout;

use super::Destinations;
use crate::now::now;

/// The most of an answer that is read, in bytes, so that its connection can be used again.
const MAX_ANSWER: usize = 64 * 1024;

/// Time to read the body of an answer.
const DRAIN: Duration = Duration::from_millis(500);

/// The answer to a request, as far as it counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Answer {
    status: u16,
    /// `Retry-After` in seconds; the form with a date is not read.
    retry_after: Option<u32>,
}

impl Destinations {
    /// Posts an event, and takes 2xx for done. Redirects are not followed: a signed body goes to the address in the file.
    pub(super) async fn post(
        &self,
        url: &str,
        key: &SigningKey,
        limit: Duration,
        event: &Event,
    ) -> Result<(), HandleError> {
        let request = request(url, &Request::new(event, key, now()), event)
            .map_err(|why| HandleError::RetryEnded(why.to_owned()))?;
        match timeout(limit, self.connection.send(request)).await {
            Ok(Ok(answer)) => {
                let said = Answer::of(&answer);
                // So that the connection can be used again. The status has said everything.
                let _ = timeout(DRAIN, drain(answer)).await;
                judge(said)
            }
            // Whatever the endpoint began may be running.
            Ok(Err(why)) => Err(HandleError::Retry(format!("the endpoint: {why}"))),
            Err(_) => {
                let seconds = limit.as_secs();
                let why = format!("the endpoint has not answered in {seconds} s");
                Err(HandleError::Retry(why))
            }
        }
    }
}

fn request(url: &str, signed: &Request, event: &Event) -> Result<HttpRequest, &'static str> {
    const CANNOT: &str = "the request cannot be built";
    let mut request = HttpRequest::new(SdkBody::from(event.body.0.as_slice()));
    request.set_method("POST").map_err(|_| CANNOT)?;
    request.set_uri(url).map_err(|_| CANNOT)?;
    for (name, value) in &signed.headers {
        let added = request.headers_mut().try_insert(*name, value.clone());
        added.map_err(|_| CANNOT)?;
    }
    Ok(request)
}

impl Answer {
    fn of(answer: &HttpResponse) -> Self {
        let retry_after = answer.headers().get("retry-after");
        Self {
            status: answer.status().as_u16(),
            retry_after: retry_after.and_then(|seconds| seconds.trim().parse().ok()),
        }
    }
}

/// Reads the body of an answer, as far as it is short.
async fn drain(answer: HttpResponse) {
    let mut body = ByteStream::new(answer.into_body());
    let mut read = 0_usize;
    while let Some(Ok(bytes)) = body.next().await {
        read = read.saturating_add(bytes.len());
        if read > MAX_ANSWER {
            break;
        }
    }
}

/// Meaning of an answer.
fn judge(answer: Answer) -> Result<(), HandleError> {
    let status = answer.status;
    let why = format!("the endpoint answered {status}");
    match (status, answer.retry_after) {
        (200..=299, _) => Ok(()),
        (410, _) => Err(HandleError::Reject(format!("{why}: it wants no more"))),
        (300..=399, _) => Err(HandleError::RetryEnded(format!(
            "{why}: redirects are not followed"
        ))),
        // By somebody in between: the endpoint itself may be at work.
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
        let of = |status, retry_after| {
            judge(Answer {
                status,
                retry_after,
            })
        };
        for status in [200, 201, 204] {
            assert_eq!(of(status, Some(9)), Ok(()));
        }
        let rejected = "the endpoint answered 410: it wants no more".to_owned();
        assert_eq!(of(410, None), Err(HandleError::Reject(rejected)));
        for status in [301, 400, 401, 404, 500, 503] {
            let end = of(status, None);
            assert!(matches!(end, Err(HandleError::RetryEnded(_))), "{status}");
        }
        assert!(matches!(of(504, Some(9)), Err(HandleError::Retry(_))));
        let seconds = 90;
        let why = "the endpoint answered 429".to_owned();
        let later = HandleError::RetryAfter { why, seconds };
        assert_eq!(of(429, Some(90)), Err(later));
    }
}
