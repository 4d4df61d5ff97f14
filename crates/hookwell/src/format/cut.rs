//! Texts of any length, cut to what a record, a dead letter, a log line or a metric takes.

use std::borrow::Cow;

/// The longest reason, in bytes. A record has room for 400 KB and a log line for 256 KB, but a person reads it.
pub const MAX_REASON: usize = 1_000;

/// The longest name or id that a log line shows, in bytes.
pub const MAX_SHOWN: usize = 128;

/// Stands where something was left out.
const LEFT_OUT: char = '…';

/// The text itself, or its beginning with `…` behind it: at most `max` bytes, and never half a character.
#[must_use]
pub fn cut(text: &str, max: usize) -> Cow<'_, str> {
    if text.len() <= max {
        return Cow::Borrowed(text);
    }
    let room = max.saturating_sub(LEFT_OUT.len_utf8());
    let mut cut = beginning(text, room).to_owned();
    if max >= LEFT_OUT.len_utf8() {
        cut.push(LEFT_OUT);
    }
    Cow::Owned(cut)
}

/// A reason as it is written down: of a handler, of a service, or of our own.
#[must_use]
pub fn reason(why: &(impl ToString + ?Sized)) -> String {
    cut(&why.to_string(), MAX_REASON).into_owned()
}

/// The longest beginning of a text that has at most `max` bytes and ends between two characters.
#[must_use]
pub(crate) fn beginning(text: &str, max: usize) -> &str {
    text.get(..text.floor_char_boundary(max)).unwrap_or(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Texts of one to four bytes a character, as long as the limits and around them.
    fn texts() -> impl Iterator<Item = String> {
        let characters = ["a", "é", "€", "😀", "a😀", "é€a"];
        let lengths = (0..40).chain([126, 127, 128, 129, 999, 1_000, 1_001, 1_000_000]);
        lengths.flat_map(move |length| characters.map(|one| one.repeat(length)))
    }

    #[test]
    fn a_text_is_itself_or_a_beginning_of_it_and_never_longer_than_asked_for() {
        for text in texts() {
            for max in (0..20).chain([MAX_SHOWN, MAX_REASON]) {
                let cut = cut(&text, max);
                assert!(cut.len() <= max, "{max}");
                if text.len() <= max {
                    assert_eq!(cut, text);
                } else if let Some(kept) = cut.strip_suffix(LEFT_OUT) {
                    assert!(text.starts_with(kept), "{max}");
                    assert!(
                        kept.len() + 7 > max,
                        "no more is left out than must be: {max}"
                    );
                } else {
                    assert!(max < 3 && cut.is_empty(), "{max}: {cut}");
                }
            }
        }
    }
}
