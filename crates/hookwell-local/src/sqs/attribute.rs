//! Message attributes: their rules and their digest (page "Amazon SQS message metadata").

use std::collections::BTreeMap;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use md5::{Digest, Md5};
use serde_json::{Map, Value};

use super::fault::{Outcome, invalid};
use super::request::is_text;

/// Bytes that `encode` adds to an attribute: three lengths and a kind.
const OVERHEAD: usize = 13;

/// The bytes of a message that count towards the size limits: its body and attributes.
pub(super) fn size(message: &Value) -> usize {
    let attributes = &message["MessageAttributes"];
    let overhead = OVERHEAD * attributes.as_object().map_or(0, Map::len);
    let attributes = encode(attributes).map_or(0, |encoded| encoded.len() - overhead);
    message["MessageBody"].as_str().map_or(0, str::len) + attributes
}

/// The digest of attributes that keep the rules; there is none of no attributes.
pub(super) fn digest(attributes: &Value) -> Outcome<Option<String>> {
    let encoded = encode(attributes)?;
    Ok(Some(encoded).filter(|encoded| !encoded.is_empty()).map(md5))
}

pub(super) fn md5(bytes: impl AsRef<[u8]>) -> String {
    hex::encode(Md5::digest(bytes))
}

/// Name, type and value in the order of the names, each after its length, the value also after a
/// byte that tells whether it is binary.
fn encode(attributes: &Value) -> Outcome<Vec<u8>> {
    let attributes: BTreeMap<_, _> = attributes.as_object().into_iter().flatten().collect();
    if attributes.len() > 10 {
        return Err(invalid(
            "Number of message attributes exceeds the allowed maximum [10].",
        ));
    }
    let mut encoded = Vec::new();
    for (name, attribute) in attributes {
        let data_type = attribute["DataType"].as_str().unwrap_or_default();
        let (kind, value) = value(data_type, attribute)
            .filter(|(_, value)| !value.is_empty() && is_attribute_name(name))
            .ok_or_else(|| {
                let rule = format!("must contain a non-empty value of type '{data_type}'.");
                invalid(format!("Message (user) attribute '{name}' {rule}"))
            })?;
        let parts = [
            (None, name.as_bytes()),
            (None, data_type.as_bytes()),
            (Some(kind), &value),
        ];
        for (kind, part) in parts {
            encoded.extend(kind);
            encoded.extend(u32::try_from(part.len())?.to_be_bytes());
            encoded.extend(part);
        }
    }
    Ok(encoded)
}

/// The kind and value of an attribute, if they fit. After a dot, as in `Number.float`, a type has
/// a label of the sender's own.
fn value(data_type: &str, attribute: &Value) -> Option<(u8, Vec<u8>)> {
    let text = attribute["StringValue"]
        .as_str()
        .filter(|text| is_text(text));
    match data_type.split('.').next()? {
        "String" => Some((1, text?.into())),
        "Number" => text
            .filter(|text| text.parse().is_ok_and(f64::is_finite))
            .map(|text| (1, text.into())),
        "Binary" => Some((2, STANDARD.decode(attribute["BinaryValue"].as_str()?).ok()?)),
        _ => None,
    }
}

fn is_attribute_name(name: &str) -> bool {
    let allowed = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.');
    let reserved = ["aws.", "amazon."]
        .iter()
        .any(|prefix| name.to_lowercase().starts_with(prefix));
    let parts_filled = name.split('.').all(|part| !part.is_empty());
    name.len() <= 256 && name.chars().all(allowed) && !reserved && parts_filled
}
