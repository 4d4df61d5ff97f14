//! Invocations: an event from the Lambda Runtime API, the line about it, its answer back.

use hookwell::ports::ledger::Ledger;
use hookwell::ports::queue::Queue;
use lambda_http::lambda_runtime::{Error, LambdaEvent, Runtime, service_fn};
use serde::{Deserialize, Deserializer};
use serde_json::value::RawValue;

use super::Ingest;
use crate::now::clock;

/// The JSON of an event. The runtime would report an event that is not JSON as a failure of the function; here it is
/// read as `None`, and answered 400 like every other event that is no request.
struct Event(Option<Box<RawValue>>);

impl<'de> Deserialize<'de> for Event {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Ok(Self(Box::deserialize(deserializer).ok()))
    }
}

impl<L: Ledger, Q: Queue> Ingest<L, Q> {
    /// Answers invocations until Lambda ends the process.
    ///
    /// # Errors
    /// When the Lambda Runtime API cannot be reached.
    pub async fn run(&self) -> Result<(), Error> {
        let respond = |LambdaEvent { payload, context }: LambdaEvent<Event>| {
            // The runtime moves the future several times before it is polled.
            Box::pin(async move {
                let event = payload.0.as_deref().map_or("", RawValue::get);
                let xray = context.xray_trace_id.as_deref();
                let response = self.respond(event, &context.request_id, xray, clock());
                Ok::<_, Error>(response.await)
            })
        };
        Runtime::new(service_fn(respond)).run().await
    }
}
