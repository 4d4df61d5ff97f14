//! An operator's calls to tables and queues: create them on a local machine, and look into them anywhere.

use std::collections::{BTreeMap, HashMap};

use aws_sdk_dynamodb::operation::scan::builders::ScanFluentBuilder;
use aws_sdk_dynamodb::types::{
    AttributeDefinition, AttributeValue, BillingMode, KeySchemaElement, KeyType,
    ScalarAttributeType, TimeToLiveSpecification,
};
use aws_sdk_sqs::types::QueueAttributeName;
use hookwell::event::identity::Key;
use hookwell::event::{Event, LIFE_DAYS};
use hookwell::format::time::{DAY, Millis, to_rfc3339};
use hookwell::ports::ledger::Status;
use hookwell::ports::queue::Queue as _;
use serde_json::{Number, Value};

use crate::client::connection::{Connection, reason};
use crate::client::item::{TTL_ATTRIBUTE, number, text};
use crate::client::limits::Limits;
use crate::http::bucket::{Bucket, expand};
use crate::ledger::{KEPT, kept_key};
use crate::queue::SqsQueue;

/// A call failed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{what}: {why}")]
pub struct AdminError {
    /// The call that failed.
    pub what: String,
    /// Reason of the failure.
    pub why: String,
}

pub(crate) fn failed(what: &str, why: impl Into<String>) -> AdminError {
    AdminError {
        what: what.to_owned(),
        why: why.into(),
    }
}

/// A table item as JSON.
pub type Item = BTreeMap<String, Value>;

/// An attribute as people read it; times become dates.
#[must_use]
pub fn readable(item: &Item, name: &str) -> String {
    let value = item.get(name).unwrap_or(&Value::Null);
    match (name, value.as_i64()) {
        ("received_at" | "finished_at" | "reopened_at" | "lease_expires_at", Some(at)) => {
            to_rfc3339(at)
        }
        ("expires_at", Some(at)) => to_rfc3339(at.saturating_mul(1000)),
        _ => match value {
            Value::String(text) => text.clone(),
            Value::Null => String::new(),
            other => other.to_string(),
        },
    }
}

/// Settings of a local queue.
#[derive(Debug, Clone, Copy)]
pub struct QueueSettings {
    /// Visibility timeout of a received message, in seconds.
    pub visibility_timeout: u32,
    /// Receives of a message before it goes to the dead-letter queue.
    pub max_receive_count: u32,
}

/// The life of a record that a person opens again, in seconds.
const LIFE: i64 = LIFE_DAYS * DAY / 1000;

/// An operator's access to tables and queues.
#[derive(Debug, Clone)]
pub struct Admin {
    dynamodb: aws_sdk_dynamodb::Client,
    sqs: aws_sdk_sqs::Client,
}

impl Admin {
    /// Access to the tables and queues that the connection reaches.
    #[must_use]
    pub fn new(connection: &Connection) -> Self {
        Self {
            dynamodb: connection.dynamodb(Limits::TOOL),
            sqs: connection.sqs(Limits::TOOL),
        }
    }

    /// Creates a table as the template does, key `pk` and TTL on [`TTL_ATTRIBUTE`], unless it is there.
    ///
    /// # Errors
    /// When DynamoDB refuses.
    pub async fn create_table(&self, name: &str) -> Result<(), AdminError> {
        let what = format!("creating table {name}");
        let schema = KeySchemaElement::builder()
            .attribute_name("pk")
            .key_type(KeyType::Hash);
        let key = AttributeDefinition::builder().attribute_name("pk");
        let created = self
            .dynamodb
            .create_table()
            .table_name(name)
            .billing_mode(BillingMode::PayPerRequest)
            .key_schema(schema.build().map_err(|_| failed(&what, "key"))?)
            .attribute_definitions(
                key.attribute_type(ScalarAttributeType::S)
                    .build()
                    .map_err(|_| failed(&what, "key"))?,
            )
            .send()
            .await;
        match created {
            Err(error) if reason(&error) == "ResourceInUseException" => return Ok(()),
            created => created.map_err(|error| failed(&what, reason(&error)))?,
        };
        let ttl = TimeToLiveSpecification::builder()
            .enabled(true)
            .attribute_name(TTL_ATTRIBUTE);
        let ttl = ttl.build().map_err(|_| failed(&what, "ttl"))?;
        let ttl = self
            .dynamodb
            .update_time_to_live()
            .table_name(name)
            .time_to_live_specification(ttl);
        ttl.send()
            .await
            .map(drop)
            .map_err(|error| failed(&what, reason(&error)))
    }

    /// Creates a queue and its dead-letter queue, and gives their URLs.
    ///
    /// # Errors
    /// When SQS refuses.
    pub async fn create_queues(
        &self,
        name: &str,
        settings: QueueSettings,
    ) -> Result<(String, String), AdminError> {
        let dead_letters = format!("{name}-dead-letter");
        let what = format!("creating queue {name}");
        let created = self
            .sqs
            .create_queue()
            .queue_name(&dead_letters)
            .attributes(QueueAttributeName::MessageRetentionPeriod, "1209600")
            .send()
            .await
            .map_err(|error| failed(&what, reason(&error)))?;
        let dead_letter_url = created.queue_url.unwrap_or_default();
        let arn = self
            .queue_attribute(&dead_letter_url, QueueAttributeName::QueueArn)
            .await?;
        let policy = serde_json::json!({
            "deadLetterTargetArn": arn,
            "maxReceiveCount": settings.max_receive_count.to_string(),
        });
        let visibility = settings.visibility_timeout.to_string();
        let created = self
            .sqs
            .create_queue()
            .queue_name(name)
            .attributes(QueueAttributeName::RedrivePolicy, policy.to_string())
            .attributes(QueueAttributeName::VisibilityTimeout, visibility)
            .send()
            .await
            .map_err(|error| failed(&what, reason(&error)))?;
        Ok((created.queue_url.unwrap_or_default(), dead_letter_url))
    }

    async fn queue_attribute(
        &self,
        url: &str,
        name: QueueAttributeName,
    ) -> Result<String, AdminError> {
        let what = "reading a queue's attributes";
        let request = self
            .sqs
            .get_queue_attributes()
            .queue_url(url)
            .attribute_names(name.clone());
        let answer = request
            .send()
            .await
            .map_err(|error| failed(what, reason(&error)))?;
        let found = answer.attributes.and_then(|mut all| all.remove(&name));
        found.ok_or_else(|| failed(what, format!("there is no {name}")))
    }

    /// Counts the messages that wait in a queue and those that are being worked on. SQS calls both approximate.
    ///
    /// # Errors
    /// When SQS refuses.
    pub async fn queue_depth(&self, url: &str) -> Result<(u64, u64), AdminError> {
        let waiting = QueueAttributeName::ApproximateNumberOfMessages;
        let hidden = QueueAttributeName::ApproximateNumberOfMessagesNotVisible;
        let count = |text: String| text.parse().unwrap_or(0);
        let waiting = self.queue_attribute(url, waiting).await.map(count)?;
        Ok((waiting, self.queue_attribute(url, hidden).await.map(count)?))
    }

    /// Receives of a message before the queue moves it to the dead-letter queue; `None` when it never does.
    ///
    /// # Errors
    /// When SQS refuses.
    pub async fn max_receive_count(&self, url: &str) -> Result<Option<u32>, AdminError> {
        let policy = self
            .queue_attribute(url, QueueAttributeName::RedrivePolicy)
            .await?;
        // SQS answers with a number or with its text, as it was set.
        let policy: Value = serde_json::from_str(&policy).unwrap_or_default();
        let count = policy.get("maxReceiveCount");
        Ok(count.and_then(|count| match count {
            Value::String(text) => text.parse().ok(),
            other => other.as_u64()?.try_into().ok(),
        }))
    }

    /// Every item of a table whose `attribute` is `value`, or every item, but for whole events that are kept. Reads the
    /// whole table: for a person's eyes and tests, not for programs.
    ///
    /// # Errors
    /// When DynamoDB refuses.
    pub async fn scan(
        &self,
        table: &str,
        filter: Option<(&str, &str)>,
    ) -> Result<Vec<Item>, AdminError> {
        let mut request = self.records(table);
        if let Some((attribute, value)) = filter {
            request = request
                .filter_expression("attribute_not_exists(#kept) AND #attribute = :value")
                .expression_attribute_names("#attribute", attribute)
                .expression_attribute_values(":value", text(value));
        }
        read_all(table, request).await
    }

    /// The records of the events table that were written or changed at `since` or later, by their own times. Reads the
    /// whole table all the same: DynamoDB charges for what it reads, not for what it gives.
    ///
    /// # Errors
    /// When DynamoDB refuses.
    pub async fn changed_since(&self, table: &str, since: Millis) -> Result<Vec<Item>, AdminError> {
        let changed = CHANGES.map(|name| format!("{name} >= :since")).join(" OR ");
        let request = self
            .records(table)
            .filter_expression(format!("attribute_not_exists(#kept) AND ({changed})"))
            .expression_attribute_values(":since", number(since));
        read_all(table, request).await
    }

    /// A scan of everything but what is kept of events.
    fn records(&self, table: &str) -> ScanFluentBuilder {
        let request = self.dynamodb.scan().table_name(table);
        request
            .filter_expression("attribute_not_exists(#kept)")
            .expression_attribute_names("#kept", KEPT)
    }

    /// Opens the record of an event that had ended, so that it is taken up again: writes it `pending`, with who did so
    /// and when. False when there was nothing to open, because it never ended or there is no record.
    ///
    /// # Errors
    /// When DynamoDB refuses.
    pub async fn reopen(
        &self,
        table: &str,
        key: &Key,
        from: Status,
        by: &str,
        now: Millis,
    ) -> Result<bool, AdminError> {
        let update = self
            .dynamodb
            .update_item()
            .table_name(table)
            .key("pk", text(key.as_str()))
            .update_expression(format!(
                "SET #status = :pending, reopened_by = :by, reopened_at = :now, {TTL_ATTRIBUTE} = :end"
            ))
            .condition_expression(format!("#status = :from AND {TTL_ATTRIBUTE} >= :seconds"))
            .expression_attribute_names("#status", "status")
            .expression_attribute_values(":pending", text(Status::Pending.name()))
            .expression_attribute_values(":from", text(from.name()))
            .expression_attribute_values(":by", text(by))
            .expression_attribute_values(":now", number(now))
            .expression_attribute_values(":seconds", number(now / 1000))
            .expression_attribute_values(":end", number((now / 1000).saturating_add(LIFE)));
        match update.send().await {
            Ok(_) => Ok(true),
            Err(error) if reason(&error) == "ConditionalCheckFailedException" => Ok(false),
            Err(error) => Err(failed("reopening a record", reason(&error))),
        }
    }

    /// The whole event of the record `pk`, when it was kept and its time is not over. `bucket` is where large ones are.
    ///
    /// # Errors
    /// When DynamoDB or the bucket refuses, or what is kept is not an event.
    pub async fn kept(
        &self,
        table: &str,
        pk: &str,
        bucket: Option<&Bucket>,
        now: Millis,
    ) -> Result<Option<Event>, AdminError> {
        let what = format!("reading what was kept of {pk}");
        let request = self
            .dynamodb
            .get_item()
            .table_name(table)
            .key("pk", text(kept_key(pk)));
        let answer = request.consistent_read(true).send().await;
        let item = answer
            .map_err(|error| failed(&what, reason(&error)))?
            .item
            .unwrap_or_default();
        let until = item.get(TTL_ATTRIBUTE).and_then(|it| it.as_n().ok());
        // DynamoDB deletes late, and what was promised to be gone is gone.
        let is_over = until.and_then(|it| it.parse().ok()).unwrap_or(0) < now / 1000;
        let message = match item.get(KEPT) {
            Some(_) if is_over => return Ok(None),
            Some(AttributeValue::B(bytes)) => expand(bytes.as_ref()),
            Some(AttributeValue::S(name)) => {
                let bucket = bucket.ok_or_else(|| failed(&what, "HOOKWELL_BUCKET is not set"))?;
                let read = bucket.read(name).await;
                Some(read.map_err(|why| failed(&what, why.to_string()))?)
            }
            _ => return Ok(None),
        };
        let event = message.and_then(|message| Event::from_message(&message).ok());
        event
            .map(Some)
            .ok_or_else(|| failed(&what, "it is not an event"))
    }

    /// Puts an event that was kept into the queue again.
    ///
    /// A record that had ended is opened first, with who did so and when, or a handler with effects elsewhere would
    /// not be called. When the send then fails the record stays open, and doing it again is all there is to do. An
    /// event that is older than its document changes nothing, as always.
    ///
    /// # Errors
    /// When the table or the queue refuses.
    pub async fn replay(
        &self,
        table: &str,
        queue: &SqsQueue,
        event: &Event,
        by: &str,
        now: Millis,
    ) -> Result<(), AdminError> {
        let reopen = |from| self.reopen(table, &event.key, from, by, now);
        if !reopen(Status::Done).await? {
            reopen(Status::Quarantined).await?;
        }
        let sent = queue.send(event).await;
        sent.map_err(|error| failed("sending to the queue", error.to_string()))
    }

    /// The item of a table under a key.
    ///
    /// # Errors
    /// When DynamoDB refuses.
    pub async fn get(&self, table: &str, pk: &str) -> Result<Option<Item>, AdminError> {
        let what = format!("reading table {table}");
        let request = self
            .dynamodb
            .get_item()
            .table_name(table)
            .key("pk", text(pk));
        let answer = request.consistent_read(true).send().await;
        Ok(answer
            .map_err(|error| failed(&what, reason(&error)))?
            .item
            .map(item))
    }
}

/// The attributes of a record that say when something happened to it.
pub const CHANGES: [&str; 3] = ["received_at", "finished_at", "reopened_at"];

async fn read_all(table: &str, request: ScanFluentBuilder) -> Result<Vec<Item>, AdminError> {
    let what = format!("reading table {table}");
    let mut items = Vec::new();
    let mut start = None;
    loop {
        let page = request.clone().set_exclusive_start_key(start).send().await;
        let page = page.map_err(|error| failed(&what, reason(&error)))?;
        items.extend(page.items.unwrap_or_default().into_iter().map(item));
        start = page.last_evaluated_key.filter(|key| !key.is_empty());
        if start.is_none() {
            return Ok(items);
        }
    }
}

fn item(attributes: HashMap<String, AttributeValue>) -> Item {
    let value = |value: AttributeValue| match value {
        AttributeValue::S(text) => Value::String(text),
        AttributeValue::N(number) => number
            .parse::<i64>()
            .map_or(Value::String(number), |n| Value::Number(Number::from(n))),
        AttributeValue::Bool(bool) => Value::Bool(bool),
        _ => Value::Null,
    };
    attributes
        .into_iter()
        .map(|(name, attribute)| (name, value(attribute)))
        .collect()
}
