//! What is wrong with a template before it is deployed: static rules over SAM and CloudFormation files.
//!
//! The rules know the resources by type and wiring, so they judge other people's templates as well. Conditions are
//! followed into each branch: a finding that needs other than the default parameters says which.

mod deployment;
mod node;
mod place;
mod resolve;
mod rules;

use hookwell::source::Source;

use deployment::Deployment;
use node::Node;
use place::{Number, Place};
use resolve::Choice;
pub use rules::{RULES, Rule};

/// The file is no template.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the template cannot be read: {0}")]
pub struct Unreadable(String);

/// What a rule found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// The id of the rule.
    pub rule: &'static str,
    /// Where in the template, in keys.
    pub path: String,
    /// The line of that key, or of the nearest key above it that is there.
    pub line: usize,
    /// What is wrong there.
    pub message: String,
    /// False for what only the deployment decides.
    pub is_problem: bool,
}

/// Looks at a template with every rule. `sources` are the senders that ingest will serve.
///
/// # Errors
/// When the text is no YAML or has no `Resources`.
pub fn check(text: &str, sources: &[Source]) -> Result<Vec<Finding>, Unreadable> {
    let template = Node::parse(text)?;
    if template.get("Resources").is_none() {
        return Err(Unreadable("it has no Resources".to_owned()));
    }
    let choices = resolve::choices(&template);
    let mut found: Vec<Finding> = Vec::new();
    for choice in &choices {
        let deployment = Deployment::new(&template, choice, sources);
        for rule in RULES {
            let mut report = Report::new(rule);
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

/// Which parameters make the difference to the defaults.
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

/// What one rule has to say.
struct Report {
    rule: &'static str,
    found: Vec<Finding>,
}

impl Report {
    fn new(rule: &Rule) -> Self {
        Self {
            rule: rule.id,
            found: Vec::new(),
        }
    }

    fn problem(&mut self, place: &Place<'_>, message: impl Into<String>) {
        self.add(place, message.into(), true);
    }

    /// The number there, or `default` where there is none. One that is not known yet is noted and gives `None`.
    fn number(&mut self, place: &Place<'_>, default: u64) -> Option<u64> {
        match place.number() {
            Number::Known(number) => Some(number),
            Number::Missing => Some(default),
            Number::Unknown => {
                let message = "is known at deployment only: look at it yourself";
                self.add(place, message.to_owned(), false);
                None
            }
        }
    }

    fn add(&mut self, place: &Place<'_>, message: String, is_problem: bool) {
        self.found.push(Finding {
            rule: self.rule,
            path: place.path.clone(),
            line: place.line,
            message,
            is_problem,
        });
    }
}
