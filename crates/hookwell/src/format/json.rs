//! Finds values in a verified body without building a tree, so that numbers, key order and white space of what
//! the sender wrote reach the documents table unchanged.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt;

use serde::Deserializer as _;
use serde::de::{MapAccess, SeqAccess, Visitor};
use serde_json::value::RawValue;

/// Nesting depth of a body, at most. `serde_json` stops readers of the stored document at the same depth.
pub const MAX_DEPTH: usize = 128;

/// The most members at the top of a body that are kept, because each takes memory. No known sender has more than fifty; in
/// a body with more, each is looked for again.
const MAX_MEMBERS: usize = 1_000;

/// The most events that one delivery may carry: more than any known sender puts into one (SendGrid: 768 KB), and what fits
/// the memory of a small function.
pub const MAX_ITEMS: usize = 10_000;

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
    /// Values already found, by pointer.
    found: BTreeMap<String, Found<'a>>,
}

type Found<'a> = Result<Option<&'a RawValue>, JsonError>;

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
        let members = if root.get().starts_with('{') {
            let members = members_where(root, |_| true)?;
            (members.len() <= MAX_MEMBERS).then_some(members)
        } else {
            None
        };
        Ok(Self {
            root,
            members,
            found: BTreeMap::new(),
        })
    }

    /// Looks these pointers up once and keeps their values, for a body in which every item of a list asks for the same
    /// pointers.
    #[must_use]
    pub fn looked_at<'p>(self, pointers: impl Iterator<Item = &'p Pointer>) -> Self {
        // Members at the top are kept already, so looking them up takes no pass over the body.
        let is_far = |pointer: &&Pointer| pointer.steps.len() > 1 || self.members.is_none();
        let far = pointers.filter(is_far);
        let found = far.map(|pointer| (pointer.text.clone(), self.find_steps(&pointer.steps)));
        let found = found.collect();
        Self { found, ..self }
    }

    /// The value at a JSON pointer (RFC 6901), as the sender wrote it; `None` when there is none.
    ///
    /// # Errors
    /// When a key on the way appears twice.
    pub fn find(&self, pointer: &Pointer) -> Result<Option<&'a RawValue>, JsonError> {
        match self.found.get(pointer.as_str()) {
            Some(found) => found.clone(),
            None => self.find_steps(&pointer.steps),
        }
    }

    /// The value at the end of these keys and positions.
    ///
    /// # Errors
    /// When a key on the way appears twice.
    pub fn find_steps(&self, steps: &[String]) -> Result<Option<&'a RawValue>, JsonError> {
        let (mut value, steps) = match (steps, &self.members) {
            ([first, rest @ ..], Some(members)) => {
                let named = members.iter().filter(|(name, _)| name == first);
                (one_of(named, first)?, rest)
            }
            (steps, _) => (Some(self.root), steps),
        };
        for step in steps {
            value = match value {
                Some(object) if object.get().starts_with('{') => member(object, step)?,
                Some(other) => item(other, step),
                None => return Ok(None),
            };
        }
        Ok(value)
    }

    /// True when the value is an object with more members than are looked at.
    pub(crate) fn is_too_wide(&self) -> bool {
        self.members.is_none() && self.root.get().starts_with('{')
    }

    /// The names of the members at its top; none where the value is no object, or too wide.
    pub(crate) fn names(&self) -> impl Iterator<Item = &str> {
        let members = self.members.iter().flatten();
        members.map(|(name, _)| name.as_ref())
    }

    /// The whole value.
    #[must_use]
    pub fn root(&self) -> &'a RawValue {
        self.root
    }

    /// The items of a list, one more than [`MAX_ITEMS`] at the most; `None` when the value is not one.
    #[must_use]
    pub fn items(list: &'a RawValue) -> Option<Vec<&'a RawValue>> {
        let mut items = Vec::new();
        let keep = |item| {
            if items.len() <= MAX_ITEMS {
                items.push(item);
            }
        };
        let each = Each(keep);
        let mut list = serde_json::Deserializer::from_str(list.get());
        list.deserialize_seq(each).ok()?;
        Some(items)
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

/// The one value of this key.
fn one_of<'m, 'a: 'm>(
    mut found: impl Iterator<Item = &'m (Cow<'a, str>, &'a RawValue)>,
    key: &str,
) -> Result<Option<&'a RawValue>, JsonError> {
    match (found.next(), found.next()) {
        (_, Some(_)) => Err(JsonError::DuplicateKey(key.to_owned())),
        (first, None) => Ok(first.map(|(_, value)| *value)),
    }
}

/// The members of an object that are wanted, one more than [`MAX_MEMBERS`] at the most. The others take no memory.
fn members_where(
    object: &RawValue,
    is_wanted: impl Fn(&str) -> bool,
) -> Result<Vec<(Cow<'_, str>, &RawValue)>, JsonError> {
    struct Members<F>(F);
    impl<'a, F: Fn(&str) -> bool> Visitor<'a> for Members<F> {
        type Value = Vec<(Cow<'a, str>, &'a RawValue)>;
        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("an object")
        }
        fn visit_map<A: MapAccess<'a>>(self, mut map: A) -> Result<Self::Value, A::Error> {
            let mut all = Vec::new();
            while let Some((key, value)) = map.next_entry::<Text<'a>, &'a RawValue>()? {
                if all.len() <= MAX_MEMBERS && (self.0)(&key.0) {
                    all.push((key.0, value));
                }
            }
            Ok(all)
        }
    }
    serde_json::Deserializer::from_str(object.get())
        .deserialize_map(Members(is_wanted))
        .map_err(|_| JsonError::Syntax)
}

fn member<'a>(object: &'a RawValue, key: &str) -> Result<Option<&'a RawValue>, JsonError> {
    let found = members_where(object, |name| name == key)?;
    one_of(found.iter(), key)
}

/// Calls a function with every item of a list.
struct Each<F>(F);

impl<'a, F: FnMut(&'a RawValue)> Visitor<'a> for Each<F> {
    type Value = ();
    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an array")
    }
    fn visit_seq<A: SeqAccess<'a>>(mut self, mut seq: A) -> Result<(), A::Error> {
        while let Some(value) = seq.next_element()? {
            (self.0)(value);
        }
        Ok(())
    }
}

fn item<'a>(array: &'a RawValue, index: &str) -> Option<&'a RawValue> {
    let index: usize = index.parse().ok()?;
    let (mut at, mut found) = (0_usize, None);
    let each = Each(|value| {
        if at == index {
            found = Some(value);
        }
        at = at.saturating_add(1);
    });
    let mut list = serde_json::Deserializer::from_str(array.get());
    list.deserialize_seq(each).ok()?;
    found
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
    fn what_is_kept_of_large_lists_and_objects_is_bounded() {
        let list = format!("[{}0]", "0,".repeat(MAX_ITEMS * 2));
        let list = Json::parse(list.as_bytes()).unwrap().root();
        assert_eq!(
            Json::items(list).map(|items| items.len()),
            Some(MAX_ITEMS + 1)
        );
        let members = |count| format!("{{{}\"id\":1}}", "\"a\":0,".repeat(count));
        for (count, is_kept) in [(MAX_MEMBERS - 1, true), (MAX_MEMBERS, false)] {
            let body = members(count);
            let read = Json::parse(body.as_bytes()).unwrap();
            assert_eq!(read.members.is_some(), is_kept);
            let deep = format!("{{\"a\":{body}}}");
            for (body, pointer) in [(&body, "/id"), (&deep, "/a/id")] {
                assert_eq!(text(body, pointer), Ok(Some("1".into())));
            }
            let twice = Err(JsonError::DuplicateKey("a".into()));
            assert_eq!(text(&body, "/a"), twice);
        }
    }

    #[test]
    fn a_body_that_was_looked_at_says_the_same() {
        let body = br#"{"a":{"b":1,"c":2,"c":3}}"#;
        let pointers = ["/a", "/a/b", "/a/x", "/a/c"].map(|text| Pointer::parse(text).unwrap());
        let body = Json::parse(body).unwrap().looked_at(pointers.iter());
        assert_eq!(body.found.len(), 3);
        let at = |pointer| body.text(&Pointer::parse(pointer).unwrap());
        assert_eq!(at("/a/b"), Ok(Some("1".into())));
        assert_eq!(at("/a/x"), Ok(None));
        assert_eq!(at("/a/c"), Err(JsonError::DuplicateKey("c".into())));
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
