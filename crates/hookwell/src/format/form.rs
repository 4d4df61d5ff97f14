//! Bodies that are forms, as JSON: an object of texts, or the JSON that a form carries in its one field `payload`, as
//! GitHub and Slack send it.

use serde_json::{Map, Value};

/// What a form says. A field that is repeated keeps its first value.
pub(crate) fn to_json(body: &[u8]) -> Vec<u8> {
    let mut fields = Map::new();
    for (name, value) in form_urlencoded::parse(body) {
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
