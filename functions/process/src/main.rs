//! The process function: behind the queue, it applies each event once and reports failures message by message.

use hookwell_aws::settings::process_environment;
use hookwell_aws::telemetry;
use lambda_runtime::Error;
use process::Process;
use process::handler::YourHandler;

// Ten writes at once are ten waits, not ten threads' work.
#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    telemetry::init(&process_environment);
    let process = Process::from_environment(&process_environment, YourHandler::new)?;
    process.run().await
}
