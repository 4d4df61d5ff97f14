//! docs/handler.md: what it says to paste is what the example of process compiles and tests.
#![allow(clippy::unwrap_used)]

const PAGE: &str = include_str!("../../../docs/handler.md");
const HANDLER: &str = include_str!("../../../functions/process/examples/receipts.rs");
const SOURCES: &str = include_str!("../../../functions/process/examples/receipts/sources.toml");
const TEMPLATE: &str = include_str!("../../../functions/process/examples/receipts/template.yaml");

/// The blocks of the page in a language.
fn blocks(language: &str) -> Vec<&'static str> {
    let start = format!("```{language}\n");
    let blocks = PAGE.split(start.as_str()).skip(1);
    blocks
        .map(|block| block.split("```").next().unwrap())
        .collect()
}

#[test]
fn its_handler_is_the_one_that_is_tested() {
    // A project has its sources and template elsewhere.
    let handler = HANDLER
        .replace("receipts/sources.toml", "../../ingest/sources.toml")
        .replace("receipts/template.yaml", "../../../template.yaml");
    assert_eq!(blocks("rust"), [handler]);
}

#[test]
fn its_source_and_its_table_are_those_of_the_test() {
    assert!(blocks("toml").contains(&SOURCES));
    let [table, variables, _permission] = blocks("yaml")[..] else {
        panic!("the page shows other parts of the template");
    };
    assert!(TEMPLATE.contains(table), "{table}");
    let variable = variables.lines().next().unwrap();
    assert!(TEMPLATE.contains(variable), "{variable}");
}
