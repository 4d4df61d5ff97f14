//! `hookwell presets`: the senders that need no recipe of your own.

use std::fmt::Write as _;
use std::process::ExitCode;

use anyhow::{Result, anyhow};
use clap::{Args, Subcommand};
use hookwell::event::Operation;
use serde_json::json;

use super::columns::aligned;
use super::print;
use crate::presets::{self, Keeps, Kind, Preset, Signing};

/// Show the presets: what Hookwell knows about a sender, so that `preset = "NAME"` and a secret make a source of it.
///
/// Nothing is read but this program: the presets are part of it. docs/providers.md says the same.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// List the presets, and whether the documents table keeps what their events are about.
    List(List),
    /// Show one preset: how it signs, what the documents table keeps, what orders that, and the preset as it is written.
    ///
    /// An event without the state of its document (thin) is given to your handler and to destinations; the documents table
    /// keeps nothing of it. Copy any table of the preset into your sources file to change it there: what stands in the file
    /// counts.
    Show(Show),
}

#[derive(Debug, Args)]
#[command(after_help = "Examples:
  hookwell presets list
  hookwell presets list --json")]
pub(crate) struct List {
    /// Print one JSON object per preset.
    #[arg(long)]
    json: bool,
}

#[derive(Debug, Args)]
#[command(after_help = "Examples:
  hookwell presets show stripe
  hookwell presets show shopify --json")]
pub(crate) struct Show {
    /// The preset's name.
    name: String,
    /// Print one JSON object.
    #[arg(long)]
    json: bool,
}

pub(crate) fn run(command: &Command) -> Result<ExitCode> {
    let text = match command {
        Command::List(List { json: true }) => all_as_json(),
        Command::List(List { json: false }) => all(),
        Command::Show(Show { name, json }) => {
            let preset = presets::find(name).ok_or_else(|| unknown(name))?;
            match json {
                true => serde_json::to_string(&preset)? + "\n",
                false => one(&preset),
            }
        }
    };
    print::raw(&text)?;
    Ok(ExitCode::SUCCESS)
}

fn unknown(name: &str) -> anyhow::Error {
    match presets::near(name).as_slice() {
        [] => anyhow!("there is no preset {name:?}: `hookwell presets list` has them all"),
        near => anyhow!(
            "there is no preset {name:?}: did you mean {}?",
            near.join(" or ")
        ),
    }
}

/// A line for each preset.
fn all() -> String {
    let row = |preset: &Preset| {
        vec![
            preset.preset.clone(),
            preset.documents.summary().to_owned(),
            preset.signing.algorithm.clone(),
            preset.page.clone(),
        ]
    };
    let rows: Vec<_> = presets::all().iter().map(row).collect();
    let headings = ["PRESET", "DOCUMENTS", "SIGNED", "PAGE"];
    aligned(&headings, &rows, print::terminal_width()).join("\n") + "\n"
}

/// A JSON object for each preset.
fn all_as_json() -> String {
    let mut text = String::new();
    for it in presets::all() {
        let documents = &it.documents;
        let object = json!({
            "preset": it.preset,
            "page": it.page,
            "keeps": documents.keeps(),
            "why_none": documents.why_none,
            "ordered_by": documents.ordered_by(),
            "tie": documents.tie,
        });
        text.push_str(&object.to_string());
        text.push('\n');
    }
    text
}

/// All that is known of one preset.
fn one(preset: &Preset) -> String {
    let documents = &preset.documents;
    let why = documents.why_none.iter().map(|why| format!(": {why}"));
    let keeps = documents.summary().to_owned() + &why.collect::<String>();
    let neither = match documents.keeps() {
        Keeps::Nothing => String::new(),
        _ => documents.neither(),
    };
    let events = if preset.many {
        "a list in one delivery"
    } else {
        ""
    };
    let facts = [
        line("preset", &preset.preset),
        line("extends", preset.extends.as_deref().unwrap_or_default()),
        line("page", &preset.page),
        line("retries", &preset.retries),
        line("waits", preset.answer_within.as_deref().unwrap_or_default()),
        line("signed", &signed(&preset.signing)),
        line("event id", &preset.event_id.join(", else ")),
        line("events", events),
        line("handshake", preset.handshake.as_deref().unwrap_or_default()),
        line("answers", &plain(&preset.answers.join(", "))),
        line("unverified", &preset.unverified.join(", ")),
        line("samples", &preset.samples.join(", ")),
        line("documents", &keeps),
        line("ordered by", &plain(&documents.ordered_by().join("\n"))),
        line("a tie", &plain(&documents.tie)),
        line("neither", &plain(&neither)),
    ];
    let kinds = documents.kinds.iter().map(of_kind).collect::<String>();
    format!("{}{kinds}\n{}", facts.concat(), preset.toml)
}

/// All that is known of one kind of document.
fn of_kind(kind: &Kind) -> String {
    let state = if kind.is_kept() {
        format!("kept, from {}", kind.state.join(", else "))
    } else {
        "only named: its events do not hold its state".to_owned()
    };
    let facts = [
        line("document", &plain(&kind.name())),
        line("state", &state),
        line("id", &kind.id.join(", else ")),
        line("types", &kind.types.join(", ")),
    ];
    let operations = Operation::NAMES.iter().map(|(name, operation)| {
        let words = kind.operations.iter();
        let words = words.filter(|(_, it)| *it == operation);
        let words: Vec<_> = words.map(|(word, _)| word.as_str()).collect();
        line(name, &words.join(", "))
    });
    let operations = operations.collect::<String>();
    format!("\n{}{operations}", facts.concat())
}

fn signed(signing: &Signing) -> String {
    let mut text = signing.algorithm.clone();
    for (word, what) in [("of", &signing.content), ("in", &signing.place)] {
        if !what.is_empty() {
            text = format!("{text} {word} {what}");
        }
    }
    if !signing.tolerance.is_empty() {
        text = format!("{text}, {} s", signing.tolerance);
    }
    plain(&text)
}

/// A text without the marks of code that a page wants.
fn plain(text: &str) -> String {
    text.replace('`', "")
}

/// A name and its texts, each on a line of its own; empty where there are none.
fn line(name: &str, texts: &str) -> String {
    let mut name = name;
    let mut lines = String::new();
    for text in texts.lines() {
        // Writing to a String cannot fail.
        let _ = writeln!(lines, "{name:<12} {text}");
        name = "";
    }
    lines
}
