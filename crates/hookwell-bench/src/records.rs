//! An events table that holds many records. The stubs hold none, so this one is of the embedded DynamoDB, with the
//! embedded SQS beside it.

use std::time::Duration;

use anyhow::{Result, ensure};
use futures_util::stream::{self, StreamExt as _, TryStreamExt as _};
use hookwell::event::Event;
use hookwell::event::identity::Key;
use hookwell::ports::ledger::{Ledger as _, Remembered};
use hookwell_aws::{EventsTable, Limits};
use hookwell_local::storage::{QueueSettings, Storage};
use tokio::runtime::Runtime;

use crate::meter::Meter;
use crate::traffic;

/// Puts under way at once.
const PUTS: usize = 8;

/// Settings of the queue, from which nobody takes messages.
const QUEUE: QueueSettings = QueueSettings {
    visibility_timeout: 30,
    retry_every: Duration::from_hours(1),
};

/// The table, with the embedded services behind it.
#[derive(Debug)]
pub(crate) struct Table {
    runtime: Runtime,
    storage: Storage,
    ledger: EventsTable,
    records: usize,
}

impl Table {
    /// Starts an empty table.
    pub(crate) fn start() -> Result<Self> {
        let runtime = Runtime::new()?;
        let storage = runtime.block_on(Storage::start(0, None, QUEUE))?;
        let client = storage.endpoints.connection()?.dynamodb(Limits::TOOL);
        let name = storage.endpoints.events_table.clone();
        Ok(Self {
            runtime,
            storage,
            ledger: EventsTable::new(client, name, None),
            records: 0,
        })
    }

    /// Environment variables with which ingest writes into this table.
    pub(crate) fn environment(&self) -> Vec<(&'static str, String)> {
        let variables = self.storage.endpoints.environment();
        let owned = |(name, value): (_, &str)| (name, value.to_owned());
        variables.map(owned).into()
    }

    /// Fills the table up to so many records, as ingest writes them.
    pub(crate) fn fill(&mut self, records: usize) -> Result<()> {
        let record = traffic::record()?;
        let sample = Event::from_message(traffic::message(&record)?)?;
        self.fill_with(records, |number| Event {
            key: Key::new("filled", &[&number.to_be_bytes()]),
            ..sample.clone()
        })
    }

    /// Fills the table up to the records of so many of these events.
    pub(crate) fn fill_with(
        &mut self,
        records: usize,
        event: impl Fn(usize) -> Event,
    ) -> Result<()> {
        let put = async |number: usize| {
            let event = event(number);
            let known = self.ledger.remember(&event, event.received_at).await?;
            ensure!(known == Remembered::New, "there is a record of {number}");
            Ok(())
        };
        let filled = stream::iter(self.records..records)
            .map(put)
            .buffer_unordered(PUTS)
            .try_collect::<()>();
        self.runtime.block_on(filled)?;
        self.records = records;
        Ok(())
    }

    /// Puts the record of one event.
    pub(crate) fn put(&self, event: &Event) -> Result<()> {
        let put = self.ledger.remember(event, event.received_at);
        self.runtime.block_on(put)?;
        Ok(())
    }

    /// A meter before the table.
    pub(crate) fn meter(&self) -> Result<Meter> {
        let url = &self.storage.endpoints.dynamodb_endpoint;
        self.runtime.block_on(Meter::start(url))
    }

    /// Stops the services.
    pub(crate) fn stop(self) {
        self.runtime.block_on(self.storage.stop());
    }
}
