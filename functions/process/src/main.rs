//! The process function: behind the queue, it applies each event once and reports failures message by message.

use handler::YourHandler;
use hookwell_aws::settings::process_environment;
use hookwell_lambda::process::Process;
use hookwell_lambda::{Error, telemetry};

const SOURCES: &str = include_str!("../../ingest/sources.toml");

// Ten writes at once are ten waits, not ten threads' work.
#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    telemetry::init(&process_environment);
    let process = Process::from_environment(&process_environment, SOURCES, YourHandler::new)?;
    process.run().await
}
