//! `hookwell send`: a test sender.

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use super::draft::Made;
use super::sources::{find, sources};
use super::target::with_scheme;
use super::{made_up, print};
use crate::sender::{Secrets, signed};
use anyhow::{Context as _, Result};
use clap::Args;
use hookwell_lambda::now::now;
use hookwell_sandbox::sender::Signed;
use serde_json::json;

/// The `resource` sender's schedule: at once, then after these many seconds.
const SCHEDULE: [u64; 4] = [60, 300, 1800, 7200];

/// Time that the sender waits for an answer; `resource` waits as long.
const TIMEOUT: Duration = Duration::from_secs(5);

/// Sign an event as its sender would, post it, and print the answer.
///
/// Exits with 0 when the answer is 2xx.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  hookwell send resource
  hookwell send stripe --type customer.created --set /data/object/email=ada@example.com
  hookwell send shop --operation delete --to https://example.lambda-url.eu-west-1.on.aws
  hookwell send resource --data event.json --retry --speed 100
  hookwell send resource --data - --to 127.0.0.1:9100 < event.json")]
pub(crate) struct Arguments {
    /// The source to send as.
    source: String,
    #[command(flatten)]
    made: Made,
    /// Base URL of the receiver, or HOST:PORT.
    #[arg(long, value_name = "URL", default_value = "http://127.0.0.1:9000")]
    to: String,
    /// A sources file in place of the project's own.
    #[arg(long, value_name = "FILE")]
    sources: Option<PathBuf>,
    /// Try again as the `resource` sender does: after 1 min, 5 min, 30 min and 2 h.
    #[arg(long)]
    retry: bool,
    /// Run the retry schedule this many times faster.
    #[arg(long, value_name = "N", default_value_t = 1.0, requires = "retry")]
    speed: f64,
    /// Print one JSON object per try.
    #[arg(long)]
    json: bool,
}

pub(crate) fn run(arguments: &Arguments, embedded: Option<&str>) -> Result<ExitCode> {
    let sources = sources(arguments.sources.as_deref(), embedded)?;
    let source = find(&sources, &arguments.source)?;
    let secrets = Secrets::on_this_machine(&sources)?;
    let draft = arguments.made.draft(source, now())?;
    let to = with_scheme(&arguments.to);
    let url = if to.contains("/webhooks/") {
        to.into_owned()
    } else {
        format!("{}/webhooks/{}", to.trim_end_matches('/'), source.name)
    };
    let is_near = ["http://127.0.0.1", "http://localhost"]
        .iter()
        .any(|near| url.starts_with(near));
    if !is_near && let Some(reference) = made_up::unset_secret(source, &secrets) {
        made_up::note(reference);
    }
    let pauses: &[u64] = if arguments.retry { &SCHEDULE } else { &[] };
    for pause in pauses.iter().map(Some).chain([None]) {
        // Each try is signed anew, as the Standard Webhooks specification asks of senders.
        let request = signed(source, &secrets, draft.clone(), now())?;
        let target = match request.query.as_str() {
            "" => url.clone(),
            query => format!("{url}?{query}"),
        };
        let answer = post(&target, &request);
        tell(arguments.json, &target, &answer)?;
        match (answer, pause) {
            (Ok(answer), _) if (200..300).contains(&answer.status) => return Ok(ExitCode::SUCCESS),
            (_, Some(seconds)) => {
                let wait = Duration::from_secs(*seconds).div_f64(arguments.speed.max(0.001));
                print::note(&format!("next try in {:.1} s", wait.as_secs_f64()));
                std::thread::sleep(wait);
            }
            (Err(error), None) => {
                return Err(error).with_context(|| {
                    format!("{url} does not answer: is `hookwell dev` running, or --to right?")
                });
            }
            (Ok(_), None) => {}
        }
    }
    Ok(ExitCode::FAILURE)
}

struct Answer {
    status: u16,
    body: String,
    millis: f64,
}

fn post(url: &str, request: &Signed) -> Result<Answer> {
    let agent: ureq::Agent = ureq::Agent::config_builder()
        .timeout_global(Some(TIMEOUT))
        .http_status_as_error(false)
        // No sender follows a redirect, and a redirected POST would become a GET.
        .max_redirects(0)
        .build()
        .into();
    let mut post = agent.post(url);
    for (name, value) in &request.headers {
        post = post.header(name, value);
    }
    let started = Instant::now();
    let mut answer = post.send(&request.body[..])?;
    let body = answer.body_mut().read_to_string()?;
    let millis = started.elapsed().as_secs_f64() * 1000.0;
    Ok(Answer {
        status: answer.status().as_u16(),
        body,
        millis,
    })
}

fn tell(as_json: bool, url: &str, answer: &Result<Answer>) -> Result<()> {
    match answer {
        Ok(answer) if as_json => {
            let Answer {
                status,
                body,
                millis,
            } = answer;
            let line =
                json!({ "url": url, "status": status, "body": body, "milliseconds": millis });
            print::json(&line.to_string())?;
        }
        Ok(answer) => print::line(&format!(
            "{} {} {:.1} ms",
            answer.status, answer.body, answer.millis
        ))?,
        Err(error) if as_json => {
            let line = json!({ "url": url, "error": error.to_string() });
            print::json(&line.to_string())?;
        }
        Err(error) => print::note(&error.to_string()),
    }
    Ok(())
}
