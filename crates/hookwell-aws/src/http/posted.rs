//! One unsigned POST to an endpoint that is not AWS's, over the connections that all clients share.

use std::time::Duration;

use aws_smithy_runtime_api::client::orchestrator::{HttpRequest, HttpResponse};
use aws_smithy_types::body::SdkBody;
use aws_smithy_types::byte_stream::ByteStream;
use hookwell::ports::handler::HandleError;
use tokio::time::timeout;

use crate::client::connection::Connection;

/// The answer to a request. Redirects are not followed: they are answers as well.
#[derive(Debug)]
pub(crate) struct Answer {
    /// The status.
    pub(crate) status: u16,
    /// `Retry-After` in seconds; the form with a date is not read.
    pub(crate) retry_after: Option<u32>,
    body: SdkBody,
}

impl Connection {
    /// Posts a body, and waits so long for the status of the answer. `who` is in the reasons.
    pub(crate) async fn post(
        &self,
        who: &str,
        url: &str,
        headers: &[(&'static str, String)],
        body: &[u8],
        limit: Duration,
    ) -> Result<Answer, HandleError> {
        let request = request(url, headers, body)
            .map_err(|why| HandleError::RetryEnded(format!("{who}: {why}")))?;
        match timeout(limit, self.send(request)).await {
            Ok(Ok(answer)) => Ok(Answer::of(answer)),
            // The request may have started work that is still running.
            Ok(Err(why)) => Err(HandleError::Retry(format!("{who}: {why}"))),
            Err(_) => {
                let seconds = limit.as_secs();
                let why = format!("{who} has not answered in {seconds} s");
                Err(HandleError::Retry(why))
            }
        }
    }
}

fn request(
    url: &str,
    headers: &[(&'static str, String)],
    body: &[u8],
) -> Result<HttpRequest, &'static str> {
    const CANNOT: &str = "the request cannot be built";
    let mut request = HttpRequest::new(SdkBody::from(body));
    request.set_method("POST").map_err(|_| CANNOT)?;
    request.set_uri(url).map_err(|_| CANNOT)?;
    for (name, value) in headers {
        let added = request.headers_mut().try_insert(*name, value.clone());
        added.map_err(|_| CANNOT)?;
    }
    Ok(request)
}

impl Answer {
    fn of(answer: HttpResponse) -> Self {
        let retry_after = answer.headers().get("retry-after");
        Self {
            status: answer.status().as_u16(),
            retry_after: retry_after.and_then(|seconds| seconds.trim().parse().ok()),
            body: answer.into_body(),
        }
    }

    /// The body, when all of it comes within `limit` and is at most `max` bytes. The connection can then be used again.
    pub(crate) async fn read(self, limit: Duration, max: usize) -> Option<Vec<u8>> {
        let mut body = ByteStream::new(self.body);
        let all = async {
            let mut read = Vec::new();
            while let Some(bytes) = body.next().await {
                read.extend_from_slice(&bytes.ok()?);
                if read.len() > max {
                    return None;
                }
            }
            Some(read)
        };
        timeout(limit, all).await.ok().flatten()
    }
}
