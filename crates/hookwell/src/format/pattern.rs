//! Patterns over event types: `*.created`, `invoice.*`, or an exact word.

use std::fmt;

/// A pattern with at most one `*`, which stands for any text, also none.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pattern {
    before: String,
    after: Option<String>,
}

impl Pattern {
    /// Reads a pattern; `None` when it is empty or has two stars.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let (before, after) = match text.split_once('*') {
            Some((_, after)) if after.contains('*') => return None,
            Some((before, after)) => (before.to_owned(), Some(after.to_owned())),
            None => (text.to_owned(), None),
        };
        (!text.is_empty()).then_some(Self { before, after })
    }

    /// Text that the star stands for in `text`, empty when there is no star; `None` when the pattern does not match.
    #[must_use]
    pub fn capture<'t>(&self, text: &'t str) -> Option<&'t str> {
        let rest = text.strip_prefix(self.before.as_str())?;
        match &self.after {
            Some(after) => rest.strip_suffix(after.as_str()),
            None => rest.is_empty().then_some(rest),
        }
    }

    /// Exactness of the pattern: of several that match, the largest wins, so that the order in a file never matters.
    #[must_use]
    pub fn weight(&self) -> (bool, usize) {
        let after = self.after.as_ref().map_or(0, String::len);
        (
            self.after.is_none(),
            self.before.len().saturating_add(after),
        )
    }
}

impl fmt::Display for Pattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.before)?;
        self.after
            .iter()
            .try_for_each(|after| write!(f, "*{after}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_star_stands_for_any_text() {
        let pattern = Pattern::parse("*.created").unwrap();
        assert_eq!(
            pattern.capture("customer.subscription.created"),
            Some("customer.subscription")
        );
        assert_eq!(pattern.capture("customer.updated"), None);
        assert_eq!(
            Pattern::parse("a*a").unwrap().capture("a"),
            None,
            "one letter is not both ends"
        );
        assert_eq!(Pattern::parse("*").unwrap().capture(""), Some(""));
    }

    #[test]
    fn without_a_star_only_the_word_itself_matches() {
        let word = Pattern::parse("create").unwrap();
        assert_eq!(
            (word.capture("create"), word.capture("created")),
            (Some(""), None)
        );
    }

    #[test]
    fn two_stars_and_nothing_are_no_patterns() {
        assert_eq!((Pattern::parse("*.*"), Pattern::parse("")), (None, None));
    }
}
