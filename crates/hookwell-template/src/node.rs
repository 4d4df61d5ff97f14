//! A template as a tree in which every node knows its line.

use saphyr::{LoadableYamlNode as _, MarkedYamlOwned, ScalarOwned, YamlDataOwned};

/// The file is no template.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the template cannot be read: {0}")]
pub struct Unreadable(pub(crate) String);

/// A value and the line where it, or its key, starts.
#[derive(Debug, Clone)]
pub(super) struct Node {
    pub(super) line: usize,
    pub(super) value: Value,
}

/// Value of a node. The last three are there only once a template is resolved.
#[derive(Debug, Clone)]
pub(super) enum Value {
    /// Any scalar: CloudFormation takes `"30"` for 30 and `"true"` for true.
    Text(String),
    List(Vec<Node>),
    Map(Vec<(String, Node)>),
    /// A parameter, and its value where that is known.
    Parameter {
        name: String,
        value: Option<String>,
    },
    /// A resource, or the named attribute of one.
    Resource {
        id: String,
        attribute: Option<String>,
    },
    /// Known at deployment only.
    Unknown,
}

impl Node {
    /// Reads YAML, and JSON with it. A short tag becomes the long form: `!Ref X` is `{Ref: X}`.
    pub(super) fn parse(text: &str) -> Result<Self, Unreadable> {
        let documents =
            MarkedYamlOwned::load_from_str(text).map_err(|error| Unreadable(error.to_string()))?;
        match documents.as_slice() {
            [one] => Ok(Self::from(one)),
            _ => Err(Unreadable("it is not one YAML document".to_owned())),
        }
    }

    /// Reads a template.
    pub(super) fn template(text: &str) -> Result<Self, Unreadable> {
        let template = Self::parse(text)?;
        if template.get("Resources").is_none() {
            return Err(Unreadable("it has no Resources".to_owned()));
        }
        Ok(template)
    }

    pub(super) fn get(&self, key: &str) -> Option<&Self> {
        self.entries()
            .iter()
            .find_map(|(name, node)| (name == key).then_some(node))
    }

    /// The entries of a map, of anything else none.
    pub(super) fn entries(&self) -> &[(String, Self)] {
        match &self.value {
            Value::Map(entries) => entries,
            _ => &[],
        }
    }

    /// The elements of a list; anything else is its own only element, as in `Action: sqs:SendMessage`.
    pub(super) fn elements(&self) -> &[Self] {
        match &self.value {
            Value::List(elements) => elements,
            _ => std::slice::from_ref(self),
        }
    }

    /// The text of a scalar, or of a parameter whose value is known.
    pub(super) fn text(&self) -> Option<&str> {
        match &self.value {
            Value::Text(text) => Some(text),
            Value::Parameter { value, .. } => value.as_deref(),
            _ => None,
        }
    }
}

impl From<&MarkedYamlOwned> for Node {
    fn from(yaml: &MarkedYamlOwned) -> Self {
        let line = yaml.span.start.line();
        let value = match &yaml.data {
            YamlDataOwned::Value(scalar) => Value::Text(spelled(scalar)),
            YamlDataOwned::Sequence(elements) => {
                Value::List(elements.iter().map(Self::from).collect())
            }
            YamlDataOwned::Mapping(entries) => {
                Value::Map(entries.iter().filter_map(entry).collect())
            }
            YamlDataOwned::Tagged(tag, inner) => {
                let name = match tag.suffix.as_str() {
                    name @ ("Ref" | "Condition") => name.to_owned(),
                    name => format!("Fn::{name}"),
                };
                Value::Map(vec![(name, Self::from(inner.as_ref()))])
            }
            YamlDataOwned::Representation(text, ..) => Value::Text(text.clone()),
            YamlDataOwned::Alias(_) | YamlDataOwned::BadValue => Value::Unknown,
        };
        Self { line, value }
    }
}

/// A value below its key is found at the key.
fn entry((key, value): (&MarkedYamlOwned, &MarkedYamlOwned)) -> Option<(String, Node)> {
    let YamlDataOwned::Value(name) = &key.data else {
        return None;
    };
    let line = key.span.start.line();
    Some((
        spelled(name),
        Node {
            line,
            ..Node::from(value)
        },
    ))
}

fn spelled(scalar: &ScalarOwned) -> String {
    match scalar {
        ScalarOwned::Null => String::new(),
        ScalarOwned::Boolean(value) => value.to_string(),
        ScalarOwned::Integer(value) => value.to_string(),
        ScalarOwned::FloatingPoint(value) => value.to_string(),
        ScalarOwned::String(value) => value.clone(),
    }
}
