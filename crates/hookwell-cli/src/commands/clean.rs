//! Text that acts on a terminal, made visible.
//!
//! Texts of senders end up in lists and log lines. Control characters move the cursor, set the title or answer for the
//! keyboard; bidirectional ones show a text in another order than it has; characters without width hide that two texts
//! differ.

use std::borrow::Cow;
use std::fmt::Write as _;

/// A text of one line, with what acts on a terminal written out, as in `\u{1b}`.
pub(super) fn clean(text: &str) -> Cow<'_, str> {
    replaced(text, acts, |shown, c| {
        write!(shown, "\\u{{{:x}}}", u32::from(c))
    })
}

/// A text that keeps its lines and tabs; each line as from [`clean`].
pub(super) fn clean_lines(text: &str) -> Cow<'_, str> {
    let acts = |c| !matches!(c, '\n' | '\t') && acts(c);
    replaced(text, acts, |shown, c| {
        write!(shown, "\\u{{{:x}}}", u32::from(c))
    })
}

/// JSON that means the same, with what acts on a terminal escaped also where JSON would let it stand.
pub(super) fn clean_json(json: &str) -> Cow<'_, str> {
    // What is left of JSON's own white space is between values, not in texts.
    let acts = |c| !matches!(c, '\n' | '\t' | '\r') && acts(c);
    replaced(json, acts, |shown, c| {
        let mut units = [0; 2];
        let mut units = c.encode_utf16(&mut units).iter();
        units.try_for_each(|unit| write!(shown, "\\u{unit:04x}"))
    })
}

fn replaced(
    text: &str,
    acts: impl Fn(char) -> bool,
    write: impl Fn(&mut String, char) -> std::fmt::Result,
) -> Cow<'_, str> {
    if !text.contains(&acts) {
        return Cow::Borrowed(text);
    }
    let mut shown = String::with_capacity(text.len());
    for c in text.chars() {
        if acts(c) {
            // Writing to a String cannot fail.
            let _ = write(&mut shown, c);
        } else {
            shown.push(c);
        }
    }
    Cow::Owned(shown)
}

/// True for a character with which a terminal does something else than to show it.
fn acts(c: char) -> bool {
    c.is_control()
        || matches!(c,
            '\u{ad}' // soft hyphen
            | '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' // direction
            | '\u{180e}' | '\u{200b}'..='\u{200d}' | '\u{2060}'..='\u{2065}' | '\u{feff}' // no width
            | '\u{115f}' | '\u{1160}' | '\u{3164}' | '\u{ffa0}' // letters without a shape
            | '\u{2028}' | '\u{2029}' // ends of lines and paragraphs
            | '\u{206a}'..='\u{206f}' | '\u{fff9}'..='\u{fffb}' | '\u{1d173}'..='\u{1d17a}' // formatting
            | '\u{e0000}'..='\u{e0fff}' // tags
        )
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;
    use serde_json::Value;

    #[test]
    fn what_acts_is_written_out_and_the_rest_stays() {
        for (text, shown) in [
            ("invoice.paid é 漢字 🎉 \"\\", "invoice.paid é 漢字 🎉 \"\\"),
            ("\u{1b}[2J\u{7}\r\n\t", "\\u{1b}[2J\\u{7}\\u{d}\\u{a}\\u{9}"),
            ("\u{9b}31m\u{7f}", "\\u{9b}31m\\u{7f}"),
            (
                "evt\u{202e}1\u{2066}\u{200b}",
                "evt\\u{202e}1\\u{2066}\\u{200b}",
            ),
            ("\u{e0041}\u{feff}", "\\u{e0041}\\u{feff}"),
        ] {
            assert_eq!(clean(text), shown);
        }
        assert_eq!(clean_lines("a\n\tb\r\u{1b}"), "a\n\tb\\u{d}\\u{1b}");
    }

    #[test]
    fn no_character_acts_and_json_stays_the_same() {
        for c in '\0'..=char::MAX {
            let text = format!("a{c}b");
            let shown = clean(&text);
            assert!(!shown.contains(acts), "{:x}", u32::from(c));
            let json = Value::String(text).to_string();
            let shown = clean_json(&json);
            assert!(!shown.contains(acts), "{:x}", u32::from(c));
            let (before, after): (Value, Value) = (
                serde_json::from_str(&json).unwrap(),
                serde_json::from_str(&shown).unwrap(),
            );
            assert_eq!(before, after);
        }
    }
}
