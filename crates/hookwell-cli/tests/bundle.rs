//! `hookwell bundle`: a change of the sources file without a build.

use std::io::Read as _;
use std::path::Path;
use std::process::{Command, Output};

use tempfile::TempDir;

const SOURCES: &str = "[sources.shop]\npreset = \"stripe\"\nsecrets = [\"ssm:/hookwell/shop\"]\n";

fn bundle(folder: &Path) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_hookwell"));
    let typed = ["bundle", "--binaries", "built", "--sources", "sources.toml"];
    command.current_dir(folder).args(typed).output().unwrap()
}

/// The header of a program for x86_64, and a word.
fn binary(function: &str) -> String {
    format!("\x7fELF{}\x3e\0{function}", "\0".repeat(14))
}

/// A folder with binaries in both layouts, and a sources file.
fn built(sources: &str) -> TempDir {
    let folder = TempDir::new().unwrap();
    let built = folder.path().join("built");
    std::fs::create_dir_all(built.join("ingest")).unwrap();
    std::fs::write(built.join("ingest/bootstrap"), binary("ingest")).unwrap();
    std::fs::write(built.join("process"), binary("process")).unwrap();
    std::fs::write(folder.path().join("sources.toml"), sources).unwrap();
    folder
}

#[test]
fn a_bundle_is_the_function_with_the_sources_file_beside_it() {
    let folder = built(SOURCES);
    let made = bundle(folder.path());
    assert!(
        made.status.success(),
        "{}",
        String::from_utf8_lossy(&made.stderr)
    );
    for function in ["ingest", "process"] {
        let path = folder.path().join(format!("{function}.zip"));
        let mut zip = zip::ZipArchive::new(std::fs::File::open(path).unwrap()).unwrap();
        let mut read = |name: &str| {
            let mut file = zip.by_name(name).unwrap();
            let mut text = String::new();
            file.read_to_string(&mut text).unwrap();
            (file.unix_mode().unwrap() & 0o777, text)
        };
        assert_eq!(read("bootstrap"), (0o755, binary(function)));
        assert_eq!(read("sources.toml"), (0o644, SOURCES.to_owned()));
    }
    let template = std::fs::read_to_string(folder.path().join("bundled.yaml")).unwrap();
    assert!(template.contains("CodeUri: ingest.zip"));
    assert!(template.contains("Default: x86_64"));
    let first = std::fs::read(folder.path().join("ingest.zip")).unwrap();
    bundle(folder.path());
    assert_eq!(
        std::fs::read(folder.path().join("ingest.zip")).unwrap(),
        first
    );
}

#[test]
fn what_a_function_could_not_start_with_is_not_packed() {
    for (sources, ingest, why) in [
        (
            "[sources.shop]\npreset = \"strip\"\n",
            "\x7fELF",
            "sources.shop",
        ),
        (SOURCES, "#!/bin/sh", "is no program for Linux"),
    ] {
        let folder = built(sources);
        std::fs::write(folder.path().join("built/ingest/bootstrap"), ingest).unwrap();
        let refused = bundle(folder.path());
        let said = String::from_utf8(refused.stderr).unwrap();
        assert!(!refused.status.success());
        assert!(said.contains(why), "{said}");
        assert!(!folder.path().join("ingest.zip").exists());
    }
}
