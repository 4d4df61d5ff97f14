//! Invocations: an event from the Lambda Runtime API, and its answer back.

use hookwell::ledger::Ledger;
use hookwell::queue::Queue;
use hookwell_aws::now::clock;
use lambda_http::lambda_runtime::{Error, LambdaEvent, Runtime, service_fn};
use serde_json::value::RawValue;

use crate::Ingest;

impl<L: Ledger, Q: Queue> Ingest<L, Q> {
    /// Answers invocations until Lambda ends the process.
    ///
    /// # Errors
    /// When the Lambda Runtime API cannot be reached.
    pub async fn run(&self) -> Result<(), Error> {
        let respond = |event: LambdaEvent<Box<RawValue>>| {
            // Boxed: the runtime moves the future several times before it is polled.
            Box::pin(async move {
                let LambdaEvent { payload, context } = event;
                let (event, xray) = (payload.get(), context.xray_trace_id.as_deref());
                let answer = self.respond(event, &context.request_id, xray, clock());
                Ok::<_, Error>(answer.await)
            })
        };
        Runtime::new(service_fn(respond)).run().await
    }
}
