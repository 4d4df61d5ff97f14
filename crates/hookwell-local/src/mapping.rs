//! The event source mapping of the local machine: pollers that invoke process as Lambda does.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use aws_lambda_events::event::sqs::{SqsEvent, SqsMessage};
use hookwell_aws::mapping::{EventSourceMapping, Received};
use hookwell_aws::{Connection, Limits};
use tokio::sync::watch;
use tokio::task::JoinSet;

use super::LocalProcess;
use super::storage::{Endpoints, when_true};
use crate::page::Recorder;

/// How many batches run at once. Lambda starts with five pollers.
const POLLERS: usize = 5;

/// The function's timeout, as in template.yaml.
const TIMEOUT: Duration = Duration::from_secs(30);

/// The pause after the queue did not answer.
const PAUSE: Duration = Duration::from_millis(500);

/// Starts the pollers.
pub(super) fn start(
    work: &mut JoinSet<()>,
    connection: &Connection,
    endpoints: &Endpoints,
    process: &Arc<LocalProcess>,
    recorder: &Recorder,
    stopped: &watch::Receiver<bool>,
) {
    let queue = EventSourceMapping::new(connection.sqs(Limits::TOOL), endpoints.queue_url.clone());
    for poller in 0..POLLERS {
        let (queue, process, stopped) = (queue.clone(), process.clone(), stopped.clone());
        let recorder = recorder.clone();
        work.spawn(async move {
            let mut stop = std::pin::pin!(when_true(stopped));
            loop {
                tokio::select! {
                    () = &mut stop => return,
                    batch = queue.receive() => match batch {
                        Ok(batch) => invoke(&queue, &process, &recorder, poller, batch).await,
                        Err(why) => {
                            tracing::warn!(reason = %why, "polling failed");
                            tokio::time::sleep(PAUSE).await;
                        }
                    }
                }
            }
        });
    }
}

/// Runs one batch and deletes what did not fail. An error of the whole invocation leaves the whole batch.
async fn invoke(
    queue: &EventSourceMapping,
    process: &LocalProcess,
    recorder: &Recorder,
    poller: usize,
    batch: Vec<Received>,
) {
    if batch.is_empty() {
        return;
    }
    let receipts: Vec<_> = batch
        .iter()
        .map(|one| (one.id.clone(), one.receipt.clone()))
        .collect();
    let mut event = SqsEvent::default();
    event.records = batch.into_iter().map(record).collect();
    let deadline = SystemTime::now()
        .checked_add(TIMEOUT)
        .unwrap_or_else(SystemTime::now);
    let request_id = format!("local-{}-{poller}", ingest::now());
    let processed = match process.process(event, &request_id, deadline).await {
        Ok(processed) => processed,
        Err(why) => {
            tracing::error!(reason = %why, "a batch failed");
            return;
        }
    };
    let failed: HashSet<_> = processed
        .iter()
        .filter(|done| done.fate.is_failure())
        .map(|done| done.message.id.clone())
        .collect();
    let done = receipts
        .into_iter()
        .filter(|(id, _)| !failed.contains(id))
        .map(|(_, receipt)| receipt);
    for done in processed {
        recorder.processed(done);
    }
    if let Err(why) = queue.delete(done.collect()).await {
        tracing::warn!(reason = %why, "deleting failed, so the messages come back");
    }
}

fn record(message: Received) -> SqsMessage {
    let mut record = SqsMessage::default();
    record.message_id = Some(message.id);
    record.receipt_handle = Some(message.receipt);
    record.body = Some(message.body);
    record.attributes = message.attributes.into_iter().collect();
    record.event_source = Some("aws:sqs".to_owned());
    record.aws_region = Some("us-east-1".to_owned());
    record
}
