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
        for rule in RULES {
            let mut report = Report::new(rule.id);
            (rule.look)(&deployment, &mut report);
            for finding in report.found {
                let known = |one: &Finding| {
                    (one.rule, &one.path) == (finding.rule, &finding.path)
                        && one.message.starts_with(&finding.message)
                };
                if !found.iter().any(known) {
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
    found.extend(lacking_for_the_file(lacking.into_iter()));
    found.sort_by_key(|finding| finding.line);
    Ok(found)
}

/// Rights that the sources and the destinations of the file lack by the defaults of the parameters. Where another value of one grants
/// a right it is a note: only the deployment decides.
fn lacking_for_the_file(mut lacking: impl Iterator<Item = Vec<Finding>>) -> Vec<Finding> {
    let mut by_default = lacking.next().unwrap_or_default();
    for found in lacking {
        for finding in &mut by_default {
            let is_same = |one: &Finding| one.message == finding.message;
            finding.is_problem &= found.iter().any(is_same);
        }
    }
    for finding in by_default.iter_mut().filter(|one| !one.is_problem) {
        finding
            .message
            .push_str(", by giving the parameter that does when you deploy");
    }
    by_default
}

/// Parameters that differ from the defaults, in words.
fn when(choices: &[Choice], choice: &Choice) -> String {
    let Some(defaults) = choices.first() else {
        return String::new();
    };
    let changes: Vec<_> = resolve::changes(defaults, choice)
        .map(|(name, value)| match value {
            Some(value) => format!("{name}={value}"),
            None => format!("another {name}"),
        })
        .collect();
    match changes.as_slice() {
        [] => String::new(),
        changes => format!(" (with {})", changes.join(", ")),
    }
}
