//! Sample events, made from a source's own mapping: whatever a source reads, a sample of it has.

use serde_json::{Value, json};

use super::edit::{form, set};

use crate::event::Operation;
use crate::format::json::Pointer;
use crate::format::pattern::Pattern;
use crate::format::time::{Millis, to_rfc3339};
use crate::source::Source;
use crate::source::mapping::{Locator, Parts, Piece};
use crate::source::shape::Shape;
use crate::verify::recipe::TimestampPlace;
use crate::verify::scheme::Scheme;

/// A delivery's headers, query and body, not signed yet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sample {
    /// Headers that hold parts of the event.
    pub headers: Vec<(String, String)>,
    /// The query string, without `?`.
    pub query: String,
    /// Content type of the body.
    pub content_type: &'static str,
    /// A body of that type.
    pub body: Vec<u8>,
}

/// Contents that a sample should have.
#[derive(Debug, Clone, Copy)]
pub struct Ask<'a> {
    /// Operation on the document. A source without a word for it sends its first type.
    pub operation: Operation,
    /// The event's type, where it must be this one.
    pub kind: Option<&'a str>,
    /// The event's id, where the sender has ids.
    pub id: &'a str,
    /// The document's id.
    pub document_id: &'a str,
    /// Time of the event.
    pub at: Millis,
}

/// Makes a sample delivery of a source.
#[must_use]
pub fn sample(source: &Source, ask: Ask<'_>) -> Sample {
    let mapping = &source.mapping;
    let mut made = Made::default();
    for pointer in &mapping.required {
        set(&mut made.body, pointer, json!("sample"));
    }
    let Words { parts, kind, word } = words_for(source, ask);
    let state =
        json!({ "id": ask.document_id, "name": format!("Sample at {}", to_rfc3339(ask.at)) });
    made.is_in_item = !mapping.each.is_empty();
    made.document = parts.document.first().cloned();
    if let Some(pointer) = &made.document {
        let place = if made.is_in_item {
            &mut made.item
        } else {
            &mut made.body
        };
        set(place, pointer, state);
    }
    let shape = parts.shape_of(ask.operation);
    if let Some(shape) = shape {
        made.look_like(shape, parts.operation_of(&word).1);
    }
    made.put(parts.document_id.as_ref(), ask.document_id);
    made.put(parts.document_type.as_ref(), "sample");
    made.put(parts.time.as_ref(), &to_rfc3339(ask.at));
    let sequence = (ask.at / 1000).to_string();
    made.put(parts.version.as_ref(), &sequence);
    made.put(parts.id.as_ref(), ask.id);
    made.put(mapping.kind.as_ref(), &kind);
    made.put(parts.operation.as_ref(), &word);
    for scheme in &source.schemes {
        if let Scheme::Recipe(recipe) = scheme
            && let Some(timestamp) = &recipe.timestamp
            && let TimestampPlace::Body(pointer) = &timestamp.place
        {
            let text = timestamp.unit.format(ask.at);
            let number = text.parse::<i64>().map(|number| json!(number));
            set(&mut made.body, pointer, number.unwrap_or(json!(text)));
        }
    }
    if let Some(shape) = shape {
        made.leave_out_of(shape);
    }
    made.finish(mapping.each.first(), source.content_type())
}

/// The words of an event, and the places of the parts of such an event.
struct Words<'a> {
    parts: &'a Parts,
    /// The type.
    kind: String,
    /// The word that says what happened.
    word: String,
}

/// The words of an event of a type, or for an operation. A document comes before none, and a pattern before an exact word.
fn words_for<'a>(source: &'a Source, ask: Ask<'_>) -> Words<'a> {
    let (mapping, operation) = (&source.mapping, ask.operation);
    if let Some(kind) = ask.kind {
        let parts = mapping.parts_of(kind);
        let mut words = parts.operations.iter();
        let own = words.find(|(_, done)| parts.operation.is_some() && *done == operation);
        let word = own.map_or(kind.to_owned(), |(pattern, _)| pattern.fill("sample"));
        let kind = kind.to_owned();
        return Words { parts, kind, word };
    }
    let general = (&[][..], &mapping.parts);
    let documents = mapping.documents.iter();
    let documents = documents.map(|(types, parts)| (types.as_slice(), parts));
    let mut all: Vec<_> = std::iter::once(general).chain(documents).collect();
    all.sort_by_key(|(_, parts)| parts.document.is_empty());
    let kind = mapping.kind.as_ref().and_then(|kind| kind.0.first());
    if kind.is_some_and(|kind| !source.proves(kind)) {
        // An unsigned type is believed only for a body with a shape.
        all.retain(|(_, parts)| parts.shape.is_some());
    }
    for (types, parts) in all {
        let mut words: Vec<_> = parts.operations.iter().collect();
        words.retain(|(_, done)| *done == operation);
        words.sort_by_key(|(pattern, _)| !pattern.to_string().contains('*'));
        for (pattern, _) in words {
            for (kind, word) in candidates(types, parts, pattern) {
                let leads_here = std::ptr::eq(mapping.parts_of(&kind), parts);
                if leads_here && parts.operation_of(&word).0 == operation {
                    return Words { parts, kind, word };
                }
            }
        }
    }
    Words {
        parts: &mapping.parts,
        kind: "sample.happened".to_owned(),
        word: "sample.happened".to_owned(),
    }
}

/// Types with words that may be what a pattern means.
fn candidates(types: &[Pattern], parts: &Parts, pattern: &Pattern) -> Vec<(String, String)> {
    let word = pattern.fill("sample");
    let verb = pattern.to_string().replace('*', "");
    let verb = verb.trim_matches(|c: char| !c.is_alphanumeric());
    let filled = types
        .iter()
        .flat_map(|kind| [kind.fill(verb), kind.fill("sample")]);
    let mut all: Vec<_> = if parts.operation.is_some() {
        let kinds = filled.chain(["sample".to_owned()]);
        kinds.map(|kind| (kind, word.clone())).collect()
    } else {
        let kinds = std::iter::once(word).chain(filled);
        kinds.map(|kind| (kind.clone(), kind)).collect()
    };
    // An operation that begins with the type has both in one word.
    all.sort_by_key(|(kind, word)| !word.starts_with(kind.as_str()));
    all
}

#[derive(Default)]
struct Made {
    headers: Vec<(String, String)>,
    query: Vec<(String, String)>,
    body: Value,
    /// Body around the list of the items.
    outer: Value,
    item: Value,
    /// Place of the document's state, and true when that is in the item.
    document: Option<Pointer>,
    is_in_item: bool,
}

impl Made {
    /// Puts a text where the first alternative of a locator looks; in a template, what lies between its literals.
    fn put(&mut self, locator: Option<&Locator>, text: &str) {
        let mut rest = text;
        let pieces = locator.and_then(|locator| locator.0.first());
        // From the end: a type is more likely to have the literal in it than the word behind it.
        let mut pieces = pieces.into_iter().flatten().rev().peekable();
        while let Some(piece) = pieces.next() {
            let text = match pieces.peek() {
                Some(Piece::Literal(literal)) => match rest.rsplit_once(literal.as_str()) {
                    Some((before, after)) => {
                        rest = before;
                        after
                    }
                    None => rest,
                },
                _ => rest,
            };
            match piece {
                Piece::Body(pointer) => {
                    set(&mut self.body, pointer, json!(text));
                }
                Piece::Item(pointer) => {
                    set(&mut self.item, pointer, json!(text));
                }
                Piece::Outer(pointer) => {
                    set(&mut self.outer, pointer, json!(text));
                }
                Piece::Document(pointer) => {
                    let Some(document) = &self.document else {
                        continue;
                    };
                    let place = if self.is_in_item {
                        &mut self.item
                    } else {
                        &mut self.body
                    };
                    set(place, &document.join(pointer), json!(text));
                }
                Piece::Header(name) => {
                    self.headers.retain(|(known, _)| known != name);
                    self.headers.push((name.clone(), text.to_owned()));
                }
                Piece::Query(name) => {
                    self.query.retain(|(known, _)| known != name);
                    self.query.push((name.clone(), text.to_owned()));
                }
                Piece::Literal(_) => {}
            }
        }
    }

    /// Puts what a body of this kind shows, where nothing is yet.
    fn look_like(&mut self, shape: &Shape, document_type: &str) {
        let place = if self.is_in_item {
            &mut self.item
        } else {
            &mut self.body
        };
        for (pointer, text) in shape.sample(document_type) {
            if place.pointer(pointer.as_str()).is_none() {
                set(place, pointer, json!(text));
            }
        }
    }

    /// Takes away what a body of this kind does not have.
    fn leave_out_of(&mut self, shape: &Shape) {
        let place = if self.is_in_item {
            &mut self.item
        } else {
            &mut self.body
        };
        if let Value::Object(members) = place {
            members.retain(|name, _| shape.allows(name));
        }
    }

    fn finish(mut self, each: Option<&Pointer>, content_type: &'static str) -> Sample {
        if let Some(each) = each {
            let mut list = json!([self.item]);
            for step in each.steps().iter().rev() {
                list = match (step.as_str(), &mut list) {
                    ("*", Value::Object(inner)) => {
                        if let Value::Object(outer) = &self.outer {
                            inner.extend(outer.clone());
                        }
                        json!([list])
                    }
                    ("*", _) => json!([list]),
                    (name, _) => json!({ name: list }),
                };
            }
            match (&mut self.body, list) {
                (Value::Object(body), Value::Object(list)) => body.extend(list),
                (body, list) => *body = list,
            }
        }
        if self.body.is_null() {
            self.body = json!({});
        }
        let mut query = form_urlencoded::Serializer::new(String::new());
        let body = match &self.body {
            Value::Object(fields) if content_type.ends_with("urlencoded") => {
                form(fields).into_bytes()
            }
            body => body.to_string().into_bytes(),
        };
        Sample {
            headers: self.headers,
            query: query.extend_pairs(self.query).finish(),
            content_type,
            body,
        }
    }
}

impl Pattern {
    /// A text that matches, with `star` in place of the star.
    pub(crate) fn fill(&self, star: &str) -> String {
        self.to_string().replace('*', star)
    }
}
