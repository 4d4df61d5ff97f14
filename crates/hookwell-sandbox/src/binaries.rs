//! The release binaries that a tool runs.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, Result, ensure};

/// Compiler flag that cargo-lambda sets for Lambda's processors, so that what is tested and measured is what is deployed
/// (cargo-lambda 1.9, `cargo lambda build --release --verbose`).
const PROCESSOR: &str = if cfg!(target_arch = "aarch64") {
    "-Ctarget-cpu=neoverse-n1"
} else {
    "-Ctarget-cpu=haswell"
};

/// The folder with the binaries `names`: the given one, or the tool's own. Under cargo they are built first, so that
/// they are of this source, one `cargo build` for each of `builds`, because packages that are built together share
/// their features.
///
/// # Errors
/// When they do not build, or are not there.
pub fn folder(given: Option<&Path>, builds: &[&[&str]], names: &[&str]) -> Result<PathBuf> {
    let own = std::env::current_exe()?;
    let mut folder = given
        .or_else(|| own.parent())
        .context("no folder")?
        .to_owned();
    let are_in = |folder: &Path| names.iter().all(|name| folder.join(name).is_file());
    let cargo = std::env::var_os("CARGO");
    if given.is_none() && (cargo.is_some() || !are_in(&folder)) {
        let target = folder.parent().context("no target folder")?.to_owned();
        for packages in builds {
            let mut build = Command::new(cargo.clone().unwrap_or_else(|| "cargo".into()));
            build
                .args(["build", "--quiet", "--release"])
                .args(*packages)
                .env("RUSTFLAGS", PROCESSOR);
            build.arg("--manifest-path");
            build.arg(Path::new(env!("CARGO_MANIFEST_DIR")).join("../../Cargo.toml"));
            let status = build.arg("--target-dir").arg(&target).status()?;
            ensure!(status.success(), "cannot build {}", packages.join(" "));
        }
        folder = target.join("release");
    }
    ensure!(
        are_in(&folder),
        "no {} in {}",
        names.join(" and "),
        folder.display()
    );
    Ok(folder)
}
