//! The functions and what they need around them.

use crate::deployment::Deployment;
use crate::node::Value;
use crate::place::Place;
use crate::report::Report;
use crate::resolve::Resource;

/// The longest timeout of ingest, in seconds. The impatient senders of docs/providers.md wait 3 to 5 s.
const MAX_INGEST_TIMEOUT: u64 = 5;

/// Lambda's own timeout, in seconds, where a template sets none.
pub(super) const DEFAULT_TIMEOUT: u64 = 3;

pub(super) fn wiring(deployment: &Deployment<'_>, report: &mut Report) {
    let Some(root) = deployment.root() else {
        return;
    };
    if deployment.endpoints().is_empty() {
        report.problem(
            &root,
            "no function has a URL or an API: add an AWS::Lambda::Url or an AWS::ApiGatewayV2::Integration",
        );
    }
    if deployment.mappings().is_empty() {
        report.problem(
            &root,
            "no queue feeds a function: add an AWS::Lambda::EventSourceMapping from an AWS::SQS::Queue of this template",
        );
    }
}

pub(super) fn ingest_timeout(deployment: &Deployment<'_>, report: &mut Report) {
    for function in deployment.ingests() {
        let place = function.properties().at("Timeout");
        if let Some(seconds) = report.number(&place, DEFAULT_TIMEOUT)
            && seconds > MAX_INGEST_TIMEOUT
        {
            let message = format!(
                "is {seconds} s, but senders wait no longer than {MAX_INGEST_TIMEOUT} s: set {MAX_INGEST_TIMEOUT} or less and leave slow work to the queue"
            );
            report.problem(&place, message);
        }
    }
}

pub(super) fn log_retention(deployment: &Deployment<'_>, report: &mut Report) {
    let groups: Vec<_> = deployment.of(&["AWS::Logs::LogGroup"]).collect();
    for group in &groups {
        let place = group.properties().at("RetentionInDays");
        if place.is_missing() {
            report.problem(
                &place,
                "is missing, so logs are kept for ever: set the days",
            );
        }
    }
    for function in deployment.functions() {
        let place = function.properties().at("LoggingConfig.LogGroup");
        if !groups
            .iter()
            .any(|group| writes_to(function, &place, group))
        {
            let message = "names no log group of this template: add an AWS::Logs::LogGroup with RetentionInDays and name it here";
            report.problem(&place, message);
        }
    }
}

/// By its configuration, or by the name that Lambda gives a group: `/aws/lambda/` and the function's name.
fn writes_to(function: &Resource, place: &Place<'_>, group: &Resource) -> bool {
    if !place.is_missing() {
        let is_unknown = matches!(place.value(), Some(Value::Unknown));
        let name = group.physical_name();
        return is_unknown
            || place.target() == Some(&group.id)
            || (name.is_some() && name == place.text());
    }
    let Some(of) = group
        .physical_name()
        .and_then(|name| name.strip_prefix("/aws/lambda/"))
    else {
        return false;
    };
    of == format!("${{{}}}", function.id) || function.physical_name() == Some(of)
}
