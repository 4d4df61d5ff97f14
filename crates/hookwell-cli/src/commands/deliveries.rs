//! `hookwell deliveries`: every request of a sender to a machine, also those that were refused; of an account those that it
//! has recorded.

use std::collections::BTreeSet;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context as _, Result, bail};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use clap::{Args, Subcommand};
use hookwell::format::time::Millis;
use hookwell_aws::tools::admin::{Item, readable};
use hookwell_aws::tools::records::received_at;
use http::Method;
use serde::Deserialize;
use serde_json::Value;

use super::filter::since;
use super::items::{self, Column, block_on, line_of};
use super::print::{self, grouped};
use super::record::{self, Record};
use super::recorded;
use super::target::Target;

/// Columns of a line about a delivery.
const COLUMNS: &[Column] = &[
    ("number", "DELIVERY"),
    ("received_at", "RECEIVED"),
    ("source", "SOURCE"),
    ("status", "STATUS"),
    ("outcome", "OUTCOME"),
    ("type", "TYPE"),
    ("event_id", "EVENT"),
    ("document_id", "DOCUMENT"),
    ("reason", "REASON"),
];

/// The width of the columns of a line that stands alone.
const WIDTHS: [usize; 9] = [8, 24, 12, 6, 12, 24, 28, 24, 0];

/// Deliveries of one look of `tail`, at most.
const AT_ONCE: usize = 10_000;

/// Show every request that senders made to a running `hookwell dev`, also those that were refused, and why; of an account the
/// recorded ones.
///
/// The machine keeps headers and bodies of the last 1,000, at most 64 MiB. Tokens and passwords are masked, and so is every secret of the machine.
/// An account keeps the refused requests of a source while `record` says so, and none otherwise.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// List deliveries, newest first.
    List(List),
    /// Have an account record the refused requests of a source for a while.
    Record(Record),
    /// Show one delivery: why it was refused, its headers, its body and its answer.
    Show(Show),
    /// Follow the deliveries of a running `hookwell dev`: print each when it was answered.
    Tail(Tail),
    /// Send a delivery to a running `hookwell dev` again as its sender would: the same body, signed now. Exits with 0 when the answer is 2xx.
    Resend(Resend),
}

/// Which deliveries.
#[derive(Debug, Args)]
struct Which {
    /// Only to this source.
    #[arg(long)]
    source: Option<String>,
    /// Only those that were refused: answered with 400 or more.
    #[arg(long)]
    refused: bool,
    /// Only those answered with this status.
    #[arg(long, value_name = "CODE")]
    status: Option<u16>,
    /// Only those that ended so, as in `unverified`, `duplicate` or `applied`.
    #[arg(long)]
    outcome: Option<String>,
    /// Only those that came since then: a time, or so long ago, as in `90m` or `2d`.
    #[arg(long, value_name = "TIME", value_parser = since)]
    since: Option<Millis>,
    /// Print one JSON object per delivery.
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    target: Target,
}

#[derive(Debug, Args)]
#[command(after_help = "Examples:
  hookwell deliveries list --local
  hookwell deliveries list --refused --source shop --since 10m --local
  hookwell deliveries list --outcome unverified --json --local
  hookwell deliveries list --source shop --stack hookwell")]
pub(crate) struct List {
    #[command(flatten)]
    which: Which,
    /// At most so many.
    #[arg(long, default_value_t = 50)]
    limit: usize,
}

#[derive(Debug, Args)]
#[command(after_help = "Examples:
  hookwell deliveries show 7 --local
  hookwell deliveries show 7 --json --local | hookwell verify --explain
  hookwell deliveries show shop/1795251600/07 --stack hookwell
  hookwell deliveries show shop/1795251600/07 --json --stack hookwell | hookwell verify --sources sources.toml --explain

`verify` judges the request as of when it came. It asks no store, so give it the secret: for secrets = [\"ssm:/hookwell/shop\"]
write a line \"ssm:/hookwell/shop\" = \"…\" into .hookwell/secrets.toml, or name a variable in a sources file of your own.")]
pub(crate) struct Show {
    /// Number or id of the delivery, as `deliveries list` shows it.
    delivery: String,
    /// Print one JSON object, which `hookwell verify` reads.
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    target: Target,
}

#[derive(Debug, Args)]
#[command(after_help = "Examples:
  hookwell deliveries tail --local
  hookwell deliveries tail --refused --json --local")]
pub(crate) struct Tail {
    #[command(flatten)]
    which: Which,
}

#[derive(Debug, Args)]
#[command(after_help = "Examples:
  hookwell deliveries resend 7 --local
  hookwell deliveries resend 7 --json --local")]
pub(crate) struct Resend {
    /// Number of the delivery, as `deliveries list` shows it.
    number: u64,
    /// Print the answer as one JSON object.
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    target: Target,
}

/// Answer of a machine: the newest of the deliveries that were asked for.
#[derive(Deserialize)]
struct Answer {
    started_at: Millis,
    found: usize,
    deliveries: Vec<Item>,
}

impl Which {
    /// True for a recorded request that is meant. All of them were refused.
    fn keeps(&self, request: &Item) -> bool {
        let is = |name: &str, wanted: &Option<String>| {
            wanted
                .as_ref()
                .is_none_or(|it| *it == readable(request, name))
        };
        let status = self.status.map(|status| status.to_string());
        let in_time = |since| received_at(request) >= Some(since);
        is("source", &self.source)
            && is("outcome", &self.outcome)
            && is("status", &status)
            && self.since.is_none_or(in_time)
    }

    /// Asks for the deliveries after a number, at most so many.
    fn look(&self, after: u64, limit: usize) -> Result<Answer> {
        let mut query = form_urlencoded::Serializer::new(String::new());
        query.append_pair("after", &after.to_string());
        query.append_pair("limit", &limit.to_string());
        query.append_pair("refused", &self.refused.to_string());
        let status = self.status.map(|status| status.to_string());
        let since = self.since.map(|since| since.to_string());
        for (name, value) in [
            ("source", &self.source),
            ("outcome", &self.outcome),
            ("status", &status),
            ("since", &since),
        ] {
            query.extend_pairs(value.iter().map(|value| (name, value)));
        }
        let what = format!("/deliveries?{}", query.finish());
        let answer = self.target.ask(Method::GET, &what)?;
        serde_json::from_str(&answer).context("the machine's answer cannot be read")
    }
}

pub(crate) fn run(command: &Command) -> Result<ExitCode> {
    match command {
        Command::List(arguments) => list(arguments),
        Command::Record(arguments) => record::run(arguments),
        Command::Show(arguments) => show(arguments),
        Command::Tail(arguments) => tail(&arguments.which),
        Command::Resend(arguments) => resend(arguments),
    }
}

fn list(arguments: &List) -> Result<ExitCode> {
    if !arguments.which.target.is_local() {
        return block_on(list_recorded(arguments));
    }
    let found = arguments.which.look(0, arguments.limit)?;
    items::print(&found.deliveries, COLUMNS, arguments.which.json)?;
    items::note_left_out(found.deliveries.len(), found.found);
    Ok(ExitCode::SUCCESS)
}

async fn list_recorded(arguments: &List) -> Result<ExitCode> {
    let List { which, limit } = arguments;
    let mut found = recorded::all(&which.target).await?;
    if found.is_empty() {
        print::note(
            "nothing is recorded: `hookwell deliveries record SOURCE --stack NAME` has the refused requests of a source recorded for an hour. \
             `hookwell events list` shows what was taken, and the log of ingest why something was refused",
        );
        return Ok(ExitCode::SUCCESS);
    }
    let sources: BTreeSet<_> = found.iter().map(|it| readable(it, "source")).collect();
    found.retain(|request| which.keeps(request));
    let all = found.len();
    if all == 0 {
        let sources = Vec::from_iter(sources).join(", ");
        print::note(&format!(
            "nothing like that is recorded; there are requests of {sources}. A source is recorded only when `hookwell deliveries record` asked for it"
        ));
        return Ok(ExitCode::SUCCESS);
    }
    found.truncate(*limit);
    let found: Vec<_> = found.into_iter().map(recorded::summary).collect();
    items::print(&found, recorded::COLUMNS, which.json)?;
    items::note_left_out(found.len(), all);
    Ok(ExitCode::SUCCESS)
}

fn show(arguments: &Show) -> Result<ExitCode> {
    let id = &arguments.delivery;
    if !arguments.target.is_local() {
        return block_on(async {
            let request = recorded::one(&arguments.target, id).await?;
            let shown = print_whole(request, arguments.json)?;
            if !arguments.json {
                print::note(
                    "why, with the source's own secret: add --json | hookwell verify --sources FILE --explain",
                );
            }
            Ok(shown)
        });
    }
    let number: u64 = id
        .parse()
        .with_context(|| format!("{id:?} is no number of a delivery"))?;
    let what = format!("/deliveries/{number}");
    let answer = arguments.target.ask(Method::GET, &what)?;
    print_whole(serde_json::from_str(&answer)?, arguments.json)
}

/// Prints all about a delivery.
fn print_whole(mut shown: Item, json: bool) -> Result<ExitCode> {
    if json {
        print::json(&serde_json::to_string(&shown)?)?;
        return Ok(ExitCode::SUCCESS);
    }
    let body = shown.remove("body_base64");
    let headers = shown.remove("headers");
    let kept = shown.remove("kept");
    for name in shown.keys() {
        let text = readable(&shown, name);
        if !text.is_empty() && text != "[]" {
            print::line(&format!("{name:<16} {text}"))?;
        }
    }
    if kept == Some(Value::Bool(false)) {
        print::note("headers and body are not kept any more");
    }
    print::line("")?;
    for (name, value) in headers
        .as_ref()
        .and_then(Value::as_object)
        .into_iter()
        .flatten()
    {
        let text = value
            .as_str()
            .map_or_else(|| value.to_string(), str::to_owned);
        print::line(&format!("{name}: {text}"))?;
    }
    if let Some(Value::String(body)) = body {
        let body = STANDARD.decode(body)?;
        print::lines(&format!("\n{}", String::from_utf8_lossy(&body)))?;
    }
    Ok(ExitCode::SUCCESS)
}

/// Prints each delivery when it was answered, until somebody ends the command. Waits for a machine that is away.
fn tail(which: &Which) -> Result<ExitCode> {
    const PAUSE: Duration = Duration::from_secs(1);
    if !which.target.is_local() {
        bail!(
            "only a running `hookwell dev` is followed: add --local. `hookwell deliveries list --stack NAME` shows what an account has recorded"
        );
    }
    let first = which.look(0, 1)?;
    let mut started_at = first.started_at;
    let newest = |deliveries: &[Item]| deliveries.iter().find_map(|it| it.get("number")?.as_u64());
    // Earlier deliveries are printed only with `--since`.
    let mut after = match which.since {
        Some(_) => 0,
        None => newest(&first.deliveries).unwrap_or(0),
    };
    print::note("looking every second; Ctrl-C ends it");
    let mut is_away = false;
    loop {
        match which.look(after, AT_ONCE) {
            Ok(found) if found.started_at != started_at => {
                // Another machine runs at this address now, and its numbers begin anew.
                (started_at, after) = (found.started_at, 0);
                continue;
            }
            Ok(found) => {
                if is_away {
                    print::note("there again");
                }
                is_away = false;
                let left_out = found.found.saturating_sub(found.deliveries.len());
                if left_out > 0 {
                    print::note(&format!(
                        "{} came at once and are left out",
                        grouped(left_out)
                    ));
                }
                after = newest(&found.deliveries).unwrap_or(after);
                for delivery in found.deliveries.iter().rev() {
                    if which.json {
                        print::json(&serde_json::to_string(delivery)?)?;
                    } else {
                        print::line(&line_of(delivery, COLUMNS, &WIDTHS))?;
                    }
                }
            }
            Err(why) => {
                if !is_away {
                    print::note(&format!("{why}; looking again every second"));
                }
                is_away = true;
            }
        }
        std::thread::sleep(PAUSE);
    }
}

fn resend(arguments: &Resend) -> Result<ExitCode> {
    if !arguments.target.is_local() {
        bail!(
            "only a running `hookwell dev` is sent to: add --local. What an account has recorded is masked, so have its sender send it again"
        );
    }
    let what = format!("/deliveries/{}/again", arguments.number);
    let answer = arguments.target.ask(Method::POST, &what)?;
    let sent: Item = serde_json::from_str(&answer)?;
    if arguments.json {
        print::json(&answer)?;
    } else {
        let of = |name| readable(&sent, name);
        print::line(&format!(
            "{} {} as delivery {}",
            of("status"),
            of("body"),
            of("number")
        ))?;
    }
    let status = sent.get("status").and_then(Value::as_u64);
    let is_taken = status.is_some_and(|status| (200..300).contains(&status));
    Ok(if is_taken {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}
