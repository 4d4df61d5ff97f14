//! From a template to what would be deployed: parameters, conditions, intrinsic functions and SAM's `Globals`.
//!
//! A condition makes one template into several deployments. [`choices`] lists the parameter values that tell them
//! apart, and [`deployment`] resolves the template for one of them.

use std::collections::{BTreeMap, BTreeSet};

use super::node::{Node, Value};

/// Values of the parameters that conditions compare; `None` is a value that equals none of those in the template.
pub(super) type Choice = BTreeMap<String, Option<String>>;

/// Number of parameters that may differ from their defaults at once. Every combination would double with each
/// parameter; a mistake that needs three together is not found.
const MAX_CHANGES: usize = 2;

/// Depth to which conditions may name each other; CloudFormation refuses a circle.
const MAX_DEPTH: usize = 32;

/// A resource as it would be deployed.
#[derive(Debug)]
pub(super) struct Resource {
    pub(super) id: String,
    pub(super) kind: String,
    /// True when the resource's condition holds.
    pub(super) exists: bool,
    pub(super) node: Node,
}

/// Every value of the parameters that conditions can tell apart, alone and in pairs, the defaults first.
pub(super) fn choices(template: &Node) -> Vec<Choice> {
    let mut compared = BTreeMap::new();
    if let Some(conditions) = template.get("Conditions") {
        comparisons(conditions, &mut compared);
    }
    let mut choices = vec![(0, Choice::new())];
    for (name, literals) in compared {
        let parameter = template.get("Parameters").and_then(|all| all.get(&name));
        let allowed = parameter.and_then(|one| one.get("AllowedValues"));
        let texts = |node: &Node| -> Vec<_> {
            let elements = node.elements().iter();
            elements
                .filter_map(Node::text)
                .map(|text| Some(text.to_owned()))
                .collect()
        };
        let mut values = vec![default(parameter)];
        match allowed {
            Some(allowed) => values.extend(texts(allowed)),
            None => values.extend(literals.into_iter().map(Some).chain([None])),
        }
        let mut seen = BTreeSet::new();
        values.retain(|value| seen.insert(value.clone()));
        let with = |(changes, choice): &(usize, Choice), index, value: &Option<String>| {
            let mut choice = choice.clone();
            choice.insert(name.clone(), value.clone());
            (changes + usize::from(index > 0), choice)
        };
        let values = values.iter().enumerate();
        choices = values
            .flat_map(|(index, value)| choices.iter().map(move |one| with(one, index, value)))
            .filter(|(changes, _)| *changes <= MAX_CHANGES)
            .collect();
    }
    choices.sort_by_key(|(changes, _)| *changes);
    choices.into_iter().map(|(_, choice)| choice).collect()
}

/// The parameters in which two choices differ, with the second one's values.
pub(super) fn changes<'c>(
    from: &'c Choice,
    to: &'c Choice,
) -> impl Iterator<Item = (&'c String, &'c Option<String>)> {
    to.iter()
        .filter(|(name, value)| from.get(*name) != Some(*value))
}

/// Finds the parameters that conditions compare, and the values that they compare them with.
fn comparisons(node: &Node, found: &mut BTreeMap<String, Vec<String>>) {
    for (name, inner) in node.entries() {
        if let ("Fn::Equals", [left, right]) = (name.as_str(), inner.elements()) {
            for (one, other) in [(left, right), (right, left)] {
                if let Some(parameter) = one.get("Ref").and_then(Node::text) {
                    let literals = found.entry(parameter.to_owned()).or_default();
                    literals.extend(other.text().map(str::to_owned));
                }
            }
        }
        comparisons(inner, found);
    }
    if let Value::List(elements) = &node.value {
        for element in elements {
            comparisons(element, found);
        }
    }
}

/// The default of a parameter; `None` where the value is fetched from Parameter Store, because the default is its name.
fn default(parameter: Option<&Node>) -> Option<String> {
    let parameter = parameter?;
    let kind = parameter.get("Type").and_then(Node::text).unwrap_or("");
    let default = parameter.get("Default").and_then(Node::text);
    default
        .filter(|_| !kind.starts_with("AWS::SSM::"))
        .map(str::to_owned)
}

/// Everything that the template would deploy under that choice.
pub(super) fn deployment(template: &Node, choice: &Choice) -> Vec<Resource> {
    let resolver = Resolver { template, choice };
    let globals = template.get("Globals").and_then(|it| it.get("Function"));
    let globals = globals.and_then(|node| resolver.resolve(node));
    let resources = template.get("Resources").map_or(&[][..], Node::entries);
    let resources = resources.iter().filter_map(|(id, node)| {
        let mut deployed = resolver.resolve(node)?;
        let kind = deployed.get("Type").and_then(Node::text)?.to_owned();
        if let ("AWS::Serverless::Function", Some(globals), Value::Map(entries)) =
            (kind.as_str(), &globals, &mut deployed.value)
        {
            for (name, properties) in entries {
                if name == "Properties" {
                    *properties = merged(globals, properties);
                }
            }
        }
        let condition = node.get("Condition").and_then(Node::text);
        Some(Resource {
            id: id.clone(),
            kind,
            exists: condition.is_none_or(|name| resolver.holds(name, 0)),
            node: deployed,
        })
    });
    resources.collect()
}

/// The outputs that the template would have under that choice, by their names.
pub(super) fn outputs(template: &Node, choice: &Choice) -> Node {
    let resolver = Resolver { template, choice };
    let all = template.get("Outputs");
    let outputs = all.map_or(&[][..], Node::entries).iter();
    let outputs = outputs.filter_map(|(name, node)| {
        let condition = node.get("Condition").and_then(Node::text);
        let exists = condition.is_none_or(|condition| resolver.holds(condition, 0));
        Some((name.clone(), resolver.resolve(node).filter(|_| exists)?))
    });
    Node {
        line: all.unwrap_or(template).line,
        value: Value::Map(outputs.collect()),
    }
}

/// As SAM merges: maps key by key, lists one after the other, anything else is the function's own.
fn merged(global: &Node, own: &Node) -> Node {
    let value = match (&global.value, &own.value) {
        (Value::Map(global), Value::Map(entries)) => {
            let mut all = entries.clone();
            for (name, node) in global {
                match all.iter_mut().find(|(own, _)| own == name) {
                    Some((_, own)) => *own = merged(node, own),
                    None => all.push((name.clone(), node.clone())),
                }
            }
            Value::Map(all)
        }
        (Value::List(global), Value::List(elements)) => {
            Value::List(global.iter().chain(elements).cloned().collect())
        }
        (_, own) => own.clone(),
    };
    let line = own.line;
    Node { line, value }
}

struct Resolver<'t> {
    template: &'t Node,
    choice: &'t Choice,
}

impl Resolver<'_> {
    /// The node without intrinsic functions; `None` when it is `AWS::NoValue`.
    fn resolve(&self, node: &Node) -> Option<Node> {
        let value = match &node.value {
            Value::List(elements) => Value::List(
                elements
                    .iter()
                    .filter_map(|element| self.resolve(element))
                    .collect(),
            ),
            Value::Map(entries) => {
                if let [(name, argument)] = entries.as_slice()
                    && (name == "Ref" || name.starts_with("Fn::"))
                {
                    let Node { value, .. } = self.call(name, argument)?;
                    value
                } else {
                    let entries = entries.iter();
                    let resolved = |(name, node): &(String, Node)| {
                        self.resolve(node).map(|node| (name.clone(), node))
                    };
                    Value::Map(entries.filter_map(resolved).collect())
                }
            }
            other => other.clone(),
        };
        let line = node.line;
        Some(Node { line, value })
    }

    /// An intrinsic function.
    fn call(&self, name: &str, argument: &Node) -> Option<Node> {
        let value = match (name, argument.elements()) {
            ("Ref", [one]) => match one.text()? {
                "AWS::NoValue" => return None,
                name => self.reference(name),
            },
            ("Fn::GetAtt", [one]) => self.reference(one.text()?),
            ("Fn::GetAtt", [id, attribute]) => {
                self.reference(&format!("{}.{}", id.text()?, attribute.text()?))
            }
            ("Fn::Sub", [text]) => self.substitute(text.text()?, &[]),
            ("Fn::Sub", [text, own]) => {
                let own = self.resolve(own)?;
                self.substitute(text.text()?, own.entries())
            }
            ("Fn::If", [condition, yes, no]) => {
                let holds = self.holds(condition.text()?, 0);
                return self.resolve(if holds { yes } else { no });
            }
            ("Fn::Join", [separator, parts]) => {
                let parts = self.resolve(parts)?;
                let parts: Vec<_> = parts
                    .elements()
                    .iter()
                    .map(|part| spelled(&part.value))
                    .collect();
                Value::Text(parts.join(separator.text()?))
            }
            _ => Value::Unknown,
        };
        let line = argument.line;
        Some(Node { line, value })
    }

    /// `Name` or `Name.Attribute`.
    fn reference(&self, name: &str) -> Value {
        let parameter = self
            .template
            .get("Parameters")
            .and_then(|all| all.get(name));
        let chosen = self.choice.get(name).cloned();
        if parameter.is_some() || chosen.is_some() {
            let value = chosen.unwrap_or_else(|| default(parameter));
            let name = name.to_owned();
            return Value::Parameter { name, value };
        }
        if name.starts_with("AWS::") {
            return Value::Text(format!("${{{name}}}"));
        }
        let (id, attribute) = match name.split_once('.') {
            Some((id, attribute)) => (id, Some(attribute.to_owned())),
            None => (name, None),
        };
        let id = id.to_owned();
        Value::Resource { id, attribute }
    }

    fn substitute(&self, text: &str, own: &[(String, Node)]) -> Value {
        let value = |name: &str| {
            let own = own.iter().find(|(own, _)| own == name);
            own.map_or_else(|| self.reference(name), |(_, node)| node.value.clone())
        };
        let mut result = String::new();
        let mut rest = text;
        while let Some((before, after)) = rest.split_once("${") {
            let Some((name, after)) = after.split_once('}') else {
                break;
            };
            if (before, after, text.len()) == ("", "", rest.len()) && !name.starts_with('!') {
                return value(name);
            }
            result.push_str(before);
            match name.strip_prefix('!') {
                Some(literal) => result.extend(["${", literal, "}"]),
                None => result.push_str(&spelled(&value(name))),
            }
            rest = after;
        }
        result.push_str(rest);
        Value::Text(result)
    }

    fn holds(&self, name: &str, depth: usize) -> bool {
        let condition = self
            .template
            .get("Conditions")
            .and_then(|all| all.get(name));
        condition.is_some_and(|node| self.truth(node, depth + 1))
    }

    fn truth(&self, node: &Node, depth: usize) -> bool {
        let [(name, argument)] = node.entries() else {
            return false;
        };
        let mut all = argument.elements().iter();
        match name.as_str() {
            _ if depth > MAX_DEPTH => false,
            "Condition" => argument.text().is_some_and(|name| self.holds(name, depth)),
            "Fn::Not" => !all.any(|one| self.truth(one, depth + 1)),
            "Fn::And" => all.all(|one| self.truth(one, depth + 1)),
            "Fn::Or" => all.any(|one| self.truth(one, depth + 1)),
            "Fn::Equals" => {
                let mut sides = all.map(|one| self.resolve(one)?.text().map(str::to_owned));
                let (left, right) = (sides.next().flatten(), sides.next().flatten());
                left.is_some() && left == right
            }
            _ => false,
        }
    }
}

/// A value inside a longer text.
fn spelled(value: &Value) -> String {
    match value {
        Value::Text(text) => text.clone(),
        Value::Parameter { name, value } => value.clone().unwrap_or_else(|| format!("${{{name}}}")),
        Value::Resource { id, attribute } => match attribute {
            Some(attribute) => format!("${{{id}.{attribute}}}"),
            None => format!("${{{id}}}"),
        },
        Value::List(_) | Value::Map(_) | Value::Unknown => "${?}".to_owned(),
    }
}
