//! Completions and manual pages.

use std::process::Command;

use crate::cli::{hookwell, text};

#[test]
fn completions_are_a_script_that_the_shell_can_read_and_know_every_command() {
    for shell in ["bash", "zsh", "fish"] {
        let script = hookwell(&["completions", shell]);
        assert!(script.status.success(), "{shell}");
        let script = text(&script.stdout);
        for word in ["tail", "history", "redrive", "outcome", "presets"] {
            assert!(script.contains(word), "{shell}: {word}");
        }
    }
    let script = hookwell(&["completions", "bash"]).stdout;
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), script).unwrap();
    let checked = Command::new("bash").arg("-n").arg(file.path()).status();
    assert!(checked.unwrap().success());
}

#[test]
fn there_is_a_manual_page_for_every_command() {
    let folder = tempfile::tempdir().unwrap();
    let pages = folder.path().join("man1");
    let written = hookwell(&["man", pages.to_str().unwrap()]);
    assert!(written.status.success(), "{written:?}");
    let page = |name: &str| std::fs::read_to_string(pages.join(name)).unwrap();
    assert!(page("hookwell.1").contains("hookwell\\-events(1)"));
    let listing = page("hookwell-events-list.1");
    for part in [
        ".TH hookwell-events-list 1",
        "\\-\\-stack",
        "hookwell events list \\-\\-local",
    ] {
        assert!(listing.contains(part), "{part}: {listing}");
    }
}
