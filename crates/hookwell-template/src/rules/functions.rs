//! The functions and what they need around them.

use crate::deployment::{Deployment, TABLES};
use crate::endpoints::{endpoints, receiving};
use crate::gateway;
use crate::node::Value;
use crate::place::Place;
use crate::report::Report;
use crate::resolve::Resource;

/// The longest timeout of ingest, in seconds, for senders that do not say how long they wait. The impatient ones of
/// docs/providers.md wait 3 to 5 s.
const MAX_INGEST_TIMEOUT: u64 = 5;

/// Lambda's own timeout, in seconds, where a template sets none.
pub(super) const DEFAULT_TIMEOUT: u64 = 3;

/// Hookwell's variables that name a table, queue or bucket.
const NAMING: [&str; 5] = [
    "HOOKWELL_EVENTS_TABLE",
    "HOOKWELL_DOCUMENTS_TABLE",
    "HOOKWELL_QUEUE_URL",
    "HOOKWELL_DEAD_LETTER_QUEUE_URL",
    "HOOKWELL_BUCKET",
];

pub(super) fn wiring(deployment: &Deployment<'_>, report: &mut Report) {
    let Some(root) = deployment.root() else {
        return;
    };
    if !deployment.is_hookwells() {
        let message = "no function here reads a variable of Hookwell, such as HOOKWELL_EVENTS_TABLE, so this is judged as a receiver of another make: what only its code knows is not looked at";
        report.add(&root, message.to_owned(), false);
    }
    let is_whole = !note_what_is_elsewhere(deployment, report);
    let mut integrations = gateway::integrations(deployment).into_iter();
    if endpoints(deployment).is_empty() && !integrations.any(|one| !one.queue().is_empty()) {
        let message = "no function has a URL or an API: add an AWS::Lambda::Url or an AWS::ApiGatewayV2::Integration";
        report.add(&root, message.to_owned(), is_whole);
    }
    if deployment.mappings().is_empty() {
        let message = "no queue feeds a function: add an AWS::Lambda::EventSourceMapping from an AWS::SQS::Queue of this template";
        report.add(&root, message.to_owned(), is_whole);
    }
}

/// Notes what no rule can look at because another template has it; true where an endpoint or a queue may be there.
fn note_what_is_elsewhere(deployment: &Deployment<'_>, report: &mut Report) -> bool {
    let mut is_part = false;
    let mut note = |place: &Place<'_>, message: &str| {
        report.add(place, message.to_owned(), false);
    };
    for nested in deployment.nested() {
        let message = "has resources of its own, which no rule sees here: check its template too";
        note(&nested.place(), message);
        is_part = true;
    }
    for api in gateway::hidden(deployment) {
        let message = "has the paths of the API in another file, which no rule sees";
        note(&api, message);
        is_part = true;
    }
    for source in deployment.hidden_sources() {
        let message = "names what this template does not show, so no rule looks at it: check the template that makes it, or both in one";
        note(&source, message);
        is_part = true;
    }
    let kinds = [TABLES[0], TABLES[1], "AWS::SQS::Queue", "AWS::S3::Bucket"];
    for variable in NAMING {
        if let Some(value) = deployment.variable(variable)
            && deployment.named(&value, &kinds).is_none()
        {
            let message =
                "names what this template does not show, so no rule looks at what it names";
            note(&value, message);
        }
    }
    is_part
}

pub(super) fn ingest_timeout(deployment: &Deployment<'_>, report: &mut Report) {
    let patience = |seconds: Option<u8>| seconds.map_or(MAX_INGEST_TIMEOUT, u64::from);
    let sources = deployment.sources.iter();
    let hurried = sources.min_by_key(|source| patience(source.answer_within));
    let most = patience(hurried.and_then(|source| source.answer_within));
    let who = match hurried.filter(|source| source.answer_within.is_some()) {
        Some(source) => format!("sources.{} waits", source.name),
        None => "impatient senders wait".to_owned(),
    };
    let mut waited_for = receiving(deployment);
    waited_for.retain(|one| !one.is_async);
    let mut functions: Vec<_> = waited_for.iter().map(|one| one.function).collect();
    functions.sort_by_key(|one| &one.id);
    functions.dedup_by_key(|one| &one.id);
    for function in functions {
        let place = function.properties().at("Timeout");
        if let Some(seconds) = report.number(&place, DEFAULT_TIMEOUT)
            && seconds > most
        {
            let message = format!(
                "is {seconds} s, but {who} no longer than {most} s for an answer: set {most} or less and leave slow work to the queue"
            );
            report.problem(&place, message);
        }
    }
}

pub(super) fn log_retention(deployment: &Deployment<'_>, report: &mut Report) {
    // CDK sets the days of a group that Lambda makes by a resource of its own.
    let kinds = ["AWS::Logs::LogGroup", "Custom::LogRetention"];
    let groups: Vec<_> = deployment.of(&kinds).collect();
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
        let is_elsewhere = matches!(
            place.value(),
            Some(Value::Unknown | Value::Parameter { .. })
        );
        let mut groups = groups.iter();
        if !is_elsewhere && !groups.any(|group| writes_to(function, &place, group)) {
            let message = "names no log group of this template: add an AWS::Logs::LogGroup with RetentionInDays and name it here";
            report.problem(&place, message);
        }
    }
}

/// By its configuration, or by the name that Lambda gives a group: `/aws/lambda/` and the function's name.
fn writes_to(function: &Resource, place: &Place<'_>, group: &Resource) -> bool {
    let name = group.physical_name();
    if !place.is_missing() {
        return place.target() == Some(&group.id) || (name.is_some() && name == place.name());
    }
    let Some(of) = name
        .as_deref()
        .and_then(|name| name.strip_prefix("/aws/lambda/"))
    else {
        return false;
    };
    of == format!("${{{}}}", function.id) || function.physical_name().as_deref() == Some(of)
}
