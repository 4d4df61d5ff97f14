//! The sources file that a command works with.

use std::path::{Path, PathBuf};

use anyhow::{Context as _, Error, Result, anyhow, bail};
use hookwell::config::{self, Problem};
use hookwell::deliver::Destination;
use hookwell::source::Source;

use super::print;

/// Paths of a project's sources file, from the current folder.
const PLACES: [&str; 2] = ["functions/ingest/sources.toml", "sources.toml"];

/// The text of a file; without one the text that this build carries, or that of the project in the current folder.
///
/// # Errors
/// When the file cannot be read, or there is none.
pub(super) fn text(file: Option<&Path>, embedded: Option<&str>) -> Result<String> {
    let file = match (file, embedded) {
        (Some(file), _) => file,
        (None, Some(text)) => return Ok(text.to_owned()),
        (None, None) => {
            let mut places = PLACES.iter().map(Path::new);
            let place = places.find(|place| place.exists());
            place.with_context(|| {
                let places = PLACES.join(" nor ");
                format!("the current folder has neither {places}: name a file with --sources")
            })?
        }
    };
    std::fs::read_to_string(file).with_context(|| format!("cannot read {}", file.display()))
}

/// The sources file of the project that has its template at this path, where there is one.
pub(super) fn beside(template: &Path) -> Option<PathBuf> {
    let places = PLACES.iter().map(|place| template.with_file_name(place));
    places.into_iter().find(|place| place.exists())
}

/// The sources of a file, or of [`text`] without one, for work on this machine.
///
/// # Errors
/// When there is no file, or it has mistakes; all of them, a line each.
pub(super) fn sources(file: Option<&Path>, embedded: Option<&str>) -> Result<Vec<Source>> {
    let text = text(file, embedded)?;
    let (sources, _) = config::parse_locally(&text).map_err(|problems| mistakes(&problems))?;
    Ok(sources)
}

/// The sources as [`sources`] has them; what AWS would refuse of them is a note.
///
/// # Errors
/// As [`sources`].
pub(super) fn noted_sources(file: Option<&Path>, embedded: Option<&str>) -> Result<Vec<Source>> {
    let text = text(file, embedded)?;
    let (sources, shared) = config::parse_locally(&text).map_err(|problems| mistakes(&problems))?;
    for problem in &shared {
        print::note(&format!("note, an error for `check` and on AWS: {problem}"));
    }
    Ok(sources)
}

/// The destinations of the same file.
///
/// # Errors
/// As [`sources`].
pub(super) fn destinations(
    file: Option<&Path>,
    embedded: Option<&str>,
) -> Result<Vec<Destination>> {
    let text = text(file, embedded)?;
    config::destinations(&text).map_err(|problems| mistakes(&problems))
}

/// The mistakes of a sources file as an error, a line each.
pub(super) fn mistakes(problems: &[Problem]) -> Error {
    let lines = problems.iter().map(|problem| format!("  {problem}"));
    let lines: Vec<_> = lines.collect();
    anyhow!("the sources file has mistakes:\n{}", lines.join("\n"))
}

/// The source of that name.
///
/// # Errors
/// When there is none.
pub(super) fn find<'s>(sources: &'s [Source], name: &str) -> Result<&'s Source> {
    if let Some(source) = sources.iter().find(|source| source.name == name) {
        return Ok(source);
    }
    let names: Vec<_> = sources.iter().map(|source| source.name.as_str()).collect();
    bail!(
        "there is no source {name:?}; the file has {}",
        names.join(", ")
    )
}
