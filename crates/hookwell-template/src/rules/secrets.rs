//! The secrets of the sources in the functions' environment.

use std::collections::BTreeSet;

use hookwell::deliver::{Destination, Target};
use hookwell::keys::reference::SecretRef;
use hookwell::source::Source;

use crate::deployment::Deployment;
use crate::endpoints::ingests;
use crate::node::Value;
use crate::report::Report;

/// Words of a variable's name that say that it holds a secret, whatever the sources file says.
const SECRET_WORDS: [&str; 4] = ["SECRET", "TOKEN", "PASSWORD", "APIKEY"];

/// Last words of a variable's name that say that it holds the place of a secret, or something about one.
const PLACE_WORDS: [&str; 22] = [
    "ALGORITHM",
    "ARN",
    "AUDIENCE",
    "BUCKET",
    "ENDPOINT",
    "EXPIRY",
    "HEADER",
    "ID",
    "ISSUER",
    "LENGTH",
    "NAME",
    "PARAMETER",
    "PATH",
    "PREFIX",
    "QUEUE",
    "REGION",
    "SECONDS",
    "TABLE",
    "TTL",
    "TYPE",
    "URI",
    "URL",
];

/// Ends of a parameter's name that say the same.
const PLACE_ENDS: [&str; 5] = ["Arn", "Id", "Name", "Path", "Prefix"];

pub(super) fn variable(deployment: &Deployment<'_>, report: &mut Report) {
    for function in ingests(deployment) {
        let variables = function.variables();
        for source in deployment.sources {
            for name in secrets(source).chain(pinned(source)) {
                if !variables.iter().any(|(variable, _)| *variable == name) {
                    let place = function.properties().at("Environment.Variables");
                    let message = format!(
                        "has no {name}, from which sources.{} takes a secret: add it, with a NoEcho parameter as its value",
                        source.name
                    );
                    report.problem(&place, message);
                }
            }
        }
    }
    variable_of_destinations(deployment, report);
}

/// Demands the variables of process from which destinations take their secrets.
fn variable_of_destinations(deployment: &Deployment<'_>, report: &mut Report) {
    for mapping in deployment.mappings() {
        let variables = mapping.function.variables();
        for destination in deployment.destinations {
            let Some(name) = signing_secret(destination) else {
                continue;
            };
            if !variables.iter().any(|(variable, _)| *variable == name) {
                let place = mapping.function.properties().at("Environment.Variables");
                let message = format!(
                    "has no {name}, from which destinations.{} takes its secret: add it, with a NoEcho parameter as its value",
                    destination.name
                );
                report.problem(&place, message);
            }
        }
    }
}

/// The variable from which a destination takes its secret.
fn signing_secret(destination: &Destination) -> Option<&str> {
    match &destination.to {
        Target::Http { secret, .. } => in_environment(secret),
        Target::EventBridge(_) | Target::Sqs(_) => None,
    }
}

/// The variables that hold secrets.
fn all_secrets<'d>(deployment: &'d Deployment<'_>) -> BTreeSet<&'d str> {
    let of_sources = deployment.sources.iter().flat_map(secrets);
    let of_destinations = deployment.destinations.iter().filter_map(signing_secret);
    of_sources.chain(of_destinations).collect()
}

pub(super) fn plain(deployment: &Deployment<'_>, report: &mut Report) {
    let names = all_secrets(deployment);
    for function in deployment.functions() {
        for (name, place) in function.variables() {
            if !names.contains(name) && !sounds_secret(name) {
                continue;
            }
            match place.value() {
                Some(Value::Text(text)) if may_be_secret(text) => {
                    report.problem(&place, "is a secret in plain text: take it from a NoEcho parameter, and change the secret, for it is known now");
                }
                Some(Value::Parameter {
                    name: parameter, ..
                }) => {
                    if is_place(parameter) {
                        continue;
                    }
                    let Some(parameter) = deployment.parameter(parameter) else {
                        continue;
                    };
                    let default = parameter.at("Default");
                    let is_fetched = parameter
                        .at("Type")
                        .text()
                        .is_some_and(|kind| kind.starts_with("AWS::SSM::"));
                    if default.text().is_some_and(may_be_secret) && !is_fetched {
                        report.problem(&default, "is a secret in plain text: leave the default empty, and change the secret, for it is known now");
                    }
                }
                _ => {}
            }
        }
    }
}

pub(super) fn no_echo(deployment: &Deployment<'_>, report: &mut Report) {
    let names = all_secrets(deployment);
    for function in deployment.functions() {
        for (name, place) in function.variables() {
            if let Some(Value::Parameter {
                name: parameter, ..
            }) = place.value()
                && (names.contains(name) || sounds_secret(name))
                && !is_place(parameter)
                && let Some(parameter) = deployment.parameter(parameter)
            {
                let echo = parameter.at("NoEcho");
                if !echo.is("true") {
                    report.problem(
                        &echo,
                        format!("is not true, but the parameter is the secret {name}: set it"),
                    );
                }
            }
        }
    }
}

/// False for what says where a secret is, and for what is none.
fn may_be_secret(text: &str) -> bool {
    let is_in_store = matches!(
        SecretRef::parse(text),
        Some(SecretRef::Ssm(_) | SecretRef::SecretsManager { .. })
    );
    // A dynamic reference is fetched at deployment and is not in the template.
    let is_place = ["{{resolve:", "arn:", "/"]
        .iter()
        .any(|start| text.starts_with(start));
    let is_switch = matches!(text, "" | "true" | "false") || text.parse::<u32>().is_ok();
    !is_in_store && !is_place && !is_switch && !text.contains("${")
}

/// True for a parameter that gives the place of a secret, by its name.
fn is_place(parameter: &str) -> bool {
    PLACE_ENDS.iter().any(|end| parameter.ends_with(end))
}

/// The variables from which a source takes what must stay secret.
fn secrets(source: &Source) -> impl Iterator<Item = &str> {
    let token = source.handshake.as_ref();
    let token = token.and_then(|handshake| handshake.verify_token.as_ref());
    source
        .secrets
        .iter()
        .chain(token)
        .filter_map(in_environment)
}

/// The variables from which a source takes public keys.
fn pinned(source: &Source) -> impl Iterator<Item = &str> {
    source.pinned.iter().filter_map(in_environment)
}

fn in_environment(reference: &SecretRef) -> Option<&str> {
    match reference {
        SecretRef::Env(name) => Some(name),
        SecretRef::Ssm(_) | SecretRef::SecretsManager { .. } | SecretRef::Url(_) => None,
    }
}

fn sounds_secret(name: &str) -> bool {
    let mut words = name.split('_');
    let last = words.clone().next_back().unwrap_or_default();
    words.any(|word| SECRET_WORDS.contains(&word)) && !PLACE_WORDS.contains(&last)
}
