//! `hookwell check`: everything wrong with a sources file, at once.

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Context as _, Result};
use clap::Args;
use hookwell::config;
use hookwell::secret::SecretRef;
use hookwell::source::{SecretProblem, Source};
use hookwell_cli::secrets::from_environment;
use serde_json::json;

/// Check the sources file and list every problem with its path.
///
/// Exits with 1 when there is one. A secret that is not set here is only noted: it lives where the function runs.
#[derive(Debug, Args)]
pub(crate) struct Arguments {
    /// The file to check instead of the embedded one.
    #[arg(long, value_name = "FILE")]
    sources: Option<PathBuf>,
    /// Print one JSON object.
    #[arg(long)]
    json: bool,
}

#[derive(Default)]
struct Findings {
    sources: Vec<String>,
    problems: Vec<(String, String)>,
    notes: Vec<(String, String)>,
}

pub(crate) fn run(arguments: &Arguments) -> Result<ExitCode> {
    let text = match &arguments.sources {
        Some(path) => std::fs::read_to_string(path)
            .with_context(|| format!("cannot read {}", path.display()))?,
        None => ingest::SOURCES.to_owned(),
    };
    let found = findings(&text);
    if arguments.json {
        let list = |all: &[(String, String)]| -> Vec<_> {
            all.iter()
                .map(|(path, message)| json!({ "path": path, "message": message }))
                .collect()
        };
        println!(
            "{}",
            json!({
                "sources": found.sources,
                "problems": list(&found.problems),
                "notes": list(&found.notes),
            })
        );
    } else {
        for (path, message) in &found.notes {
            println!("note: {path}: {message}");
        }
        for (path, message) in &found.problems {
            println!("{path}: {message}");
        }
        match found.problems.len() {
            0 => println!("{} sources, no problems", found.sources.len()),
            1 => println!("1 problem"),
            many => println!("{many} problems"),
        }
    }
    Ok(if found.problems.is_empty() {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}

fn findings(text: &str) -> Findings {
    let mut found = Findings::default();
    let sources = match config::parse(text) {
        Ok(sources) => sources,
        Err(problems) => {
            found
                .problems
                .extend(problems.into_iter().map(|one| (one.path, one.message)));
            return found;
        }
    };
    for source in sources {
        let token = source
            .handshake
            .as_ref()
            .and_then(|one| one.verify_token.clone());
        let places = [
            ("secrets", source.secrets.clone()),
            ("pinned", source.pinned.clone()),
            ("handshake.verify_token", Vec::from_iter(token)),
        ];
        for (key, references) in places {
            let path = format!("sources.{}.{key}", source.name);
            for reference in references {
                match only(&source, key, &reference).keys(from_environment) {
                    Ok(_) => {}
                    Err(why) if matches!(why.problem, SecretProblem::Unusable(_)) => {
                        found.problems.push((path.clone(), why.to_string()));
                    }
                    Err(why) if why.problem == SecretProblem::NotSet => {
                        found.notes.push((path.clone(), format!("{why} here")));
                    }
                    Err(why) => found.notes.push((path.clone(), why.to_string())),
                }
            }
        }
        found.sources.push(source.name);
    }
    found
}

/// The source with this one secret only, so that each is judged by itself.
fn only(source: &Source, key: &str, reference: &SecretRef) -> Source {
    let mut alone = source.clone();
    alone
        .secrets
        .retain(|one| key == "secrets" && one == reference);
    alone
        .pinned
        .retain(|one| key == "pinned" && one == reference);
    if key != "handshake.verify_token" {
        alone.handshake = None;
    }
    alone
}
