//! The lines of a preset, and what their comments say. A parsed table has no comments.

use std::collections::BTreeMap;

use hookwell::config;
use toml::{Table, Value};

/// The name of a table: `stripe.event` of `[stripe.event] # comment`.
fn header(line: &str) -> Option<&str> {
    let name = line.strip_prefix('[')?.trim_start_matches('[');
    name.split(']').next()
}

/// The lines of a preset, with the comments above them.
pub(super) fn lines_of(name: &str) -> String {
    let (mut is_its_own, mut comments, mut lines) = (false, Vec::new(), Vec::new());
    for line in config::presets_text().lines() {
        if line.is_empty() {
            comments.clear();
        } else if line.starts_with('#') {
            comments.push(line);
        } else {
            if let Some(header) = header(line) {
                is_its_own = header.split('.').next() == Some(name);
            }
            if is_its_own {
                lines.append(&mut comments);
                lines.push(line);
            }
            comments.clear();
        }
    }
    let mut text = lines.join("\n");
    if !text.is_empty() {
        text.push('\n');
    }
    text
}

/// The preset of that name, the preset that it extends, and so on to the end of the chain.
pub(super) fn chain_of(name: &str) -> Vec<String> {
    let mut chain = Vec::new();
    let mut next = Some(name.to_owned());
    while let Some(name) = next.filter(|name| !chain.contains(name)) {
        let lines = lines_of(&name);
        let mut lines = lines.lines();
        next = lines.find_map(|line| {
            let name = line.strip_prefix("extend = \"")?.strip_suffix('"')?;
            Some(name.to_owned())
        });
        chain.push(name);
    }
    chain
}

/// Comments on the places of times, by these places.
pub(super) fn comments_on_times(chain: &[String]) -> BTreeMap<Vec<String>, String> {
    let mut comments = BTreeMap::new();
    for line in chain.iter().rev().flat_map(|name| {
        let lines = lines_of(name);
        lines.lines().map(str::to_owned).collect::<Vec<_>>()
    }) {
        let Some((_, comment)) = line.split_once(" # ") else {
            continue;
        };
        let table: Table = line.parse().unwrap_or_default();
        let places: Vec<String> = match table.get("time") {
            Some(Value::String(place)) => vec![place.clone()],
            Some(Value::Array(places)) => places.iter().filter_map(text_of).collect(),
            _ => continue,
        };
        comments.insert(places, comment.to_owned());
    }
    comments
}

fn text_of(value: &Value) -> Option<String> {
    value.as_str().map(str::to_owned)
}

/// The keys that a comment marks as unverified: the key on its line, else the one that follows.
pub(super) fn unverified(lines: &str) -> Vec<String> {
    let (mut table, mut keys) = (String::new(), Vec::new());
    let mut is_marked = false;
    for line in lines.lines() {
        is_marked |= line
            .split_once('#')
            .is_some_and(|(_, it)| it.contains("unverified"));
        if line.starts_with('#') {
            continue;
        }
        let key = if let Some(header) = header(line) {
            header.clone_into(&mut table);
            String::new()
        } else {
            let key = line.split_once(" = ").map(|(key, _)| key);
            key.unwrap_or_default().to_owned()
        };
        if std::mem::take(&mut is_marked) {
            let marked = named(&table, &key);
            if !keys.contains(&marked) {
                keys.push(marked);
            }
        }
    }
    keys
}

/// A key with the kind of document that it is about; all of a preset where there is neither.
fn named(table: &str, key: &str) -> String {
    let table = table.replace('"', "");
    let below = table.split_once('.').map(|(_, below)| below);
    let kind = below.and_then(|below| below.strip_prefix("event.documents."));
    let (kind, key) = match kind.map(|kind| kind.strip_suffix(".operations").ok_or(kind)) {
        Some(Ok(kind)) => (kind, "operations"),
        Some(Err(kind)) => (kind, key),
        None if below == Some("event.operations") => ("", "operations"),
        None => ("", key),
    };
    match (kind, key) {
        ("", "") => "all of it".to_owned(),
        ("", key) => key.to_owned(),
        (kind, "") => kind.to_owned(),
        (kind, key) => format!("{key} of {kind}"),
    }
}

/// The text under a key; empty where there is none.
pub(super) fn string(table: &Table, key: &str) -> String {
    let text = table.get(key).and_then(Value::as_str);
    text.unwrap_or_default().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_end_before_the_next_preset_and_keep_their_comments() {
        let lines = lines_of("svix");
        assert!(lines.starts_with("[svix]\nextend = "));
        assert!(!lines.contains("clerk"));
        assert!(lines_of("clerk").starts_with("# Every event holds the whole object"));
        assert_eq!(lines_of("nobody"), "");
    }

    #[test]
    fn a_chain_ends_with_the_preset_that_extends_none() {
        assert_eq!(chain_of("clerk"), ["clerk", "svix", "standard-webhooks"]);
        assert_eq!(chain_of("stripe"), ["stripe"]);
    }

    #[test]
    fn a_mark_is_about_the_key_of_its_line_or_of_the_next() {
        let lines = "\
            # unverified\n\
            [it]\n\
            retries = \"some\" # unverified\n\
            # Perhaps (unverified).\n\
            # Or not.\n\
            timestamp = { tag = \"t\" }\n\
            [it.event.documents.\"a.b\"] # unverified\n\
            document = \"body:\" # unverified\n\
            [it.event.documents.c.operations]\n\
            \"*.gone\" = \"delete\" # unverified\n";
        let marked = [
            "all of it",
            "retries",
            "timestamp",
            "a.b",
            "document of a.b",
            "operations of c",
        ];
        assert_eq!(unverified(lines), marked);
    }
}
