//! Sample events of the triggers for each source of a project, to invoke the functions with.

use anyhow::Result;
use hookwell::config;
use hookwell::event::{Event, Operation};
use hookwell_lambda::now::now;
use hookwell_sandbox::sample;
use hookwell_sandbox::sender::Draft;
use hookwell_sandbox::trigger::Trigger;
use serde_json::{Value, json};

use crate::sender::{Secrets, signed};

/// Path and text of two events for each source: a request for ingest, and a batch for process.
///
/// # Errors
/// When a source cannot be signed for here.
pub(super) fn samples(sources: &str) -> Result<Vec<(String, String)>> {
    let (parsed, _) = config::parse_locally(sources).unwrap_or_default();
    let secrets = Secrets::made_up_for(&parsed);
    let mut files = Vec::new();
    for source in &parsed {
        let (name, at) = (&source.name, now());
        let draft = Draft::sample(source, Operation::Create, at)?;
        let request = signed(source, &secrets, draft, at)?.to_http()?;
        let event = Trigger::FunctionUrl.event(&request, "sample", at);
        files.push((format!("events/ingest-{name}.json"), pretty(&event)?));
        let event = sample::event(sources, name, Operation::Create)?;
        files.push((
            format!("events/process-{name}.json"),
            pretty(&batch(&event))?,
        ));
    }
    Ok(files)
}

/// A batch of the queue with this event alone.
fn batch(event: &Event) -> Value {
    json!({ "Records": [{
        "messageId": "00000000-0000-4000-8000-000000000001",
        "receiptHandle": "sample",
        "body": event.to_message(),
        "attributes": {
            "ApproximateReceiveCount": "1",
            "SentTimestamp": event.received_at.to_string(),
        },
        "messageAttributes": {},
        "eventSource": "aws:sqs",
        "eventSourceARN": "arn:aws:sqs:us-east-1:000000000000:hookwell",
        "awsRegion": "us-east-1",
    }]})
}

fn pretty(event: &Value) -> Result<String> {
    Ok(serde_json::to_string_pretty(event)? + "\n")
}
