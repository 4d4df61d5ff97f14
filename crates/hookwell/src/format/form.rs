//! Bodies that are forms, as JSON: an object of texts, or the JSON that a form carries in its one field `payload`, as
//! GitHub and Slack send it.

use std::borrow::Cow;
use std::io::{ErrorKind, Write};

use serde_json::{Map, Value};

/// The most fields of a form, where each takes memory. More than any sender has: Twilio has some thirty.
pub(crate) const MAX_FIELDS: usize = 10_000;

/// The most bytes of a form as JSON, as many as Lambda delivers: a zero byte is one byte of a form and six of JSON.
const MAX_JSON: usize = 6 * 1024 * 1024;

/// The fields of a form that `keeps` names, as JSON; a field that is repeated keeps its first value. Nothing, which is no JSON,
/// where the form has more than [`MAX_FIELDS`], or the JSON more than [`MAX_JSON`] bytes.
pub(crate) fn object<'a>(
    all: impl Iterator<Item = (Cow<'a, str>, Cow<'a, str>)>,
    keeps: impl Fn(&str) -> bool,
) -> Vec<u8> {
    let mut fields = Map::new();
    for (number, (name, value)) in all.enumerate() {
        if number >= MAX_FIELDS {
            return Vec::new();
        }
        if !keeps(&name) {
            continue;
        }
        fields
            .entry(name)
            .or_insert_with(|| Value::String(value.into_owned()));
    }
    match fields.remove("payload") {
        Some(Value::String(payload)) if payload.trim_start().starts_with('{') => {
            return payload.into_bytes();
        }
        Some(other) => fields.insert("payload".to_owned(), other),
        None => None,
    };
    let mut json = Bounded(Vec::new());
    match serde_json::to_writer(&mut json, &fields) {
        Ok(()) => json.0,
        Err(_) => Vec::new(),
    }
}

/// Bytes, no more than [`MAX_JSON`].
struct Bounded(Vec<u8>);

impl Write for Bounded {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        if self.0.len().saturating_add(bytes.len()) > MAX_JSON {
            return Err(ErrorKind::FileTooLarge.into());
        }
        self.0.write(bytes)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn to_json(body: &[u8]) -> Vec<u8> {
        object(form_urlencoded::parse(body), |_| true)
    }

    #[test]
    fn a_form_of_more_fields_than_anybody_sends_is_none() {
        let form = |fields: usize| to_json(&b"a=1&".repeat(fields));
        assert_eq!(form(MAX_FIELDS), br#"{"a":"1"}"#);
        assert_eq!(form(MAX_FIELDS + 1), b"");
    }

    #[test]
    fn a_form_that_grows_beyond_what_lambda_delivers_is_none() {
        let form = |zeros: usize| to_json(&vec![0; zeros]);
        assert_eq!(form(1_000).len(), 6_007);
        assert_eq!(form(MAX_JSON / 6), b"");
    }

    #[test]
    fn a_form_reads_as_json() {
        assert_eq!(to_json(b"a=1&b=x+y&a=2"), br#"{"a":"1","b":"x y"}"#);
        assert_eq!(to_json(b"payload=%7B%22n%22%3A1.0%7D"), br#"{"n":1.0}"#);
    }
}
