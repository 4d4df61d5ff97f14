//! The event that `send` and `sign` make.

use std::path::PathBuf;

use anyhow::{Result, bail};
use clap::{Args, ValueEnum};
use hookwell::event::Operation;
use hookwell::format::json::Pointer;
use hookwell::format::time::Millis;
use hookwell::sender::samples;
use hookwell::source::Source;
use hookwell_sandbox::sender::Draft;
use serde_json::Value;

use super::print;

/// The event that a test sender makes.
#[derive(Debug, Args)]
pub(super) struct Made {
    /// Operation on the sample document.
    #[arg(long, value_enum, default_value_t = Word::Create, conflicts_with = "kind")]
    operation: Word,
    /// Type of the event, in the sender's own shape where Hookwell has a sample of it: `hookwell presets show PRESET` lists
    /// those.
    #[arg(long = "type", value_name = "TYPE")]
    kind: Option<String>,
    /// Put a value into the body: a JSON pointer, and JSON or text. Can be given many times.
    #[arg(long, value_name = "POINTER=VALUE", value_parser = change)]
    set: Vec<(Pointer, Value)>,
    /// The body, byte for byte, from this file in place of a sample; `-` for standard input.
    #[arg(long, value_name = "FILE")]
    data: Option<PathBuf>,
}

/// An operation by name.
#[derive(Debug, Clone, Copy, ValueEnum)]
enum Word {
    /// The document is there now.
    Create,
    /// The document changed.
    Update,
    /// The document is gone.
    Delete,
}

impl From<Word> for Operation {
    fn from(word: Word) -> Self {
        match word {
            Word::Create => Self::Create,
            Word::Update => Self::Update,
            Word::Delete => Self::Delete,
        }
    }
}

/// A pointer, and the JSON behind the first `=`; what is no JSON is a text.
fn change(text: &str) -> Result<(Pointer, Value), &'static str> {
    let pointer = text.split_once('=').and_then(|(pointer, value)| {
        let value = serde_json::from_str(value).unwrap_or_else(|_| Value::String(value.to_owned()));
        Some((Pointer::parse(pointer)?, value))
    });
    pointer.ok_or("a JSON pointer and a value, as in /data/object/amount=500")
}

impl Made {
    /// The event, not signed yet.
    ///
    /// # Errors
    /// When the source reads no type, the file cannot be read, or the body has no such place.
    pub(super) fn draft(&self, source: &Source, now: Millis) -> Result<Draft> {
        let mut draft = match &self.kind {
            Some(_) if source.mapping.kind.is_none() => {
                bail!(
                    "source {} reads no type: see `type` in the sources file",
                    source.name
                )
            }
            Some(kind) => {
                self.note_made_up(source, kind);
                Draft::of_type(source, kind, now)?
            }
            None => Draft::sample(source, self.operation.into(), now)?,
        };
        if let Some(path) = &self.data {
            draft.set_body_from(path)?;
        }
        for (pointer, value) in &self.set {
            draft.set(pointer, value.clone())?;
        }
        Ok(draft)
    }

    /// Says when the shape of an event is not its sender's.
    fn note_made_up(&self, source: &Source, kind: &str) {
        let types = source
            .preset
            .as_deref()
            .map(samples::types)
            .unwrap_or_default();
        if self.data.is_none() && !types.is_empty() && !types.iter().any(|it| it == kind) {
            let types = types.join(", ");
            print::note(&format!(
                "note: no sample of {kind:?} is at hand, so its body is made up; in their own shape there are {types}"
            ));
        }
    }
}
