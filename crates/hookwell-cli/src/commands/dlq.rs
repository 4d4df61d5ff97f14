//! `hookwell dlq`: what could not be applied, why, and the way back.

use std::collections::{BTreeMap, BTreeSet};
use std::process::ExitCode;

use anyhow::{Result, bail, ensure};
use clap::{Args, Subcommand};
use hookwell::format::time::{Millis, to_rfc3339};
use hookwell_aws::tools::dead_letters::{DeadLetter, DeadLetters};
use serde_json::{Value, json};

use super::confirm::confirm;
use super::items::block_on;
use super::print::{self, grouped, progress, table};
use super::target::Target;
use crate::user::user;
use hookwell_lambda::now::now;

/// Show the dead-letter queue and put events back into the queue.
///
/// Reading hides a message from others for the moment: SQS has no other way to look.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// List dead letters, the oldest of those that were looked at first.
    List(List),
    /// Count dead letters by source, type and reason, with the first and the last of each.
    Stats(Stats),
    /// Show one dead letter and its body.
    Show(Show),
    /// Put events back into the queue, to be applied again.
    ///
    /// The record of the event is reopened first, with your name and the time in it: from then on it is tried as long as a
    /// new one. An event that is older than its document changes nothing. Ingest has read the event already, so a mended
    /// sources file does not change it: see "Dead letters" in docs/operations.md.
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
    /// At most so many.
    #[arg(long, default_value_t = 1000)]
    limit: usize,
    /// Print one JSON object per dead letter.
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    target: Target,
}

#[derive(Debug, Args)]
#[command(after_help = "Examples:
  hookwell dlq stats
  hookwell dlq stats --json --local")]
pub(crate) struct Stats {
    /// Print one JSON object for each kind of letter.
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
            Command::Stats(arguments) => stats(arguments).await,
            Command::Show(arguments) => show(arguments).await,
            Command::Redrive(arguments) => redrive(arguments).await,
        }
    })
}

async fn list(arguments: &List) -> Result<ExitCode> {
    let opened = arguments.target.open().await?;
    let queue = opened.dead_letters()?;
    let source = arguments.source.as_deref();
    let (mut letters, mut unreadable, mut is_over) = (Vec::new(), 0, false);
    let mut look = queue.look();
    while letters.len() < arguments.limit && !is_over {
        let some = look.next().await?;
        is_over = some.is_empty();
        for mut letter in some {
            if is_of(&letter, source) {
                // Its text is not listed, and may be large.
                if let Ok(event) = &mut letter.event {
                    event.body.0 = Vec::new();
                }
                letter.body = String::new();
                letters.push(letter);
            } else {
                unreadable += usize::from(letter.is_unreadable());
            }
        }
    }
    look.release().await;
    letters.truncate(arguments.limit);
    letters.sort_by_key(|letter| letter.sent_at);
    note_unreadable(unreadable);
    if !is_over {
        let (waiting, hidden) = opened.dead_letter_depth().await?;
        let (shown, all) = (grouped(letters.len()), waiting.saturating_add(hidden));
        let all = grouped(usize::try_from(all).unwrap_or(usize::MAX));
        print::note(&format!(
            "{shown} printed, about {all} in the queue: --limit shows more, `hookwell dlq stats` counts them"
        ));
    }
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

/// Letters of one source and type with one reason.
#[derive(Default)]
struct Kind {
    count: usize,
    /// Times at which the first and the last came here.
    first: Option<Millis>,
    last: Option<Millis>,
    /// The id of one of them, to look at.
    example: String,
}

async fn stats(arguments: &Stats) -> Result<ExitCode> {
    let queue = arguments.target.open().await?.dead_letters()?;
    let mut kinds: BTreeMap<[String; 3], Kind> = BTreeMap::new();
    let mut look = queue.look();
    loop {
        let some = look.next().await?;
        if some.is_empty() {
            break;
        }
        for letter in &some {
            let event = letter.event.as_ref().ok();
            let of = |text: Option<&str>| text.unwrap_or_default().to_owned();
            let source = of(event.map(|event| event.source.as_str()));
            let name = of(event.map(|event| event.kind.as_str()));
            let kind = kinds.entry([source, name, letter.why()]).or_default();
            kind.count = kind.count.saturating_add(1);
            let first = kind.first.into_iter().chain(letter.sent_at);
            kind.first = first.min();
            kind.last = kind.last.max(letter.sent_at);
            letter.id().clone_into(&mut kind.example);
        }
    }
    look.release().await;
    let mut rows = Vec::new();
    for ([source, name, reason], kind) in &kinds {
        let [first, last] = [kind.first, kind.last].map(|at| at.map(to_rfc3339));
        if arguments.json {
            let line = json!({ "source": source, "type": name, "reason": reason,
                "letters": kind.count, "first": first, "last": last, "example": kind.example });
            print::json(&line.to_string())?;
            continue;
        }
        let [first, last] = [first, last].map(Option::unwrap_or_default);
        rows.push(vec![
            source.clone(),
            name.clone(),
            grouped(kind.count),
            first,
            last,
            kind.example.clone(),
            reason.clone(),
        ]);
    }
    if !arguments.json {
        let headings = [
            "SOURCE",
            "TYPE",
            "LETTERS",
            "FIRST",
            "LAST",
            "ONE OF THEM",
            "REASON",
        ];
        table(&headings, &rows)?;
    }
    Ok(ExitCode::SUCCESS)
}

async fn show(arguments: &Show) -> Result<ExitCode> {
    let queue = arguments.target.open().await?.dead_letters()?;
    let mut letters = Vec::new();
    let mut look = queue.look();
    loop {
        let some = look.next().await?;
        if some.is_empty() {
            break;
        }
        letters.extend(some.into_iter().filter(|it| is_named(it, &arguments.id)));
    }
    look.release().await;
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

/// Says how many letters are left out because nobody can tell here which source they are of.
fn note_unreadable(count: usize) {
    if count > 0 {
        print::note(&format!(
            "{count} of the other dead letters cannot be read here, so their source is not known: `hookwell dlq list` says why"
        ));
    }
}

async fn redrive(arguments: &Redrive) -> Result<ExitCode> {
    let opened = arguments.target.open().await?;
    let queue = opened.dead_letters()?;
    let is_meant = |letter: &DeadLetter| match &arguments.source {
        Some(_) => is_of(letter, arguments.source.as_deref()),
        None => arguments.all || arguments.ids.iter().any(|id| is_named(letter, id)),
    };
    let meant = wanted(arguments, &queue, is_meant).await?;
    let count = meant.len();
    let by = user();
    let bar = progress(count);
    // What was begun is done although nobody reads of it any more.
    let mut printed = Ok(());
    let mut done = 0_usize;
    let mut look = queue.look();
    loop {
        let some = look.next().await?;
        if some.is_empty() {
            break;
        }
        // One that fails at once is there again as a new letter, and stays.
        for letter in some.iter().filter(|it| meant.contains(&it.message_id)) {
            let (admin, table) = (&opened.admin, &opened.events_table);
            match queue.reopen(admin, table, letter, &by, now()).await {
                Ok(reopened) => {
                    look.forget(letter);
                    done = done.saturating_add(1);
                    if arguments.json {
                        let line =
                            json!({ "id": letter.id(), "redriven": true, "reopened": reopened });
                        printed = printed.and(print::json(&line.to_string()));
                    } else {
                        bar.inc(1);
                    }
                }
                Err(error) => {
                    look.release().await;
                    return Err(anyhow::Error::from(error).context(format!(
                        "{done} of {count} went back into the queue, the rest stays"
                    )));
                }
            }
        }
    }
    look.release().await;
    bar.finish_and_clear();
    printed?;
    if !arguments.json {
        print::line(&format!("{done} put back into the queue"))?;
        print::note("`hookwell events show ID` says what becomes of one");
    }
    Ok(ExitCode::SUCCESS)
}

/// The ids of the messages that are meant, once every named one is found and the person has confirmed.
async fn wanted(
    arguments: &Redrive,
    queue: &DeadLetters,
    is_meant: impl Fn(&DeadLetter) -> bool,
) -> Result<BTreeSet<String>> {
    let (mut meant, mut unreadable) = (BTreeSet::new(), 0_usize);
    let mut missing: BTreeSet<_> = arguments.ids.iter().collect();
    let mut look = queue.look();
    loop {
        let some = look.next().await?;
        if some.is_empty() {
            break;
        }
        for letter in &some {
            missing.retain(|id| !is_named(letter, id));
            if is_meant(letter) {
                meant.insert(letter.message_id.clone());
            } else {
                unreadable += usize::from(letter.is_unreadable());
            }
        }
    }
    look.release().await;
    if arguments.source.is_some() {
        note_unreadable(unreadable);
    }
    if let Some(id) = missing.first() {
        bail!("there is no dead letter {id:?}: `hookwell dlq list` shows what is there");
    }
    confirm(meant.len(), arguments.yes)?;
    Ok(meant)
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
