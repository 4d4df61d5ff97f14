//! An event as a message of the queue: how it is written, and what a message must be before anything of it counts.
//!
//! Only ingest and the operator's tools may send to the queue. The checks here refuse forged messages of anybody else,
//! and say what is wrong with a damaged message.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::body::escape_refused;
use super::identity::{MAX_ID_BYTES, MAX_KEY_BYTES, MAX_TYPE_BYTES};
use super::{Event, LIFE_DAYS, MAX_FUTURE};
use crate::format::time::{DAY, Millis};

/// The newest version of messages that this release reads. It grows only when a function that does not know the new one
/// would do something wrong with it; a field that may be ignored changes nothing. Messages of version 1 do not say so.
const VERSION: u64 = 2;

/// The version of messages for a destination. A function of version 1 would take one for a copy of the event, which is done,
/// and drop it.
const FOR_DESTINATION: u64 = 2;

/// A year, in seconds.
const YEAR: i64 = 366 * 86_400;

/// The longest source name, in bytes.
const MAX_SOURCE_BYTES: usize = 64;

/// The longest destination name, in bytes: with a source's it must fit the group of a message, 128 (`SendMessage`).
const MAX_DESTINATION_BYTES: usize = 32;

/// True when a text can be the name of a source.
#[must_use]
pub fn is_source_name(name: &str) -> bool {
    let plain = |byte: u8| {
        byte.is_ascii_lowercase() || byte.is_ascii_digit() || matches!(byte, b'-' | b'_' | b'.')
    };
    // `.` and `..` are steps of a path, not names in one.
    let is_step = matches!(name, "." | "..");
    (1..=MAX_SOURCE_BYTES).contains(&name.len()) && name.bytes().all(plain) && !is_step
}

/// True when a text can be the name of a destination.
#[must_use]
pub fn is_destination_name(name: &str) -> bool {
    name.len() <= MAX_DESTINATION_BYTES && is_source_name(name)
}

/// Reason why a message is no event that can be processed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Unreadable {
    /// A later release wrote it: this function must be updated, and the message must wait.
    #[error("the message has version {0}, and this function reads version {VERSION}: update it")]
    Newer(u64),
    /// No release wrote the message like this.
    #[error(transparent)]
    Damaged(#[from] Damage),
}

/// Fault of a forged or damaged message, which no release wrote like this.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Damage {
    /// No JSON, no object, or a part is missing or of another kind.
    #[error("the message is not an event")]
    NotAnEvent,
    /// A version that is no number from 1.
    #[error("the message has a version that is none")]
    Version,
    /// A source that no sources file can have.
    #[error("the message names a source that cannot be")]
    Source,
    /// A destination that no sources file can have.
    #[error("the message names a destination that cannot be")]
    Destination,
    /// An empty key, or nothing behind the source.
    #[error("the message has no key")]
    NoKey,
    /// A key of another source: events of that source would be taken for done.
    #[error("the key of the message belongs to another source")]
    ForeignKey,
    /// A key that no table takes, or with characters that no key has.
    #[error("the key of the message is too long, or has characters that no key has")]
    BadKey,
    /// A name that is longer than the limit to which ingest cuts names.
    #[error("the {0} of the message is too long")]
    TooLong(&'static str),
    /// A document whose key is longer than a key of a table can be.
    #[error("the key of its document is longer than {MAX_KEY_BYTES} bytes")]
    DocumentKey,
    /// A time, or an end counted from the reception, outside the bounds that ingest keeps.
    #[error("the {0} of the message is out of range")]
    OutOfRange(&'static str),
    /// A place in the bucket where no event is put.
    #[error("the message points to a place where no event can be")]
    Place,
    /// The object with the event is not in the bucket any more, or never was.
    #[error("the message points to an object that is not there")]
    NoObject,
    /// The object holds another event than the message names, or none.
    #[error("the object in the bucket is not the event that the message points to")]
    OtherObject,
}

/// The version of a message, which is read before anything else of it.
#[derive(Deserialize)]
struct Head {
    #[serde(rename = "message_version")]
    version: Option<Value>,
}

/// A message that says its version.
#[derive(Serialize)]
struct Versioned<'e> {
    message_version: u64,
    #[serde(flatten)]
    event: &'e Event,
}

impl Event {
    /// The event as a queue message.
    #[must_use]
    pub fn to_message(&self) -> String {
        let versioned = || Versioned {
            message_version: FOR_DESTINATION,
            event: self,
        };
        let message = match self.destination {
            Some(_) => serde_json::to_string(&versioned()),
            None => serde_json::to_string(self),
        };
        // A map with text keys and no float always serialises.
        escape_refused(message.unwrap_or_default())
    }

    /// Reads a queue message.
    ///
    /// # Errors
    /// When a later release wrote it, or none.
    pub fn from_message(message: &str) -> Result<Self, Unreadable> {
        let not_an_event = |_| Damage::NotAnEvent;
        let Head { version } = serde_json::from_str(message).map_err(not_an_event)?;
        match version.as_ref().map(Value::as_u64) {
            None | Some(Some(1..=VERSION)) => {}
            Some(None | Some(0)) => return Err(Damage::Version.into()),
            Some(Some(newer)) => return Err(Unreadable::Newer(newer)),
        }
        let event: Self = serde_json::from_str(message).map_err(not_an_event)?;
        event.check()?;
        Ok(event)
    }

    /// Checks what does not change with the time.
    fn check(&self) -> Result<(), Damage> {
        if !is_source_name(&self.source) {
            return Err(Damage::Source);
        }
        let destination = self.destination.as_deref();
        if destination.is_some_and(|name| !is_destination_name(name)) {
            return Err(Damage::Destination);
        }
        match self.key.of(&self.source) {
            _ if self.key.as_str().is_empty() => return Err(Damage::NoKey),
            None => return Err(Damage::ForeignKey),
            Some("") => return Err(Damage::NoKey),
            Some(rest)
                if rest.len() > MAX_ID_BYTES || !rest.bytes().all(|it| it.is_ascii_graphic()) =>
            {
                return Err(Damage::BadKey);
            }
            Some(_) => {}
        }
        let names = [
            ("id", self.id.as_str(), MAX_ID_BYTES),
            ("type", &self.kind, MAX_TYPE_BYTES),
            ("document type", &self.document_type, MAX_TYPE_BYTES),
        ];
        for (what, name, max) in names {
            if name.len() > max {
                return Err(Damage::TooLong(what));
            }
        }
        let document = self.document_key();
        if document.is_some_and(|key| key.as_str().len() > MAX_KEY_BYTES) {
            return Err(Damage::DocumentKey);
        }
        self.check_life()
    }

    /// Checks the ends that count from the reception: of the record and of keeping the event, at most a year, and of
    /// the tries, at most [`LIFE_DAYS`]. Ingest sets each of them shorter.
    fn check_life(&self) -> Result<(), Damage> {
        let second = self.received_at / 1000;
        let is_life = |end: i64| (1..=YEAR).contains(&end.saturating_sub(second));
        if !is_life(self.expires_at) {
            return Err(Damage::OutOfRange("end of life"));
        }
        if self.retain_until.is_some_and(|end| !is_life(end)) {
            return Err(Damage::OutOfRange("time to keep it"));
        }
        if !(0..=LIFE_DAYS * DAY).contains(&self.retry_for) {
            return Err(Damage::OutOfRange("time to try it again"));
        }
        Ok(())
    }

    /// Checks the times of the event against the clock.
    ///
    /// # Errors
    /// When the event was received or queued before 1970 or is more than a day ahead, or happens in more than a day:
    /// ingest replaces such a time.
    pub fn check_times(&self, now: Millis) -> Result<(), Damage> {
        let latest = now.saturating_add(MAX_FUTURE);
        if !(0..=latest).contains(&self.received_at) {
            return Err(Damage::OutOfRange("reception"));
        }
        if self.queued_at.is_some_and(|at| !(0..=latest).contains(&at)) {
            return Err(Damage::OutOfRange("time of queueing"));
        }
        if self.time.is_some_and(|time| time > latest) {
            return Err(Damage::OutOfRange("time"));
        }
        Ok(())
    }
}
