//! The alarms that somebody has to be woken by.

use crate::deployment::Deployment;
use crate::endpoints::{Door, ingests, receiving};
use crate::place::Place;
use crate::report::Report;
use crate::resolve::Resource;

pub(super) fn dead_letters(deployment: &Deployment<'_>, report: &mut Report) {
    let metric = "ApproximateNumberOfMessagesVisible";
    for mapping in deployment.mappings() {
        if let Some(queue) = deployment.dead_letters(mapping.queue)
            && !has_alarm(deployment, "AWS/SQS", metric, Some(queue))
        {
            let message = format!(
                "is a dead-letter queue without an alarm: add one on {metric} over 0 (NumberOfMessagesSent does not count what SQS moves)"
            );
            report.problem(&queue.place(), message);
        }
    }
}

pub(super) fn oldest_message(deployment: &Deployment<'_>, report: &mut Report) {
    let metric = "ApproximateAgeOfOldestMessage";
    for queue in deployment.queues() {
        if !has_alarm(deployment, "AWS/SQS", metric, Some(queue)) {
            let message = format!(
                "has no alarm on {metric}: add one over minutes for a queue, over hours for its retry queue, and over days for its dead-letter queue"
            );
            report.problem(&queue.place(), message);
        }
    }
}

/// `Errors` of the function does not do: a 503 is an answer, not an error of the function.
pub(super) fn server_errors(deployment: &Deployment<'_>, report: &mut Report) {
    for endpoint in receiving(deployment) {
        let (namespace, metric, of) = match endpoint.door {
            Door::FunctionUrl => ("AWS/Lambda", "Url5xxCount", Some(endpoint.function)),
            Door::HttpApi => ("AWS/ApiGateway", "5xx", None),
            Door::RestApi => ("AWS/ApiGateway", "5XXError", None),
            Door::LoadBalancer => ("AWS/ApplicationELB", "HTTPCode_Target_5XX_Count", None),
        };
        if !has_alarm(deployment, namespace, metric, of) {
            let message = format!(
                "takes webhooks, and no alarm counts the 5xx that senders get: add one on {namespace} {metric}"
            );
            report.problem(&endpoint.place, message);
        }
    }
}

pub(super) fn throttles(deployment: &Deployment<'_>, report: &mut Report) {
    for function in ingests(deployment) {
        if !has_alarm(deployment, "AWS/Lambda", "Throttles", Some(function)) {
            let message = "takes webhooks and has no alarm on Throttles: add one over 0";
            report.problem(&function.place(), message);
        }
    }
}

pub(super) fn quiet_source(deployment: &Deployment<'_>, report: &mut Report) {
    let Some(resources) = deployment.root() else {
        return;
    };
    for source in deployment.sources {
        let Some(hours) = source.expect_every else {
            continue;
        };
        let (name, seconds) = (&source.name, u32::from(hours).saturating_mul(3600));
        if !deployment
            .alarms()
            .any(|alarm| is_quiet(&alarm, name, seconds))
        {
            let message = format!(
                "have no alarm for sources.{name}, which expects a delivery every {hours} h: add one on duration_ms with the dimensions source={name} and outcome=received, SampleCount below 1 in {seconds} s, TreatMissingData: breaching (docs/operations.md, A source that has gone quiet)"
            );
            report.problem(&resources, message);
        }
    }
}

/// True when an alarm goes off after so many seconds without a delivery of the source.
fn is_quiet(alarm: &Place<'_>, source: &str, seconds: u32) -> bool {
    let dimensions = alarm.at("Dimensions").elements();
    let has = |name: &str, value: &str| {
        let mut dimensions = dimensions.iter();
        dimensions.any(|one| one.at("Name").is(name) && one.at("Value").is(value))
    };
    let number = |name: &str| {
        alarm
            .at(name)
            .text()
            .and_then(|text| text.parse::<u32>().ok())
    };
    let operator = alarm.at("ComparisonOperator");
    let time = number("Period").zip(number("EvaluationPeriods"));
    alarm.at("MetricName").is("duration_ms")
        && has("source", source)
        && has("outcome", "received")
        && alarm.at("Statistic").is("SampleCount")
        && operator.text().is_some_and(|text| text.starts_with("Less"))
        && alarm.at("TreatMissingData").is("breaching")
        && time.is_some_and(|(period, periods)| period.saturating_mul(periods) == seconds)
        && !alarm.at("ActionsEnabled").is("false")
}

/// True when an alarm watches this metric of that resource, by itself or in an expression, goes off when the value is
/// too high, and tells somebody then.
fn has_alarm(
    deployment: &Deployment<'_>,
    namespace: &str,
    metric: &str,
    of: Option<&Resource>,
) -> bool {
    let watches = |one: &Place<'_>| {
        let dimensions = one.at("Dimensions").elements();
        let is_of = |resource: &Resource| {
            dimensions.iter().map(|one| one.at("Value")).any(|value| {
                value.target() == Some(&resource.id)
                    || (value.name().is_some() && value.name() == resource.physical_name())
            })
        };
        one.at("Namespace").is(namespace) && one.at("MetricName").is(metric) && of.is_none_or(is_of)
    };
    deployment.alarms().filter(goes_off).any(|alarm| {
        let inner = alarm.at("Metrics").elements();
        let inner = inner.iter().map(|one| one.at("MetricStat.Metric"));
        std::iter::once(alarm.clone())
            .chain(inner)
            .any(|one| watches(&one))
    })
}

/// Everything watched here is bad when it is high; the operators are those of "PutMetricAlarm".
fn goes_off(alarm: &Place<'_>) -> bool {
    let operator = alarm.at("ComparisonOperator");
    let is_upward = match operator.text() {
        Some(name) => name.starts_with("Greater"),
        None => !operator.is_missing(),
    };
    is_upward && !alarm.at("ActionsEnabled").is("false")
}
