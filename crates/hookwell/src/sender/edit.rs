//! A body taken apart, so that values in it can be changed.

use serde_json::{Map, Value};

use crate::format::json::Pointer;

/// The field of a form that holds JSON, as [`crate::format::form`] reads it.
const PAYLOAD: &str = "payload";

/// A body whose values can be changed.
#[derive(Debug, Clone)]
pub struct Edit {
    value: Value,
    around: Around,
}

/// Text around a value.
#[derive(Debug, Clone)]
enum Around {
    /// Nothing: the body is JSON.
    Nothing,
    /// A form, whose fields are the members of the value.
    Form,
    /// A form with these other fields, whose field `payload` is the value as JSON.
    Payload(Map<String, Value>),
}

impl Edit {
    /// A body of JSON, or of a form each of whose fields is there once; `None` for any other.
    #[must_use]
    pub fn of(body: &[u8]) -> Option<Self> {
        if let Ok(value) = serde_json::from_slice(body) {
            let around = Around::Nothing;
            return Some(Self { value, around });
        }
        let text = std::str::from_utf8(body).ok()?;
        if !text.contains('=') || text.contains(|c: char| c.is_whitespace()) {
            return None;
        }
        let mut fields = Map::new();
        for (name, text) in form_urlencoded::parse(body) {
            let known = fields.insert(name.into_owned(), Value::String(text.into_owned()));
            if known.is_some() {
                return None;
            }
        }
        let payload = fields.get(PAYLOAD).and_then(Value::as_str);
        let payload = payload.and_then(|json| serde_json::from_str(json).ok());
        if let Some(value @ Value::Object(_)) = payload {
            fields.remove(PAYLOAD);
            let around = Around::Payload(fields);
            return Some(Self { value, around });
        }
        Some(Self {
            value: Value::Object(fields),
            around: Around::Form,
        })
    }

    /// The value at a place.
    #[must_use]
    pub fn get(&self, pointer: &str) -> Option<&Value> {
        self.value.pointer(pointer)
    }

    /// Puts a value at a place, and makes the members on the way there. False where a list on the way is too short.
    pub fn set(&mut self, pointer: &Pointer, value: Value) -> bool {
        let value = match (value, &self.around) {
            (Value::String(text), _) => Value::String(text),
            (other, Around::Form) => Value::String(other.to_string()),
            (other, _) => other,
        };
        set(&mut self.value, pointer, value)
    }

    /// The body as it is now.
    #[must_use]
    pub fn bytes(&self) -> Vec<u8> {
        match (&self.value, &self.around) {
            (Value::Object(fields), Around::Form) => form(fields).into_bytes(),
            (payload, Around::Payload(others)) => {
                let mut fields = others.clone();
                fields.insert(PAYLOAD.to_owned(), Value::String(payload.to_string()));
                form(&fields).into_bytes()
            }
            (body, _) => body.to_string().into_bytes(),
        }
    }
}

/// The texts of an object as the fields of a form.
pub(super) fn form(fields: &Map<String, Value>) -> String {
    let mut form = form_urlencoded::Serializer::new(String::new());
    let texts = fields
        .iter()
        .filter_map(|(name, value)| Some((name, value.as_str()?)));
    form.extend_pairs(texts).finish()
}

/// Puts a value at a place, and makes the members on the way there; what is no object and no list there is replaced. False
/// where a list on the way is too short.
pub(super) fn set(root: &mut Value, pointer: &Pointer, value: Value) -> bool {
    let mut place = root;
    for step in pointer.steps() {
        if !place.is_object() && !place.is_array() {
            *place = Value::Object(Map::new());
        }
        let inner = match place {
            Value::Object(members) => Some(members.entry(step.clone()).or_insert(Value::Null)),
            Value::Array(items) => step.parse().ok().and_then(|at: usize| items.get_mut(at)),
            _ => None,
        };
        let Some(inner) = inner else { return false };
        place = inner;
    }
    *place = value;
    true
}
