//! docs/handler.md: what it says to paste is what the example of process compiles and tests.

const PAGE: &str = include_str!("../../../docs/handler.md");
const HANDLER: &str = include_str!("../../../functions/process/examples/charge.rs");
const SOURCES: &str = include_str!("../../../functions/process/examples/charge/sources.toml");

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
        .replace("charge/sources.toml", "../../ingest/sources.toml")
        .replace("charge/template.yaml", "../../../template.yaml");
    assert_eq!(blocks("rust"), [handler]);
}

#[test]
fn its_source_is_that_of_the_test() {
    assert_eq!(blocks("toml"), [SOURCES]);
}
