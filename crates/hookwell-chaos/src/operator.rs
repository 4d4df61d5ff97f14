//! The operator between the two halves of a run: takes letters out of the dead-letter queue and lets records expire.
//! All of it goes to the storage itself, not through the proxy.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::{Context as _, Result, bail};
use hookwell_aws::tools::admin::Admin;
use hookwell_aws::tools::dead_letters::{DeadLetter, DeadLetters};
use hookwell_aws::tools::mapping::EventSourceMapping;
use hookwell_aws::{Connection, Limits};
use hookwell_local::storage::Endpoints;
use hookwell_sandbox::http::Message;
use serde_json::json;

use crate::checker::{Item, Sent};
use crate::http::Stream;
use crate::journal::{now, record_key};
use crate::plan::{Nature, Plan};
use crate::proxy::{POST, World, forward};
use crate::sources::{Destination, Source};

/// Time since the end of a record that expires here, in seconds.
const AGO: u64 = 60;

/// Signature header that the embedded tables require and do not check.
const UNSIGNED: &str = "AWS4-HMAC-SHA256 Credential=local/20261126/us-east-1/dynamodb/aws4_request, SignedHeaders=host, Signature=0";

/// The operator, and what was done.
#[derive(Debug)]
pub(crate) struct Operator<'a> {
    admin: &'a Admin,
    endpoints: &'a Endpoints,
    queue: EventSourceMapping,
    dead_letters: DeadLetters,
    /// The letters that were read and not thrown away.
    letters: Vec<String>,
    /// The keys of the events whose letters were thrown away, and when.
    pub(crate) taken: BTreeMap<String, u64>,
    /// The keys of the done records that expired, and when.
    pub(crate) expired: BTreeMap<String, u64>,
}

impl<'a> Operator<'a> {
    /// An operator of the storage at these endpoints.
    pub(crate) fn new(admin: &'a Admin, connection: &Connection, endpoints: &'a Endpoints) -> Self {
        let url = endpoints.dead_letter_queue_url.clone();
        let dead_letters = DeadLetters::new(connection, &endpoints.queue_url, &url, None);
        Self {
            admin,
            endpoints,
            queue: EventSourceMapping::new(connection.sqs(Limits::TOOL), url),
            dead_letters,
            letters: Vec::new(),
            taken: BTreeMap::new(),
            expired: BTreeMap::new(),
        }
    }

    /// Puts back the letters of the destination that wanted no more and works again, and gives their number.
    pub(crate) async fn put_back(&self) -> Result<usize> {
        let wanted = Some(Destination::Failing.name());
        let is_wanted = |letter: &DeadLetter| {
            let event = letter.event.as_ref();
            event.is_ok_and(|event| event.destination.as_deref() == wanted)
        };
        let letters = self.dead_letters.receive().await?;
        let (back, others): (Vec<_>, Vec<_>) = letters.into_iter().partition(is_wanted);
        let table = &self.endpoints.events_table;
        let now = i64::try_from(now()).unwrap_or(i64::MAX);
        for letter in &back {
            let reopened = self
                .dead_letters
                .reopen(self.admin, table, letter, "chaos", now);
            reopened.await?;
        }
        self.dead_letters.release(&others).await;
        Ok(back.len())
    }

    /// Throws away the letters of the poison that will be sent again.
    pub(crate) async fn take_letters(&mut self, plan: &Plan) -> Result<()> {
        let returns = plan
            .returning()
            .filter_map(|planned| Sent::read(plan, planned));
        let returns: BTreeSet<_> = returns.map(|sent| sent.key).collect();
        for letter in self.receive().await? {
            let message = serde_json::from_str(&letter).unwrap_or_default();
            match record_key(&message) {
                Some(key) if returns.contains(&key) => drop(self.taken.insert(key, now())),
                _ => self.letters.push(letter),
            }
        }
        Ok(())
    }

    /// Lets the records of the good events expire that will be sent again, where they are done.
    pub(crate) async fn expire_records(&mut self, plan: &Plan, world: &World) -> Result<()> {
        let mut upstream = None;
        let good = plan
            .returning()
            .filter(|planned| planned.nature == Nature::Good);
        for Sent { key, .. } in good.filter_map(|planned| Sent::read(plan, planned)) {
            if self.expire(&key, world, &mut upstream).await? {
                self.expired.insert(key, now());
            }
        }
        Ok(())
    }

    async fn expire(
        &self,
        key: &str,
        world: &World,
        upstream: &mut Option<Stream>,
    ) -> Result<bool> {
        let past = (now() / 1000).saturating_sub(AGO).to_string();
        let body = json!({
            "TableName": self.endpoints.events_table,
            "Key": { "pk": { "S": key } },
            "UpdateExpression": "SET expires_at = :past",
            "ConditionExpression": "#status = :done",
            "ExpressionAttributeNames": { "#status": "status" },
            "ExpressionAttributeValues": { ":past": { "N": past }, ":done": { "S": "done" } },
        });
        let request = Message::answer("", body.to_string())
            .with("host", &world.dynamodb)
            .with("x-amz-target", "DynamoDB_20120810.UpdateItem")
            .with("x-amz-date", "20261126T000000Z")
            .with("authorization", UNSIGNED);
        let answer = forward(&world.dynamodb, upstream, POST, request).await?;
        let said = String::from_utf8_lossy(&answer.body);
        match answer.status() {
            200 => Ok(true),
            400 if said.contains("ConditionalCheckFailed") => Ok(false),
            status => bail!("the events table answered {status}: {said}"),
        }
    }

    /// The events table and the documents table as they are.
    pub(crate) async fn tables(&self) -> Result<[Vec<Item>; 2]> {
        let Endpoints {
            events_table,
            documents_table,
            ..
        } = self.endpoints;
        let records = self.admin.scan(events_table, None).await?;
        Ok([records, self.admin.scan(documents_table, None).await?])
    }

    /// The events of a plan that were kept whole, by record key.
    pub(crate) async fn kept(&self, plan: &Plan) -> Result<BTreeMap<String, String>> {
        let mut kept = BTreeMap::new();
        for planned in &plan.events {
            let delivery = plan.delivery_of(planned);
            let is_meant = delivery.is_some_and(|delivery| delivery.source == Source::Kept);
            let Some(sent) = Sent::read(plan, planned).filter(|_| is_meant) else {
                continue;
            };
            let now = i64::try_from(now()).unwrap_or(i64::MAX);
            let table = &self.endpoints.events_table;
            if let Some(event) = self.admin.kept(table, &sent.key, None, now).await? {
                let text = String::from_utf8_lossy(&event.body.0).into_owned();
                kept.insert(sent.key, text);
            }
        }
        Ok(kept)
    }

    /// The letters that are there, with those that were read before and not thrown away.
    pub(crate) async fn all_letters(&mut self) -> Result<&[String]> {
        let letters = self.receive().await?;
        self.letters.extend(letters);
        Ok(&self.letters)
    }

    /// Takes every letter out of the queue.
    async fn receive(&self) -> Result<Vec<String>> {
        let url = &self.endpoints.dead_letter_queue_url;
        let mut bodies = Vec::new();
        while self.admin.queue_depth(url).await?.0 > 0 {
            let batch = self
                .queue
                .receive()
                .await
                .context("the dead-letter queue")?;
            bodies.extend(batch.iter().map(|message| message.body.clone()));
            let receipts = batch.into_iter().map(|message| message.receipt).collect();
            self.queue.delete(receipts).await?;
        }
        Ok(bodies)
    }
}
