//! The queue between ingest and process, its mapping and its dead-letter queue.

use super::functions::DEFAULT_TIMEOUT;
use crate::deployment::Deployment;
use crate::place::Place;
use crate::report::Report;
use crate::resolve::Resource;

const DAY: u64 = 86_400;

/// Default visibility timeout of SQS, in seconds: `AWS::SQS::Queue`.
const DEFAULT_VISIBILITY: u64 = 30;
/// Default retention of messages in SQS, in seconds: `AWS::SQS::Queue`.
const DEFAULT_RETENTION: u64 = 4 * DAY;

/// The longest that SQS keeps a message, in seconds: "Amazon SQS message quotas".
const MAX_RETENTION: u64 = 14 * DAY;

/// The largest message of ingest, a million bytes, needs the most that SQS takes, in bytes. What is larger goes to the bucket.
const MESSAGE_SIZE: u64 = 1_048_576;

/// "Creating and configuring an Amazon SQS event source mapping": six times the function's timeout, and five receives.
const VISIBILITY_FACTOR: u64 = 6;
/// As above.
const MIN_RECEIVES: u64 = 5;

pub(super) fn partial_batch(deployment: &Deployment<'_>, report: &mut Report) {
    for mapping in deployment.mappings() {
        let place = mapping.place.at("FunctionResponseTypes");
        let types = place.elements();
        if !types
            .iter()
            .any(|one| one.may_be("ReportBatchItemFailures"))
        {
            let message = "lacks ReportBatchItemFailures, so the messages that process reports as failed are deleted: add it";
            report.problem(&place, message);
        }
    }
}

pub(super) fn maximum_concurrency(deployment: &Deployment<'_>, report: &mut Report) {
    for mapping in deployment.mappings() {
        let place = mapping.place.at("ScalingConfig.MaximumConcurrency");
        if place.is_missing() {
            let message = "is missing, so a backlog runs as many functions as the account allows: set 2 or more";
            report.problem(&place, message);
        }
    }
}

pub(super) fn reserved_concurrency(deployment: &Deployment<'_>, report: &mut Report) {
    for mapping in deployment.mappings() {
        let function = mapping.function.properties();
        let place = function.at("ReservedConcurrentExecutions");
        let most = mapping.place.at("ScalingConfig.MaximumConcurrency");
        // A maximum that is missing is found by the rule above.
        if place.is_missing() || most.is_missing() {
            continue;
        }
        let (Some(reserved), Some(most)) = (
            report.number(&place, u64::MAX),
            report.number(&most, u64::MAX),
        ) else {
            continue;
        };
        if reserved < most {
            let message = format!(
                "reserves {reserved}, less than the mapping may run at once, so SQS batches are throttled: limit with ScalingConfig.MaximumConcurrency instead"
            );
            report.problem(&place, message);
        }
    }
}

pub(super) fn visibility_timeout(deployment: &Deployment<'_>, report: &mut Report) {
    for mapping in deployment.mappings() {
        let function = mapping.function.properties();
        let place = mapping.queue.properties().at("VisibilityTimeout");
        let timeout = report.number(&function.at("Timeout"), DEFAULT_TIMEOUT);
        let window = mapping.place.at("MaximumBatchingWindowInSeconds");
        let window = report.number(&window, 0);
        let visibility = report.number(&place, DEFAULT_VISIBILITY);
        let (Some(timeout), Some(window), Some(visibility)) = (timeout, window, visibility) else {
            continue;
        };
        let needed = timeout
            .saturating_mul(VISIBILITY_FACTOR)
            .saturating_add(window);
        if visibility < needed {
            let message = format!(
                "is {visibility} s, but {} runs up to {timeout} s and collects a batch for {window} s: set {needed} or more (6 x timeout + window)",
                mapping.function.id
            );
            report.problem(&place, message);
        }
    }
}

pub(super) fn redrive(deployment: &Deployment<'_>, report: &mut Report) {
    for mapping in deployment.mappings() {
        let policy = mapping.queue.properties().at("RedrivePolicy");
        if policy.is_missing() {
            let message = "is missing, so a message that always fails is tried until it expires: name a dead-letter queue and maxReceiveCount";
            report.problem(&policy, message);
            continue;
        }
        let target = policy.at("deadLetterTargetArn");
        let place = policy.at("maxReceiveCount");
        if target.is_missing() {
            report.problem(&target, "is missing: name a dead-letter queue");
        }
        if let Some(receives) = report.number(&place, 0)
            && receives < MIN_RECEIVES
        {
            let message = format!(
                "is {receives}: a short failure of DynamoDB or a throttled batch sends healthy messages to the dead-letter queue; set {MIN_RECEIVES} or more"
            );
            report.problem(&place, message);
        }
    }
}

pub(super) fn redrive_allowed(deployment: &Deployment<'_>, report: &mut Report) {
    for queue in deployment.of(&["AWS::SQS::Queue"]) {
        let Some(letters) = deployment.dead_letters(queue) else {
            continue;
        };
        let policy = letters.properties().at("RedriveAllowPolicy");
        let mut allowed = policy.at("sourceQueueArns").elements().into_iter();
        let is_refused = match policy.at("redrivePermission").text() {
            Some("denyAll") => true,
            Some("byQueue") => !allowed.any(|arn| may_name(&arn, queue)),
            _ => false,
        };
        if is_refused {
            let message = format!(
                "refuses the messages of {}, whose dead-letter queue this is: name it in sourceQueueArns",
                queue.id
            );
            report.problem(&policy, message);
        }
    }
}

/// True for an ARN that is the queue's, as far as the template tells.
fn may_name(arn: &Place<'_>, queue: &Resource) -> bool {
    let Some(text) = arn.text() else {
        return arn.target().is_none_or(|id| id == queue.id);
    };
    let name = queue.properties().at("QueueName");
    match name.text() {
        Some(name) => text.rsplit(':').next() == Some(name),
        None => !name.is_missing() || arn.target() == Some(&queue.id),
    }
}

pub(super) fn retention(deployment: &Deployment<'_>, report: &mut Report) {
    for mapping in deployment.mappings() {
        let Some(dead_letters) = deployment.dead_letters(mapping.queue) else {
            continue;
        };
        let place = dead_letters.properties().at("MessageRetentionPeriod");
        let of_queue = mapping.queue.properties().at("MessageRetentionPeriod");
        let kept = report.number(&place, DEFAULT_RETENTION);
        let waited = report.number(&of_queue, DEFAULT_RETENTION);
        if let Some(kept) = kept
            && kept < MAX_RETENTION
        {
            let message = format!(
                "is {kept} s in the dead-letter queue of {}, where messages wait for a person: set {MAX_RETENTION}, the 14 days that SQS allows",
                mapping.queue.id
            );
            report.problem(&place, message);
        } else if waited.is_some_and(|waited| waited >= MAX_RETENTION) {
            let message = "is as long as in the dead-letter queue, which keeps the age of a message: one that waited here is deleted on arrival there; set 4 days";
            report.problem(&of_queue, message);
        }
    }
}

pub(super) fn message_size(deployment: &Deployment<'_>, report: &mut Report) {
    for queue in deployment.queues() {
        let place = queue.properties().at("MaximumMessageSize");
        if place.is_missing() {
            let message = format!(
                "is missing, and its default was a quarter of this until August 2025: set {MESSAGE_SIZE}"
            );
            report.problem(&place, message);
        } else if let Some(bytes) = report.number(&place, 0)
            && bytes < MESSAGE_SIZE
        {
            let message = format!("is {bytes}, but ingest sends up to {MESSAGE_SIZE}: set that");
            report.problem(&place, message);
        }
    }
}

/// SQS encrypts by itself where a template says nothing: `AWS::SQS::Queue`.
pub(super) fn encryption(deployment: &Deployment<'_>, report: &mut Report) {
    for queue in deployment.queues() {
        let place = queue.properties().at("SqsManagedSseEnabled");
        if place.is("false") && queue.properties().at("KmsMasterKeyId").is_missing() {
            report.problem(
                &place,
                "switches the encryption off: set true, or leave it out",
            );
        }
    }
}

/// "Each policy must cover only a single queue": "Special Information for SQS Policies".
pub(super) fn policy(deployment: &Deployment<'_>, report: &mut Report) {
    for policy in deployment.of(&["AWS::SQS::QueuePolicy"]) {
        let properties = policy.properties();
        let queues = properties.at("Queues");
        if queues.elements().len() > 1 {
            let message = "has more than one queue: write a policy for each";
            report.problem(&queues, message);
        }
        for statement in properties.at("PolicyDocument.Statement").elements() {
            let resource = statement.at("Resource");
            if resource.elements().len() > 1 {
                let message = "names more than one queue, which the policy of a queue cannot: name the one that it is for";
                report.problem(&resource, message);
            }
        }
    }
}
