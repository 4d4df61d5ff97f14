//! A handler with effects elsewhere: it posts every event to the HTTP endpoint that `ENDPOINT_URL` names.
//!
//! To use it, move [`HttpEndpoint`] to `src/handler.rs` and `reqwest` to the dependencies, with its feature `rustls-tls` for
//! an https endpoint. What it does under kills and faults: `crates/hookwell-chaos`, `--handler http`.

use std::time::Duration;

use hookwell::event::Event;
use hookwell::ports::handler::{HandleError, Handled, Handler, Outcome};
use hookwell_aws::settings::{process_environment, required};
use hookwell_lambda::process::Process;
use hookwell_lambda::{Error, telemetry};
use reqwest::{Client, StatusCode};

const SOURCES: &str = include_str!("../../ingest/sources.toml");

/// How long the endpoint may take. A batch has 30 s.
const PATIENCE: Duration = Duration::from_secs(5);

/// Posts events.
#[derive(Debug, Clone)]
struct HttpEndpoint {
    client: Client,
    url: String,
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
    let endpoint = HttpEndpoint {
        client: Client::builder().timeout(PATIENCE).build()?,
        url: required(&process_environment, "ENDPOINT_URL")?,
    };
    let process = Process::from_environment(&process_environment, SOURCES, |_| endpoint)?;
    process.run().await
}
