//! `hookwell new`, as a new user types it. `tests/project/run.sh` builds such a project and tests it.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::{Command, Output};

use tempfile::TempDir;

const REPOSITORY: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../..");

fn hookwell(folder: &Path, arguments: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_hookwell"));
    command
        .current_dir(folder)
        .args(arguments)
        .output()
        .unwrap()
}

/// The files below a folder.
fn files(folder: &Path) -> BTreeMap<String, String> {
    let mut found = BTreeMap::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(next) = folders.pop() {
        for entry in std::fs::read_dir(next).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else {
                let name = path.strip_prefix(folder).unwrap().display().to_string();
                found.insert(name, std::fs::read_to_string(path).unwrap());
            }
        }
    }
    found
}

#[test]
fn a_project_has_the_repositorys_own_files_and_manifests_that_cargo_reads() {
    let folder = TempDir::new().unwrap();
    let typed = [
        "new", "shop", "--path", REPOSITORY, "--preset", "stripe", "--preset", "github",
        "--preset", "slack",
    ];
    let made = hookwell(folder.path(), &typed);
    let said = String::from_utf8(made.stdout).unwrap();
    assert!(made.status.success(), "{said}");
    assert!(said.contains("cargo run -- send stripe"), "{said}");
    let project = folder.path().join("shop");
    let files = files(&project);
    for same in [
        "functions/ingest/src/main.rs",
        "functions/local/src/main.rs",
        "functions/process/src/main.rs",
        "functions/process/src/handler.rs",
        "functions/process/tests/handler.rs",
        "CargoLambda.toml",
    ] {
        let own = std::fs::read_to_string(Path::new(REPOSITORY).join(same)).unwrap();
        assert_eq!(files[same], own, "{same}");
    }
    for name in [
        "ingest-stripe",
        "process-stripe",
        "ingest-github",
        "process-github",
    ] {
        let event = &files[&format!("events/{name}.json")];
        assert!(serde_json::from_str::<serde_json::Value>(event).is_ok());
    }
    assert!(files["samconfig.toml"].contains("stack_name = \"shop\""));
    for name in [
        "README.md",
        "template.yaml",
        "Cargo.lock",
        ".gitignore",
        "rust-toolchain.toml",
    ] {
        assert!(files.contains_key(name), "{name}");
    }
    let checked = hookwell(&project, &["check", "--template", "template.yaml"]);
    let said = String::from_utf8(checked.stdout).unwrap();
    assert!(said.contains("no problems"), "{said}");

    let mut cargo = Command::new(env!("CARGO"));
    cargo.args(["metadata", "--offline", "--no-deps", "--format-version=1"]);
    let read = cargo.current_dir(&project).output().unwrap();
    assert!(
        read.status.success(),
        "{}",
        String::from_utf8_lossy(&read.stderr)
    );
}

#[test]
fn nothing_that_is_there_is_touched() {
    let folder = TempDir::new().unwrap();
    std::fs::write(folder.path().join("mine"), "").unwrap();
    let path = folder.path().display().to_string();
    let git = ["--git", "https://example.com/hookwell.git"];
    for (arguments, why) in [
        (&["new", path.as_str(), git[0], git[1]][..], "is not empty"),
        (
            &["new", "shop", git[0], git[1], "--preset", "strip"],
            "there is no preset",
        ),
        (&["new", "shop"], "--path <REPOSITORY>"),
        (
            &["new", "shop", "--path", &path],
            "is no checkout of Hookwell",
        ),
    ] {
        let refused = hookwell(folder.path(), arguments);
        let said = String::from_utf8(refused.stderr).unwrap();
        assert!(!refused.status.success());
        assert!(said.contains(why), "{said}");
    }
    let names: Vec<_> = files(folder.path()).into_keys().collect();
    assert_eq!(names, ["mine"]);
    assert!(!folder.path().join("shop").exists());
}
