//! A place in a resolved template, there or missing: what a rule looks at and where a finding points to.

use std::borrow::Cow;

use super::node::{Node, Value};

/// A path, the node there if there is one, and its line or that of the nearest node above it.
#[derive(Debug, Clone)]
pub(super) struct Place<'t> {
    pub(super) path: String,
    pub(super) line: usize,
    node: Option<&'t Node>,
}

/// A number in a template.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Number {
    Missing,
    Known(u64),
    /// Not known before the deployment, or no number.
    Unknown,
}

impl<'t> Place<'t> {
    pub(super) fn new(path: String, node: &'t Node) -> Self {
        let line = node.line;
        let node = Some(node);
        Self { path, line, node }
    }

    /// The place below this one. A key with dots in it is more than one step.
    pub(super) fn at(&self, keys: &str) -> Self {
        let mut place = self.clone();
        for key in keys.split('.') {
            place.path = format!("{}.{key}", place.path);
            place.node = place.node.and_then(|node| node.get(key));
            place.line = place.node.map_or(place.line, |node| node.line);
        }
        place
    }

    pub(super) fn is_missing(&self) -> bool {
        self.node.is_none()
    }

    /// Every element of a list, or the value itself.
    pub(super) fn elements(&self) -> Vec<Self> {
        let Some(node) = self.node else {
            return Vec::new();
        };
        if !matches!(node.value, Value::List(_)) {
            return vec![self.clone()];
        }
        let elements = node.elements().iter().enumerate();
        elements
            .map(|(index, node)| Self::new(format!("{}[{index}]", self.path), node))
            .collect()
    }

    /// Every entry of a map, by its name.
    pub(super) fn entries(&self) -> Vec<(&'t str, Self)> {
        let entries = self.node.map_or(&[][..], Node::entries).iter();
        entries
            .map(|(name, _)| (name.as_str(), self.at_entry(name)))
            .collect()
    }

    /// As [`Self::at`], for a name that may have dots in it.
    fn at_entry(&self, name: &str) -> Self {
        let node = self.node.and_then(|node| node.get(name));
        Self {
            path: format!("{}.{name}", self.path),
            line: node.map_or(self.line, |node| node.line),
            node,
        }
    }

    pub(super) fn value(&self) -> Option<&'t Value> {
        self.node.map(|node| &node.value)
    }

    pub(super) fn text(&self) -> Option<&'t str> {
        self.node.and_then(Node::text)
    }

    pub(super) fn is(&self, expected: &str) -> bool {
        self.text() == Some(expected)
    }

    /// True when the value is `expected`, or only deployment tells.
    pub(super) fn may_be(&self, expected: &str) -> bool {
        self.node.is_some() && self.text().is_none_or(|text| text == expected)
    }

    pub(super) fn number(&self) -> Number {
        match self.node {
            None => Number::Missing,
            Some(node) => match node.text().map(str::parse) {
                Some(Ok(number)) => Number::Known(number),
                _ => Number::Unknown,
            },
        }
    }

    /// The resource that it names: by reference, or inside a text as in an ARN.
    pub(super) fn target(&self) -> Option<&'t str> {
        self.targets().into_iter().next()
    }

    /// Every name that it refers to: one by reference, or each inside a text.
    pub(super) fn targets(&self) -> Vec<&'t str> {
        match self.value() {
            Some(Value::Resource { id, .. }) => vec![id],
            Some(Value::Text(text)) => {
                let names = text.split("${").skip(1);
                let names = names.filter_map(|rest| Some(rest.split_once('}')?.0));
                let ids = names.map(|name| name.split_once('.').map_or(name, |(id, _)| id));
                ids.filter(|id| !id.starts_with("AWS::")).collect()
            }
            _ => Vec::new(),
        }
    }

    /// The text there; a parameter without a value stands for itself, so that two places that use it have one name.
    pub(super) fn name(&self) -> Option<Cow<'t, str>> {
        let name = match self.value()? {
            Value::Parameter { name, value: None } => Cow::Owned(format!("${{{name}}}")),
            _ => Cow::Borrowed(self.text()?),
        };
        // A part that nobody knows is equal to nothing.
        (!name.is_empty() && !name.contains("${?}")).then_some(name)
    }
}
