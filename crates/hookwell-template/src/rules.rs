//! The rules, in the order of a delivery's way: endpoint, functions, queue, tables, then who may do what and who is told.

pub(crate) mod access;
mod alarms;
mod functions;
mod gateway;
mod outputs;
mod queues;
mod secrets;
mod tables;

use crate::deployment::Deployment;
use crate::report::Report;

/// One thing that a template must have.
#[derive(Debug)]
pub struct Rule {
    /// Name of the rule in findings.
    pub id: &'static str,
    /// Consequence when a template lacks it.
    pub without: &'static str,
    pub(crate) look: fn(&Deployment<'_>, &mut Report),
}

macro_rules! rules {
    ($($id:literal $look:path, $without:literal;)*) => {
        /// Every rule.
        pub const RULES: &[Rule] = &[$(Rule { id: $id, without: $without, look: $look }),*];
    };
}

rules! {
    "wiring" functions::wiring, "nothing here receives webhooks, queues and processes them, so no other rule can see a mistake";
    "unverified-queue" gateway::unverified_queue, "API Gateway puts whatever anybody sends into the queue, and answers 200: no signature was verified";
    "ingest-timeout" functions::ingest_timeout, "a function that hangs still runs when the sender has given up";
    "log-retention" functions::log_retention, "Lambda makes the log group itself and keeps every line for ever, at your cost";
    "partial-batch" queues::partial_batch, "Lambda ignores which messages failed and deletes them all: events are lost";
    "maximum-concurrency" queues::maximum_concurrency, "a full queue takes the whole account's concurrency, ingest's share with it";
    "reserved-concurrency" queues::reserved_concurrency, "each throttled batch counts as a receive, and healthy messages end in the dead-letter queue";
    "visibility-timeout" queues::visibility_timeout, "messages come back, and count as received, while they are still being worked on";
    "redrive" queues::redrive, "one message that always fails comes back until it expires, and is then lost unseen";
    "retry-queue" queues::retry_queue, "an outage of a minute sends everything to the dead-letter queue, or leaves it where nobody looks until it expires";
    "redrive-allowed" queues::redrive_allowed, "SQS moves no message to a queue that refuses it: one that always fails comes back until it expires, and is then lost unseen";
    "retention" queues::retention, "SQS deletes what waits, or what nobody has read yet, earlier than it could";
    "message-size" queues::message_size, "SQS refuses a large event every time, and its sender gets 503 until it gives up";
    "queue-encryption" queues::encryption, "events lie unencrypted on disk";
    "queue-policy" queues::policy, "SQS refuses a policy that names two queues, and the deployment is rolled back";
    "ttl-attribute" tables::ttl_attribute, "DynamoDB never deletes a record or tombstone, and the tables only grow";
    "events-index" tables::events_index, "each list, tail and look of the page over the account reads the whole events table, at your cost";
    "point-in-time-recovery" tables::point_in_time_recovery, "a wrong deletion or a bad release cannot be undone";
    "documents-kept" tables::documents_kept, "your data is gone with the stack, with a replaced table or with one mistaken call";
    "outputs" outputs::outputs, "`hookwell events`, `dlq` and the other commands do not find the stack's tables and queues, or work on the wrong ones";
    "url-permissions" access::url_permissions, "the function URL answers 403 to everybody";
    "missing-action" access::missing_action, "AWS refuses the call: events are not told from their copies, not queued, or never applied";
    "wildcard" access::wildcard, "whoever takes over the function can do more than the function does";
    "secret-variable" secrets::variable, "the source has no secret and answers 503";
    "plain-secret" secrets::plain, "the secret is in the repository, for everybody who can read it";
    "no-echo" secrets::no_echo, "the console and the API show the secret to everybody who may look at the stack";
    "alarm-dead-letters" alarms::dead_letters, "events that failed for good wait unseen until they expire";
    "alarm-oldest-message" alarms::oldest_message, "nobody notices that events are not applied, or that letters are about to be deleted";
    "alarm-server-errors" alarms::server_errors, "senders disable a webhook after a few 5xx, and nobody knows why no event comes";
    "alarm-quiet-source" alarms::quiet_source, "a sender that has stopped sending is no error anywhere, and nobody notices";
    "alarm-throttles" alarms::throttles, "Lambda turns senders away before the function runs, so its own errors stay at zero";
}
