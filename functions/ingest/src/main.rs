//! The ingest function: behind a function URL or API Gateway, it turns a webhook into a queued event.
// The futures of the SDK lie deeper in each other than the compiler looks by itself.
#![recursion_limit = "256"]

use hookwell_aws::settings::process_environment;
use hookwell_aws::telemetry;
use ingest::Ingest;
use lambda_http::lambda_runtime::{self, Error, LambdaEvent, service_fn};
use serde_json::value::RawValue;

// One event at a time needs one thread; a second one only adds to the cold start.
#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    telemetry::init(&process_environment);
    let ingest = Ingest::from_environment(&process_environment).await?;
    let ingest = &ingest;
    let handle = |event: LambdaEvent<Box<RawValue>>| async move {
        let LambdaEvent { payload, context } = event;
        Ok::<_, Error>(
            ingest
                .respond(payload.get(), &context.request_id, ingest::now())
                .await,
        )
    };
    lambda_runtime::run(service_fn(handle)).await
}
