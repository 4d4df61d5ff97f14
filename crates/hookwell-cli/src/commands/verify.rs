//! `hookwell verify`: what ingest would decide about requests, without a network.

use std::io::BufRead as _;
use std::path::PathBuf;
use std::process::ExitCode;

use super::print;
use super::sources::sources;
use crate::decide::{Recording, decide, delivery};
use crate::explain::{Known, explain};
use crate::sender::Secrets;
use anyhow::{Context as _, Result};
use clap::Args;
use hookwell::ingest::key_cache::Sources;
use hookwell_lambda::now::now;

/// Read requests as JSON Lines and print for each what ingest would decide.
///
/// A line is {source, method, path, query, headers, `body_base64`}, as `hookwell sign` prints it. Secrets come from the
/// environment; when none is set at all, they are made up as for `hookwell sign`. There is no check of addresses. A line with
/// `received_at`, in milliseconds, is decided as at that time.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  hookwell verify --explain < requests.jsonl
  hookwell verify --sources sources.toml --at 1795251601 < requests.jsonl
  hookwell deliveries show 7 --json --local | hookwell verify --explain")]
pub(crate) struct Arguments {
    /// A sources file in place of the project's own.
    #[arg(long, value_name = "FILE")]
    sources: Option<PathBuf>,
    /// Decide as at this time, instead of when the request came or now.
    #[arg(long, value_name = "UNIX_SECONDS")]
    at: Option<i64>,
    /// Add to what is refused an `explanation`, and the `difference` that it names.
    ///
    /// One thing at a time is changed: the algorithm, the encoding, the tag, the header, the signed content, the reading of
    /// the secret, the secret of another source, the body, the address, the clock. The change with which the signature fits
    /// is the difference; where none fits it is null, and the explanation says what was tried.
    #[arg(long)]
    explain: bool,
    /// Print one JSON object per request. This command prints nothing else, with or without the flag.
    #[arg(long = "json")]
    _json: bool,
}

pub(crate) fn run(arguments: &Arguments, embedded: Option<&str>) -> Result<ExitCode> {
    let mut sources = sources(arguments.sources.as_deref(), embedded)?;
    let secrets = Secrets::real_or_made_up(&sources)?;
    for source in &mut sources {
        source.allow_ips.clear();
    }
    let all = sources.clone();
    let sources = Sources::new(sources, |reference| secrets.fetch(reference));
    let known = Known {
        sources: &all,
        fetch: &|reference| secrets.fetch(reference),
        is_made_up: &|reference| secrets.is_made_up(reference),
    };
    let mut input = std::io::stdin().lock();
    let mut line = Vec::new();
    loop {
        line.clear();
        let read = input.read_until(b'\n', &mut line);
        if read.context("cannot read standard input")? == 0 {
            break;
        }
        if line.trim_ascii().is_empty() {
            continue;
        }
        let recording = Recording::of(&line);
        let at = arguments.at.map(|seconds| seconds.saturating_mul(1000));
        let now = at.or(recording.received_at).unwrap_or_else(now);
        let mut decided = decide(&sources, line.trim_ascii(), now);
        if arguments.explain
            && let Ok(delivery) = delivery(line.trim_ascii())
            && let Some(source) = all
                .iter()
                .find(|it| Some(&it.name) == delivery.source.as_ref())
            && let Some(why) = explain(source, known, &delivery, now)
            && let Some(fields) = decided.as_object_mut()
        {
            fields.insert("difference".to_owned(), why.difference.into());
            let text = match recording.changed() {
                Some(places) => format!(
                    "{}. Masked when it was recorded, so that these bytes are not the sender's: {places}",
                    why.text
                ),
                None => why.text,
            };
            fields.insert("explanation".to_owned(), text.into());
        }
        print::json(&decided.to_string())?;
    }
    Ok(ExitCode::SUCCESS)
}
