//! Bodies that are forms, as JSON: an object of texts, or the JSON that a form carries in its one field `payload`, as
//! GitHub and Slack send it.

use std::borrow::Cow;

use serde_json::{Map, Value};

/// The form of `application/x-www-form-urlencoded` as JSON. A field that is repeated keeps its first value.
pub(crate) fn to_json(body: &[u8]) -> Vec<u8> {
    object(form_urlencoded::parse(body))
}

/// The fields of a form as JSON.
pub(crate) fn object<'a>(all: impl Iterator<Item = (Cow<'a, str>, Cow<'a, str>)>) -> Vec<u8> {
    let mut fields = Map::new();
    for (name, value) in all {
        fields
            .entry(name)
            .or_insert_with(|| Value::String(value.into_owned()));
    }
    match fields.get("payload") {
        Some(Value::String(payload)) if payload.trim_start().starts_with('{') => {
            payload.clone().into_bytes()
        }
        _ => Value::Object(fields).to_string().into_bytes(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_form_reads_as_json() {
        assert_eq!(to_json(b"a=1&b=x+y&a=2"), br#"{"a":"1","b":"x y"}"#);
        assert_eq!(to_json(b"payload=%7B%22n%22%3A1.0%7D"), br#"{"n":1.0}"#);
    }
}
