//! Messages, from sending to deletion.

use std::collections::BTreeSet;

use serde_json::{Map, Value, json};

use super::attribute::{digest, md5, size};
use super::call::Call;
use super::fault::{Outcome, fault, invalid, missing};
use super::queue::Queue;
use super::request::{is_name, is_text, is_wanted, number, text};

/// Bytes in a message and in a whole batch, attributes included ("Amazon SQS message quotas").
pub(super) const MAX_BYTES: usize = 1_048_576;

/// The one message system attribute that can be sent (page `SendMessage`).
const TRACE: &str = "AWSTraceHeader";

/// The most messages that may be received and not yet deleted or visible again ("Amazon SQS standard queue quotas").
const MAX_IN_FLIGHT: i64 = 120_000;

/// The longest name of a message group (page `SendMessage`).
const MAX_GROUP: usize = 128;

/// Result of one look for messages to receive.
pub(super) struct Received {
    pub(super) messages: Vec<Value>,
    /// Time to wait for a message, in milliseconds.
    pub(super) wait: i64,
    /// When the next hidden message becomes visible.
    pub(super) next_visible: Option<i64>,
}

impl Call<'_> {
    pub(super) fn send_message(&self, queue: &Queue, message: &Value) -> Outcome<Value> {
        let body = text(message, "MessageBody")?;
        if !is_text(body) {
            let problem = "Invalid characters found. Valid unicode characters are #x9 | #xA | #xD \
                           | #x20 to #xD7FF | #xE000 to #xFFFD | #x10000 to #x10FFFF";
            return Err(fault("InvalidMessageContents", problem));
        }
        let group = &message["MessageGroupId"];
        if !group.is_null() && !group.as_str().is_some_and(is_group) {
            return Err(invalid(
                "MessageGroupId can only include alphanumeric and punctuation characters. 1 to 128 \
                 in length",
            ));
        }
        let system = &message["MessageSystemAttributes"];
        if system
            .as_object()
            .is_some_and(|system| system.keys().any(|name| name != TRACE))
        {
            return Err(invalid(format!(
                "The only message system attribute is {TRACE}."
            )));
        }
        let of_attributes = digest(&message["MessageAttributes"])?;
        let of_system = digest(system)?;
        let limit = queue.number("MaximumMessageSize");
        if i64::try_from(size(message))? > limit {
            let reason = format!("Message must be shorter than {limit} bytes.");
            return Err(invalid(format!(
                "One or more parameters are invalid. Reason: {reason}"
            )));
        }
        let delay = number(message, "DelaySeconds", 0..=900)?;
        let visible_at = self.now + delay.unwrap_or(queue.number("DelaySeconds")) * 1000;
        let (of_body, message) = (md5(body), message.to_string());
        self.json(
            "INSERT INTO message (queue, sent, visible_at, message_group, trace, attributes, body)
             VALUES (?1, ?2, ?3, ?4 ->> 'MessageGroupId',
                 ?4 ->> '$.MessageSystemAttributes.AWSTraceHeader.StringValue',
                 ifnull(?4 -> 'MessageAttributes', '{}'), ?4 ->> 'MessageBody')
             RETURNING json_patch('{}', json_object('MessageId', id, 'MD5OfMessageBody', ?5,
                 'MD5OfMessageAttributes', ?6, 'MD5OfMessageSystemAttributes', ?7))",
            (
                &queue.name,
                self.now,
                visible_at,
                message,
                of_body,
                of_attributes,
                of_system,
            ),
        )
    }

    pub(super) fn receive_message(&self, request: &Value) -> Outcome<Received> {
        let queue = self.queue(text(request, "QueueUrl")?)?;
        let limit = number(request, "MaxNumberOfMessages", 1..=10)?.unwrap_or(1);
        let wait = number(request, "WaitTimeSeconds", 0..=20)?;
        let hidden_for = number(request, "VisibilityTimeout", 0..=43_200)?;
        let hidden_for = hidden_for.unwrap_or(queue.number("VisibilityTimeout")) * 1000;
        self.drop_expired(&queue)?;
        self.move_dead_letters(&queue)?;
        let wait = wait.unwrap_or(queue.number("ReceiveMessageWaitTimeSeconds")) * 1000;
        let room = MAX_IN_FLIGHT - self.in_flight(&queue)?;
        if room == 0 && wait == 0 {
            return Err(fault("OverLimit", "Too many messages are in flight."));
        }
        let limit = limit.min(room);
        let due: Vec<i64> = self.json(
            "SELECT json_group_array(seq) FROM (SELECT seq FROM message
                 WHERE queue = ?1 AND visible_at <= ?2 ORDER BY visible_at, seq LIMIT ?3)",
            (&queue.name, self.now, limit),
        )?;
        let messages = due
            .iter()
            .map(|seq| self.hand_out(&queue, *seq, hidden_for, request));
        let messages = messages.collect::<Result<_, _>>()?;
        let [next_visible] = self.json(
            "SELECT json_array(min(visible_at)) FROM message WHERE queue = ?1 AND visible_at > ?2",
            (&queue.name, self.now),
        )?;
        Ok(Received {
            messages,
            wait,
            next_visible,
        })
    }

    /// Number of messages in flight, as far as it matters.
    fn in_flight(&self, queue: &Queue) -> Outcome<i64> {
        let [count] = self.json(
            "SELECT json_array(count(*)) FROM (SELECT 1 FROM message
                 WHERE queue = ?1 AND visible_at > ?2 AND received > 0 LIMIT ?3)",
            (&queue.name, self.now, MAX_IN_FLIGHT),
        )?;
        Ok(count)
    }

    fn hand_out(
        &self,
        queue: &Queue,
        seq: i64,
        hidden_for: i64,
        request: &Value,
    ) -> Outcome<Value> {
        let mut message: Map<String, Value> = self.json(
            "UPDATE message SET visible_at = ?2 + ?3, received = received + 1,
                 first_received = ifnull(first_received, ?2)
             WHERE seq = ?1 RETURNING json_object('MessageId', id, 'Body', body,
                 'ReceiptHandle', id || '.' || received || '.' || ?4,
                 'MessageAttributes', json(attributes),
                 'Attributes', json_patch('{}', json_object(
                     'ApproximateFirstReceiveTimestamp', format('%d', first_received),
                     'ApproximateReceiveCount', format('%d', received),
                     'AWSTraceHeader', trace,
                     'DeadLetterQueueSourceArn', (SELECT arn FROM queue WHERE name = origin),
                     'MessageGroupId', message_group,
                     'SenderId', '000000000000',
                     'SentTimestamp', format('%d', sent))))",
            (seq, self.now, hidden_for, &queue.secret),
        )?;
        let wanted = [
            (
                "Attributes",
                &["AttributeNames", "MessageSystemAttributeNames"][..],
            ), // old and new
            ("MessageAttributes", &["MessageAttributeNames"]),
        ];
        for (attributes, lists) in wanted {
            if let Some(Value::Object(attributes)) = message.get_mut(attributes) {
                attributes
                    .retain(|name, _| lists.iter().any(|list| is_wanted(name, &request[list])));
            }
        }
        let attributes = message.get("MessageAttributes").unwrap_or(&Value::Null);
        let digests = [
            ("MD5OfMessageAttributes", digest(attributes)?),
            (
                "MD5OfBody",
                message.get("Body").and_then(Value::as_str).map(md5),
            ),
        ];
        message.extend(digests.map(|(name, digest)| (name.to_owned(), digest.into())));
        message.retain(|_, value| !value.is_null() && *value != json!({}));
        Ok(message.into())
    }

    /// Deletes a message by its newest handle. By an older one SQS says that "the message might not be deleted"
    /// (page `DeleteMessage`); here it never is.
    pub(super) fn delete_message(&self, queue: &Queue, entry: &Value) -> Outcome<Value> {
        let (id, receive) = receipt(queue, entry)?;
        self.run(
            "DELETE FROM message WHERE queue = ?1 AND id = ?2 AND received = ?3",
            (&queue.name, id, receive),
        )
    }

    pub(super) fn change_visibility(&self, queue: &Queue, entry: &Value) -> Outcome<Value> {
        let (id, receive) = receipt(queue, entry)?;
        let timeout = number(entry, "VisibilityTimeout", 0..=43_200)?;
        let timeout = timeout.ok_or_else(|| missing("VisibilityTimeout"))?;
        let found: Option<[i64; 1]> = self.json(
            "SELECT json_array(visible_at > ?4) FROM message
             WHERE queue = ?1 AND id = ?2 AND received = ?3",
            (&queue.name, id, receive, self.now),
        )?;
        match found {
            None => Err(invalid(format!(
                "Value {} for parameter ReceiptHandle is invalid. Reason: Message does not exist \
                 or is not available for visibility timeout change.",
                entry["ReceiptHandle"]
            ))),
            Some([0]) => Err(fault("MessageNotInflight", "The message is not in flight.")),
            Some(_) => self.run(
                "UPDATE message SET visible_at = ?2 WHERE id = ?1",
                (id, self.now + timeout * 1000),
            ),
        }
    }

    /// Performs each entry (page `SendMessageBatch`); one that is refused fails alone.
    pub(super) fn batch(
        &self,
        queue: &Queue,
        request: &Value,
        perform: fn(&Self, &Queue, &Value) -> Outcome<Value>,
    ) -> Outcome<Value> {
        let entries = request["Entries"].as_array().map_or(&[][..], Vec::as_slice);
        let ids: BTreeSet<_> = entries
            .iter()
            .filter_map(|entry| entry["Id"].as_str())
            .collect();
        let broken_rule = match entries.len() {
            0 => Some("EmptyBatchRequest"),
            11.. => Some("TooManyEntriesInBatchRequest"),
            _ if !ids.iter().all(|id| is_name(id)) => Some("InvalidBatchEntryId"),
            count if ids.len() < count => Some("BatchEntryIdsNotDistinct"),
            _ if entries.iter().map(size).sum::<usize>() > MAX_BYTES => Some("BatchRequestTooLong"),
            _ => None,
        };
        if let Some(code) = broken_rule {
            let rules = "A batch has 1 to 10 entries with distinct ids of up to 80 alphanumeric \
                         characters, hyphens and underscores, and at most 1048576 bytes.";
            return Err(fault(code, rules));
        }
        let (mut successful, mut failed) = (Vec::new(), Vec::new());
        for entry in entries {
            match perform(self, queue, entry) {
                Ok(Value::Object(mut done)) => {
                    done.insert("Id".into(), entry["Id"].clone());
                    successful.push(done);
                }
                Err(fault) if !fault.is_internal() => failed.push(json!({
                    "Id": entry["Id"],
                    "Code": fault.code,
                    "Message": fault.message,
                    "SenderFault": true,
                })),
                other => return other,
            }
        }
        Ok(json!({ "Successful": successful, "Failed": failed }))
    }

    pub(super) fn drop_expired(&self, queue: &Queue) -> Outcome<Value> {
        let oldest = self.now - queue.number("MessageRetentionPeriod") * 1000;
        self.run(
            "DELETE FROM message WHERE queue = ?1 AND sent <= ?2",
            (&queue.name, oldest),
        )
    }

    /// Moves the visible messages that were handed out as often as the queue allows. They keep
    /// their id, sent time and receive count ("Using dead-letter queues in Amazon SQS").
    fn move_dead_letters(&self, queue: &Queue) -> Outcome<Value> {
        // The plus keeps SQLite from looking at every visible message.
        self.run(
            "UPDATE message SET queue = target.name, origin = source.name, visible_at = ?2
             FROM queue AS source JOIN queue AS target ON target.arn = source.dead_letter_arn
             WHERE source.name = ?1 AND message.queue = ?1
                 AND message.received >= source.max_receives AND +message.visible_at <= ?2",
            (&queue.name, self.now),
        )
    }
}

/// True for a name that a message group can have.
fn is_group(text: &str) -> bool {
    let allowed = |c: char| c.is_ascii_alphanumeric() || c.is_ascii_punctuation();
    (1..=MAX_GROUP).contains(&text.len()) && text.chars().all(allowed)
}

/// The id of the message that a receipt handle was issued for, and the number of the receive. The
/// message may be gone.
fn receipt<'a>(queue: &Queue, request: &'a Value) -> Outcome<(&'a str, i64)> {
    let handle = text(request, "ReceiptHandle")?;
    let mut parts = handle.splitn(3, '.');
    let receipt = (parts.next(), parts.next().map(str::parse), parts.next());
    match receipt {
        (Some(id), Some(Ok(receive)), Some(secret)) if secret == queue.secret => Ok((id, receive)),
        _ => {
            let problem = "is not a valid receipt handle.";
            let problem = format!("The input receipt handle \"{handle}\" {problem}");
            Err(fault("ReceiptHandleIsInvalid", problem))
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::super::Sqs;
    use super::*;

    #[test]
    fn a_queue_hands_out_no_more_than_may_be_in_flight() {
        let sqs = Sqs::open(None).unwrap();
        let receive = |wait: i64| {
            let request =
                json!({ "QueueUrl": "q", "WaitTimeSeconds": wait, "MaxNumberOfMessages": 10 });
            sqs.transact("", |call| call.receive_message(&request))
        };
        let made = sqs.transact("", |call| {
            call.create_queue(&json!({ "QueueName": "q" }))?;
            call.run(
                "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 120001)
                 INSERT INTO message (queue, sent, visible_at, received, attributes, body)
                 SELECT 'q', ?1, iif(i < 119998, ?1 + 60000, ?1), i < 119998, '{}', 'x' FROM n",
                [call.now],
            )
        });
        assert!(made.is_ok());
        let taken = receive(1).ok().map(|found| found.messages.len());
        assert_eq!(taken, Some(3), "of the four that are visible");
        let code = receive(0).err().map(|fault| fault.code);
        assert_eq!(code.as_deref(), Some("OverLimit"));
        let waited = receive(1).ok().map(|found| found.messages.len());
        assert_eq!(waited, Some(0), "a long poll just waits");
    }
}
