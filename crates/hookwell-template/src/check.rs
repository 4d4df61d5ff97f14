//! A template under every rule, once for each way in which its parameters decide its conditions.

use hookwell::deliver::Destination;
use hookwell::source::Source;

use crate::deployment::Deployment;
use crate::node::{Node, Unreadable};
use crate::report::{Finding, Report};
use crate::resolve::{self, Choice};
use crate::rules::{RULES, access};

/// Looks at a template with every rule. `sources` are the senders that ingest will serve, `destinations` those who get events
/// from process.
///
/// # Errors
/// When the text is no YAML or has no `Resources`.
pub fn check(
    text: &str,
    sources: &[Source],
    destinations: &[Destination],
) -> Result<Vec<Finding>, Unreadable> {
    let template = Node::template(text)?;
    let choices = resolve::choices(&template);
    let mut found: Vec<Finding> = Vec::new();
    let mut lacking = Vec::new();
    for choice in &choices {
        let deployment = Deployment::new(&template, choice, sources, destinations);
        let earlier = found.len();
        for rule in RULES {
            let mut report = Report::new(rule.id);
            (rule.look)(&deployment, &mut report);
            for finding in report.found {
                let is_known = |one: &Finding| {
                    one.rule == finding.rule && one.message.starts_with(&finding.message)
                };
                // A condition that takes an element out of a list moves the others: the line tells that they are the same.
                let is_moved = |one: &Finding| {
                    one.line == finding.line && unnumbered(&one.path) == unnumbered(&finding.path)
                };
                let (earlier, own) = found.split_at(earlier);
                let is_again = earlier.iter().any(|one| is_known(one) && is_moved(one))
                    || own
                        .iter()
                        .any(|one| is_known(one) && one.path == finding.path);
                if !is_again {
                    let message = format!("{}{}", finding.message, when(&choices, choice));
                    found.push(Finding { message, ..finding });
                }
            }
        }
        let mut report = Report::new("missing-action");
        access::sources(&deployment, &mut report);
        if !destinations.is_empty() {
            access::destinations(&deployment, &mut report);
        }
        lacking.push(report.found);
    }
    found.extend(lacking_for_the_file(&choices, &lacking));
    found.sort_by_key(|finding| finding.line);
    Ok(found)
}

/// True where the functions of a template read Hookwell's variables, so that a sources file belongs to it.
///
/// # Errors
/// When the text is no YAML or has no `Resources`.
pub fn is_hookwells(text: &str) -> Result<bool, Unreadable> {
    let template = Node::template(text)?;
    let choices = resolve::choices(&template);
    let mut deployments = choices
        .iter()
        .map(|choice| Deployment::new(&template, choice, &[], &[]));
    Ok(deployments.any(|one| one.is_hookwells()))
}

/// Rights that the sources and the destinations of the file lack by the defaults of the parameters: `lacking` has what each of the choices
/// lacks. Where other parameters grant a right it is a note that names them: only the deployment decides.
fn lacking_for_the_file(choices: &[Choice], lacking: &[Vec<Finding>]) -> Vec<Finding> {
    let (Some(defaults), Some(by_default)) = (choices.first(), lacking.first()) else {
        return Vec::new();
    };
    let mut by_default = by_default.clone();
    for finding in &mut by_default {
        let is_same = |one: &Finding| one.message == finding.message;
        let others = choices.iter().zip(lacking);
        let granting = others.filter(|(_, found)| !found.iter().any(is_same));
        let granting = granting.map(|(choice, _)| changes(defaults, choice));
        // A value that is known says more than that there is another.
        let unknown = |all: &Vec<String>| all.iter().filter(|one| !one.contains('=')).count();
        if let Some(fewest) = granting.min_by_key(|all| (all.len(), unknown(all))) {
            finding.is_problem = false;
            let hint = format!(", by deploying with {}", fewest.join(", "));
            finding.message.push_str(&hint);
        }
    }
    by_default
}

/// A path without the places in lists.
fn unnumbered(path: &str) -> String {
    path.chars().filter(|one| !one.is_ascii_digit()).collect()
}

/// Parameters that differ from the defaults, in words.
fn when(choices: &[Choice], choice: &Choice) -> String {
    let changes = choices.first().map(|defaults| changes(defaults, choice));
    match changes.unwrap_or_default().as_slice() {
        [] => String::new(),
        changes => format!(" (with {})", changes.join(", ")),
    }
}

/// Parameters in which a choice differs from the defaults, each with its value.
fn changes(defaults: &Choice, choice: &Choice) -> Vec<String> {
    let changes = resolve::changes(defaults, choice);
    let in_words = |(name, value): (&String, &Option<String>)| match value {
        Some(value) => format!("{name}={value}"),
        None => format!("another {name}"),
    };
    changes.map(in_words).collect()
}
