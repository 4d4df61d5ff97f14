//! `docs/providers.md` is made from the presets: `HOOKWELL_BLESS=1 cargo test -p hookwell --test providers_page` writes
//! it, and a plain test says when it is stale.
#![allow(clippy::unwrap_used, clippy::indexing_slicing)] // helpers of tests

use hookwell::config;
use toml::{Table, Value};

const PAGE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/providers.md");

const HEAD: &str = "\
# Providers

Every preset, made from `crates/hookwell/src/config/presets.toml`; do not edit this page (see its test, `providers_page.rs`).
`preset = \"NAME\"` and a secret make a source of any of them; [adding-a-source.md](adding-a-source.md) explains the keys.
The tolerance is how many seconds a signed time may be in the past or the future. Where nothing else is said the answer
to a good delivery is 200 with `{\"status\":\"received\"}` and to a bad signature 401. The last column names what no page
or official library was at hand for: check it against a real delivery.

";

#[test]
fn the_page_of_providers_is_what_the_presets_say() {
    let made = page();
    if std::env::var_os("HOOKWELL_BLESS").is_some() {
        std::fs::write(PAGE, &made).unwrap();
    }
    let there = std::fs::read_to_string(PAGE).unwrap_or_default();
    assert!(
        there == made,
        "docs/providers.md is stale: HOOKWELL_BLESS=1 cargo test -p hookwell --test providers_page"
    );
}

fn page() -> String {
    let presets: Table = config::presets_text().parse().unwrap();
    let mut page = format!("{HEAD}{} presets.\n\n", presets.len());
    page.push_str("| preset | proof | where | signed | tolerance | event id | many | handshake | answers | sender's retries | unverified |\n");
    page.push_str("|---|---|---|---|---|---|---|---|---|---|---|\n");
    for (name, preset) in &presets {
        page.push_str(&row(name, preset.as_table().unwrap()));
    }
    page
}

fn row(name: &str, preset: &Table) -> String {
    let (link, retries) = (text(preset, "page"), text(preset, "retries"));
    assert!(
        !link.is_empty() && !retries.is_empty(),
        "{name} has a page and its retries"
    );
    let link = match link.strip_prefix("docs/") {
        Some(near) => near.to_owned(),
        None => link,
    };
    let event = preset
        .get("event")
        .and_then(Value::as_table)
        .cloned()
        .unwrap_or_default();
    let many = if event.contains_key("each") {
        "yes"
    } else {
        ""
    };
    let handshake = preset
        .get("handshake")
        .map(|one| text(one.as_table().unwrap(), "kind"));
    let mut cells = vec![format!("[{name}]({link})")];
    cells.extend(proof(preset));
    cells.extend([
        code(&first(&event, "id")),
        many.to_owned(),
        handshake.unwrap_or_default(),
        answers(preset),
        retries,
        unverified(name),
    ]);
    format!("| {} |\n", cells.join(" | "))
}

/// The keys of a preset that the file marks so, in comments, which its table has not.
fn unverified(name: &str) -> String {
    let (mut section, mut keys) = ("", Vec::new());
    for line in config::presets_text().lines() {
        if let Some(header) = line.strip_prefix('[') {
            let header = header.trim_start_matches('[');
            section = header.split(']').next().unwrap();
        }
        let marked = line
            .split_once('#')
            .filter(|(_, why)| why.contains("unverified"));
        let mut steps = section.split('.');
        if let (Some((code, _)), true) = (marked, steps.next() == Some(name)) {
            let key = match steps.next_back() {
                Some("operations") => "operations",
                _ => code.split_once('=').unwrap().0.trim(),
            };
            if !keys.contains(&key) {
                keys.push(key);
            }
        }
    }
    keys.join(", ")
}

/// Algorithm, place, content and tolerance.
fn proof(preset: &Table) -> [String; 4] {
    if let Some(Value::String(verifier)) = preset.get("verifier") {
        let tolerance = preset
            .get("tolerance")
            .and_then(Value::as_table)
            .map(seconds);
        let place = match verifier.as_str() {
            "adyen" | "aws-sns" | "mailgun" | "msgraph" => "body",
            _ => "header",
        };
        return [
            "code".into(),
            place.into(),
            String::new(),
            tolerance.unwrap_or_default(),
        ];
    }
    let verify = preset["verify"].as_table().unwrap();
    let recipes: Vec<&Table> = match verify.get("any_of") {
        Some(Value::Array(all)) => all.iter().filter_map(Value::as_table).collect(),
        _ => vec![verify],
    };
    let distinct = |cell: &dyn Fn(&Table) -> String| {
        let mut cells: Vec<String> = Vec::new();
        for recipe in &recipes {
            let cell = cell(recipe);
            if !cells.contains(&cell) {
                cells.push(cell);
            }
        }
        cells.join(" or ")
    };
    let part = |recipe: &Table, key: &str| recipe.get(key).and_then(Value::as_table).cloned();
    [
        distinct(&|recipe| text(recipe, "alg")),
        distinct(&|recipe| {
            part(recipe, "signature").map_or(String::new(), |field| code(&first(&field, "header")))
        }),
        distinct(&|recipe| code(&text(recipe, "content"))),
        distinct(&|recipe| part(recipe, "timestamp").map_or(String::new(), |time| seconds(&time))),
    ]
}

fn answers(preset: &Table) -> String {
    let mut answers = Vec::new();
    if let Some(reply) = preset.get("reply").and_then(Value::as_table) {
        let body = match text(reply, "body").as_str() {
            "" => "empty".to_owned(),
            body => code(body),
        };
        answers.push(format!("{} {body}", reply["status"]));
    }
    if let Some(status) = preset.get("refused_status") {
        answers.push(format!("{status} when refused"));
    }
    answers.join(", ")
}

fn seconds(table: &Table) -> String {
    let number = |key: &str| table.get(key).and_then(Value::as_integer).unwrap_or(300);
    match (number("past"), number("future")) {
        (past, future) if past == future => format!("±{past}"),
        (past, future) => format!("-{past} +{future}"),
    }
}

fn text(table: &Table, key: &str) -> String {
    table
        .get(key)
        .and_then(Value::as_str)
        .unwrap_or_default()
        .to_owned()
}

/// A text, or the first of several.
fn first(table: &Table, key: &str) -> String {
    match table.get(key) {
        Some(Value::Array(all)) => all[0].as_str().unwrap_or_default().to_owned(),
        _ => text(table, key),
    }
}

fn code(text: &str) -> String {
    if text.is_empty() {
        return String::new();
    }
    format!("`{}`", text.replace('|', "\\|"))
}
