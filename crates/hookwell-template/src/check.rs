//! A template under every rule, once for each way in which its parameters decide its conditions.

use hookwell::source::Source;

use crate::deployment::Deployment;
use crate::node::{Node, Unreadable};
use crate::report::{Finding, Report};
use crate::resolve::{self, Choice};
use crate::rules::RULES;

/// Looks at a template with every rule. `sources` are the senders that ingest will serve.
///
/// # Errors
/// When the text is no YAML or has no `Resources`.
pub fn check(text: &str, sources: &[Source]) -> Result<Vec<Finding>, Unreadable> {
    let template = Node::template(text)?;
    let choices = resolve::choices(&template);
    let mut found: Vec<Finding> = Vec::new();
    for choice in &choices {
        let deployment = Deployment::new(&template, choice, sources);
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
    }
    found.sort_by_key(|finding| finding.line);
    Ok(found)
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
