//! `hookwell sign`: a signed request or the Lambda event that a trigger would make of it.

use std::path::PathBuf;
use std::process::ExitCode;

use super::draft::Made;
use super::sources::{find, sources};
use super::{made_up, print};
use crate::sender::{Secrets, signed};
use anyhow::Result;
use clap::{Args, ValueEnum};
use hookwell::keys::reference::SecretRef;
use hookwell_lambda::now::now;
use hookwell_sandbox::trigger::Trigger;

/// Sign a request as its sender would and print it, without sending.
///
/// The event shapes are what `cargo lambda invoke ingest --data-file` takes.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  hookwell sign resource | hookwell verify
  hookwell sign github --type push --set /ref=refs/heads/main
  hookwell sign shop --data event.json --shape http-api > event-of-lambda.json")]
pub(crate) struct Arguments {
    /// The source to sign as.
    source: String,
    #[command(flatten)]
    made: Made,
    /// Shape of the output.
    #[arg(long, value_enum, default_value_t = Shape::Http)]
    shape: Shape,
    /// A sources file in place of the project's own.
    #[arg(long, value_name = "FILE")]
    sources: Option<PathBuf>,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum Shape {
    /// The request itself, as one JSON line with method, path, headers and `body_base64`.
    Http,
    /// A function URL's event.
    FunctionUrl,
    /// An API Gateway HTTP API's event.
    HttpApi,
    /// An API Gateway REST API's event.
    RestApi,
    /// An Application Load Balancer's event.
    Alb,
}

pub(crate) fn run(arguments: &Arguments, embedded: Option<&str>) -> Result<ExitCode> {
    let sources = sources(arguments.sources.as_deref(), embedded)?;
    let source = find(&sources, &arguments.source)?;
    let secrets = Secrets::on_this_machine(&sources)?;
    let now = now();
    let draft = arguments.made.draft(source, now)?;
    let request = signed(source, &secrets, draft, now)?;
    // A user sees that a variable is not set, but not that no command asks a store.
    let reference = made_up::unset_secret(source, &secrets);
    if let Some(reference) = reference.filter(|one| !matches!(one, SecretRef::Env(_))) {
        made_up::note(reference);
    }
    let event = |trigger: Trigger| -> Result<String> {
        let event = trigger.event(&request.to_http()?, &format!("local-{now}"), now);
        Ok(serde_json::to_string_pretty(&event)?)
    };
    let text = match arguments.shape {
        Shape::Http => request.to_json().to_string(),
        Shape::FunctionUrl => event(Trigger::FunctionUrl)?,
        Shape::HttpApi => event(Trigger::HttpApi)?,
        Shape::RestApi => event(Trigger::RestApi)?,
        Shape::Alb => event(Trigger::Alb)?,
    };
    print::json(&text)?;
    Ok(ExitCode::SUCCESS)
}
