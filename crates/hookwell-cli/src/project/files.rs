//! Every file of a new project by its path.

use anyhow::Result;
use hookwell::config;

use super::manifest::{self, Crates};
use super::{events, sources, template};

/// A file of the project.
#[derive(Debug)]
pub(crate) struct File {
    /// Path below the project's folder.
    pub(crate) path: String,
    /// Contents of the file.
    pub(crate) text: String,
}

/// Files that are the repository's own, as they are.
const SAME: [(&str, &str); 8] = [
    (".gitignore", include_str!("../../project/gitignore")),
    (
        "CargoLambda.toml",
        include_str!("../../project/CargoLambda.toml"),
    ),
    (
        "rust-toolchain.toml",
        include_str!("../../project/rust-toolchain.toml"),
    ),
    (
        "functions/ingest/src/main.rs",
        include_str!("../../project/ingest-main.rs"),
    ),
    (
        "functions/local/src/main.rs",
        include_str!("../../project/local-main.rs"),
    ),
    (
        "functions/process/src/main.rs",
        include_str!("../../project/process-main.rs"),
    ),
    (
        "functions/process/src/handler.rs",
        include_str!("../../project/handler.rs"),
    ),
    (
        "functions/process/tests/handler.rs",
        include_str!("../../project/handler-tests.rs"),
    ),
];

const SAMCONFIG: &str = include_str!("../../project/samconfig.toml");
const README: &str = include_str!("../../project/README.md");

/// The versions of all dependencies that Hookwell was tested with.
const LOCK: &str = include_str!("../../project/lock");

/// The files of a project of that name with a source for each preset.
///
/// # Errors
/// When there is no such preset.
pub(crate) fn files(name: &str, presets: &[String], crates: &Crates) -> Result<Vec<File>> {
    let file = |path: &str, text: String| File {
        path: path.to_owned(),
        text,
    };
    let sources = sources::of_presets(presets)?;
    let mut files: Vec<_> = SAME
        .iter()
        .map(|(path, text)| file(path, (*text).to_owned()))
        .collect();
    files.extend(
        manifest::manifests(crates)
            .into_iter()
            .map(|(path, text)| file(path, text)),
    );
    files.extend(
        events::samples(&sources)?
            .into_iter()
            .map(|(path, text)| file(&path, text)),
    );
    let first = presets.first().map_or("", String::as_str);
    let readme = README
        .replace("NAME", name)
        .replace("SENDERS", &presets.join(", "))
        .replace("FIRST", first);
    files.push(file("README.md", readme));
    files.push(file("Cargo.lock", LOCK.to_owned()));
    let hurried = config::parse(&sources).unwrap_or_default().into_iter();
    let hurried = hurried.filter_map(|source| source.answer_within).min();
    files.push(file("template.yaml", template::of_project(hurried)));
    files.push(file("samconfig.toml", samconfig(name)));
    files.push(file("functions/ingest/sources.toml", sources));
    Ok(files)
}

/// The deploy settings under the project's own name. CloudFormation takes letters, digits and hyphens.
fn samconfig(name: &str) -> String {
    let stack = name.replace(|c: char| !c.is_ascii_alphanumeric(), "-");
    let stack = stack.trim_matches('-');
    let is_good = stack.starts_with(|c: char| c.is_ascii_alphabetic());
    let stack = if is_good { stack } else { "hookwell" };
    let own = format!("stack_name = \"{stack}\"");
    SAMCONFIG.replace("stack_name = \"hookwell\"", &own)
}
