//! Presets: sources without their secrets, in a file that is part of the program.

use toml::{Table, Value};

use crate::config::fields::merge;

const PRESETS: &str = include_str!("presets.toml");

/// The names of all presets, sorted.
#[must_use]
pub fn presets() -> Vec<String> {
    all().keys().cloned().collect()
}

/// The text of the presets, for tools that describe them.
#[must_use]
pub fn presets_text() -> &'static str {
    PRESETS
}

fn all() -> Table {
    // Part of the program: a test reads every entry.
    PRESETS.parse().unwrap_or_default()
}

/// The most presets that stand under one another.
const MAX_DEPTH: usize = 4;

/// The preset of that name, merged over the preset that it extends. Only the lines of these presets are parsed: parsing
/// all presets would be most of a cold start.
#[must_use]
pub fn preset_table(name: &str) -> Option<Table> {
    let mut table = own(name)?;
    for _ in 0..MAX_DEPTH {
        let Some(Value::String(base)) = table.remove("extend") else {
            break;
        };
        let mut base = own(&base)?;
        for about in ABOUT {
            base.remove(about);
        }
        merge(&mut table, base);
    }
    Some(table)
}

/// The keys that say something about a sender to people, and nothing to the program.
pub(super) const ABOUT: [&str; 3] = ["page", "retries", "no_documents"];

fn own(name: &str) -> Option<Table> {
    let mut is_its_own = false;
    let own = PRESETS.split_inclusive('\n').filter(|line| {
        if let Some(header) = line.strip_prefix('[') {
            let header = header.trim_start_matches('[');
            is_its_own = header.split(['.', ']']).next() == Some(name);
        }
        is_its_own
    });
    let mut file: Table = own.collect::<String>().parse().unwrap_or_default();
    match file.remove(name)? {
        Value::Table(table) => Some(table),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_preset_is_found_by_its_own_lines() {
        let all = all();
        assert!(all.len() > 70);
        for (name, entry) in all {
            assert_eq!(own(&name).map(Value::Table), Some(entry), "{name}");
            let whole = preset_table(&name).unwrap();
            assert!(!whole.contains_key("extend"), "{name} extends too many");
            assert!(
                whole.contains_key("verify") || whole.contains_key("verifier"),
                "{name}"
            );
        }
        assert_eq!(preset_table("nobody"), None);
        assert_eq!(preset_table(""), None);
    }
}
