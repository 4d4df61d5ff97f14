//! The ingest function: behind a function URL or API Gateway, it turns a webhook into a queued event.
// The futures of the SDK lie deeper in each other than the compiler looks by itself.
#![recursion_limit = "256"]

use hookwell_aws::settings::process_environment;
use hookwell_lambda::ingest::Ingest;
use hookwell_lambda::{Error, telemetry};

const SOURCES: &str = include_str!("../sources.toml");

// One event at a time needs one thread; a second one only adds to the cold start.
#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    telemetry::init(&process_environment);
    let ingest = Ingest::from_environment(&process_environment, SOURCES).await?;
    ingest.run().await
}
