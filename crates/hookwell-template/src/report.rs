//! Findings of the rules.

use crate::place::{Number, Place};

/// A finding of one rule.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// The id of the rule.
    pub rule: &'static str,
    /// Path in the template, in keys.
    pub path: String,
    /// The line of that key, or of the nearest key above it that is there.
    pub line: usize,
    /// Description of the mistake.
    pub message: String,
    /// False for what only the deployment decides.
    pub is_problem: bool,
}

/// Findings of one rule.
pub(crate) struct Report {
    rule: &'static str,
    pub(crate) found: Vec<Finding>,
}

impl Report {
    pub(crate) fn new(rule: &'static str) -> Self {
        Self {
            rule,
            found: Vec::new(),
        }
    }

    pub(crate) fn problem(&mut self, place: &Place<'_>, message: impl Into<String>) {
        self.add(place, message.into(), true);
    }

    /// The number there, or `default` where there is none. One that is not known yet is noted and gives `None`.
    pub(crate) fn number(&mut self, place: &Place<'_>, default: u64) -> Option<u64> {
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

    pub(crate) fn add(&mut self, place: &Place<'_>, message: String, is_problem: bool) {
        self.found.push(Finding {
            rule: self.rule,
            path: place.path.clone(),
            line: place.line,
            message,
            is_problem,
        });
    }
}
