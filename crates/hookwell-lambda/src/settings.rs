//! The sources file of both functions: the one that `HOOKWELL_SOURCES_FILE` names, the one of the bundle, or the one of the build.

use std::borrow::Cow;
use std::fs::read_to_string;
use std::io::ErrorKind;
use std::path::Path;

use hookwell::config::Problem;
use hookwell_aws::settings::Environment;

/// The text of the sources file.
///
/// # Errors
/// When a file is there, or is named, and cannot be read.
pub(crate) fn sources_text<'a>(
    env: Environment<'_>,
    built_in: &'a str,
) -> std::io::Result<Cow<'a, str>> {
    if let Some(path) = env("HOOKWELL_SOURCES_FILE") {
        return read_to_string(path).map(Cow::Owned);
    }
    // `hookwell bundle` puts one beside the function.
    let Some(root) = env("LAMBDA_TASK_ROOT") else {
        return Ok(Cow::Borrowed(built_in));
    };
    match read_to_string(Path::new(&root).join("sources.toml")) {
        Err(why) if why.kind() == ErrorKind::NotFound => Ok(Cow::Borrowed(built_in)),
        read => read.map(Cow::Owned),
    }
}

/// The mistakes of a sources file, a line each.
pub(crate) fn lines(problems: &[Problem]) -> String {
    let lines: Vec<_> = problems.iter().map(ToString::to_string).collect();
    lines.join("\n")
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn a_bundled_file_counts_and_a_named_one_before_it() {
        let folder = std::env::temp_dir().join(format!("hookwell-settings-{}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        let root = folder.display().to_string();
        let named = folder.join("named.toml").display().to_string();
        let root_only = |name: &str| (name == "LAMBDA_TASK_ROOT").then(|| root.clone());
        assert_eq!(sources_text(&root_only, "built").unwrap(), "built");
        std::fs::write(folder.join("sources.toml"), "bundled").unwrap();
        std::fs::write(&named, "named").unwrap();
        assert_eq!(sources_text(&root_only, "built").unwrap(), "bundled");
        let both = |name: &str| match name {
            "HOOKWELL_SOURCES_FILE" => Some(named.clone()),
            other => root_only(other),
        };
        assert_eq!(sources_text(&both, "built").unwrap(), "named");
        assert_eq!(sources_text(&|_| None, "built").unwrap(), "built");
        std::fs::remove_dir_all(folder).unwrap();
    }
}
