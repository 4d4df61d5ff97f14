//! Cuts the text of a sender to the length that a line keeps.

/// The longest text of a sender that a line keeps, in characters.
const MAX_TEXT: usize = 200;

/// Beginning of a sender's text, as long as a line shows it.
pub(super) fn clip(text: &str) -> String {
    text.chars().take(MAX_TEXT).collect()
}
