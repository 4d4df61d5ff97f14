//! `hookwell check`: everything wrong with a sources file and a template, at once.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use super::print::{self, Printed};
use super::sources::text;
use crate::sender::from_environment;
use anyhow::{Context as _, Result};
use clap::Args;
use hookwell::config;
use hookwell::deliver::{SigningKey, Target};
use hookwell::keys::not_ready::SecretProblem;
use hookwell::keys::reference::SecretRef;
use hookwell::source::Source;
use hookwell_template::RULES;
use serde_json::{Value, json};

/// Check the sources file, and a template with it, and list every problem with its path.
///
/// Exits with 1 when there is one. A secret that is not set here is only noted: it lives where the function runs.
#[derive(Debug, Args)]
#[command(after_long_help = examples_and_rules())]
pub(crate) struct Arguments {
    /// The file to check instead of the project's own.
    #[arg(long, value_name = "FILE")]
    sources: Option<PathBuf>,
    /// Check this SAM or CloudFormation template as well: `--template template.yaml`.
    #[arg(long, value_name = "FILE")]
    template: Option<PathBuf>,
    /// Print one JSON object.
    #[arg(long)]
    json: bool,
}

#[derive(Default)]
struct Findings {
    sources: Vec<String>,
    problems: Vec<Finding>,
    notes: Vec<Finding>,
}

struct Finding {
    path: String,
    message: String,
    /// File, line and rule, for a problem of the template.
    template: Option<(String, usize, &'static str)>,
}

impl Finding {
    fn print(&self, kind: &str) -> Printed {
        let Self { path, message, .. } = self;
        match &self.template {
            Some((file, line, rule)) => {
                print::lines(&format!("{file}:{line}: {kind}{path}: {message} [{rule}]"))
            }
            None => print::lines(&format!("{kind}{path}: {message}")),
        }
    }

    fn to_json(&self) -> Value {
        match &self.template {
            Some((_, line, rule)) => {
                json!({ "path": self.path, "message": self.message, "line": line, "rule": rule })
            }
            None => json!({ "path": self.path, "message": self.message }),
        }
    }
}

pub(crate) fn run(arguments: &Arguments, embedded: Option<&str>) -> Result<ExitCode> {
    let text = text(arguments.sources.as_deref(), embedded)?;
    let (mut found, sources) = findings(&text);
    let destinations = config::destinations(&text).unwrap_or_default();
    if let Some(path) = &arguments.template {
        let file = path.display().to_string();
        let all = hookwell_template::check(&read(path)?, &sources, &destinations)
            .with_context(|| file.clone())?;
        for one in all {
            let list = if one.is_problem {
                &mut found.problems
            } else {
                &mut found.notes
            };
            list.push(Finding {
                path: one.path,
                message: one.message,
                template: Some((file.clone(), one.line, one.rule)),
            });
        }
    }
    if arguments.json {
        let list = |all: &[Finding]| -> Vec<_> { all.iter().map(Finding::to_json).collect() };
        let found = json!({
            "sources": found.sources,
            "problems": list(&found.problems),
            "notes": list(&found.notes),
        });
        print::json(&found.to_string())?;
    } else {
        for note in &found.notes {
            note.print("note: ")?;
        }
        for problem in &found.problems {
            problem.print("")?;
        }
        let rules = match &arguments.template {
            Some(path) => format!(", {} rules over {}", RULES.len(), path.display()),
            None => String::new(),
        };
        print::line(&match found.problems.len() {
            0 => format!("{} sources{rules}, no problems", found.sources.len()),
            1 => "1 problem".to_owned(),
            many => format!("{many} problems"),
        })?;
    }
    Ok(if found.problems.is_empty() {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}

fn read(path: &Path) -> Result<String> {
    std::fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))
}

/// Examples and rules that `--help` shows below the options.
fn examples_and_rules() -> String {
    let mut text = "Examples:
  hookwell check --template template.yaml
  hookwell check --sources sources.toml --json

The rules of --template, and what goes wrong without each:
"
    .to_owned();
    for rule in RULES {
        // Writing to a String cannot fail.
        let _ = write!(text, "\n  {:<24}{}", rule.id, rule.without);
    }
    text
}

fn findings(text: &str) -> (Findings, Vec<Source>) {
    let mut found = Findings::default();
    let finding = |path: &str, message| Finding {
        path: path.to_owned(),
        message,
        template: None,
    };
    let sources = match config::parse(text) {
        Ok(sources) => sources,
        Err(problems) => {
            let problems = problems.into_iter();
            found.problems = problems
                .map(|one| finding(&one.path, one.message))
                .collect();
            return (found, Vec::new());
        }
    };
    for source in &sources {
        for key in &source.ignored {
            let path = format!("sources.{}.{key}", source.name);
            let why = "is ignored: a record is put and its message sent at once; leave it out";
            found.notes.push(finding(&path, why.to_owned()));
        }
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
                match only(source, key, &reference).keys(from_environment) {
                    Ok(_) => {}
                    Err(why) if matches!(why.problem, SecretProblem::Unusable(_)) => {
                        found.problems.push(finding(&path, why.to_string()));
                    }
                    Err(why) if why.problem == SecretProblem::NotSet => {
                        found.notes.push(finding(&path, format!("{why} here")));
                    }
                    Err(why) => found.notes.push(finding(&path, why.to_string())),
                }
            }
        }
        found.sources.push(source.name.clone());
    }
    for destination in config::destinations(text).unwrap_or_default() {
        let Target::Http { secret, .. } = &destination.to else {
            continue;
        };
        let path = format!("destinations.{}.secret", destination.name);
        match from_environment(secret) {
            Ok(text) => {
                if let Err(why) = SigningKey::new(&text) {
                    let why = format!("{secret} {why}");
                    found.problems.push(finding(&path, why));
                }
            }
            Err(SecretProblem::NotSet) => {
                let why = format!("{secret} is not set here");
                found.notes.push(finding(&path, why));
            }
            Err(why) => found.notes.push(finding(&path, format!("{secret} {why}"))),
        }
    }
    (found, sources)
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
