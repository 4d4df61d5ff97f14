//! The tables of a project's own handler: those that a variable of process names besides Hookwell's.

use serde_json::{Map, Value as Json, json};

use crate::deployment::Deployment;
use crate::node::{Node, Unreadable, Value};
use crate::resolve::{self, Resource};

/// A table of the template, as `CreateTable` makes it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OwnTable {
    /// The variable in which process finds the table's name.
    pub variable: String,
    /// The name: the template's, or else the resource's.
    pub name: String,
    /// The request of `CreateTable`.
    pub definition: Json,
}

/// Properties of a table's resource that `CreateTable` takes as they are.
const TAKEN: [&str; 4] = [
    "AttributeDefinitions",
    "KeySchema",
    "GlobalSecondaryIndexes",
    "LocalSecondaryIndexes",
];

/// The tables that process finds through its environment, besides Hookwell's own, with the default parameters.
///
/// # Errors
/// When the text is no YAML or has no `Resources`.
pub fn own_tables(text: &str) -> Result<Vec<OwnTable>, Unreadable> {
    let template = Node::template(text)?;
    let choice = resolve::choices(&template).into_iter().next();
    let deployment = Deployment::new(&template, &choice.unwrap_or_default(), &[], &[]);
    let own = deployment.own_tables().into_iter();
    Ok(own
        .map(|(variable, table)| own_table(variable, table))
        .collect())
}

fn own_table(variable: &str, table: &Resource) -> OwnTable {
    let name = table.properties().at("TableName");
    let name = name.text().unwrap_or(&table.id).to_owned();
    let mut definition = Map::new();
    definition.insert("TableName".to_owned(), json!(name));
    definition.insert("BillingMode".to_owned(), json!("PAY_PER_REQUEST"));
    let properties = table.node.get("Properties");
    for key in TAKEN {
        if let Some(value) = properties.and_then(|all| all.get(key)) {
            definition.insert(key.to_owned(), json(value));
        }
    }
    if !definition.contains_key("KeySchema") {
        simple_key(
            properties.and_then(|all| all.get("PrimaryKey")),
            &mut definition,
        );
    }
    OwnTable {
        variable: variable.to_owned(),
        name,
        definition: Json::Object(definition),
    }
}

/// The key of a `SimpleTable`: `id`, a string, unless it says otherwise.
fn simple_key(key: Option<&Node>, definition: &mut Map<String, Json>) {
    let text = |name: &str| key.and_then(|key| key.get(name)).and_then(Node::text);
    let name = text("Name").unwrap_or("id");
    let kind = match text("Type") {
        Some("Number") => "N",
        Some("Binary") => "B",
        _ => "S",
    };
    definition.insert(
        "AttributeDefinitions".to_owned(),
        json!([{ "AttributeName": name, "AttributeType": kind }]),
    );
    definition.insert(
        "KeySchema".to_owned(),
        json!([{ "AttributeName": name, "KeyType": "HASH" }]),
    );
}

/// A value as JSON. Throughput is left out: the table is paid by request, and means nothing here.
fn json(node: &Node) -> Json {
    match &node.value {
        Value::List(elements) => elements.iter().map(json).collect(),
        Value::Map(entries) => {
            let entries = entries.iter();
            let entries = entries.filter(|(name, _)| name != "ProvisionedThroughput");
            let entries = entries.map(|(name, inner)| (name.clone(), json(inner)));
            Json::Object(entries.collect())
        }
        _ => json!(node.text()),
    }
}
