//! An operator's calls to tables and queues: create them on a local machine, and look into them anywhere.

use std::collections::{BTreeMap, HashMap};

use aws_sdk_dynamodb::operation::scan::builders::ScanFluentBuilder;
use aws_sdk_dynamodb::types::{
    AttributeDefinition, AttributeValue, BillingMode, GlobalSecondaryIndex, KeySchemaElement,
    KeyType, Projection, ProjectionType, ScalarAttributeType, TimeToLiveSpecification,
};
use aws_sdk_sqs::operation::create_queue::CreateQueueError;
use aws_sdk_sqs::types::QueueAttributeName;
use hookwell::event::identity::Key;
use hookwell::event::{Event, LIFE_DAYS};
use hookwell::format::time::{DAY, Millis, to_rfc3339};
use hookwell::ports::ledger::Status;
use hookwell::ports::queue::{Queue as _, QueueError};
use hookwell::process::TRIES_IN_PLACE;
use serde_json::{Number, Value};

use crate::by_time::{EVENTS_INDEX, HELD, SHARD};
use crate::client::connection::{Connection, reason};
use crate::client::item::{TTL_ATTRIBUTE, number, text};
use crate::client::limits::Limits;
use crate::http::bucket::{Bucket, expand};
use crate::ledger::{KEPT, kept_key};
use crate::queue::SqsQueue;
use crate::tools::failure::{AdminError, failed};

/// A table item as JSON.
pub type Item = BTreeMap<String, Value>;

/// Time until which the event of a record is tried again, where it failed and waits in the retry queue.
#[must_use]
pub fn waits_until(item: &Item) -> Option<Millis> {
    let is_open = item.get("status").and_then(Value::as_str) == Some(Status::Pending.name());
    let until = item.get("waits_until").and_then(Value::as_i64);
    until.filter(|_| is_open)
}

/// An attribute as people read it; times become dates. The status of an event in the retry queue is `waiting`, and its
/// outcome is the time until which it is tried and the reason why it failed.
#[must_use]
pub fn readable(item: &Item, name: &str) -> String {
    let value = item.get(name).unwrap_or(&Value::Null);
    match (name, waits_until(item)) {
        ("status", Some(_)) => return "waiting".to_owned(),
        ("outcome", Some(until)) => {
            let why = readable(item, "reason");
            return format!("until {}: {why}", to_rfc3339(until));
        }
        _ => {}
    }
    match (name, value.as_i64()) {
        (
            "received_at" | "failed_at" | "finished_at" | "reopened_at" | "lease_expires_at"
            | "waits_until",
            Some(at),
        ) => to_rfc3339(at),
        ("expires_at", Some(at)) => to_rfc3339(at.saturating_mul(1000)),
        _ => match value {
            Value::String(text) => text.clone(),
            Value::Null => String::new(),
            other => other.to_string(),
        },
    }
}

/// The queues of a stack.
#[derive(Debug, Clone)]
pub struct Queues {
    /// Events that wait for process.
    pub queue_url: String,
    /// Events that failed, until they are moved back.
    pub retry_queue_url: String,
    /// Events for a person to look at.
    pub dead_letter_queue_url: String,
}

/// Life of a message in each of the three queues, in seconds: 14 days, the most that SQS allows.
const RETENTION: &str = "1209600";

/// The count of the retry queue's own redrive policy, the largest: nothing is received there, and the policy is there
/// because SQS moves letters only from the dead-letter queue of some queue.
const NEVER: u32 = 1_000;

/// Items of a page of a table, at most: so many at a time are in memory.
const PAGE: i32 = 1_000;

/// The life of a record that a person opens again, in seconds.
const LIFE: i64 = LIFE_DAYS * DAY / 1000;

/// An operator's access to tables and queues.
#[derive(Debug, Clone)]
pub struct Admin {
    pub(super) dynamodb: aws_sdk_dynamodb::Client,
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

    /// Creates the documents table as the template does, unless it is there.
    ///
    /// # Errors
    /// When DynamoDB refuses.
    pub async fn create_documents_table(&self, name: &str) -> Result<(), AdminError> {
        self.create_table(name, None).await
    }

    /// Creates the events table as the template does, unless it is there.
    ///
    /// # Errors
    /// When DynamoDB refuses.
    pub async fn create_events_table(&self, name: &str) -> Result<(), AdminError> {
        let what = format!("creating table {name}");
        let index = index_by_time().ok_or_else(|| failed(&what, "index"))?;
        self.create_table(name, Some(index)).await
    }

    /// Creates a table with the key `pk` and TTL on [`TTL_ATTRIBUTE`], and with the index by time where there is one.
    async fn create_table(
        &self,
        name: &str,
        index: Option<GlobalSecondaryIndex>,
    ) -> Result<(), AdminError> {
        let what = format!("creating table {name}");
        let (string, integer) = (ScalarAttributeType::S, ScalarAttributeType::N);
        let mut attributes = vec![("pk", string)];
        if index.is_some() {
            attributes.extend([(SHARD, integer.clone()), ("received_at", integer)]);
        }
        let attribute = |(name, kind)| {
            let attribute = AttributeDefinition::builder().attribute_name(name);
            attribute.attribute_type(kind).build().ok()
        };
        let attributes: Vec<_> = attributes.into_iter().filter_map(attribute).collect();
        let created = self
            .dynamodb
            .create_table()
            .table_name(name)
            .billing_mode(BillingMode::PayPerRequest)
            .set_key_schema(key_schema("pk", None))
            .set_attribute_definitions(Some(attributes))
            .set_global_secondary_indexes(index.map(|index| vec![index]))
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

    /// Creates the three queues as the template does. A received message stays hidden for so many seconds.
    ///
    /// # Errors
    /// When SQS refuses.
    pub async fn create_queues(
        &self,
        name: &str,
        visibility_timeout: u32,
    ) -> Result<Queues, AdminError> {
        let dead_letters = format!("{name}-dead-letter");
        let dead_letter_queue_url = self.create_queue(&dead_letters, None, 30).await?;
        let target = Some((dead_letter_queue_url.as_str(), NEVER));
        let retry = format!("{name}-retry");
        let retry_queue_url = self.create_queue(&retry, target, 30).await?;
        let target = Some((retry_queue_url.as_str(), TRIES_IN_PLACE));
        let queue_url = self.create_queue(name, target, visibility_timeout).await?;
        Ok(Queues {
            queue_url,
            retry_queue_url,
            dead_letter_queue_url,
        })
    }

    /// Creates a queue that moves to another one, given by its URL, what was received so many times.
    async fn create_queue(
        &self,
        name: &str,
        target: Option<(&str, u32)>,
        visibility_timeout: u32,
    ) -> Result<String, AdminError> {
        let what = format!("creating queue {name}");
        let visibility = visibility_timeout.to_string();
        let mut attributes = HashMap::from([
            (
                QueueAttributeName::MessageRetentionPeriod,
                RETENTION.to_owned(),
            ),
            (QueueAttributeName::VisibilityTimeout, visibility),
        ]);
        if let Some((url, count)) = target {
            let policy = serde_json::json!({
                "deadLetterTargetArn": self.queue_arn(url).await?,
                "maxReceiveCount": count.to_string(),
            });
            attributes.insert(QueueAttributeName::RedrivePolicy, policy.to_string());
        }
        let request = self.sqs.create_queue().queue_name(name);
        let created = request
            .set_attributes(Some(attributes.clone()))
            .send()
            .await;
        let url = match created {
            Ok(created) => created.queue_url,
            // It is there with other settings, of an earlier version.
            Err(error)
                if error
                    .as_service_error()
                    .is_some_and(CreateQueueError::is_queue_name_exists) =>
            {
                let there = self.sqs.get_queue_url().queue_name(name).send().await;
                let url = there
                    .map_err(|error| failed(&what, reason(&error)))?
                    .queue_url;
                let set = self.sqs.set_queue_attributes().set_queue_url(url.clone());
                let set = set.set_attributes(Some(attributes)).send().await;
                set.map_err(|error| failed(&what, reason(&error)))?;
                url
            }
            Err(error) => return Err(failed(&what, reason(&error))),
        };
        url.ok_or_else(|| failed(&what, "it has no URL"))
    }

    /// Moves back what waits in the retry queue, at most so many messages a second, as the template's schedule does. SQS
    /// refuses while an earlier task runs.
    ///
    /// # Errors
    /// When SQS refuses.
    pub async fn move_back(
        &self,
        retry_queue_url: &str,
        queue_url: &str,
        rate: i32,
    ) -> Result<(), AdminError> {
        let request = self
            .sqs
            .start_message_move_task()
            .source_arn(self.queue_arn(retry_queue_url).await?)
            .destination_arn(self.queue_arn(queue_url).await?)
            .max_number_of_messages_per_second(rate);
        let started = request.send().await;
        started
            .map(drop)
            .map_err(|error| failed("moving messages back", reason(&error)))
    }

    async fn queue_arn(&self, url: &str) -> Result<String, AdminError> {
        self.queue_attribute(url, QueueAttributeName::QueueArn)
            .await
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

    /// Every item of a table whose `attribute` is `value`, or every item, but for whole events that are kept. Reads the
    /// whole table into memory: for tests and the checkers of test runs.
    ///
    /// # Errors
    /// When DynamoDB refuses.
    pub async fn scan(
        &self,
        table: &str,
        filter: Option<(&str, &str)>,
    ) -> Result<Vec<Item>, AdminError> {
        let mut items = Vec::new();
        let mut pages = self.pages(table, filter);
        while let Some(page) = pages.next().await? {
            items.extend(page);
        }
        Ok(items)
    }

    /// The items of a table whose `attribute` is `value`, or all, but for whole events that are kept, a thousand at a time.
    #[must_use]
    pub fn pages(&self, table: &str, filter: Option<(&str, &str)>) -> Pages {
        let request = self.dynamodb.scan().table_name(table).limit(PAGE);
        let mut request = request
            .filter_expression("attribute_not_exists(#kept)")
            .expression_attribute_names("#kept", KEPT);
        if let Some((attribute, value)) = filter {
            request = request
                .filter_expression("attribute_not_exists(#kept) AND #attribute = :value")
                .expression_attribute_names("#attribute", attribute)
                .expression_attribute_values(":value", text(value));
        }
        Pages {
            what: format!("reading table {table}"),
            request: Some(request),
        }
    }

    /// Opens the record of an event that is in one of these states, so that it is taken up again: writes it `pending`, with
    /// who did so and when. False when there was nothing to open.
    ///
    /// # Errors
    /// When DynamoDB refuses.
    pub async fn reopen(
        &self,
        table: &str,
        key: &Key,
        from: &[Status],
        by: &str,
        now: Millis,
    ) -> Result<bool, AdminError> {
        let names: Vec<_> = (0..from.len()).map(|at| format!(":from{at}")).collect();
        let mut update = self
            .dynamodb
            .update_item()
            .table_name(table)
            .key("pk", text(key.as_str()))
            .update_expression(format!(
                "SET #status = :pending, reopened_by = :by, reopened_at = :now, {TTL_ATTRIBUTE} = :end REMOVE waits_until"
            ))
            .condition_expression(format!(
                "#status IN ({}) AND {TTL_ATTRIBUTE} >= :seconds",
                names.join(", ")
            ))
            .expression_attribute_names("#status", "status")
            .expression_attribute_values(":pending", text(Status::Pending.name()))
            .expression_attribute_values(":by", text(by))
            .expression_attribute_values(":now", number(now))
            .expression_attribute_values(":seconds", number(now / 1000))
            .expression_attribute_values(":end", number((now / 1000).saturating_add(LIFE)));
        for (name, status) in names.into_iter().zip(from) {
            update = update.expression_attribute_values(name, text(status.name()));
        }
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
    /// The event's record is opened first, with who did so and when: for an event that had ended, because a handler
    /// with effects elsewhere would not be called otherwise; for any other event, because its time to be tried begins
    /// anew. When the send then fails, the record stays open, and a second replay is all there is to do. An event that
    /// is older than its document changes nothing, as always.
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
        let any = Status::NAMES.map(|(_, status)| status);
        self.reopen(table, &event.key, &any, by, now).await?;
        let sent = queue.send(event).await;
        sent.map_err(|QueueError(why)| {
            failed(&format!("sending to the queue {}", queue.url()), why)
        })
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

/// The key schema of a table or an index.
fn key_schema(hash: &str, range: Option<&str>) -> Option<Vec<KeySchemaElement>> {
    let keys = [(hash, KeyType::Hash)]
        .into_iter()
        .chain(range.map(|range| (range, KeyType::Range)));
    keys.map(|(name, kind)| {
        let key = KeySchemaElement::builder().attribute_name(name);
        key.key_type(kind).build().ok()
    })
    .collect()
}

/// The index by time, as the template has it.
fn index_by_time() -> Option<GlobalSecondaryIndex> {
    let held = Projection::builder()
        .projection_type(ProjectionType::Include)
        .set_non_key_attributes(Some(HELD.map(str::to_owned).into()));
    GlobalSecondaryIndex::builder()
        .index_name(EVENTS_INDEX)
        .set_key_schema(key_schema(SHARD, Some("received_at")))
        .projection(held.build())
        .build()
        .ok()
}

/// The items of a table, page by page.
#[derive(Debug)]
pub struct Pages {
    what: String,
    /// The request for the next page; `None` after the last.
    request: Option<ScanFluentBuilder>,
}

impl Pages {
    /// The items behind the one with this key; all for an empty key.
    #[must_use]
    pub fn after(mut self, key: &str) -> Self {
        let start = HashMap::from([("pk".to_owned(), text(key))]);
        let start = Some(start).filter(|_| !key.is_empty());
        self.request = self.request.map(|it| it.set_exclusive_start_key(start));
        self
    }

    /// The same items, at most so many on a page.
    #[must_use]
    pub fn of_at_most(mut self, count: usize) -> Self {
        let count = i32::try_from(count).unwrap_or(i32::MAX);
        self.request = self.request.map(|it| it.limit(count));
        self
    }

    /// True once the last page was given.
    #[must_use]
    pub fn is_over(&self) -> bool {
        self.request.is_none()
    }

    /// The next page, which may be empty; `None` at the end.
    ///
    /// # Errors
    /// When DynamoDB refuses.
    pub async fn next(&mut self) -> Result<Option<Vec<Item>>, AdminError> {
        let Some(request) = self.request.take() else {
            return Ok(None);
        };
        let page = request.clone().send().await;
        let page = page.map_err(|error| failed(&self.what, reason(&error)))?;
        let start = page.last_evaluated_key.filter(|key| !key.is_empty());
        self.request = start.map(|start| request.set_exclusive_start_key(Some(start)));
        let items = page.items.unwrap_or_default();
        Ok(Some(items.into_iter().map(item).collect()))
    }
}

/// An item as JSON.
pub(super) fn item(attributes: HashMap<String, AttributeValue>) -> Item {
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
