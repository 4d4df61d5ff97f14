//! Presets: sources without their secrets, in a file that is part of the program.

use toml::{Table, Value};

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

/// The preset of that name. Only its own lines are read: reading all of them would be most of a cold start.
pub(super) fn table(name: &str) -> Option<Table> {
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
            assert_eq!(table(&name).map(Value::Table), Some(entry), "{name}");
        }
        assert_eq!(table("nobody"), None);
        assert_eq!(table(""), None);
    }
}
