//! The ledger in a DynamoDB table: key `pk`, TTL attribute [`TTL_ATTRIBUTE`].

use std::collections::HashMap;

use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::operation::put_item::PutItemError;
use aws_sdk_dynamodb::operation::put_item::builders::PutItemFluentBuilder;
use aws_sdk_dynamodb::operation::update_item::UpdateItemError;
use aws_sdk_dynamodb::operation::update_item::builders::UpdateItemFluentBuilder;
use aws_sdk_dynamodb::types::{AttributeValue, ReturnValuesOnConditionCheckFailure};
use aws_smithy_types::Blob;
use hookwell::event::Event;
use hookwell::handler::Outcome;
use hookwell::ledger::{Claim, End, Finish, Lease, Ledger, LedgerError, Remembered, Status};
use hookwell::time::Millis;

use crate::bucket::{Bucket, compress};
use crate::connection::reason;

/// The attribute of both tables that says when DynamoDB may delete an item, in seconds since 1970. The template has to
/// name the same one, and `hookwell check --template` compares.
pub const TTL_ATTRIBUTE: &str = "expires_at";

/// The attribute of a whole event: itself, compressed, or the name of an object in the bucket. It is an item of its own,
/// so that it can go before its record does, and costs nothing when the record is written again.
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
        let document_id = event.document_id.as_deref().unwrap_or_default();
        let item = [
            ("pk", text(event.key.as_str())),
            ("status", text(Status::Pending.name())),
            ("source", text(&event.source)),
            ("event_id", text(&event.id)),
            ("type", text(&event.kind)),
            ("operation", text(event.operation.name())),
            ("version", text(event.version().as_str())),
            ("document_type", text(&event.document_type)),
            ("document_id", text(document_id)),
            ("body_hash", text(body_hash)),
            ("received_at", number(event.received_at)),
            (TTL_ATTRIBUTE, number(event.expires_at)),
        ];
        let item = item.map(|(name, value)| (name.to_owned(), value)).into();
        self.client
            .put_item()
            .table_name(&self.table)
            .set_item(Some(item))
            // An expired record counts as absent: DynamoDB may delete it days late.
            .condition_expression(format!(
                "attribute_not_exists(pk) OR {TTL_ATTRIBUTE} < :now"
            ))
            .expression_attribute_values(":now", number(now / 1000))
            .return_values_on_condition_check_failure(ReturnValuesOnConditionCheckFailure::AllOld)
    }

    /// An update of an event's record, which also writes what a person needs where ingest could not write it.
    fn upsert(&self, event: &Event, set: &str) -> UpdateItemFluentBuilder {
        let keep = [
            "event_id",
            "document_type",
            "document_id",
            "body_hash",
            "received_at",
        ];
        let keep = keep
            .map(|name| format!("{name} = if_not_exists({name}, :{name})"))
            .join(", ");
        let more = "#type = :type, #operation = :operation, #source = :source, #version = :version";
        let document_id = event.document_id.as_deref().unwrap_or_default();
        self.client
            .update_item()
            .table_name(&self.table)
            .key("pk", text(event.key.as_str()))
            .update_expression(format!(
                "SET {set}, {more}, {keep}, {TTL_ATTRIBUTE} = :expires_at"
            ))
            .expression_attribute_names("#status", "status")
            .expression_attribute_names("#type", "type")
            .expression_attribute_names("#operation", "operation")
            .expression_attribute_names("#source", "source")
            .expression_attribute_names("#version", "version")
            .expression_attribute_values(":done", text(Status::Done.name()))
            .expression_attribute_values(":expires_at", number(event.expires_at))
            .expression_attribute_values(":type", text(&event.kind))
            .expression_attribute_values(":operation", text(event.operation.name()))
            .expression_attribute_values(":source", text(&event.source))
            .expression_attribute_values(":version", text(event.version().as_str()))
            .expression_attribute_values(":event_id", text(&event.id))
            .expression_attribute_values(":document_type", text(&event.document_type))
            .expression_attribute_values(":document_id", text(document_id))
            .expression_attribute_values(":body_hash", text(event.body.hash()))
            .expression_attribute_values(":received_at", number(event.received_at))
            .return_values_on_condition_check_failure(ReturnValuesOnConditionCheckFailure::AllOld)
    }
}

/// A text attribute.
pub(crate) fn text(value: impl Into<String>) -> AttributeValue {
    AttributeValue::S(value.into())
}

/// A number attribute.
pub(crate) fn number(value: i64) -> AttributeValue {
    AttributeValue::N(value.to_string())
}

impl Ledger for EventsTable {
    async fn remember(&self, event: &Event, now: Millis) -> Result<Remembered, LedgerError> {
        let body_hash = event.body.hash();
        // Apart from what waits for it, and in a box: every future that holds this one would be as large.
        let put = Box::pin(self.insert(event, &body_hash, now).send());
        let Err(error) = put.await else {
            return Ok(Remembered::New);
        };
        let why = reason(&error);
        match error.into_service_error() {
            PutItemError::ConditionalCheckFailedException(failed) => {
                let item = failed
                    .item
                    .ok_or_else(|| LedgerError("no old item".to_owned()))?;
                let get = |name: &str| item.get(name).and_then(|value| value.as_s().ok());
                let named = |(name, _): &&(&str, Status)| get("status").is_some_and(|s| s == name);
                let status = Status::NAMES.iter().find(named).map(|(_, status)| *status);
                let at = item
                    .get("received_at")
                    .and_then(|value| value.as_n().ok()?.parse().ok());
                Ok(Remembered::Known {
                    // A status that this version does not know is not finished: sending again is always safe.
                    status: status.unwrap_or(Status::Pending),
                    received_at: at.unwrap_or(event.received_at),
                    same_body: get("body_hash") == Some(&body_hash),
                })
            }
            _ => Err(LedgerError(why)),
        }
    }

    async fn claim(&self, event: &Event, lease: &Lease<'_>) -> Result<Claim, LedgerError> {
        let free = "attribute_not_exists(lease_expires_at) OR lease_expires_at < :now OR lease_owner = :owner";
        let update = self
            .upsert(
                event,
                "#status = :pending, lease_owner = :owner, lease_expires_at = :until",
            )
            .condition_expression(format!(
                "attribute_not_exists(#status) OR (#status <> :done AND ({free}))"
            ))
            .expression_attribute_values(":pending", text(Status::Pending.name()))
            .expression_attribute_values(":now", number(lease.now))
            .expression_attribute_values(":owner", text(lease.owner))
            .expression_attribute_values(":until", number(lease.until));
        match changed(update).await? {
            None => Ok(Claim::Held),
            Some(item) if is_done(&item) => Ok(Claim::Finished),
            Some(item) => {
                let until = item
                    .get("lease_expires_at")
                    .and_then(|it| it.as_n().ok()?.parse().ok());
                Ok(Claim::Busy {
                    until: until.unwrap_or(lease.until),
                })
            }
        }
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
        let status = match end.outcome {
            Outcome::Rejected => Status::Quarantined,
            Outcome::Applied | Outcome::Stale | Outcome::Ignored => Status::Done,
        };
        let set =
            "#status = :status, outcome = :outcome, reason = :reason, finished_at = :finished_at";
        let update = self
            .upsert(event, set)
            .expression_attribute_values(":status", text(status.name()))
            .expression_attribute_values(":outcome", text(end.outcome.name()))
            .expression_attribute_values(":reason", text(end.reason.as_deref().unwrap_or_default()))
            .expression_attribute_values(":finished_at", number(end.at));
        let update = match &end.owner {
            None => {
                update.condition_expression("attribute_not_exists(#status) OR #status <> :done")
            }
            Some(owner) => update
                .condition_expression("#status <> :done AND lease_owner = :owner")
                .expression_attribute_values(":owner", text(owner)),
        };
        match changed(update).await? {
            None => Ok(Finish::Recorded),
            Some(item) if is_done(&item) => Ok(Finish::Before),
            Some(_) => Ok(Finish::NotOwner),
        }
    }
}

type Item = HashMap<String, AttributeValue>;

fn is_done(item: &Item) -> bool {
    item.get("status")
        .and_then(|status| status.as_s().ok())
        .is_some_and(|it| it == Status::Done.name())
}

/// Runs a conditional update; the item that is there when it was refused.
async fn changed(update: UpdateItemFluentBuilder) -> Result<Option<Item>, LedgerError> {
    // In a box, as the put.
    let Err(error) = Box::pin(update.send()).await else {
        return Ok(None);
    };
    let why = reason(&error);
    match error.into_service_error() {
        UpdateItemError::ConditionalCheckFailedException(failed) => failed
            .item
            .map(Some)
            .ok_or_else(|| LedgerError("no old item".to_owned())),
        _ => Err(LedgerError(why)),
    }
}
