//! An events table that holds many records. The stubs hold none, so this one is of the embedded DynamoDB, with the
//! embedded SQS beside it.

use std::collections::HashMap;

use anyhow::{Context as _, Result, ensure};
use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::types::{AttributeValue, PutRequest, WriteRequest};
use futures_util::stream::{self, StreamExt as _, TryStreamExt as _};
use hookwell::event::Key;
use hookwell_aws::Limits;
use hookwell_cli::local::{QueueSettings, Storage};
use tokio::runtime::Runtime;

/// The most items of a batch (`BatchWriteItem`).
const BATCH: usize = 25;

/// Batches under way at once.
const BATCHES: usize = 8;

/// Nobody takes from it.
const QUEUE: QueueSettings = QueueSettings {
    visibility_timeout: 30,
    max_receive_count: 1,
};

/// The table, and what goes with it.
#[derive(Debug)]
pub(crate) struct Table {
    runtime: Runtime,
    storage: Storage,
    client: Client,
    copies: usize,
}

impl Table {
    /// Starts an empty one.
    pub(crate) fn start() -> Result<Self> {
        let runtime = Runtime::new()?;
        let storage = runtime.block_on(Storage::start(0, None, QUEUE))?;
        let client = storage.endpoints.connection()?.dynamodb(Limits::TOOL);
        Ok(Self {
            runtime,
            storage,
            client,
            copies: 0,
        })
    }

    /// What ingest needs in its environment to write into it.
    pub(crate) fn environment(&self) -> Vec<(&'static str, String)> {
        let variables = self.storage.endpoints.environment();
        let owned = |(name, value): (_, &str)| (name, value.to_owned());
        variables.map(owned).into()
    }

    /// Fills it up to so many copies of a record that ingest has written, each under a key as they have.
    pub(crate) fn fill(&mut self, count: usize) -> Result<()> {
        let table = &self.storage.endpoints.events_table;
        let client = &self.client;
        let filled = async {
            let records = client.scan().table_name(table).limit(1).send().await?;
            let record = records.items.and_then(|mut items| items.pop());
            let record = record.context("ingest has written no record")?;
            let copies: Vec<usize> = (self.copies..count).collect();
            stream::iter(copies.chunks(BATCH))
                .map(|numbers| async {
                    let puts = numbers.iter().map(|number| copy(&record, *number));
                    let puts = puts.collect::<Result<Vec<_>>>()?;
                    let written = client.batch_write_item().request_items(table, puts);
                    let left = written.send().await?.unprocessed_items;
                    let is_whole = left.is_none_or(|left| left.is_empty());
                    ensure!(is_whole, "not all records were written");
                    Ok(())
                })
                .buffer_unordered(BATCHES)
                .try_collect::<()>()
                .await
        };
        self.runtime.block_on(filled)?;
        self.copies = count;
        Ok(())
    }

    /// Ends it.
    pub(crate) fn stop(self) {
        self.runtime.block_on(self.storage.stop());
    }
}

/// The same record under another key.
fn copy(record: &HashMap<String, AttributeValue>, number: usize) -> Result<WriteRequest> {
    let key = Key::new("resource", &[&number.to_be_bytes()]);
    let mut item = record.clone();
    item.insert("pk".to_owned(), AttributeValue::S(key.as_str().to_owned()));
    let put = PutRequest::builder().set_item(Some(item)).build()?;
    Ok(WriteRequest::builder().put_request(put).build())
}
