//! The event source mapping of a run: batches of any size in any order, some messages twice, some deletes forgotten.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use hookwell_aws::tools::mapping::{EventSourceMapping, Received};
use serde_json::{Value, json};
use tokio::task::JoinSet;

use crate::fault::lock;
use crate::proxy::World;
use crate::rng::Rng;

/// The most messages of a batch.
const MAX_BATCH: usize = 10;

/// Polls until it is aborted, one poller for each sandbox.
#[derive(Debug)]
pub(crate) struct Mapping {
    world: Arc<World>,
    queue: EventSourceMapping,
    rng: Mutex<Rng>,
    /// Messages that are delivered a second time while the first delivery may still run.
    again: Mutex<Vec<Received>>,
}

impl Mapping {
    /// A mapping over the queue.
    pub(crate) fn new(world: Arc<World>, queue: EventSourceMapping, seed: u64) -> Arc<Self> {
        Arc::new(Self {
            world,
            queue,
            rng: Mutex::new(Rng::new(seed, 4)),
            again: Mutex::default(),
        })
    }

    /// Starts the pollers.
    pub(crate) fn start(self: &Arc<Self>) -> JoinSet<()> {
        let mut pollers = JoinSet::new();
        for _ in 0..self.world.process.size() {
            let mapping = self.clone();
            pollers.spawn(async move {
                loop {
                    match mapping.queue.receive().await {
                        Ok(batch) => mapping.deliver(batch).await,
                        Err(_) => tokio::time::sleep(Duration::from_millis(100)).await,
                    }
                }
            });
        }
        pollers
    }

    /// Delivers what was received, as one batch or two.
    async fn deliver(&self, mut batch: Vec<Received>) {
        let second = {
            let (mut rng, mut again) = (lock(&self.rng), lock(&self.again));
            let room = MAX_BATCH.saturating_sub(batch.len()).min(again.len());
            let kept = again.len().saturating_sub(room);
            let copies: Vec<_> = batch
                .iter()
                .filter(|_| rng.below(20) == 0)
                .cloned()
                .collect();
            batch.extend(again.drain(kept..));
            again.extend(copies);
            rng.shuffle(&mut batch);
            let is_split = rng.below(3) == 0;
            let at = rng.index(batch.len().saturating_add(1));
            batch.split_off(if is_split { at } else { batch.len() })
        };
        self.invoke(batch).await;
        self.invoke(second).await;
    }

    /// Invokes the function and deletes the messages that it did not report as failed, all but one in twenty-five: as
    /// if that delete had not reached every server of the queue.
    async fn invoke(&self, batch: Vec<Received>) {
        // A message may not be twice in one batch.
        let mut ids = BTreeSet::new();
        let batch: Vec<_> = batch
            .into_iter()
            .filter(|message| ids.insert(message.id.clone()))
            .collect();
        if batch.is_empty() {
            return;
        }
        let records: Vec<_> = batch.iter().map(record).collect();
        let event = json!({ "Records": records }).to_string();
        let Some(answer) = self.world.process.invoke(event.into_bytes()).await else {
            return;
        };
        let Some(failed) = failures(&answer, &ids) else {
            return;
        };
        let done = {
            let mut rng = lock(&self.rng);
            let is_deleted = |message: &Received| !failed.contains(&message.id);
            batch
                .into_iter()
                .filter(|message| is_deleted(message) && rng.below(25) > 0)
                .map(|message| message.receipt)
                .collect()
        };
        let _ = self.queue.delete(done).await; // or they come back
    }
}

/// The ids that failed; `None` when Lambda takes the whole batch for failed ("Handling errors for an SQS event
/// source": invalid JSON, a wrong key, an empty or unknown id).
fn failures(answer: &[u8], batch: &BTreeSet<String>) -> Option<BTreeSet<String>> {
    let answer: Value = serde_json::from_slice(answer).ok()?;
    let list = match &answer {
        Value::Null => return Some(BTreeSet::new()),
        answer => answer.get("batchItemFailures")?,
    };
    let list = match list {
        Value::Null => return Some(BTreeSet::new()),
        list => list.as_array()?,
    };
    list.iter()
        .map(|failure| {
            let id = failure.get("itemIdentifier")?.as_str()?;
            batch.contains(id).then(|| id.to_owned())
        })
        .collect()
}

fn record(message: &Received) -> Value {
    json!({
        "messageId": message.id,
        "receiptHandle": message.receipt,
        "body": message.body,
        "attributes": message.attributes,
        "messageAttributes": {},
        "eventSource": "aws:sqs",
        "eventSourceARN": "arn:aws:sqs:us-east-1:000000000000:hookwell",
        "awsRegion": "us-east-1",
    })
}
