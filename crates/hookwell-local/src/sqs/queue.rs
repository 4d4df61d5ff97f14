//! Queues and their attributes.

use std::collections::BTreeMap;
use std::ops::RangeInclusive;

use serde::Deserialize;
use serde_json::{Value, json};

use super::call::Call;
use super::fault::{Outcome, fault, invalid};
use super::request::{is_name, is_wanted, text};

/// Queue attributes with range and default, in seconds or bytes (page `CreateQueue`).
const SETTINGS: [(&str, RangeInclusive<i64>, i64); 5] = [
    ("DelaySeconds", 0..=900, 0),
    ("MaximumMessageSize", 1_024..=1_048_576, 1_048_576),
    ("MessageRetentionPeriod", 60..=1_209_600, 345_600),
    ("ReceiveMessageWaitTimeSeconds", 0..=20, 0),
    ("VisibilityTimeout", 0..=43_200, 30),
];

#[derive(Deserialize)]
pub(super) struct Queue {
    pub(super) name: String,
    pub(super) arn: String,
    pub(super) secret: String,
    attributes: BTreeMap<String, String>,
}

impl Queue {
    pub(super) fn number(&self, attribute: &str) -> i64 {
        let value = self.attributes.get(attribute);
        value
            .and_then(|value| value.parse().ok())
            .unwrap_or_default()
    }
}

impl Call<'_> {
    pub(super) fn create_queue(&self, request: &Value) -> Outcome<Value> {
        let name = text(request, "QueueName")?;
        if !is_name(name) {
            return Err(invalid(
                "Can only include alphanumeric characters, hyphens, or underscores. 1 to 80 in \
                 length; FIFO queues are not emulated",
            ));
        }
        let mut attributes = self.checked(name, request)?;
        if let Some(queue) = self.find(name)? {
            attributes.retain(|name, value| queue.attributes.get(name) != Some(value));
            if let Some(attribute) = attributes.keys().next() {
                let problem = "A queue already exists with the same name and a different value for";
                return Err(fault(
                    "QueueAlreadyExists",
                    format!("{problem} attribute {attribute}"),
                ));
            }
        } else {
            for (attribute, _, default) in SETTINGS {
                attributes
                    .entry(attribute.into())
                    .or_insert(default.to_string());
            }
            attributes.insert("CreatedTimestamp".into(), (self.now / 1000).to_string());
            self.store(name, attributes)?;
        }
        self.get_queue_url(request)
    }

    pub(super) fn get_queue_url(&self, request: &Value) -> Outcome<Value> {
        let name = self.queue(text(request, "QueueName")?)?.name;
        Ok(json!({ "QueueUrl": format!("http://{}/000000000000/{name}", self.host) }))
    }

    pub(super) fn list_queues(&self, request: &Value) -> Outcome<Value> {
        let prefix = request["QueueNamePrefix"].as_str().unwrap_or_default();
        self.json(
            "SELECT json_object('QueueUrls', json_group_array(
                 'http://' || ?2 || '/000000000000/' || name ORDER BY name))
             FROM queue WHERE substr(name, 1, length(?1)) = ?1",
            (prefix, self.host),
        )
    }

    pub(super) fn list_dead_letter_source_queues(&self, queue: &Queue) -> Outcome<Value> {
        self.json(
            "SELECT json_object('queueUrls', json_group_array(
                 'http://' || ?2 || '/000000000000/' || name ORDER BY name))
             FROM queue WHERE dead_letter_arn = ?1",
            (&queue.arn, self.host),
        )
    }

    pub(super) fn delete_queue(&self, queue: &Queue) -> Outcome<Value> {
        self.run("DELETE FROM queue WHERE name = ?1", [&queue.name])
    }

    pub(super) fn purge_queue(&self, queue: &Queue) -> Outcome<Value> {
        self.run("DELETE FROM message WHERE queue = ?1", [&queue.name])
    }

    pub(super) fn get_queue_attributes(&self, queue: &Queue, request: &Value) -> Outcome<Value> {
        self.drop_expired(queue)?;
        let mut attributes: BTreeMap<String, String> = self.json(
            "SELECT json_patch(queue.attributes, json_object('QueueArn', arn,
                 'ApproximateNumberOfMessages',
                 format('%d', count(*) FILTER (WHERE visible_at <= ?2)),
                 'ApproximateNumberOfMessagesDelayed',
                 format('%d', count(*) FILTER (WHERE visible_at > ?2 AND received = 0)),
                 'ApproximateNumberOfMessagesNotVisible',
                 format('%d', count(*) FILTER (WHERE visible_at > ?2 AND received > 0))))
             FROM queue LEFT JOIN message ON message.queue = name WHERE name = ?1",
            (&queue.name, self.now),
        )?;
        attributes.retain(|name, _| is_wanted(name, &request["AttributeNames"]));
        Ok(json!({ "Attributes": attributes }))
    }

    pub(super) fn set_queue_attributes(&self, queue: Queue, request: &Value) -> Outcome<Value> {
        let mut attributes = queue.attributes;
        attributes.extend(self.checked(&queue.name, request)?);
        attributes.retain(|_, value| !value.is_empty());
        self.store(&queue.name, attributes)
    }

    /// The queue of a URL, which may name another host or port than the one asked now.
    pub(super) fn queue(&self, url: &str) -> Outcome<Queue> {
        let queue = self.find(url.rsplit('/').next().unwrap_or_default())?;
        queue.ok_or_else(|| fault("NonExistentQueue", "The specified queue does not exist."))
    }

    /// The queue of this name or ARN.
    pub(super) fn find(&self, key: &str) -> Outcome<Option<Queue>> {
        self.json(
            "SELECT json_object('name', name, 'arn', arn, 'secret', secret,
                 'attributes', json(attributes)) FROM queue WHERE name = ?1 OR arn = ?1",
            [key],
        )
    }

    fn store(&self, name: &str, mut attributes: BTreeMap<String, String>) -> Outcome<Value> {
        attributes.insert(
            "LastModifiedTimestamp".into(),
            (self.now / 1000).to_string(),
        );
        self.run(
            "INSERT INTO queue (name, attributes) VALUES (?1, ?2)
             ON CONFLICT (name) DO UPDATE SET attributes = excluded.attributes",
            (name, serde_json::to_string(&attributes)?),
        )
    }

    /// The attributes of the request as they are stored. An empty policy removes it.
    fn checked(&self, queue: &str, request: &Value) -> Outcome<BTreeMap<String, String>> {
        let attributes = Option::<BTreeMap<_, String>>::deserialize(&request["Attributes"])
            .map_err(|error| fault("SerializationException", error.to_string()))?;
        let mut attributes = attributes.unwrap_or_default();
        for (name, value) in &mut attributes {
            if name == "RedrivePolicy" {
                *value = self.checked_policy(queue, value)?;
                continue;
            }
            if name == "RedriveAllowPolicy" {
                *value = checked_allow_policy(value)?;
                continue;
            }
            let Some((_, range, _)) = SETTINGS.iter().find(|(known, ..)| known == name) else {
                return Err(fault(
                    "InvalidAttributeName",
                    format!("Unknown Attribute {name}."),
                ));
            };
            if !value.parse().is_ok_and(|number| range.contains(&number)) {
                let problem = format!("Invalid value for the parameter {name}.");
                return Err(fault("InvalidAttributeValue", problem));
            }
        }
        Ok(attributes)
    }

    fn checked_policy(&self, queue: &str, policy: &str) -> Outcome<String> {
        if policy.is_empty() {
            return Ok(String::new());
        }
        let checked: Option<Value> = self.json(
            "SELECT json_object('deadLetterTargetArn', arn, 'maxReceiveCount', receives)
             FROM (SELECT policy ->> 'deadLetterTargetArn' AS target,
                       CAST(policy ->> 'maxReceiveCount' AS INTEGER) AS receives
                   FROM (SELECT iif(json_valid(?1), ?1, '{}') AS policy))
             JOIN queue ON arn = target WHERE name <> ?2 AND receives BETWEEN 1 AND 1000",
            (policy, queue),
        )?;
        let refused = |reason: &str| {
            let problem = format!("Value {policy} for parameter RedrivePolicy is invalid.");
            invalid(format!("{problem} Reason: {reason}"))
        };
        let checked = checked.ok_or_else(|| {
            refused("Needs the ARN of another queue and a maxReceiveCount from 1 to 1000.")
        })?;
        let target = checked.get("deadLetterTargetArn").and_then(Value::as_str);
        if !self.allows(target.unwrap_or_default(), queue)? {
            return Err(refused("The dead-letter queue does not allow this queue."));
        }
        Ok(checked.to_string())
    }

    /// True when a dead-letter queue takes messages of that queue, as it does unless it says otherwise.
    fn allows(&self, target: &str, queue: &str) -> Outcome<bool> {
        let allowed: Option<[Value; 1]> = self.json(
            "SELECT json_array(CASE attributes ->> 'RedriveAllowPolicy' ->> 'redrivePermission'
                 WHEN 'denyAll' THEN 0
                 WHEN 'byQueue' THEN EXISTS (
                     SELECT 1 FROM json_each(attributes ->> 'RedriveAllowPolicy', '$.sourceQueueArns')
                     WHERE value = 'arn:aws:sqs:us-east-1:000000000000:' || ?2)
                 ELSE 1 END)
             FROM queue WHERE arn = ?1",
            (target, queue),
        )?;
        Ok(allowed.is_none_or(|[allowed]| allowed != json!(0)))
    }
}

/// The policy that says which queues may name this one as theirs for dead letters (page `SetQueueAttributes`).
fn checked_allow_policy(policy: &str) -> Outcome<String> {
    if policy.is_empty() {
        return Ok(String::new());
    }
    let parsed: Value = serde_json::from_str(policy).unwrap_or_default();
    let sources = parsed.get("sourceQueueArns").and_then(Value::as_array);
    let permission = parsed.get("redrivePermission").and_then(Value::as_str);
    match (permission, sources.map(Vec::len)) {
        (Some("allowAll" | "denyAll"), None) | (Some("byQueue"), Some(1..=10)) => {
            Ok(parsed.to_string())
        }
        _ => {
            let reason = "Needs a redrivePermission of allowAll, denyAll or byQueue, and with \
                          the last one up to 10 sourceQueueArns.";
            let problem = format!("Value {policy} for parameter RedriveAllowPolicy is invalid.");
            Err(invalid(format!("{problem} Reason: {reason}")))
        }
    }
}
