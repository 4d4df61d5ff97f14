//! A handler with effects elsewhere: it posts every event to the HTTP endpoint that `ENDPOINT_URL` names.
//!
//! To use it, move [`HttpEndpoint`] to `src/handler.rs` and `reqwest` to the dependencies, with its feature `rustls-tls` for
//! an https endpoint. What it does under kills and faults: `crates/hookwell-chaos`, `--handler http`.

use std::time::Duration;

use hookwell::event::Event;
use hookwell::ports::handler::{HandleError, Handled, Handler, Outcome};
use hookwell_aws::settings::process_environment;
use hookwell_aws::{BoxError, Context};
use hookwell_lambda::process::Process;
use hookwell_lambda::{Error, telemetry};
use reqwest::{Client, StatusCode, redirect};

const SOURCES: &str = include_str!("../../ingest/sources.toml");

/// How long the endpoint may take. A batch has 30 s.
const PATIENCE: Duration = Duration::from_secs(5);

/// Posts events.
#[derive(Debug, Clone)]
struct HttpEndpoint {
    client: Client,
    url: String,
}

impl HttpEndpoint {
    /// Posts to the address that `ENDPOINT_URL` names.
    fn new(context: &Context<'_>) -> Result<Self, BoxError> {
        Ok(Self::to(context.required("ENDPOINT_URL")?)?)
    }

    /// Posts to this URL, and follows no redirect: a redirected POST would become a GET, whose 200 says nothing of the event.
    fn to(url: String) -> reqwest::Result<Self> {
        let client = Client::builder().timeout(PATIENCE);
        let client = client.redirect(redirect::Policy::none()).build()?;
        Ok(Self { client, url })
    }
}

impl Handler for HttpEndpoint {
    async fn handle(&self, event: &Event) -> Result<Handled, HandleError> {
        let answer = self
            .client
            .post(&self.url)
            // The same in every call, so the endpoint can tell that it has seen this event.
            .header("idempotency-key", event.key.as_str())
            .header("content-type", "application/json")
            .body(event.body.0.clone())
            .send()
            .await
            .map_err(|why| {
                let is_reached = !why.is_connect();
                let why = why.without_url().to_string();
                // Nobody knows whether it took effect, or whether it is still at it.
                let retry = if is_reached {
                    HandleError::Retry
                } else {
                    HandleError::RetryEnded
                };
                retry(why)
            })?;
        let status = answer.status();
        let said = format!("the endpoint answered {status}");
        match status {
            _ if status.is_success() => Ok(Outcome::Applied.into()),
            // The endpoint itself says so, and is done with the call.
            StatusCode::TOO_MANY_REQUESTS
            | StatusCode::INTERNAL_SERVER_ERROR
            | StatusCode::SERVICE_UNAVAILABLE => Err(HandleError::RetryEnded(said)),
            // It is at it already, or somebody before it says that it takes too long: it may still be running.
            StatusCode::REQUEST_TIMEOUT | StatusCode::CONFLICT => Err(HandleError::Retry(said)),
            _ if status.is_client_error() => Err(HandleError::Reject(said)),
            _ => Err(HandleError::Retry(said)),
        }
    }

    /// Without this, two calls of one event could run at once, and one could start after the event was finished.
    fn reaches_outside(&self, _: &Event) -> bool {
        true
    }
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    telemetry::init(&process_environment);
    let handler = |context: Context<'_>| HttpEndpoint::new(&context);
    let process = Process::from_environment(&process_environment, SOURCES, handler)?;
    process.run().await
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    use tokio::net::TcpListener;

    use super::*;

    /// Answers every POST with the status and a way to itself, and everything else with 200.
    async fn endpoint(status: &'static str) -> String {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/", listener.local_addr().unwrap());
        let to = url.clone();
        tokio::spawn(async move {
            while let Ok((mut client, _)) = listener.accept().await {
                let mut request = vec![0; 64 * 1024];
                let length = client.read(&mut request).await.unwrap();
                let is_post = request.get(..length).unwrap().starts_with(b"POST ");
                let status = if is_post { status } else { "200 OK" };
                let answer = format!(
                    "HTTP/1.1 {status}\r\nlocation: {to}\r\ncontent-length: 0\r\nconnection: close\r\n\r\n"
                );
                client.write_all(answer.as_bytes()).await.unwrap();
            }
        });
        url
    }

    #[tokio::test]
    async fn a_redirect_is_not_followed_and_the_event_comes_again() {
        let event = Event::bare("shop", "1");
        for status in [
            "301 Moved Permanently",
            "302 Found",
            "303 See Other",
            "307 Temporary Redirect",
        ] {
            let handler = HttpEndpoint::to(endpoint(status).await).unwrap();
            let said = format!("the endpoint answered {status}");
            assert_eq!(handler.handle(&event).await, Err(HandleError::Retry(said)));
        }
        let handler = HttpEndpoint::to(endpoint("200 OK").await).unwrap();
        assert_eq!(handler.handle(&event).await, Ok(Outcome::Applied.into()));
    }
}
