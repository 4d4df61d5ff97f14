//! docs/security.md rests on tests by their names: each of them is there.

use std::fs;
use std::path::Path;

const PAGE: &str = include_str!("../../../docs/security.md");

/// Every Rust file below a folder, one after the other.
fn code(folder: &Path, text: &mut String) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            code(&path, text);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            text.push_str(&fs::read_to_string(path).unwrap());
        }
    }
}

/// The names in code marks that have the form of a test's: words in lower case, five of them or more.
fn tests_named() -> Vec<&'static str> {
    let marked = PAGE.split('`').skip(1).step_by(2);
    let fits = |one: char| one == '_' || one.is_ascii_lowercase() || one.is_ascii_digit();
    let is_name = |text: &str| text.chars().all(fits);
    marked
        .filter(|text| is_name(text) && text.matches('_').count() >= 4)
        .collect()
}

#[test]
fn every_test_that_the_page_names_is_there() {
    let mut text = String::new();
    for folder in ["..", "../../functions"] {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join(folder);
        code(&folder, &mut text);
    }
    // A test, not any function of that name.
    let is_test = |name: &str| {
        text.match_indices(&format!("fn {name}(")).any(|(at, _)| {
            let attributes = text[..at].rsplit("\n\n").next().unwrap();
            attributes.contains("test")
        })
    };
    let named = tests_named();
    assert!(named.len() > 20, "{named:?}");
    let missing: Vec<_> = named.iter().filter(|name| !is_test(name)).collect();
    assert!(
        missing.is_empty(),
        "docs/security.md names no test: {missing:?}"
    );
}

#[test]
fn every_rule_that_the_page_names_is_a_rule() {
    let rules: Vec<_> = hookwell_template::RULES.iter().map(|one| one.id).collect();
    let parts = PAGE.lines().flat_map(|line| line.split("the rule").skip(1));
    let names = parts.flat_map(|part| part.split('`').skip(1).step_by(2));
    // The command that knows them is no rule.
    let missing: Vec<_> = names
        .filter(|name| !name.contains(' ') && !rules.contains(name))
        .collect();
    assert!(
        missing.is_empty(),
        "docs/security.md names no rule: {missing:?}"
    );
}
