//! The sources file of both functions: the one of the build, or the one that `HOOKWELL_SOURCES_FILE` names.

use std::borrow::Cow;

use hookwell::config::Problem;
use hookwell_aws::settings::Environment;

/// The text of the sources file.
///
/// # Errors
/// When the file that the environment names cannot be read.
pub(crate) fn sources_text<'a>(
    env: Environment<'_>,
    built_in: &'a str,
) -> std::io::Result<Cow<'a, str>> {
    match env("HOOKWELL_SOURCES_FILE") {
        Some(path) => std::fs::read_to_string(path).map(Cow::Owned),
        None => Ok(Cow::Borrowed(built_in)),
    }
}

/// The mistakes of a sources file, a line each.
pub(crate) fn lines(problems: &[Problem]) -> String {
    let lines: Vec<_> = problems.iter().map(ToString::to_string).collect();
    lines.join("\n")
}
