//! The queue between ingest and process, its mapping and its dead-letter queue.

use hookwell::process::TRIES_IN_PLACE;

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

/// "Creating and configuring an Amazon SQS event source mapping": six times the function's timeout.
const VISIBILITY_FACTOR: u64 = 6;

/// End of a schedule's target ARN that names the call which moves messages back.
const MOVE_TASK: &str = ":sqs:startMessageMoveTask";

pub(super) fn partial_batch(deployment: &Deployment<'_>, report: &mut Report) {
    for mapping in deployment.mappings() {
        let place = mapping.place.at("FunctionResponseTypes");
        let types = place.elements();
        let mut types = types.iter();
        let is_hookwells = mapping.function.is_hookwells();
        let is_alone = mapping.place.at("BatchSize").is("1") && !is_hookwells;
        if is_alone || types.any(|one| one.may_be("ReportBatchItemFailures")) {
            continue;
        }
        let message = if is_hookwells {
            "lacks ReportBatchItemFailures, so the messages that process reports as failed are deleted: add it"
        } else {
            "lacks ReportBatchItemFailures, so a function that raises an error gets its whole batch again, and one that reports which messages failed loses them: add it"
        };
        report.problem(&place, message);
    }
}

pub(super) fn maximum_concurrency(deployment: &Deployment<'_>, report: &mut Report) {
    for mapping in deployment.mappings() {
        let place = mapping.place.at("ScalingConfig.MaximumConcurrency");
        let pollers = mapping.place.at("ProvisionedPollerConfig.MaximumPollers");
        // AWS takes one of both.
        if place.is_missing() && pollers.is_missing() {
            let message = "is missing, so a backlog takes as many functions as the account allows or this one reserves, and each throttled batch counts as a receive: set 2 or more";
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
        if mapping.function.is_hookwells()
            && let Some(receives) = report.number(&place, 0)
            && receives != u64::from(TRIES_IN_PLACE)
        {
            let message = format!(
                "is {receives}, but process tries a message {TRIES_IN_PLACE} times before it waits: set {TRIES_IN_PLACE}"
            );
            report.problem(&place, message);
        }
    }
}

/// A dead-letter queue right behind the queue fills in an outage of a minute, because process counts on a queue between
/// them from which messages come back.
pub(super) fn retry_queue(deployment: &Deployment<'_>, report: &mut Report) {
    for mapping in deployment.mappings() {
        let Some(target) = deployment.redrive_target(mapping.queue) else {
            continue;
        };
        let policy = target.properties().at("RedrivePolicy");
        if policy.is_missing() {
            let receives = mapping
                .queue
                .properties()
                .at("RedrivePolicy.maxReceiveCount");
            let receives = receives.text().unwrap_or("so many");
            let message = format!(
                "is missing, so what {} fails {receives} times is a dead letter, in an outage everything: make this a retry queue, which names a dead-letter queue of its own and is emptied by a schedule",
                mapping.function.id
            );
            report.problem(&policy, message);
        } else if !is_moved_back(deployment, target) {
            let message = "is a retry queue that nothing empties: add an AWS::Scheduler::Schedule that calls sqs:startMessageMoveTask with it as SourceArn";
            report.problem(&target.place(), message);
        }
    }
}

/// True when a schedule starts move tasks from the queue, as far as the template tells.
fn is_moved_back(deployment: &Deployment<'_>, queue: &Resource) -> bool {
    deployment.of(&["AWS::Scheduler::Schedule"]).any(|one| {
        let target = one.properties().at("Target");
        let input = target.at("Input");
        let names = |text: &str| {
            let reference = format!("${{{}", queue.id);
            let name = queue.physical_name();
            text.contains(&reference) || name.is_some_and(|name| text.contains(&*name))
        };
        let arn = target.at("Arn");
        !one.properties().at("State").is("DISABLED")
            && arn.text().is_none_or(|arn| arn.ends_with(MOVE_TASK))
            && !input.is_missing()
            && input.text().is_none_or(names)
    })
}

pub(super) fn redrive_allowed(deployment: &Deployment<'_>, report: &mut Report) {
    for queue in deployment.of(&["AWS::SQS::Queue"]) {
        let Some(letters) = deployment.redrive_target(queue) else {
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
    for queue in deployment.queues() {
        let place = queue.properties().at("MessageRetentionPeriod");
        if let Some(kept) = report.number(&place, DEFAULT_RETENTION)
            && kept < MAX_RETENTION
        {
            let message = format!("is {kept} s: set {MAX_RETENTION}, the 14 days that SQS allows");
            report.problem(&place, message);
        }
    }
}

pub(super) fn message_size(deployment: &Deployment<'_>, report: &mut Report) {
    for queue in deployment.queues() {
        let place = queue.properties().at("MaximumMessageSize");
        if place.is_missing() {
            let message = format!(
                "is missing, and a queue that was made before August 2025 has a default of a quarter of this: set {MESSAGE_SIZE}"
            );
            report.problem(&place, message);
        } else if let Some(bytes) = report.number(&place, 0)
            && bytes < MESSAGE_SIZE
        {
            let message = format!(
                "is {bytes}, so SQS refuses an event that is larger: set {MESSAGE_SIZE}, the most that it takes"
            );
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
        let statements = properties.at("PolicyDocument.Statement").elements();
        // `*` stands for whichever queue the policy is set on.
        let is_for_all = statements.iter().all(|one| one.at("Resource").is("*"));
        if queues.elements().len() > 1 && !is_for_all {
            let message = "has more than one queue: write a policy for each";
            report.problem(&queues, message);
        }
        for statement in statements {
            let resource = statement.at("Resource");
            if resource.elements().len() > 1 {
                let message = "names more than one queue, which the policy of a queue cannot: name the one that it is for";
                report.problem(&resource, message);
            }
        }
    }
}
