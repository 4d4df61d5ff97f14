//! The manifests of a project's packages. Versions and profiles are those of the repository's own workspace.

use std::path::PathBuf;

const WORKSPACE: &str = include_str!("../../project/workspace.toml");

/// Place from which the project takes Hookwell's crates.
#[derive(Debug)]
pub(crate) enum Crates {
    /// A checkout of the repository.
    Path(PathBuf),
    /// A Git repository.
    Git(String),
}

/// The crates that a project names, all of them of one version.
const CRATES: [&str; 6] = [
    "hookwell",
    "hookwell-aws",
    "hookwell-cli",
    "hookwell-lambda",
    "hookwell-local",
    "hookwell-sandbox",
];

/// Other dependencies of the shipped functions.
const OTHERS: [&str; 4] = ["serde", "serde_json", "tokio", "tracing"];

impl Crates {
    fn dependency(&self, name: &str) -> String {
        match self {
            Self::Path(path) => {
                let path = path.join("crates").join(name);
                format!("{name} = {{ path = {:?} }}\n", path.display().to_string())
            }
            Self::Git(url) => format!("{name} = {{ git = {url:?} }}\n"),
        }
    }
}

/// Path and text of each manifest.
pub(super) fn manifests(crates: &Crates) -> [(&'static str, String); 4] {
    [
        ("Cargo.toml", workspace(crates)),
        ("functions/ingest/Cargo.toml", INGEST.to_owned()),
        ("functions/local/Cargo.toml", LOCAL.to_owned()),
        ("functions/process/Cargo.toml", PROCESS.to_owned()),
    ]
}

fn workspace(crates: &Crates) -> String {
    let hookwells = CRATES.iter().map(|name| crates.dependency(name));
    let others = OTHERS.iter().map(|name| line(&format!("{name} = ")));
    let dependencies: String = hookwells.chain(others).collect();
    format!(
        "[workspace]
resolver = \"3\"
members = [\"functions/ingest\", \"functions/local\", \"functions/process\"]

[workspace.package]
version = \"0.1.0\"
{}{}publish = false

[workspace.dependencies]
{dependencies}process = {{ path = \"functions/process\" }}

{}
{}
{}",
        line("edition = "),
        line("rust-version = "),
        table("[profile.release]"),
        release_packages(),
        table("[profile.dev]"),
    )
}

/// The first line of the repository's manifest that begins with `start`.
fn line(start: &str) -> String {
    let mut lines = WORKSPACE.lines();
    let found = lines.find(|line| line.starts_with(start));
    format!("{}\n", found.unwrap_or_default())
}

/// A table of the repository's manifest, up to the next empty line.
fn table(header: &str) -> String {
    let start = format!("{header}\n");
    let rest = WORKSPACE.split_once(&start).map_or("", |(_, rest)| {
        rest.split("\n\n").next().unwrap_or_default()
    });
    format!("{header}\n{}\n", rest.trim_end())
}

/// Settings of single packages. The repository's own crates are dependencies here, so their overflow checks are added.
fn release_packages() -> String {
    let mut text = table("[profile.release.package]");
    for name in CRATES {
        text += name;
        text += ".overflow-checks = true
";
    }
    text
}

const INGEST: &str = r#"[package]
name = "ingest"
version.workspace = true
edition.workspace = true
rust-version.workspace = true
publish.workspace = true

[dependencies]
hookwell-aws.workspace = true
hookwell-lambda.workspace = true
tokio.workspace = true
# What the SDK says below `info` holds requests, and with them bodies; left out, it can be in no log.
tracing = { workspace = true, features = ["release_max_level_info"] }
"#;

const LOCAL: &str = r#"[package]
name = "local"
version.workspace = true
edition.workspace = true
rust-version.workspace = true
publish.workspace = true
default-run = "local"

[dependencies]
hookwell-cli.workspace = true
process.workspace = true
"#;

const PROCESS: &str = r#"[package]
name = "process"
version.workspace = true
edition.workspace = true
rust-version.workspace = true
publish.workspace = true

# Your code, for the function and for `cargo run`.
[lib]
name = "handler"
path = "src/handler.rs"

[dependencies]
hookwell.workspace = true
hookwell-aws.workspace = true
hookwell-lambda.workspace = true
# For the bodies that your handler reads.
serde.workspace = true
serde_json.workspace = true
tokio.workspace = true
# What the SDK says below `info` holds requests, and with them bodies; left out, it can be in no log.
tracing = { workspace = true, features = ["release_max_level_info"] }

[dev-dependencies]
hookwell-local.workspace = true
hookwell-sandbox.workspace = true
tokio = { workspace = true, features = ["net"] }
"#;
