//! Sample events, made from a source's own mapping: whatever a source reads, a sample of it has.

use serde_json::{Map, Value, json};

use crate::event::Operation;
use crate::format::json::Pointer;
use crate::format::pattern::Pattern;
use crate::format::time::{Millis, to_rfc3339};
use crate::source::Source;
use crate::source::mapping::{Locator, Piece};
use crate::verify::recipe::TimestampPlace;
use crate::verify::scheme::Scheme;

/// A delivery's headers, query and body, not signed yet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sample {
    /// Headers that hold parts of the event.
    pub headers: Vec<(String, String)>,
    /// The query string, without `?`.
    pub query: String,
    /// What the body is.
    pub content_type: &'static str,
    /// A body of that type.
    pub body: Vec<u8>,
}

/// What a sample says.
#[derive(Debug, Clone, Copy)]
pub struct Ask<'a> {
    /// What happens to the document. A source without a word for it sends its first type.
    pub operation: Operation,
    /// The event's id, where the sender has ids.
    pub id: &'a str,
    /// The document's id.
    pub document_id: &'a str,
    /// When it happens.
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
    let word = mapping
        .operations
        .iter()
        .filter(|(_, operation)| *operation == ask.operation)
        .max_by_key(|(pattern, _)| pattern.to_string().contains('*'))
        .map_or_else(
            || "sample.happened".to_owned(),
            |(pattern, _)| pattern.fill("sample"),
        );
    let state =
        json!({ "id": ask.document_id, "name": format!("Sample at {}", to_rfc3339(ask.at)) });
    for pointer in mapping.document.iter().take(1) {
        let place = match mapping.each {
            Some(_) => &mut made.item,
            None => &mut made.body,
        };
        set(place, pointer, state.clone());
    }
    made.put(mapping.document_id.as_ref(), ask.document_id);
    made.put(mapping.document_type.as_ref(), "sample");
    made.put(mapping.time.as_ref(), &to_rfc3339(ask.at));
    made.put(mapping.id.as_ref(), ask.id);
    made.put(
        mapping.kind.as_ref(),
        if mapping.operation.is_some() {
            "sample"
        } else {
            &word
        },
    );
    made.put(mapping.operation.as_ref(), &word);
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
    made.finish(mapping.each.as_ref(), source.content_type())
}

#[derive(Default)]
struct Made {
    headers: Vec<(String, String)>,
    query: Vec<(String, String)>,
    body: Value,
    item: Value,
}

impl Made {
    /// Puts a text where the first alternative of a locator looks; in a template, what lies between its literals.
    fn put(&mut self, locator: Option<&Locator>, text: &str) {
        let mut rest = text;
        let pieces = locator.and_then(|locator| locator.0.first());
        let mut pieces = pieces.into_iter().flatten().peekable();
        while let Some(piece) = pieces.next() {
            let text = match pieces.peek() {
                Some(Piece::Literal(literal)) => match rest.split_once(literal.as_str()) {
                    Some((before, after)) => {
                        rest = after;
                        before
                    }
                    None => rest,
                },
                _ => rest,
            };
            match piece {
                Piece::Body(pointer) => set(&mut self.body, pointer, json!(text)),
                Piece::Item(pointer) => set(&mut self.item, pointer, json!(text)),
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

    fn finish(mut self, each: Option<&Pointer>, content_type: &'static str) -> Sample {
        if let Some(each) = each {
            let mut list = json!([self.item]);
            for step in each.steps().iter().rev() {
                list = match step.as_str() {
                    "*" => json!([list]),
                    name => json!({ name: list }),
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
                let mut form = form_urlencoded::Serializer::new(String::new());
                let texts = fields
                    .iter()
                    .filter_map(|(name, value)| Some((name, value.as_str()?)));
                form.extend_pairs(texts).finish().into_bytes()
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

fn set(root: &mut Value, pointer: &Pointer, value: Value) {
    let mut place = root;
    for step in pointer.steps() {
        if !place.is_object() {
            *place = Value::Object(Map::new());
        }
        let Value::Object(object) = place else { return };
        place = object.entry(step.clone()).or_insert(Value::Null);
    }
    *place = value;
}

impl Pattern {
    /// A text that matches, with `star` in place of the star.
    fn fill(&self, star: &str) -> String {
        self.to_string().replace('*', star)
    }
}
