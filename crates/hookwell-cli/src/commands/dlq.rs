//! `hookwell dlq`: what could not be applied, why, and the way back.

use std::process::ExitCode;

use anyhow::{Result, bail, ensure};
use clap::{Args, Subcommand};
use hookwell::format::time::to_rfc3339;
use hookwell_aws::tools::dead_letters::DeadLetter;
use serde_json::{Value, json};

use super::confirm::confirm;
use super::items::block_on;
use super::print::{self, progress, table};
use super::target::Target;
use crate::user::user;
use hookwell_lambda::now::now;

/// Show the dead-letter queue and put events back into the queue.
///
/// Reading hides a message from others for the moment: SQS has no other way to look.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// List dead letters, oldest first.
    List(List),
    /// Show one dead letter and its body.
    Show(Show),
    /// Put events back into the queue, to be applied again.
    ///
    /// The record of the event is reopened first, with your name and the time in it: from then on it is tried as long as a
    /// new one. An event that is older than its document changes nothing.
    Redrive(Redrive),
}

#[derive(Debug, Args)]
#[command(after_help = "Examples:
  hookwell dlq list
  hookwell dlq list --source shop --json")]
pub(crate) struct List {
    /// Only of this source.
    #[arg(long)]
    source: Option<String>,
    /// Print one JSON object per dead letter.
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    target: Target,
}

#[derive(Debug, Args)]
#[command(after_help = "Examples:
  hookwell dlq show evt_1
  hookwell dlq show evt_1 --json --local")]
pub(crate) struct Show {
    /// The sender's id of the event, its key, or the message's id.
    id: String,
    /// Print one JSON object.
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    target: Target,
}

#[derive(Debug, Args)]
#[command(after_help = "Examples:
  hookwell dlq redrive evt_1 evt_2
  hookwell dlq redrive --source shop --yes --json")]
pub(crate) struct Redrive {
    /// Ids as `dlq list` shows them.
    #[arg(required_unless_present_any = ["all", "source"])]
    ids: Vec<String>,
    /// Everything that is there.
    #[arg(long, conflicts_with = "ids")]
    all: bool,
    /// Everything of this source.
    #[arg(long, conflicts_with_all = ["ids", "all"])]
    source: Option<String>,
    /// Do not ask, however many they are.
    #[arg(long)]
    yes: bool,
    /// Print one JSON object for each.
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    target: Target,
}

pub(crate) fn run(command: &Command) -> Result<ExitCode> {
    block_on(async {
        match command {
            Command::List(arguments) => list(arguments).await,
            Command::Show(arguments) => show(arguments).await,
            Command::Redrive(arguments) => redrive(arguments).await,
        }
    })
}

async fn list(arguments: &List) -> Result<ExitCode> {
    let source = arguments.source.as_deref();
    let letters = look(&arguments.target).await?;
    let (letters, other): (Vec<_>, Vec<_>) = letters
        .into_iter()
        .partition(|letter| is_of(letter, source));
    note_unreadable(&other);
    if arguments.json {
        for letter in &letters {
            print::json(&describe(letter).to_string())?;
        }
        return Ok(ExitCode::SUCCESS);
    }
    let row = |letter: &DeadLetter| {
        let event = letter.event.as_ref().ok();
        let of = |text: Option<&str>| text.unwrap_or_default().to_owned();
        vec![
            letter.sent_at.map(to_rfc3339).unwrap_or_default(),
            of(event.map(|event| event.source.as_str())),
            of(event.map(|event| event.kind.as_str())),
            letter.id().to_owned(),
            of(event.and_then(|event| event.document_id.as_deref())),
            of(event.and_then(|event| event.destination.as_deref())),
            letter.why(),
        ]
    };
    let rows: Vec<_> = letters.iter().map(row).collect();
    table(
        &[
            "SENT",
            "SOURCE",
            "TYPE",
            "EVENT",
            "DOCUMENT",
            "DESTINATION",
            "REASON",
        ],
        &rows,
    )?;
    Ok(ExitCode::SUCCESS)
}

async fn show(arguments: &Show) -> Result<ExitCode> {
    let mut letters = look(&arguments.target).await?;
    letters.retain(|letter| is_named(letter, &arguments.id));
    ensure!(
        !letters.is_empty(),
        "there is no dead letter {:?}",
        arguments.id
    );
    for letter in &letters {
        let mut described = describe(letter);
        let body = match &letter.event {
            Ok(event) => String::from_utf8_lossy(&event.body.0).into_owned(),
            Err(_) => letter.body.clone(),
        };
        if arguments.json {
            if let Value::Object(fields) = &mut described {
                fields.insert("body".to_owned(), Value::String(body));
            }
            print::json(&described.to_string())?;
            continue;
        }
        for (name, value) in described.as_object().into_iter().flatten() {
            let text = value
                .as_str()
                .map_or_else(|| value.to_string(), str::to_owned);
            print::line(&format!("{name:<16} {text}"))?;
        }
        print::lines(&format!("\n{body}"))?;
    }
    Ok(ExitCode::SUCCESS)
}

/// The dead letters, free for others to see again.
async fn look(target: &Target) -> Result<Vec<DeadLetter>> {
    let queue = target.open().await?.dead_letters()?;
    let letters = queue.receive().await?;
    queue.release(&letters).await;
    Ok(letters)
}

/// Says how many letters are left out because nobody can tell here which source they are of.
fn note_unreadable(left_out: &[DeadLetter]) {
    let count = left_out.iter().filter(|it| it.is_unreadable()).count();
    if count > 0 {
        print::note(&format!(
            "{count} of the other dead letters cannot be read here, so their source is not known: `hookwell dlq list` says why"
        ));
    }
}

async fn redrive(arguments: &Redrive) -> Result<ExitCode> {
    let opened = arguments.target.open().await?;
    let queue = opened.dead_letters()?;
    let letters = queue.receive().await?;
    let is_meant = |letter: &DeadLetter| match &arguments.source {
        Some(_) => is_of(letter, arguments.source.as_deref()),
        None => arguments.all || arguments.ids.iter().any(|id| is_named(letter, id)),
    };
    let (meant, other): (Vec<_>, Vec<_>) = letters.into_iter().partition(is_meant);
    queue.release(&other).await;
    if arguments.source.is_some() {
        note_unreadable(&other);
    }
    if let Err(why) = is_wanted(arguments, &meant) {
        queue.release(&meant).await;
        return Err(why);
    }
    let by = user();
    let bar = progress(meant.len());
    // What was begun is done although nobody reads of it any more.
    let mut printed = Ok(());
    for (index, letter) in meant.iter().enumerate() {
        let (admin, table) = (&opened.admin, &opened.events_table);
        let done = queue.reopen(admin, table, letter, &by, now());
        match done.await {
            Ok(reopened) if arguments.json => {
                let line = json!({ "id": letter.id(), "redriven": true, "reopened": reopened });
                printed = printed.and(print::json(&line.to_string()));
            }
            Ok(_) => bar.inc(1),
            Err(error) => {
                let rest = meant.get(index..).unwrap_or_default();
                queue.release(rest).await;
                return Err(anyhow::Error::from(error).context(format!(
                    "{index} of {} went back into the queue, the rest stays",
                    meant.len()
                )));
            }
        }
    }
    bar.finish_and_clear();
    printed?;
    if !arguments.json {
        print::line(&format!("{} put back into the queue", meant.len()))?;
    }
    Ok(ExitCode::SUCCESS)
}

/// Checks that every named letter is there and that the person confirms.
fn is_wanted(arguments: &Redrive, meant: &[DeadLetter]) -> Result<()> {
    let unknown = |id: &&String| !meant.iter().any(|letter| is_named(letter, id));
    if let Some(id) = arguments.ids.iter().find(unknown) {
        bail!("there is no dead letter {id:?}: `hookwell dlq list` shows what is there");
    }
    confirm(meant.len(), arguments.yes)
}

fn is_of(letter: &DeadLetter, source: Option<&str>) -> bool {
    source.is_none_or(|source| letter.event.as_ref().is_ok_and(|it| it.source == source))
}

fn is_named(letter: &DeadLetter, id: &str) -> bool {
    letter.message_id == id
        || letter
            .event
            .as_ref()
            .is_ok_and(|event| event.id == id || event.key.as_str() == id)
}

fn describe(letter: &DeadLetter) -> Value {
    let event = letter.event.as_ref().ok();
    json!({
        "message_id": letter.message_id,
        "sent_at": letter.sent_at.map(to_rfc3339),
        "reason": letter.why(),
        "key": event.map(|event| &event.key),
        "source": event.map(|event| &event.source),
        "event_id": event.map(|event| &event.id),
        "type": event.map(|event| &event.kind),
        "operation": event.map(|event| event.operation),
        "document_id": event.and_then(|event| event.document_id.as_deref()),
        "destination": event.and_then(|event| event.destination.as_deref()),
    })
}
