//! Undoes what proxies, frameworks and scripts do to a body between its signature and its arrival.

use std::fmt::Write as _;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value;

/// White space of JSON.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Layout {
    AsIs,
    /// `{"a":1,"b":2}`, as JavaScript and PHP write it.
    Compact,
    /// `{"a": 1, "b": 2}`, as Python writes it.
    Spaced,
    /// With line ends, and this for each level.
    Indented(&'static str),
}

/// Escapes in strings of JSON.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Text {
    AsIs,
    /// `\/`, as PHP writes it.
    SlashesEscaped,
    SlashesPlain,
    /// `\u00e9`, as Python and PHP write it.
    Ascii,
    Unicode,
}

const LAYOUTS: [(Layout, &str); 6] = [
    (Layout::AsIs, ""),
    (Layout::Compact, "it was signed without white space"),
    (
        Layout::Spaced,
        "it was signed with a space after each comma and colon",
    ),
    (
        Layout::Indented("  "),
        "it was signed indented by two spaces",
    ),
    (
        Layout::Indented("    "),
        "it was signed indented by four spaces",
    ),
    (Layout::Indented("\t"), "it was signed indented by tabs"),
];

const TEXTS: [(Text, &str); 5] = [
    (Text::AsIs, ""),
    (Text::SlashesEscaped, "slashes were signed as \\/"),
    (Text::SlashesPlain, "slashes were signed without \\"),
    (
        Text::Ascii,
        "characters outside ASCII were signed as \\u escapes",
    ),
    (Text::Unicode, "\\u escapes were signed as characters"),
];

/// Line ends behind the body: editors write one at the end of a file, and `curl -d @FILE` does not send it.
const ENDS: [(&str, &str); 2] = [("", ""), ("\n", "a line end was signed behind it")];

/// Other bodies that may have been signed, each with what would then have happened to it.
pub(super) fn bodies(body: &[u8]) -> impl Iterator<Item = (String, Vec<u8>)> {
    plain(body)
        .into_iter()
        .chain(json(body))
        .filter(move |(_, other)| other != body)
}

fn plain(body: &[u8]) -> Vec<(String, Vec<u8>)> {
    let mut found = Vec::new();
    let mut add = |what: &str, body: Vec<u8>| found.push((what.to_owned(), body));
    add(
        "white space was added at its end",
        body.trim_ascii_end().to_vec(),
    );
    add("a line end was cut off", [body, b"\n"].concat());
    add("a line end (CR LF) was cut off", [body, b"\r\n"].concat());
    let text = String::from_utf8_lossy(body);
    add(
        "line ends became CR LF",
        text.replace("\r\n", "\n").into_bytes(),
    );
    add(
        "line ends became LF",
        text.replace("\r\n", "\n")
            .replace('\n', "\r\n")
            .into_bytes(),
    );
    if let Some(rest) = text.strip_prefix('\u{feff}') {
        add("a byte order mark was added", rest.as_bytes().to_vec());
    }
    if let Ok(decoded) = STANDARD.decode(body.trim_ascii()) {
        add("it was encoded in base64", decoded);
    }
    add(
        "it was empty when it was signed, or the sender signs before it has a body",
        Vec::new(),
    );
    found
}

fn json(body: &[u8]) -> impl Iterator<Item = (String, Vec<u8>)> {
    let value = serde_json::from_slice::<Value>(body).ok();
    // Keys in the order of the alphabet, as many libraries keep them.
    let sorted = value.map(|value| {
        let what = "it was signed with its keys sorted".to_owned();
        (what, value.to_string().into_bytes())
    });
    let text = sorted.as_ref().map(|_| String::from_utf8_lossy(body));
    let rewritten = text.into_iter().flat_map(|text| {
        let styles = TEXTS
            .into_iter()
            .flat_map(|text| ENDS.map(|end| (text, end)));
        let ways = styles.flat_map(|style| LAYOUTS.map(|layout| (layout, style)));
        ways.map(move |((layout, what), ((style, how), (end, and)))| {
            let says: Vec<_> = [what, how, and]
                .into_iter()
                .filter(|words| !words.is_empty())
                .collect();
            let written = rewrite(text.trim_end(), layout, style);
            (says.join(", and "), (written + end).into_bytes())
        })
    });
    rewritten.chain(sorted)
}

/// Writes JSON in another way: the same values in the same order, numbers untouched.
fn rewrite(json: &str, layout: Layout, style: Text) -> String {
    let mut out = String::with_capacity(json.len().saturating_mul(2));
    let mut depth = 0_usize;
    let mut rest = json;
    while let Some(next) = rest.chars().next() {
        if next == '"' {
            let (string, after) = string(rest);
            out.push_str(&restyle(string, style));
            rest = after;
            continue;
        }
        rest = rest.get(next.len_utf8()..).unwrap_or_default();
        let indent = |out: &mut String, depth: usize| {
            if let Layout::Indented(by) = layout {
                out.push('\n');
                out.push_str(&by.repeat(depth));
            }
        };
        match next {
            _ if layout == Layout::AsIs => out.push(next),
            ' ' | '\n' | '\r' | '\t' => {}
            '{' | '[' => {
                out.push(next);
                depth = depth.saturating_add(1);
                if !rest.trim_start().starts_with(['}', ']']) {
                    indent(&mut out, depth);
                }
            }
            '}' | ']' => {
                depth = depth.saturating_sub(1);
                if !out.ends_with(['{', '[']) {
                    indent(&mut out, depth);
                }
                out.push(next);
            }
            ',' => {
                out.push(next);
                indent(&mut out, depth);
                if layout == Layout::Spaced {
                    out.push(' ');
                }
            }
            ':' => {
                out.push(next);
                if layout != Layout::Compact {
                    out.push(' ');
                }
            }
            _ => out.push(next),
        }
    }
    out
}

/// Splits a JSON string, quotes included, from what follows it.
fn string(json: &str) -> (&str, &str) {
    let mut escaped = false;
    let end = json.char_indices().skip(1).find(|(_, character)| {
        let is_end = *character == '"' && !escaped;
        escaped = *character == '\\' && !escaped;
        is_end
    });
    json.split_at(end.map_or(json.len(), |(at, _)| at.saturating_add(1)))
}

fn restyle(string: &str, style: Text) -> String {
    match style {
        Text::AsIs => string.to_owned(),
        Text::SlashesPlain => string.replace("\\/", "/"),
        Text::SlashesEscaped => string.replace("\\/", "/").replace('/', "\\/"),
        Text::Ascii => {
            let mut units = [0; 2];
            let mut out = String::with_capacity(string.len());
            for character in string.chars() {
                if character.is_ascii() {
                    out.push(character);
                    continue;
                }
                for unit in character.encode_utf16(&mut units) {
                    let _ = write!(out, "\\u{unit:04x}"); // to text: never fails
                }
            }
            out
        }
        Text::Unicode => match serde_json::from_str::<String>(string) {
            Ok(text) => Value::String(text).to_string(),
            Err(_) => string.to_owned(),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_values_are_written_as_each_language_writes_them() {
        let body = "{ \"b\":[1.0, {}],\n\"a\":\"\u{e9}/\\\"\" }";
        let written = |layout, style| rewrite(body, layout, style);
        assert_eq!(
            written(Layout::Compact, Text::AsIs),
            "{\"b\":[1.0,{}],\"a\":\"\u{e9}/\\\"\"}"
        );
        assert_eq!(
            written(Layout::Spaced, Text::Ascii),
            r#"{"b": [1.0, {}], "a": "\u00e9/\""}"#
        );
        assert_eq!(
            written(Layout::Indented("  "), Text::SlashesEscaped),
            "{\n  \"b\": [\n    1.0,\n    {}\n  ],\n  \"a\": \"\u{e9}\\/\\\"\"\n}"
        );
        assert_eq!(written(Layout::AsIs, Text::AsIs), body);
    }
}
