//! `hookwell console`: the page over an account's tables and queue.

use std::pin::pin;
use std::process::ExitCode;

use crate::page::Account;
use anyhow::Result;
use clap::Args;
use serde_json::json;
use tokio::sync::oneshot;

use super::interrupts::Interrupts;
use super::print;
use super::target::Target;

/// Show the events, documents and dead letters of the AWS account in a browser, on this machine only.
///
/// The page of `hookwell dev` over the tables and the queue that HOOKWELL_EVENTS_TABLE, HOOKWELL_DOCUMENTS_TABLE,
/// HOOKWELL_QUEUE_URL, HOOKWELL_DEAD_LETTER_QUEUE_URL and HOOKWELL_BUCKET name. It puts dead letters back and replays what was kept, under your name;
/// it cannot send. Refused deliveries are in no table; the log has them.
///
/// The printed address holds a secret that the browser keeps as a cookie: without it nobody on this machine sees the page.
///
/// The first look reads the newest 10,000 records, later ones what came since and what was not done. The next one comes at
/// least 5 seconds later, and at least ten times as long as the look took. Ctrl-C ends it.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  hookwell console
  hookwell console --port 8001 --json")]
pub(crate) struct Arguments {
    /// Port to listen on, at 127.0.0.1; none of those that `hookwell dev` takes. 0 for any free port.
    #[arg(long, default_value_t = 9010)]
    port: u16,
    /// Print where the page is and what it looks at as one JSON object, first thing on standard output.
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    target: Target,
}

pub(crate) fn run(arguments: &Arguments) -> Result<ExitCode> {
    print::start_log();
    tokio::runtime::Runtime::new()?.block_on(async {
        let stack = arguments.target.open().await?.stack()?;
        let account = Account::bind(arguments.port, stack.clone()).await?;
        // Before the first line: whoever reads it may end the page at once.
        let mut interrupts = Interrupts::new()?;
        if arguments.json {
            let line = json!({
                "url": account.address,
                "events_table": stack.events_table,
                "documents_table": stack.documents_table,
                "queue_url": stack.queue_url,
                "bucket": stack.bucket,
            });
            print::json(&line.to_string())?;
        } else {
            print::line(&format!("listening on {}", account.address))?;
            print::line(&format!("events     {}", stack.events_table))?;
            print::line(&format!("documents  {}", stack.documents_table))?;
            print::line(&format!("queue      {}", stack.queue_url))?;
        }
        let (stop, stopped) = oneshot::channel::<()>();
        let mut serving = pin!(account.serve(async { drop(stopped.await) }));
        let served = tokio::select! {
            served = &mut serving => Some(served),
            () = interrupts.next() => {
                drop(stop);
                interrupts.finish(serving).await
            }
        };
        match served {
            Some(served) => served.map(|()| ExitCode::SUCCESS),
            None => Ok(ExitCode::FAILURE),
        }
    })
}
