//! `hookwell check`: everything wrong with a sources file and a template, at once.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use super::print::{self, Printed};
use super::sources::{beside, text};
use crate::sender::from_environment;
use anyhow::{Context as _, Result};
use clap::Args;
use clap::builder::PossibleValuesParser;
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
    /// Check this SAM or CloudFormation template as well: `--template template.yaml`. It may be of another project, or of a
    /// receiver of another make.
    #[arg(long, value_name = "FILE")]
    template: Option<PathBuf>,
    /// Let the template break this rule; may be repeated. What it finds is printed, and is no problem.
    #[arg(long, value_name = "RULE", requires = "template", hide_possible_values = true,
        value_parser = PossibleValuesParser::new(RULES.iter().map(|rule| rule.id)))]
    allow: Vec<String>,
    /// Print one JSON object.
    #[arg(long)]
    json: bool,
}

#[derive(Default)]
struct Findings {
    sources: Vec<String>,
    problems: Vec<Finding>,
    notes: Vec<Finding>,
    /// Problems of rules that the template may break.
    allowed: Vec<Finding>,
}

struct Finding {
    path: String,
    message: String,
    /// File, line and rule, for a problem of the template.
    template: Option<(String, usize, &'static str)>,
}

impl Findings {
    /// The last line: what was looked at, or how much is wrong.
    fn summary(&self, template: Option<&str>) -> String {
        let allowed = match self.allowed.len() {
            0 => String::new(),
            many => format!(", {many} allowed"),
        };
        match self.problems.len() {
            0 => {
                let sources = Some(format!("{} sources", self.sources.len()));
                // None of them belongs to the template.
                let sources = sources.filter(|_| template.is_none() || !self.sources.is_empty());
                let rules = template.map(|file| format!("{} rules over {file}", RULES.len()));
                let looked_at: Vec<_> = sources.into_iter().chain(rules).collect();
                format!("{}, no problems{allowed}", looked_at.join(", "))
            }
            1 => format!("1 problem{allowed}"),
            many => format!("{many} problems{allowed}"),
        }
    }
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
    let template = match &arguments.template {
        Some(path) => Some((path.display().to_string(), read(path)?)),
        None => None,
    };
    let text = match (&arguments.template, &template) {
        (Some(path), Some((file, template))) if arguments.sources.is_none() => {
            sources_of(path, template, embedded).with_context(|| file.clone())?
        }
        _ => Some(text(arguments.sources.as_deref(), embedded)?),
    };
    let (mut found, sources) = text.as_deref().map(findings).unwrap_or_default();
    let destinations = text
        .as_deref()
        .and_then(|text| config::destinations(text).ok());
    if let Some((file, template)) = &template {
        if text.is_none() && hookwell_template::is_hookwells(template)? {
            let message = "is not there, so nothing is compared with it: name it by --sources";
            found.notes.push(Finding {
                path: "sources.toml".to_owned(),
                message: message.to_owned(),
                template: None,
            });
        }
        let all = hookwell_template::check(template, &sources, &destinations.unwrap_or_default())
            .with_context(|| file.clone())?;
        for one in all {
            let list = if !one.is_problem {
                &mut found.notes
            } else if arguments.allow.iter().any(|rule| rule == one.rule) {
                &mut found.allowed
            } else {
                &mut found.problems
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
            "allowed": list(&found.allowed),
        });
        print::json(&found.to_string())?;
    } else {
        for (kind, list) in [
            ("note: ", &found.notes),
            ("allowed: ", &found.allowed),
            ("", &found.problems),
        ] {
            for finding in list {
                finding.print(kind)?;
            }
        }
        print::line(&found.summary(template.as_ref().map(|(file, _)| file.as_str())))?;
    }
    Ok(if found.problems.is_empty() {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}

/// The text of the sources file that belongs to a template. Without `--sources` it is the file of the project that the template
/// is in, or else that of this tool or folder; none where the functions of the template are not Hookwell's.
fn sources_of(path: &Path, template: &str, embedded: Option<&str>) -> Result<Option<String>> {
    if !hookwell_template::is_hookwells(template)? {
        return Ok(None);
    }
    match beside(path) {
        Some(file) => Ok(Some(read(&file)?)),
        // A template alone can be checked as well.
        None => Ok(text(None, embedded).ok()),
    }
}

fn read(path: &Path) -> Result<String> {
    std::fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))
}

/// Examples and rules that `--help` shows below the options.
fn examples_and_rules() -> String {
    let mut text = "Examples:
  hookwell check --template template.yaml
  hookwell check --template ../shop/template.yaml --allow retry-queue --allow log-retention
  hookwell check --sources sources.toml --json

A template is compared with the sources file of --sources, or else with that of its own project; one whose functions read no
variable of Hookwell's with none.

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
