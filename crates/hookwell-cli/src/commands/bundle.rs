//! `hookwell bundle`: the two functions with a sources file, without a build.

use std::fs::File;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context as _, Result, bail};
use clap::Args;
use hookwell::config;
use zip::write::SimpleFileOptions;
use zip::{CompressionMethod, DateTime, ZipWriter};

use super::print;
use super::sources::{mistakes, text};
use crate::project::of_bundles;

/// Pack both functions with a sources file, from binaries that were built before.
///
/// Writes ingest.zip and process.zip: the function as `bootstrap`, and `sources.toml` beside it, which counts in place of
/// the one in the binary. The same files make the same bytes. bundled.yaml beside them is Hookwell's own template for them, to be
/// deployed without `sam build`.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  hookwell bundle --binaries target/lambda
  hookwell bundle --binaries target/lambda --sources sources.toml --out bundles
  sam deploy --template-file bundles/bundled.yaml --stack-name hookwell --resolve-s3 --capabilities CAPABILITY_IAM
  aws lambda update-function-code --function-name NAME --zip-file fileb://ingest.zip")]
pub(crate) struct Arguments {
    /// Folder with the binaries, as `cargo lambda build --release` leaves it (`ingest/bootstrap`), or with `ingest` and
    /// `process` themselves.
    #[arg(long, value_name = "DIR")]
    binaries: PathBuf,
    /// A sources file in place of the project's own.
    #[arg(long, value_name = "FILE")]
    sources: Option<PathBuf>,
    /// Folder to write to.
    #[arg(long, value_name = "DIR", default_value = ".")]
    out: PathBuf,
}

pub(crate) fn run(arguments: &Arguments, embedded: Option<&str>) -> Result<ExitCode> {
    let file = arguments.sources.as_deref();
    let text = text(file, embedded)?;
    // Every mistake is said here, as the functions would say it, and not by one that does not start.
    let sources = config::parse(&text).map_err(|all| mistakes(&all))?;
    config::destinations(&text).map_err(|all| mistakes(&all))?;
    let out = &arguments.out;
    std::fs::create_dir_all(out).with_context(|| format!("cannot create {}", out.display()))?;
    let mut processor = "arm64";
    for function in ["ingest", "process"] {
        let binary = binary(&arguments.binaries, function)?;
        processor = processor_of(&binary).unwrap_or(processor);
        let path = out.join(format!("{function}.zip"));
        let shown = path.display();
        let size = pack(&path, &binary, &text).with_context(|| format!("cannot write {shown}"))?;
        print::line(&format!("{shown}  {} KB", print::grouped(size / 1000)))?;
    }
    let path = out.join("bundled.yaml");
    let shown = path.display();
    std::fs::write(&path, of_bundles(processor))
        .with_context(|| format!("cannot write {shown}"))?;
    print::line(&format!("{shown}  {} sources", sources.len()))?;
    Ok(ExitCode::SUCCESS)
}

/// The bytes of a function's binary.
fn binary(folder: &Path, function: &str) -> Result<Vec<u8>> {
    let places = [
        folder.join(function).join("bootstrap"),
        folder.join(function),
    ];
    let Some(path) = places.iter().find(|path| path.is_file()) else {
        let folder = folder.display();
        bail!("{folder} has neither {function}/bootstrap nor {function}");
    };
    let shown = path.display();
    let bytes = std::fs::read(path).with_context(|| format!("cannot read {shown}"))?;
    if !bytes.starts_with(b"\x7fELF") {
        bail!("{shown} is no program for Linux: build it with `cargo lambda build --release`");
    }
    Ok(bytes)
}

/// The processor that a binary is for, as Lambda calls it, by `e_machine` of its header.
fn processor_of(binary: &[u8]) -> Option<&'static str> {
    match binary.get(18..20)? {
        [0x3e, 0] => Some("x86_64"),
        [0xb7, 0] => Some("arm64"),
        _ => None,
    }
}

/// Writes one bundle, and gives its size in bytes.
fn pack(path: &Path, binary: &[u8], sources: &str) -> Result<usize> {
    let options = SimpleFileOptions::default()
        .compression_method(CompressionMethod::Deflated)
        // The same for everybody, so that equal contents are equal bundles.
        .last_modified_time(DateTime::default());
    let mut bundle = ZipWriter::new(File::create(path)?);
    bundle.start_file("bootstrap", options.unix_permissions(0o755))?;
    bundle.write_all(binary)?;
    bundle.start_file("sources.toml", options.unix_permissions(0o644))?;
    bundle.write_all(sources.as_bytes())?;
    let file = bundle.finish()?;
    Ok(usize::try_from(file.metadata()?.len())?)
}
