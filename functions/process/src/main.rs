//! The process function: behind the queue, it applies each event once and reports failures message by message.

use aws_lambda_events::event::sqs::SqsEvent;
use hookwell_aws::settings::process_environment;
use hookwell_aws::telemetry;
use lambda_runtime::{Error, LambdaEvent, service_fn};
use process::Process;

// Ten writes at once are ten waits, not ten threads' work.
#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    telemetry::init(&process_environment);
    let process = Process::from_environment(&process_environment)?;
    let process = &process;
    let handle = |event: LambdaEvent<SqsEvent>| async move {
        let deadline = event.context.deadline();
        process
            .respond(event.payload, deadline)
            .await
            .map_err(Error::from)
    };
    lambda_runtime::run(service_fn(handle)).await
}
