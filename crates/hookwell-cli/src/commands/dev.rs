//! `hookwell dev`: the whole system on this machine.

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use super::interrupts::Interrupts;
use super::print::{self, lines};
use super::sources::{destinations, noted_sources};
use crate::machine::{self, Machine, Options};
use crate::sender::{LOCAL_SECRETS, Secrets, Senders, signed};
use anyhow::{Context as _, Result, ensure};
use clap::Args;
use hookwell::deliver::{Destination, SigningKey, Target, check_address};
use hookwell::event::Operation;
use hookwell::keys::reference::SecretRef;
use hookwell::ports::handler::Handler;
use hookwell::source::Source;
use hookwell_aws::{BoxError, Context};
use hookwell_lambda::now::now;
use hookwell_sandbox::sender::{Draft, Signed, quoted};
use hookwell_template::{OwnTable, own_tables};

/// Run the whole system on this machine: front, ingest, queue, process and tables.
///
/// Needs no account and no Docker. Secrets that are not set are made up and printed. Ctrl-C ends it.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  hookwell dev
  hookwell dev --forward-to http://localhost:3000/hooks
  hookwell dev --port 8000 --sources sources.toml --data .hookwell")]
pub(crate) struct Arguments {
    /// Port to listen on, at 127.0.0.1. The tables, the queue and the bucket take the next three ports where those are free. 0
    /// for any.
    #[arg(long, default_value_t = 9000)]
    port: u16,
    /// A sources file in place of the project's own.
    #[arg(long, value_name = "FILE")]
    sources: Option<PathBuf>,
    /// The template whose tables for your handler are made here as well: those that a variable of process names. Without this
    /// option, `template.yaml` where the current folder has one.
    #[arg(long, value_name = "FILE")]
    template: Option<PathBuf>,
    /// Keep tables and queues in this folder over restarts.
    #[arg(long, value_name = "DIR")]
    data: Option<PathBuf>,
    /// An HTTP server that gets every event, in signed requests: https, or http on this machine. The secret is in
    /// `HOOKWELL_FORWARD_SECRET`, or made up and printed.
    #[arg(long, value_name = "URL", value_parser = forward)]
    forward_to: Option<Destination>,
    /// Print where everything is as one JSON object, first thing on standard output.
    #[arg(long)]
    json: bool,
}

impl Default for Arguments {
    fn default() -> Self {
        Self {
            port: 9000,
            sources: None,
            template: None,
            data: None,
            forward_to: None,
            json: false,
        }
    }
}

pub(crate) fn run<H: Handler + 'static>(
    arguments: Arguments,
    embedded: Option<&str>,
    handler: impl FnOnce(Context<'_>) -> Result<H, BoxError>,
) -> Result<ExitCode> {
    print::start_log();
    let sources = noted_sources(arguments.sources.as_deref(), embedded)?;
    let mut destinations = destinations(arguments.sources.as_deref(), embedded)?;
    destinations.extend(arguments.forward_to);
    let secrets = Secrets::on_this_machine(&sources)?.and_for(&destinations);
    let mut unusable = unusable(&sources, &secrets);
    unusable.extend(unusable_for(&destinations, &secrets));
    ensure!(
        unusable.is_empty(),
        "secrets that cannot be used:\n{}",
        unusable.join("\n")
    );
    let sample = sample(&sources, &secrets);
    for destination in &destinations {
        if !matches!(destination.to, Target::Http { .. }) {
            let name = &destination.name;
            print::note(&format!(
                "note: destination {name} is in AWS, and this machine reaches none: its events are tried again and again"
            ));
        }
    }
    let senders = Senders {
        sources,
        destinations,
        secrets,
    };
    let mut options = Options::new(arguments.port, senders.clone());
    options.data = arguments.data;
    options.own_tables = tables_of(arguments.template.as_deref())?;
    let runtime = tokio::runtime::Runtime::new()?;
    let ended = runtime.block_on(async {
        let running = machine::start(options, handler).await?;
        // Before the first line: whoever reads it may end the machine at once.
        let mut interrupts = Interrupts::new()?;
        if arguments.json {
            print::json(&serde_json::to_string(&running.machine)?)?;
        } else {
            introduce(&running.machine, &senders, sample.as_ref())?;
        }
        interrupts.next().await;
        Ok(match interrupts.finish(running.stop()).await {
            Some(()) => ExitCode::SUCCESS,
            None => ExitCode::FAILURE,
        })
    });
    // A handler that keeps its thread busy does not keep the machine alive.
    runtime.shutdown_timeout(Duration::from_secs(1));
    ended
}

/// The tables that a template gives to the handler.
fn tables_of(template: Option<&Path>) -> Result<Vec<OwnTable>> {
    let usual = Path::new("template.yaml");
    let path = match template {
        Some(path) => path,
        None if usual.exists() => usual,
        None => return Ok(Vec::new()),
    };
    let shown = path.display();
    let text = std::fs::read_to_string(path).with_context(|| format!("cannot read {shown}"))?;
    own_tables(&text).with_context(|| shown.to_string())
}

/// The destination of everything, at the address that was typed.
fn forward(url: &str) -> Result<Destination, &'static str> {
    let url = match url.split_once("://") {
        Some(_) => url.to_owned(),
        None => format!("http://{url}"),
    };
    check_address(&url)?;
    Ok(Destination {
        name: "forward-to".to_owned(),
        to: Target::Http {
            url,
            secret: SecretRef::Env("HOOKWELL_FORWARD_SECRET".to_owned()),
            timeout: Duration::from_secs(10),
        },
        sources: None,
        types: None,
    })
}

/// Secrets that no source could verify with, a line each.
fn unusable(sources: &[Source], secrets: &Secrets) -> Vec<String> {
    let problem = |source: &Source| {
        let keys = source.keys(|reference| secrets.fetch(reference));
        let why = keys.err()?;
        Some(format!("  source {}: {why}", source.name))
    };
    sources.iter().filter_map(problem).collect()
}

/// Secrets that sign nothing, a line each.
fn unusable_for(destinations: &[Destination], secrets: &Secrets) -> Vec<String> {
    let problem = |destination: &Destination| {
        let Target::Http { secret, .. } = &destination.to else {
            return None;
        };
        let why = match secrets.fetch(secret) {
            Ok(text) => SigningKey::new(&text).err()?.to_string(),
            Err(why) => why.to_string(),
        };
        Some(format!(
            "  destination {}: {secret} {why}",
            destination.name
        ))
    };
    destinations.iter().filter_map(problem).collect()
}

/// A signed request of the first source that this machine can sign for.
fn sample(sources: &[Source], secrets: &Secrets) -> Option<Signed> {
    let (unsigned, signing): (Vec<_>, Vec<_>) = sources.iter().partition(|it| it.is_unsigned());
    let sample = |source: &Source| {
        let draft = Draft::sample(source, Operation::Create, now()).ok()?;
        signed(source, secrets, draft, now()).ok()
    };
    signing.into_iter().chain(unsigned).find_map(sample)
}

fn introduce(machine: &Machine, senders: &Senders, sample: Option<&Signed>) -> Result<()> {
    let Senders {
        sources,
        destinations,
        secrets,
    } = senders;
    lines(&format!("listening on {}", machine.url))?;
    lines("open it in a browser to see what arrives and what becomes of it")?;
    lines("\nsources")?;
    for source in sources {
        lines(&format!("  {}/webhooks/{}", machine.url, source.name))?;
    }
    if !destinations.is_empty() {
        lines("\ndestinations")?;
    }
    for Destination { name, to, .. } in destinations {
        lines(&format!("  {name:<32} {to}"))?;
    }
    if secrets.made_up().next().is_some() {
        lines("\nsecrets made up for this machine, because they are not set")?;
    }
    for (reference, text) in secrets.made_up() {
        lines(&format!("  {reference:<32} {text}"))?;
    }
    let mut in_file = secrets.in_file(sources).peekable();
    if in_file.peek().is_some() {
        lines(&format!("\nsecrets from {LOCAL_SECRETS}"))?;
    }
    for reference in in_file {
        lines(&format!("  {reference}"))?;
    }
    if !machine.endpoints.own_tables.is_empty() {
        lines("\ntables of your handler, by their variables")?;
    }
    for (variable, table) in &machine.endpoints.own_tables {
        lines(&format!("  {variable:<32} {table}"))?;
    }
    if let Some(request) = sample {
        lines("\na signed request to paste")?;
        lines(&format!("  {}", request.to_curl(&machine.url)))?;
    }
    lines("\nfor the functions under `cargo lambda watch`")?;
    let own = machine.endpoints.own_tables.iter();
    let own = own.map(|(variable, table)| (variable.as_str(), table.as_str()));
    for (name, value) in machine.endpoints.environment().into_iter().chain(own) {
        lines(&format!("  export {name}={}", quoted(value)))?;
    }
    for (reference, text) in secrets.made_up() {
        if let Some(name) = reference.strip_prefix("env:") {
            lines(&format!("  export {name}={}", quoted(text)))?;
        }
    }
    lines("\none line per delivery (<-) and per event (->) follows; Ctrl-C ends it\n")?;
    Ok(())
}
