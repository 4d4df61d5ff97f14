//! Invocations: an event from the Lambda Runtime API, its answer back, and then the line about it.

use std::sync::{Mutex, PoisonError};

use hookwell::ledger::Ledger;
use hookwell::queue::Queue;
use lambda_http::lambda_runtime::tower::util::MapFutureLayer;
use lambda_http::lambda_runtime::{Error, LambdaEvent, Runtime, service_fn};
use serde_json::value::RawValue;

use super::{End, Ingest, Response};
use crate::now;

/// What came of the invocation that is being answered.
type Last = Mutex<Option<End>>;

impl<L: Ledger, Q: Queue> Ingest<L, Q> {
    /// Answers invocations until Lambda ends the process.
    ///
    /// # Errors
    /// When the Lambda Runtime API cannot be reached.
    pub async fn run(&self) -> Result<(), Error> {
        let last = &Last::default();
        let respond = |event: LambdaEvent<Box<RawValue>>| {
            // The runtime moves the future several times before it is polled.
            Box::pin(async move {
                let LambdaEvent { payload, context } = event;
                let (event, xray) = (payload.get(), context.xray_trace_id.as_deref());
                let end = self.end(event, &context.request_id, xray, now()).await;
                let response = Response::from(end.received.reply.clone());
                *last.lock().unwrap_or_else(PoisonError::into_inner) = Some(end);
                Ok::<_, Error>(response)
            })
        };
        // A sender does not wait for the line: its answer is out by then. The next question for work, with which Lambda
        // may freeze the function, comes after it ("Lambda execution environment lifecycle").
        let logged = MapFutureLayer::new(|answer| async move {
            let answered: Result<(), Error> = answer.await;
            let ended = last.lock().unwrap_or_else(PoisonError::into_inner).take();
            if let Some(end) = ended {
                end.log();
            }
            answered
        });
        Runtime::new(service_fn(respond)).layer(logged).run().await
    }
}
