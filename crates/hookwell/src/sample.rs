//! Sample events, made from a source's own mapping: whatever a source reads, a sample of it has.

use serde_json::{Map, Value, json};

use crate::event::Operation;
use crate::json::Pointer;
use crate::pattern::Pattern;
use crate::source::{Locator, Piece, Source};
use crate::time::{Millis, to_rfc3339};

/// A delivery's headers and body, not signed yet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sample {
    /// Headers that hold parts of the event.
    pub headers: Vec<(String, String)>,
    /// A JSON body.
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
    let mut made = Made {
        headers: Vec::new(),
        body: json!({}),
    };
    for pointer in &mapping.required {
        made.set(pointer, json!("sample"));
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
        made.set(pointer, state.clone());
    }
    made.put(mapping.document_id.as_ref(), ask.document_id);
    made.put(mapping.document_type.as_ref(), "sample");
    made.put(
        mapping.kind.as_ref(),
        if mapping.operation.is_some() {
            "sample"
        } else {
            &word
        },
    );
    made.put(mapping.operation.as_ref(), &word);
    made.put(mapping.time.as_ref(), &to_rfc3339(ask.at));
    made.put(mapping.id.as_ref(), ask.id);
    Sample {
        headers: made.headers,
        body: made.body.to_string().into_bytes(),
    }
}

struct Made {
    headers: Vec<(String, String)>,
    body: Value,
}

impl Made {
    /// Puts a text where the first alternative of a locator looks.
    fn put(&mut self, locator: Option<&Locator>, text: &str) {
        for piece in locator
            .and_then(|locator| locator.0.first())
            .into_iter()
            .flatten()
        {
            match piece {
                Piece::Body(pointer) => self.set(pointer, json!(text)),
                Piece::Header(name) => self.headers.push((name.clone(), text.to_owned())),
                Piece::Literal(_) => {}
            }
        }
    }

    fn set(&mut self, pointer: &Pointer, value: Value) {
        let mut place = &mut self.body;
        for step in pointer.steps() {
            if !place.is_object() {
                *place = Value::Object(Map::new());
            }
            let Value::Object(object) = place else { return };
            place = object.entry(step.clone()).or_insert(Value::Null);
        }
        *place = value;
    }
}

impl Pattern {
    /// A text that matches, with `star` in place of the star.
    fn fill(&self, star: &str) -> String {
        self.to_string().replace('*', star)
    }
}
