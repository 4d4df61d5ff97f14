//! The event source mapping: pollers that invoke a function with batches of a queue, as Lambda does.

use std::collections::HashSet;
use std::time::Duration;

use aws_lambda_events::event::sqs::{SqsEvent, SqsMessage};
use hookwell_aws::tools::mapping::{EventSourceMapping, Received};
use tokio::sync::watch;
use tokio::task::JoinSet;

use crate::storage::when_true;

/// Number of batches that run at once. Lambda starts with five pollers.
const POLLERS: usize = 5;

/// The pause after the queue did not answer.
const PAUSE: Duration = Duration::from_millis(500);

/// Starts the pollers. `invoke` answers a batch with the ids of the messages that failed, or with `None` when the whole
/// invocation did.
pub fn start<F, A>(
    work: &mut JoinSet<()>,
    queue: &EventSourceMapping,
    invoke: &F,
    stopped: &watch::Receiver<bool>,
) where
    F: Fn(SqsEvent) -> A + Clone + Send + Sync + 'static,
    A: Future<Output = Option<HashSet<String>>> + Send,
{
    for _ in 0..POLLERS {
        let (queue, invoke, stopped) = (queue.clone(), invoke.clone(), stopped.clone());
        work.spawn(async move {
            let mut stop = std::pin::pin!(when_true(stopped));
            loop {
                tokio::select! {
                    () = &mut stop => return,
                    batch = queue.receive() => match batch {
                        Ok(batch) if batch.is_empty() => {}
                        Ok(batch) => work_on(&queue, &invoke, batch).await,
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
async fn work_on<F, A>(queue: &EventSourceMapping, invoke: &F, batch: Vec<Received>)
where
    F: Fn(SqsEvent) -> A,
    A: Future<Output = Option<HashSet<String>>>,
{
    let receipts: Vec<_> = batch
        .iter()
        .map(|one| (one.id.clone(), one.receipt.clone()))
        .collect();
    let mut event = SqsEvent::default();
    event.records = batch.into_iter().map(record).collect();
    let Some(failed) = invoke(event).await else {
        return;
    };
    let done = receipts
        .into_iter()
        .filter(|(id, _)| !failed.contains(id))
        .map(|(_, receipt)| receipt);
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
