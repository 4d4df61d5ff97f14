//! Reading the members of a request.

use std::ops::RangeInclusive;

use serde_json::Value;

use super::fault::{Outcome, invalid, missing};

/// A text that must be there.
pub(super) fn text<'a>(request: &'a Value, member: &str) -> Outcome<&'a str> {
    let text = request[member].as_str().filter(|text| !text.is_empty());
    text.ok_or_else(|| missing(member))
}

/// A number that may be there.
pub(super) fn number(
    request: &Value,
    member: &str,
    range: RangeInclusive<i64>,
) -> Outcome<Option<i64>> {
    let value = &request[member];
    if value.is_null() || value.as_i64().is_some_and(|number| range.contains(&number)) {
        return Ok(value.as_i64());
    }
    let reason = format!(
        "Must be between {} and {}, if provided.",
        range.start(),
        range.end()
    );
    Err(invalid(format!(
        "Value {value} for parameter {member} is invalid. Reason: {reason}"
    )))
}

/// The names of queues and batch entries.
pub(super) fn is_name(text: &str) -> bool {
    let allowed = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
    (1..=80).contains(&text.len()) && text.chars().all(allowed)
}

/// The characters allowed in messages (page `SendMessage`).
pub(super) fn is_text(text: &str) -> bool {
    let allowed = |c| matches!(c, '\t' | '\n' | '\r' | ' '..='\u{fffd}' | '\u{10000}'..);
    text.chars().all(allowed)
}

/// True when the list asks for the attribute: by name, as `prefix.*` or with all others.
pub(super) fn is_wanted(attribute: &str, list: &Value) -> bool {
    let mut names = list
        .as_array()
        .into_iter()
        .flatten()
        .filter_map(Value::as_str);
    names.any(|name| {
        let prefix = name.strip_suffix(".*");
        name == "All"
            || name == attribute
            || prefix.is_some_and(|prefix| attribute.starts_with(prefix))
    })
}
