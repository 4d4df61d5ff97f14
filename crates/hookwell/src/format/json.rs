//! Finds values in a verified body without building a tree, so that numbers, key order and white space of what
//! the sender wrote reach the documents table unchanged.

use std::borrow::Cow;
use std::fmt;

use serde::Deserializer as _;
use serde::de::{MapAccess, SeqAccess, Visitor};
use serde_json::value::RawValue;

/// Nesting depth of a body, at most. `serde_json` stops readers of the stored document at the same depth.
pub const MAX_DEPTH: usize = 128;

/// The mark that may stand before a text in UTF-8.
pub(crate) const BYTE_ORDER_MARK: &[u8] = b"\xef\xbb\xbf";

/// Reason why a body, or a place in it, cannot be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum JsonError {
    /// Not JSON in UTF-8.
    #[error("the body is not JSON in UTF-8")]
    Syntax,
    /// Nested deeper than [`MAX_DEPTH`].
    #[error("the body nests deeper than {MAX_DEPTH} levels")]
    TooDeep,
    /// A key on the way to a value that matters appears twice: readers disagree on which one counts
    /// (CVE-2017-12635).
    #[error("the key {0:?} appears twice")]
    DuplicateKey(String),
    /// A value that must be a text or a number is there, and is neither: `true`, a list, an object, half of a surrogate
    /// pair. Taken for absent, it would switch off the deduplication of its event.
    #[error("{0} is no text and no number")]
    NoText(String),
}

/// A whole JSON body: one pass found its top-level members, a pointer then reads only below the one it names.
#[derive(Debug)]
pub struct Json<'a> {
    root: &'a RawValue,
    members: Option<Vec<(Cow<'a, str>, &'a RawValue)>>,
}

impl<'a> Json<'a> {
    /// Reads the outline of `body`.
    ///
    /// # Errors
    /// When the bytes are not JSON in UTF-8, or nest too deep.
    pub fn parse(body: &'a [u8]) -> Result<Self, JsonError> {
        // Some senders of the .NET world write a byte order mark, which JSON does not have (RFC 8259, 8.1).
        let body = body.strip_prefix(BYTE_ORDER_MARK).unwrap_or(body);
        let text = std::str::from_utf8(body).map_err(|_| JsonError::Syntax)?;
        if is_too_deep(text) {
            return Err(JsonError::TooDeep);
        }
        let root: &RawValue = serde_json::from_str(text).map_err(|_| JsonError::Syntax)?;
        Self::part(root)
    }

    /// Reads the outline of a value in a body.
    ///
    /// # Errors
    /// When a key cannot be read.
    pub fn part(root: &'a RawValue) -> Result<Self, JsonError> {
        let members = root
            .get()
            .starts_with('{')
            .then(|| members(root))
            .transpose()?;
        Ok(Self { root, members })
    }

    /// The value at a JSON pointer (RFC 6901), as the sender wrote it; `None` when there is none.
    ///
    /// # Errors
    /// When a key on the way appears twice.
    pub fn find(&self, pointer: &Pointer) -> Result<Option<&'a RawValue>, JsonError> {
        self.find_steps(&pointer.steps)
    }

    /// The value at the end of these keys and positions.
    ///
    /// # Errors
    /// When a key on the way appears twice.
    pub fn find_steps(&self, steps: &[String]) -> Result<Option<&'a RawValue>, JsonError> {
        let mut steps = steps.iter();
        let mut value = match (steps.next(), &self.members) {
            (None, _) => return Ok(Some(self.root)),
            (Some(first), Some(members)) => member(members, first)?,
            (Some(first), None) => item(self.root, first),
        };
        for step in steps {
            value = match value {
                Some(object) if object.get().starts_with('{') => member(&members(object)?, step)?,
                Some(other) => item(other, step),
                None => return Ok(None),
            };
        }
        Ok(value)
    }

    /// The names of the members at its top; none where the value is no object.
    pub(crate) fn names(&self) -> impl Iterator<Item = &str> {
        let members = self.members.iter().flatten();
        members.map(|(name, _)| name.as_ref())
    }

    /// The whole value.
    #[must_use]
    pub fn root(&self) -> &'a RawValue {
        self.root
    }

    /// The items of a list, `None` when the value is not one.
    #[must_use]
    pub fn items(list: &'a RawValue) -> Option<Vec<&'a RawValue>> {
        serde_json::from_str(list.get()).ok()
    }

    /// The text of the string, or the digits of the number, at a pointer. Everything else, and the empty string,
    /// is `None`: none of it can be an id, a type or a time.
    ///
    /// # Errors
    /// When a key on the way appears twice.
    pub fn text(&self, pointer: &Pointer) -> Result<Option<Cow<'a, str>>, JsonError> {
        Ok(self.find(pointer)?.and_then(scalar))
    }

    /// The text at a pointer as [`Json::text`] reads it, for a value that must be one if it is there.
    ///
    /// # Errors
    /// When a key on the way appears twice, or the value is neither text nor number nor null.
    pub fn id(&self, pointer: &Pointer) -> Result<Option<Cow<'a, str>>, JsonError> {
        let Some(value) = self.find(pointer)? else {
            return Ok(None);
        };
        match (scalar(value), value.get()) {
            (Some(text), _) => Ok(Some(text)),
            (None, "null" | "\"\"") => Ok(None),
            (None, _) => Err(JsonError::NoText(pointer.as_str().to_owned())),
        }
    }
}

fn scalar(value: &RawValue) -> Option<Cow<'_, str>> {
    let text = value.get();
    match text.as_bytes().first()? {
        b'"' => serde_json::from_str::<Text<'_>>(text)
            .ok()
            .map(|text| text.0)
            .filter(|text| !text.is_empty()),
        b'-' | b'0'..=b'9' => Some(Cow::Borrowed(text)),
        _ => None,
    }
}

/// A string that borrows from the body unless it has escapes.
#[derive(serde::Deserialize)]
struct Text<'a>(#[serde(borrow)] Cow<'a, str>);

/// A place in a JSON body, `/data/object/id`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pointer {
    text: String,
    steps: Vec<String>,
}

impl Pointer {
    /// Reads a JSON pointer (RFC 6901): empty for the whole body, else it starts with `/`.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let steps = match text.strip_prefix('/') {
            Some(rest) => rest
                .split('/')
                .map(|step| step.replace("~1", "/").replace("~0", "~"))
                .collect(),
            None if text.is_empty() => Vec::new(),
            None => return None,
        };
        Some(Self {
            text: text.to_owned(),
            steps,
        })
    }

    /// Keys and positions of the pointer, in order.
    #[must_use]
    pub fn steps(&self) -> &[String] {
        &self.steps
    }

    /// The place at `inner` of the value at this one.
    #[must_use]
    pub fn join(&self, inner: &Self) -> Self {
        let steps = self.steps.iter().chain(&inner.steps);
        Self {
            text: format!("{}{}", self.text, inner.text),
            steps: steps.cloned().collect(),
        }
    }

    /// The pointer as it was written.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.text
    }
}

fn member<'a>(
    members: &[(Cow<'a, str>, &'a RawValue)],
    key: &str,
) -> Result<Option<&'a RawValue>, JsonError> {
    let mut found = members.iter().filter(|(name, _)| name == key);
    match (found.next(), found.next()) {
        (_, Some(_)) => Err(JsonError::DuplicateKey(key.to_owned())),
        (first, None) => Ok(first.map(|(_, value)| *value)),
    }
}

fn members(object: &RawValue) -> Result<Vec<(Cow<'_, str>, &RawValue)>, JsonError> {
    struct Members;
    impl<'a> Visitor<'a> for Members {
        type Value = Vec<(Cow<'a, str>, &'a RawValue)>;
        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("an object")
        }
        fn visit_map<A: MapAccess<'a>>(self, mut map: A) -> Result<Self::Value, A::Error> {
            let mut all = Vec::new();
            while let Some((key, value)) = map.next_entry::<Text<'a>, &'a RawValue>()? {
                all.push((key.0, value));
            }
            Ok(all)
        }
    }
    serde_json::Deserializer::from_str(object.get())
        .deserialize_map(Members)
        .map_err(|_| JsonError::Syntax)
}

fn item<'a>(array: &'a RawValue, index: &str) -> Option<&'a RawValue> {
    struct Item(usize);
    impl<'a> Visitor<'a> for Item {
        type Value = Option<&'a RawValue>;
        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("an array")
        }
        fn visit_seq<A: SeqAccess<'a>>(self, mut seq: A) -> Result<Self::Value, A::Error> {
            let mut found = None;
            let mut at = 0_usize;
            while let Some(value) = seq.next_element()? {
                if at == self.0 {
                    found = Some(value);
                }
                at = at.saturating_add(1);
            }
            Ok(found)
        }
    }
    let index = index.parse().ok()?;
    serde_json::Deserializer::from_str(array.get())
        .deserialize_seq(Item(index))
        .ok()
        .flatten()
}

/// True when a text nests deeper than [`MAX_DEPTH`]. Skipping a value, unlike reading it, has no limit in `serde_json`.
fn is_too_deep(text: &str) -> bool {
    // Nothing nests deeper than it has opening brackets.
    count(text, |byte| matches!(byte, b'{' | b'[')) > MAX_DEPTH && depth(text) > MAX_DEPTH
}

/// Number of bytes for which `is_one` holds. Counts in blocks that a byte can count, for which the compiler looks at
/// many bytes at once.
pub(crate) fn count(text: &str, is_one: impl Fn(u8) -> bool) -> usize {
    let ones = |block: &[u8]| {
        let ones = block.iter().map(|byte| u8::from(is_one(*byte)));
        usize::from(ones.fold(0, u8::wrapping_add))
    };
    let blocks = text.as_bytes().chunks(usize::from(u8::MAX));
    blocks.map(ones).fold(0, usize::saturating_add)
}

/// The deepest nesting of brackets outside strings.
fn depth(text: &str) -> usize {
    let (mut depth, mut deepest) = (0_usize, 0_usize);
    let (mut in_string, mut escaped) = (false, false);
    for byte in text.bytes() {
        match byte {
            _ if escaped => escaped = false,
            b'\\' if in_string => escaped = true,
            b'"' => in_string = !in_string,
            b'{' | b'[' if !in_string => {
                depth = depth.saturating_add(1);
                deepest = deepest.max(depth);
            }
            b'}' | b']' if !in_string => depth = depth.saturating_sub(1),
            _ => {}
        }
    }
    deepest
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(body: &str, pointer: &str) -> Result<Option<String>, JsonError> {
        let body = Json::parse(body.as_bytes())?;
        Ok(body
            .text(&Pointer::parse(pointer).unwrap())?
            .map(Cow::into_owned))
    }

    #[test]
    fn bytes_are_counted_in_texts_of_any_length() {
        for length in [0, 1, 254, 255, 256, 510, 511, 1000] {
            let text = "{".repeat(length);
            assert_eq!(count(&text, |byte| byte == b'{'), length);
            assert_eq!(count(&text, |byte| byte == b'['), 0);
        }
    }

    #[test]
    fn a_value_keeps_the_bytes_the_sender_wrote() {
        let body =
            Json::parse(br#"{"data":{"object":{"n": 1.0, "big":123456789012345678901234567890}}}"#)
                .unwrap();
        let found = body
            .find(&Pointer::parse("/data/object").unwrap())
            .unwrap()
            .unwrap();
        assert_eq!(
            found.get(),
            r#"{"n": 1.0, "big":123456789012345678901234567890}"#
        );
    }

    #[test]
    fn ids_are_strings_or_numbers_and_never_empty() {
        assert_eq!(text(r#"{"id":"e\u0076t"}"#, "/id"), Ok(Some("evt".into())));
        assert_eq!(text(r#"{"id":42}"#, "/id"), Ok(Some("42".into())));
        for absent in [
            r#"{"id":""}"#,
            r#"{"id":null}"#,
            r#"{"id":{}}"#,
            "{}",
            "[1]",
            "3",
        ] {
            assert_eq!(text(absent, "/id"), Ok(None), "{absent}");
        }
    }

    #[test]
    fn an_id_that_is_there_is_a_text_or_a_number() {
        let id = |body: &str| {
            let body = Json::parse(body.as_bytes()).unwrap();
            let found = body.id(&Pointer::parse("/id").unwrap());
            found.map(|id| id.map(Cow::into_owned))
        };
        for absent in [r#"{"id":""}"#, r#"{"id":null}"#, "{}"] {
            assert_eq!(id(absent), Ok(None), "{absent}");
        }
        assert_eq!(id(r#"{"id":7}"#), Ok(Some("7".into())));
        for wrong in [
            r#"{"id":true}"#,
            r#"{"id":[1]}"#,
            r#"{"id":{}}"#,
            r#"{"id":"\ud800"}"#,
        ] {
            assert_eq!(id(wrong), Err(JsonError::NoText("/id".into())), "{wrong}");
        }
    }

    #[test]
    fn a_byte_order_mark_is_no_part_of_the_body() {
        let body = Json::parse(b"\xef\xbb\xbf{\"id\":1}").unwrap();
        assert_eq!(body.root().get(), r#"{"id":1}"#);
    }

    #[test]
    fn a_duplicate_key_on_the_way_is_refused_even_when_it_is_escaped() {
        assert_eq!(
            text(r#"{"id":"a","\u0069d":"b"}"#, "/id"),
            Err(JsonError::DuplicateKey("id".into()))
        );
        assert_eq!(
            text(r#"{"d":{"id":1,"id":2}}"#, "/d/id"),
            Err(JsonError::DuplicateKey("id".into()))
        );
        assert_eq!(
            text(r#"{"x":1,"x":2,"id":"a"}"#, "/id"),
            Ok(Some("a".into())),
            "others pass"
        );
    }

    #[test]
    fn pointers_reach_into_arrays_and_escaped_keys() {
        assert_eq!(
            text(r#"{"a":[{"b":1},{"b":2}]}"#, "/a/1/b"),
            Ok(Some("2".into()))
        );
        assert_eq!(text(r#"[{"b":1}]"#, "/0/b"), Ok(Some("1".into())));
        assert_eq!(text(r#"{"a/b":{"~":7}}"#, "/a~1b/~0"), Ok(Some("7".into())));
        assert_eq!(text(r#"{"a":[1]}"#, "/a/9"), Ok(None));
    }

    #[test]
    fn nesting_is_limited_outside_strings_only() {
        let nested = |levels: usize| format!("{}{}", "[".repeat(levels), "]".repeat(levels));
        assert!(Json::parse(nested(MAX_DEPTH).as_bytes()).is_ok());
        assert_eq!(
            Json::parse(nested(MAX_DEPTH + 1).as_bytes()).unwrap_err(),
            JsonError::TooDeep
        );
        assert_eq!(
            Json::parse(nested(100_000).as_bytes()).unwrap_err(),
            JsonError::TooDeep
        );
        assert!(Json::parse(format!("\"\\\"{}\"", "[".repeat(1000)).as_bytes()).is_ok());
    }

    #[test]
    fn what_is_not_json_in_utf8_is_refused() {
        for bad in [
            &b"\xff"[..],
            b"",
            b"{",
            b"{} x",
            b"{\"a\":1e}",
            b"\xef\xbb\xbf\xef\xbb\xbf{}",
        ] {
            assert_eq!(Json::parse(bad).unwrap_err(), JsonError::Syntax, "{bad:?}");
        }
    }
}
