//! `hookwell deliveries record`: has an account record the refused requests of a source for a while.

use std::process::ExitCode;
use std::time::{Duration, Instant};

use anyhow::{Result, bail, ensure};
use clap::Args;
use hookwell::event::message::is_source_name;
use hookwell_aws::Connection;
use hookwell_aws::settings::process_environment;
use hookwell_aws::tools::stack::{self, Stack};
use hookwell_lambda::now::now;
use jiff::{SignedDuration, Timestamp};
use serde_json::json;

use super::items::block_on;
use super::print;

/// Parameter of the template that asks for a recording.
const PARAMETER: &str = "RecordRefused";

/// The longest recording.
const MAX: SignedDuration = SignedDuration::from_hours(1);

/// Pause between two looks at the stack.
const PAUSE: Duration = Duration::from_secs(2);

/// Time after which an update of two settings has gone wrong.
const PATIENCE: Duration = Duration::from_mins(15);

#[derive(Debug, Args)]
#[command(after_help = "Examples:
  hookwell deliveries record shop --stack hookwell
  hookwell deliveries record shop --for 20m --stack hookwell
  hookwell deliveries record --off --stack hookwell
  hookwell deliveries list --stack hookwell

Ingest then keeps each refused request of the source in the stack's bucket: 100 at most, none over 256 KiB, for a day. Tokens,
passwords and the secret itself are masked. It ends by itself. A 503 is no refusal of the request, and is not recorded.
A stack records one source at a time: this ends the recording of another one, whose requests stay.
It changes the parameter RecordRefused of the stack and nothing else, for which the credentials need cloudformation:UpdateStack.")]
pub(crate) struct Record {
    /// Source whose refused requests are recorded.
    #[arg(required_unless_present = "off")]
    source: Option<String>,
    /// CloudFormation stack in the AWS account.
    #[arg(long, value_name = "NAME")]
    stack: String,
    /// Record for so long, an hour at most.
    #[arg(long = "for", value_name = "TIME", default_value = "1h", value_parser = duration)]
    time: SignedDuration,
    /// End a recording before its time.
    #[arg(long, conflicts_with_all = ["source", "time"])]
    off: bool,
    /// Print one JSON object.
    #[arg(long)]
    json: bool,
}

fn duration(text: &str) -> Result<SignedDuration, &'static str> {
    let time = text.parse::<SignedDuration>().ok();
    let fits = |time: &SignedDuration| (SignedDuration::from_mins(1)..=MAX).contains(time);
    time.filter(fits).ok_or("1m to 1h, as in 20m")
}

pub(crate) fn run(arguments: &Record) -> Result<ExitCode> {
    block_on(record(arguments))
}

async fn record(arguments: &Record) -> Result<ExitCode> {
    let name = &arguments.stack;
    let until = Timestamp::from_millisecond(now())?.checked_add(arguments.time)?;
    let until = format!("{until:.0}");
    let value = match &arguments.source {
        Some(source) => {
            ensure!(is_source_name(source), "{source:?} is no name of a source");
            format!("{source} until {until}")
        }
        None => String::new(),
    };
    let connection = Connection::from_default_chain(&process_environment).await?;
    let before = stack::describe(&connection, name).await?;
    if !before.parameters.contains_key(PARAMETER) {
        bail!(
            "the stack {name} has no parameter {PARAMETER}: deploy it with the template of this version first, by `sam build && sam deploy`"
        );
    }
    if stack::set_parameter(&connection, name, &before, PARAMETER, &value).await? {
        print::note(&format!(
            "the stack {name} is updated, which takes about a minute"
        ));
        complete(&connection, name, &value).await?;
    }
    if arguments.json {
        let until = arguments.source.as_ref().map(|_| until);
        let done = json!({ "stack": name, "source": arguments.source, "until": until });
        print::json(&done.to_string())?;
    } else if let Some(source) = &arguments.source {
        print::line(&format!(
            "refused requests of {source} are recorded until {until}: `hookwell deliveries list --stack {name}` shows them"
        ))?;
    } else {
        print::line("nothing is recorded any more")?;
    }
    Ok(ExitCode::SUCCESS)
}

/// Waits until the stack has the value, and says on the way what CloudFormation does.
async fn complete(connection: &Connection, name: &str, value: &str) -> Result<()> {
    let started = Instant::now();
    let mut shown = String::new();
    loop {
        let Stack {
            parameters,
            status,
            reason,
            ..
        } = stack::describe(connection, name).await?;
        let has_it = parameters.get(PARAMETER).is_some_and(|it| it == value);
        match status.as_str() {
            // What is cleaned up is no part of the function any more.
            "UPDATE_COMPLETE" | "UPDATE_COMPLETE_CLEANUP_IN_PROGRESS" if has_it => return Ok(()),
            "UPDATE_FAILED" => bail!("{}", failed(name, &status, reason)),
            rolled_back if rolled_back.contains("ROLLBACK") => {
                bail!("{}", failed(name, &status, reason))
            }
            _ if started.elapsed() > PATIENCE => bail!("{}", failed(name, &status, reason)),
            _ => {}
        }
        if status != shown {
            print::note(&status);
            shown = status;
        }
        tokio::time::sleep(PAUSE).await;
    }
}

fn failed(name: &str, status: &str, reason: Option<String>) -> String {
    let reason = reason.map(|reason| format!(": {reason}"));
    format!(
        "the update of the stack {name} has failed, its status is {status}{}. Its events in the console of CloudFormation say more",
        reason.unwrap_or_default()
    )
}
