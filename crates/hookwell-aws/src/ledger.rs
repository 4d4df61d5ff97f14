//! The ledger in a DynamoDB table: key `pk`, TTL attribute [`TTL_ATTRIBUTE`].

use std::collections::{BTreeSet, HashMap};

use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::operation::put_item::PutItemError;
use aws_sdk_dynamodb::operation::put_item::builders::PutItemFluentBuilder;
use aws_sdk_dynamodb::operation::update_item::UpdateItemError;
use aws_sdk_dynamodb::operation::update_item::builders::UpdateItemFluentBuilder;
use aws_sdk_dynamodb::types::{
    AttributeValue, KeysAndAttributes, ReturnValuesOnConditionCheckFailure,
};
use aws_smithy_types::Blob;
use hookwell::event::Event;
use hookwell::event::identity::Version;
use hookwell::format::cut::cut;
use hookwell::format::time::Millis;
use hookwell::ports::handler::Outcome;
use hookwell::ports::ledger::{
    Claim, End, Failure, Finish, Lease, Ledger, LedgerError, Record, Remembered, Status, Tries,
};

use crate::by_time::{SHARD, shard_of};
use crate::client::connection::reason;
use crate::client::item::{Item, TTL_ATTRIBUTE, integer, number, text};
use crate::http::bucket::{Bucket, compress};

/// The attribute of a whole event: the compressed event, or the name of an object in the bucket. The event is an item
/// of its own, so that it can go before its record does, and costs nothing when the record is written again.
pub(crate) const KEPT: &str = "kept";

/// The largest event that is kept in the table, compressed, in bytes. Above it a put into S3 costs less than the write
/// units of an item: $5 against $0.625 a KiB for a million ("Amazon S3 pricing", "Amazon DynamoDB pricing for on-demand
/// capacity", us-east-1, November 2026 from memory).
const MAX_INLINE: usize = 8 * 1024;

/// The events table, with a bucket for whole events that are too large for it.
#[derive(Debug, Clone)]
pub struct EventsTable {
    client: Client,
    table: String,
    bucket: Option<Bucket>,
}

impl EventsTable {
    /// The table of that name. Without a bucket it keeps what fits an item.
    #[must_use]
    pub fn new(client: Client, table: String, bucket: Option<Bucket>) -> Self {
        Self {
            client,
            table,
            bucket,
        }
    }
}

/// The key of a whole event beside the record `pk`.
pub(crate) fn kept_key(pk: &str) -> String {
    format!("{pk}#{KEPT}")
}

impl EventsTable {
    /// The put of an event's record, unless there is one.
    fn insert(&self, event: &Event, body_hash: &str, now: Millis) -> PutItemFluentBuilder {
        let mut item: HashMap<_, _> = described(event)
            .map(|(name, value)| (name.to_owned(), value))
            .into();
        let key = event.record_key();
        item.insert("pk".to_owned(), text(key.as_str()));
        item.insert(SHARD.to_owned(), number(shard_of(&key)));
        if let Some(destination) = &event.destination {
            item.insert("destination".to_owned(), text(destination));
        }
        item.insert("status".to_owned(), text(Status::Pending.name()));
        item.insert("body_hash".to_owned(), text(body_hash));
        if let Some(why) = event.unusable_time {
            item.insert("unusable_time".to_owned(), text(why.name()));
        }
        let put = self.client.put_item();
        let put = match event.repeats_after {
            None => put.condition_expression(ABSENT),
            Some(time) => put
                .condition_expression(format!("{ABSENT} OR received_at < :repeats_after"))
                .expression_attribute_values(":repeats_after", number(time)),
        };
        put.table_name(&self.table)
            .set_item(Some(item))
            .expression_attribute_values(":now", number(now / 1000))
            .return_values_on_condition_check_failure(ReturnValuesOnConditionCheckFailure::AllOld)
    }

    /// An update of an event's record, unless the event is done: sets `set` and the end of the record's life, and
    /// removes `remove`.
    fn update(&self, event: &Event, set: &str, remove: &str) -> UpdateItemFluentBuilder {
        self.client
            .update_item()
            .table_name(&self.table)
            .key("pk", text(event.record_key().as_str()))
            .update_expression(format!("SET {set}, expires_at = :expires_at {remove}"))
            .expression_attribute_names("#status", "status")
            .expression_attribute_values(":done", text(Status::Done.name()))
            .expression_attribute_values(":expires_at", number(event.record_end()))
            .return_values_on_condition_check_failure(ReturnValuesOnConditionCheckFailure::AllOld)
    }
}

/// The attributes that say which event a record is of, and when it may be forgotten.
fn described(event: &Event) -> [(&'static str, AttributeValue); 9] {
    let document_id = event.document_id.as_deref().unwrap_or_default();
    [
        ("source", text(&event.source)),
        ("event_id", text(&event.id)),
        ("type", text(&event.kind)),
        ("operation", text(event.operation.name())),
        ("version", text(event.version().as_str())),
        ("document_type", text(&event.document_type)),
        ("document_id", text(document_id)),
        ("received_at", number(event.received_at)),
        (TTL_ATTRIBUTE, number(event.record_end())),
    ]
}

/// The most keys of one read (`BatchGetItem`).
const MAX_KEYS: usize = 100;

/// The condition that there is no record: an expired one counts as absent, because DynamoDB may delete it days late.
const ABSENT: &str = "(attribute_not_exists(pk) OR expires_at < :now)";

/// The opposite condition.
const PRESENT: &str = "(attribute_exists(pk) AND expires_at >= :now)";

/// Reads a record. A status that this version does not know is not finished: doing an event again is always safe.
fn record(item: &Item, event: &Event) -> Record {
    let get = |name: &str| item.get(name).and_then(|value| value.as_s().ok());
    let status = get("status").and_then(|status| {
        let named = |(name, _): &&(&str, Status)| name == status;
        Status::NAMES.iter().find(named).map(|(_, status)| *status)
    });
    Record {
        status: status.unwrap_or(Status::Pending),
        version: get("version").map_or_else(|| event.version(), Version::recorded),
        received_at: integer(item, "received_at").unwrap_or(event.received_at),
        // A record of before November 2026 may have none; nothing says that its body was another.
        body_hash: get("body_hash")
            .cloned()
            .unwrap_or_else(|| event.body.hash()),
        tries: Tries {
            reopened_at: integer(item, "reopened_at"),
            reason: get("reason").filter(|reason| !reason.is_empty()).cloned(),
            unended: integer(item, "unended_tries")
                .and_then(|count| count.try_into().ok())
                .unwrap_or(0),
        },
    }
}

/// Tells whether a record has not expired.
fn is_live(item: &Item, now: Millis) -> bool {
    integer(item, TTL_ATTRIBUTE).is_some_and(|end| end >= now / 1000)
}

impl EventsTable {
    /// Reads items by their keys: in one call, and one more for what DynamoDB had no capacity for in the first.
    async fn items(&self, keys: &[&str]) -> Result<Vec<Item>, LedgerError> {
        let key = |key: &&str| Item::from([("pk".to_owned(), text(*key))]);
        let asked = KeysAndAttributes::builder().set_keys(Some(keys.iter().map(key).collect()));
        let asked = asked.consistent_read(true).build();
        let asked = asked.map_err(|_| LedgerError("no keys".to_owned()))?;
        let mut open = Some(HashMap::from([(self.table.clone(), asked)]));
        let mut items = Vec::new();
        for _ in 0..2 {
            let request = self.client.batch_get_item().set_request_items(open.take());
            // Boxed, as the put.
            let answer = Box::pin(request.send()).await;
            let answer = answer.map_err(|error| LedgerError(reason(&error)))?;
            let found = answer.responses.unwrap_or_default();
            items.extend(found.into_values().flatten());
            open = answer.unprocessed_keys.filter(|open| !open.is_empty());
            if open.is_none() {
                return Ok(items);
            }
        }
        Err(LedgerError("not all records were read".to_owned()))
    }
}

impl Ledger for EventsTable {
    async fn remember(&self, event: &Event, now: Millis) -> Result<Remembered, LedgerError> {
        let body_hash = event.body.hash();
        // Boxed: otherwise every enclosing future grows by its size.
        let put = Box::pin(self.insert(event, &body_hash, now).send());
        let Err(error) = put.await else {
            return Ok(Remembered::New);
        };
        let why = reason(&error);
        match error.into_service_error() {
            PutItemError::ConditionalCheckFailedException(failed) => {
                let item = failed.item;
                let item = item.ok_or_else(|| LedgerError("no old item".to_owned()))?;
                Ok(Remembered::Known(record(&item, event)))
            }
            _ => Err(LedgerError(why)),
        }
    }

    async fn recall(
        &self,
        events: &[&Event],
        now: Millis,
    ) -> Result<Vec<Option<Record>>, LedgerError> {
        let keys: BTreeSet<_> = events.iter().map(|event| event.record_key()).collect();
        let keys: Vec<_> = keys.iter().map(|key| key.as_str()).collect();
        let mut items = Vec::new();
        for some in keys.chunks(MAX_KEYS) {
            items.extend(self.items(some).await?);
        }
        let named = |item: Item| Some((item.get("pk")?.as_s().ok()?.clone(), item));
        let items: HashMap<_, _> = items.into_iter().filter_map(named).collect();
        let live = |event: &&Event| {
            let item = items.get(event.record_key().as_str())?;
            is_live(item, now).then(|| record(item, event))
        };
        Ok(events.iter().map(live).collect())
    }

    async fn claim(&self, event: &Event, lease: &Lease<'_>) -> Result<Claim, LedgerError> {
        let free = "(attribute_not_exists(lease_expires_at) OR lease_expires_at < :moment OR lease_owner = :owner)";
        let set = "#status = :pending, lease_owner = :owner, lease_expires_at = :until, \
                   tries = if_not_exists(tries, :none) + :one, \
                   unended_tries = if_not_exists(unended_tries, :none) + :one";
        let update = self
            .update(event, set, "")
            .condition_expression(format!("{PRESENT} AND #status <> :done AND {free}"))
            .expression_attribute_values(":pending", text(Status::Pending.name()))
            .expression_attribute_values(":now", number(lease.now / 1000))
            .expression_attribute_values(":moment", number(lease.now))
            .expression_attribute_values(":owner", text(lease.owner))
            .expression_attribute_values(":until", number(lease.until))
            .expression_attribute_values(":none", number(0))
            .expression_attribute_values(":one", number(1));
        let item = match changed(update).await? {
            Changed::Yes => return Ok(Claim::Held),
            Changed::No(item) => item,
        };
        let Some(item) = item.filter(|item| is_live(item, lease.now)) else {
            return Err(LedgerError("there is no record".to_owned()));
        };
        if record(&item, event).status == Status::Done {
            return Ok(Claim::Finished);
        }
        let until = integer(&item, "lease_expires_at");
        Ok(Claim::Busy {
            until: until.unwrap_or(lease.until),
        })
    }

    async fn fail(&self, event: &Event, failure: &Failure<'_>) {
        let mut set =
            "lease_expires_at = :until, reason = :reason, unended_tries = :none".to_owned();
        if failure.waits_until.is_some() {
            set.push_str(", waits_until = :waits_until, failed_at = :at");
        }
        let mut update = self
            .update(event, &set, "")
            .condition_expression("lease_owner = :owner AND #status <> :done")
            .expression_attribute_values(":owner", text(failure.owner))
            .expression_attribute_values(":until", number(failure.lease_end))
            .expression_attribute_values(":reason", text(cut(failure.reason, MAX_REASON)))
            .expression_attribute_values(":none", number(0));
        if let Some(until) = failure.waits_until {
            update = update
                .expression_attribute_values(":waits_until", number(until))
                .expression_attribute_values(":at", number(failure.at));
        }
        // Best effort: without it the lease ends by itself.
        let _ = changed(update).await;
    }

    async fn keep(&self, event: &Event) -> Result<(), LedgerError> {
        let compressed = compress(&event.to_message());
        let kept = match &self.bucket {
            Some(bucket) if compressed.len() > MAX_INLINE => {
                let stored = bucket.store(event).await;
                text(stored.map_err(|why| LedgerError(why.to_string()))?)
            }
            _ => AttributeValue::B(Blob::new(compressed)),
        };
        let put = self
            .client
            .put_item()
            .table_name(&self.table)
            .item("pk", text(kept_key(event.key.as_str())))
            .item(KEPT, kept)
            .item(TTL_ATTRIBUTE, number(event.retain_until.unwrap_or(0)));
        let put = put.send().await;
        put.map(drop).map_err(|error| LedgerError(reason(&error)))
    }

    async fn finish(&self, event: &Event, end: &End) -> Result<Finish, LedgerError> {
        if let Some(finish) = self.end(event, end).await? {
            return Ok(finish);
        }
        // The record has expired since process asked for it. It is written whole, so that nothing of its first life stays.
        self.remember(event, end.at).await?;
        let finish = self.end(event, end).await?;
        finish.ok_or_else(|| LedgerError("there is no record".to_owned()))
    }
}

impl EventsTable {
    /// Writes an end into the record of an event; `None` when there is no record and no lease is asked for.
    async fn end(&self, event: &Event, end: &End) -> Result<Option<Finish>, LedgerError> {
        let status = match end.outcome {
            Outcome::Rejected => Status::Quarantined,
            Outcome::Applied | Outcome::Stale | Outcome::Ignored => Status::Done,
        };
        let mut set =
            "#status = :status, outcome = :outcome, reason = :reason, finished_at = :finished_at"
                .to_owned();
        if end.tie {
            set.push_str(", tie = :tie");
        }
        let mut condition = format!("{PRESENT} AND #status <> :done");
        if end.owner.is_some() {
            // The owner's name stays, so that a second try of this very call finds itself.
            set.push_str(", lease_expires_at = :finished_at");
            condition.push_str(" AND lease_owner = :owner");
        }
        let mut update = self
            .update(event, &set, "REMOVE waits_until")
            .condition_expression(condition)
            .expression_attribute_values(":status", text(status.name()))
            .expression_attribute_values(":outcome", text(end.outcome.name()))
            .expression_attribute_values(":reason", text(end.reason.as_deref().unwrap_or_default()))
            .expression_attribute_values(":finished_at", number(end.at))
            .expression_attribute_values(":now", number(end.at / 1000));
        if end.tie {
            update = update.expression_attribute_values(":tie", AttributeValue::Bool(true));
        }
        if let Some(owner) = &end.owner {
            update = update.expression_attribute_values(":owner", text(owner));
        }
        let item = match changed(update).await? {
            Changed::Yes => return Ok(Some(Finish::Recorded)),
            Changed::No(item) => item.filter(|item| is_live(item, end.at)),
        };
        let Some(item) = item else {
            return Ok(end.owner.as_ref().map(|_| Finish::NotOwner));
        };
        let holder = item.get("lease_owner").and_then(|owner| owner.as_s().ok());
        let is_done = record(&item, event).status == Status::Done;
        Ok(Some(match (&end.owner, is_done) {
            // An earlier try of this very call, whose answer was lost.
            (Some(owner), true) if holder == Some(owner) => Finish::Recorded,
            (_, true) => Finish::Before,
            (_, false) => Finish::NotOwner,
        }))
    }
}

/// The most of a failure's reason that a record holds, in bytes: with it the update still is one write unit.
const MAX_REASON: usize = 300;

/// Result of a conditional update.
enum Changed {
    Yes,
    /// Refused by this item, or by the absence of one.
    No(Option<Item>),
}

async fn changed(update: UpdateItemFluentBuilder) -> Result<Changed, LedgerError> {
    // Boxed, as the put.
    let Err(error) = Box::pin(update.send()).await else {
        return Ok(Changed::Yes);
    };
    let why = reason(&error);
    match error.into_service_error() {
        UpdateItemError::ConditionalCheckFailedException(failed) => Ok(Changed::No(failed.item)),
        _ => Err(LedgerError(why)),
    }
}
