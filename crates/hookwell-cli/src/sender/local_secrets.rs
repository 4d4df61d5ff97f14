//! The file with the secrets of this machine: `hookwell register --local` writes it, `hookwell dev` reads it.

use std::collections::BTreeMap;
use std::fs::{self, OpenOptions};
use std::io::{ErrorKind, Write as _};
use std::path::Path;

use anyhow::{Context as _, Result};
use hookwell::keys::reference::SecretRef;

/// Path of the file, from the current folder: in a folder that a project's .gitignore leaves out.
pub const LOCAL_SECRETS: &str = ".hookwell/secrets.toml";

const HEAD: &str =
    "# Secrets of this machine, by the references of the sources file. Keep it out of git.\n";

/// Texts by reference; none where there is no file.
///
/// # Errors
/// When the file cannot be read, or is not a table of texts.
pub(super) fn read() -> Result<BTreeMap<String, String>> {
    let cannot = || format!("cannot read {LOCAL_SECRETS}");
    let text = match fs::read_to_string(LOCAL_SECRETS) {
        Err(why) if why.kind() == ErrorKind::NotFound => return Ok(BTreeMap::new()),
        text => text.with_context(cannot)?,
    };
    // Without the cause, which quotes the line.
    toml::from_str(&text).map_err(|_| {
        anyhow::anyhow!("{LOCAL_SECRETS} has a line that is not \"REFERENCE\" = \"SECRET\"")
    })
}

/// The text under a reference.
///
/// # Errors
/// As [`put`].
pub fn get(reference: &SecretRef) -> Result<Option<String>> {
    Ok(read()?.remove(&reference.to_string()))
}

/// Puts a text under a reference. Only the user can read the file.
///
/// # Errors
/// When the file cannot be read or written.
pub fn put(reference: &SecretRef, text: &str) -> Result<()> {
    let mut texts = read()?;
    texts.insert(reference.to_string(), text.to_owned());
    let text = format!("{HEAD}{}", toml::to_string(&texts)?);
    write(&text).with_context(|| format!("cannot write {LOCAL_SECRETS}"))
}

/// Writes the file beside the old one and takes its place, so that a full disk loses nothing.
fn write(text: &str) -> std::io::Result<()> {
    let new = format!("{LOCAL_SECRETS}.new");
    if let Some(folder) = Path::new(LOCAL_SECRETS).parent() {
        fs::create_dir_all(folder)?;
    }
    match fs::remove_file(&new) {
        Err(why) if why.kind() != ErrorKind::NotFound => return Err(why),
        _ => {}
    }
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let mut file = options.open(&new)?;
    file.write_all(text.as_bytes())?;
    file.sync_all()?;
    fs::rename(new, LOCAL_SECRETS)
}
