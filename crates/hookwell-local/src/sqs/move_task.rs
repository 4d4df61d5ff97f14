//! Moving dead letters back ("Learn how to configure a dead-letter queue redrive in Amazon SQS").

use serde_json::{Value, json};

use super::call::Call;
use super::fault::{Outcome, fault, invalid};
use super::queue::Queue;
use super::request::{number, text};

impl Call<'_> {
    pub(super) fn start_message_move_task(&self, request: &Value) -> Outcome<Value> {
        let source = self.resource(request, "SourceArn")?;
        let destination = match request["DestinationArn"] {
            Value::Null => None,
            _ => Some(self.resource(request, "DestinationArn")?.arn),
        };
        let rate = number(request, "MaxNumberOfMessagesPerSecond", 1..=500)?;
        let [sources, running]: [i64; 2] = self.json(
            "SELECT json_array((SELECT count(*) FROM queue WHERE dead_letter_arn = ?2),
                 (SELECT count(*) FROM move_task WHERE source = ?1 AND status = 'RUNNING'))",
            (&source.name, &source.arn),
        )?;
        if sources == 0 {
            return Err(invalid(
                "Source queue must be configured as a Dead Letter Queue.",
            ));
        }
        if running > 0 {
            return Err(invalid(
                "There is already a task running. Only one active task is allowed for a source \
                 queue arn at a given time.",
            ));
        }
        self.drop_expired(&source)?;
        self.json(
            "INSERT INTO move_task (source, destination, rate, started, next_at, to_move)
             SELECT ?1, ?2, ?3, ?4, ?4, count(*) FROM message WHERE queue = ?1 AND visible_at <= ?4
             RETURNING json_object('TaskHandle', handle)",
            (&source.name, destination, rate, self.now),
        )
    }

    pub(super) fn list_message_move_tasks(&self, request: &Value) -> Outcome<Value> {
        let source = self.resource(request, "SourceArn")?;
        let limit = number(request, "MaxResults", 1..=10)?.unwrap_or(1);
        self.json(
            "SELECT json_object('Results', json_group_array(json_patch('{}', json_object(
                 'TaskHandle', iif(status = 'RUNNING', handle, NULL),
                 'Status', status, 'FailureReason', failure, 'StartedTimestamp', started,
                 'SourceArn', ?2, 'DestinationArn', destination,
                 'MaxNumberOfMessagesPerSecond', rate,
                 'ApproximateNumberOfMessagesMoved', moved,
                 'ApproximateNumberOfMessagesToMove', to_move))))
             FROM (SELECT * FROM move_task WHERE source = ?1 ORDER BY seq DESC LIMIT ?3)",
            (&source.name, &source.arn, limit),
        )
    }

    pub(super) fn cancel_message_move_task(&self, request: &Value) -> Outcome<Value> {
        let handle = text(request, "TaskHandle")?;
        let task: Option<(String, i64)> = self.json(
            "SELECT json_array(status, moved) FROM move_task WHERE handle = ?1",
            [handle],
        )?;
        let (status, moved) =
            task.ok_or_else(|| fault("ResourceNotFoundException", "Task does not exist."))?;
        if status != "RUNNING" {
            return Err(fault(
                "UnsupportedOperation",
                "Only a running task can be cancelled.",
            ));
        }
        self.end_move_task(handle, "CANCELLED", None)?;
        Ok(json!({ "ApproximateNumberOfMessagesMoved": moved }))
    }

    fn end_move_task(&self, handle: &str, status: &str, failure: Option<String>) -> Outcome<Value> {
        let update = "UPDATE move_task SET status = ?2, failure = ?3 WHERE handle = ?1";
        self.run(update, (handle, status, failure))
    }

    fn resource(&self, request: &Value, member: &str) -> Outcome<Queue> {
        let arn = text(request, member)?;
        let queue = self.find(arn)?.filter(|queue| queue.arn == arn);
        queue.ok_or_else(|| {
            let problem = format!("The resource that you specified for the {member} parameter");
            fault(
                "ResourceNotFoundException",
                format!("{problem} doesn't exist."),
            )
        })
    }
}

/// Moves one message of the task that is due first, and returns when the next one is due, or
/// nothing if no task runs.
///
/// Only messages that were visible when the task started are moved, so one that fails again is
/// not moved in circles. A moved message is a new one: id, sent time and count start afresh.
pub(super) fn move_next_message(call: &Call<'_>) -> Outcome<Option<i64>> {
    type Task = (String, String, Option<String>, i64, i64, i64);
    let task: Option<Task> = call.json(
        "SELECT json_array(handle, source, destination, ifnull((999 + rate) / rate, 0), started,
             next_at) FROM move_task WHERE status = 'RUNNING' ORDER BY next_at LIMIT 1",
        [],
    )?;
    let Some((handle, source, destination, pause, started, next_at)) = task else {
        return Ok(None);
    };
    if next_at > call.now {
        return Ok(Some(next_at));
    }
    let message: Option<(i64, Option<String>, Option<String>)> = call.json(
        "SELECT json_array(seq, target.name, iif(?3 IS NULL AND origin IS NULL,
             'CouldNotDetermineMessageSource', 'AWS.SimpleQueueService.NonExistentQueue'))
         FROM message LEFT JOIN queue AS target
             ON iif(?3 IS NULL, target.name = origin, target.arn = ?3)
         WHERE queue = ?1 AND visible_at <= ?2 ORDER BY visible_at, seq LIMIT 1",
        (source, started, destination),
    )?;
    match message {
        None => call.end_move_task(&handle, "COMPLETED", None)?,
        Some((_, None, failure)) => call.end_move_task(&handle, "FAILED", failure)?,
        Some((seq, Some(target), _)) => {
            call.run(
                "UPDATE message SET queue = ?2, id = lower(hex(randomblob(16))), origin = NULL,
                     sent = ?3, visible_at = ?3, received = 0, first_received = NULL
                 WHERE seq = ?1",
                (seq, target, call.now),
            )?;
            call.run(
                "UPDATE move_task SET moved = moved + 1, next_at = ?2 WHERE handle = ?1",
                (handle, call.now + pause),
            )?
        }
    };
    Ok(Some(call.now))
}
