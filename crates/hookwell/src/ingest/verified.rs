//! A verified delivery: the only thing that can become events.

use std::borrow::Cow;

use serde_json::value::RawValue;

use crate::event::body::Body;
use crate::event::delivery::Delivery;
use crate::event::identity::{Key, hash};
use crate::event::{Event, LIFE_DAYS, Operation};
use crate::format::form;
use crate::format::json::{Json, JsonError, Pointer};
use crate::format::time::{DAY, Millis, event_time};
use crate::keys::key_set::Keys;
use crate::source::mapping::{Locator, Place};
use crate::source::{Dedupe, OnInvalid, Source};
use crate::verify::verifier::{Claim, Refusal, Verifier as _};

/// The largest text taken as an id, in bytes: with source and type it must fit a `DynamoDB` key of 2,048.
pub const MAX_ID_BYTES: usize = 1024;

/// The largest text taken as a type, in bytes.
pub const MAX_TYPE_BYTES: usize = 256;

/// The most events that one delivery may carry.
pub const MAX_ITEMS: usize = 1000;

/// A delivery whose signature and time are good.
#[derive(Debug, Clone, Copy)]
pub struct Verified<'a> {
    source: &'a Source,
    delivery: &'a Delivery,
    secret: usize,
}

/// Why a signed body is no event.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Invalid {
    /// It cannot be read.
    #[error(transparent)]
    Json(#[from] JsonError),
    /// A required key is absent, null or empty.
    #[error("{0} is missing")]
    Missing(String),
    /// A text that must fit a key does not.
    #[error("the {0} is too long")]
    TooLong(&'static str),
    /// More events than one delivery may carry.
    #[error("more than {MAX_ITEMS} events in one delivery")]
    TooMany,
}

/// One event's share of a delivery.
#[derive(Clone, Copy)]
struct Part<'a> {
    place: Place<'a>,
    /// What the event keeps of the body.
    text: &'a [u8],
    /// Its position, where a delivery has many events.
    index: Option<usize>,
}

impl Source {
    /// Verifies a delivery: the only way from bytes to an event.
    ///
    /// # Errors
    /// Why it is not trusted.
    pub fn verify<'a>(
        &'a self,
        keys: &Keys,
        delivery: &'a Delivery,
        now: Millis,
    ) -> Result<Verified<'a>, Refusal> {
        let mut refusal = Refusal::NotReady;
        for (scheme, secrets) in self.schemes.iter().zip(&keys.schemes) {
            let claim = Claim {
                delivery,
                url: self.public_url.as_deref(),
                secrets,
                pinned: &keys.pinned,
                certificates: &keys.certificates,
                now,
            };
            match scheme.verify(&claim) {
                Ok(secret) => {
                    return Ok(Verified {
                        source: self,
                        delivery,
                        secret,
                    });
                }
                // Of several schemes, the one that got furthest says most.
                Err(_) if refusal == Refusal::WrongSignature => {}
                Err(Refusal::MissingHeader(_) | Refusal::NotReady)
                    if refusal != Refusal::NotReady => {}
                Err(reason) => refusal = reason,
            }
        }
        Err(refusal)
    }
}

impl<'a> Verified<'a> {
    /// Which secret matched, 0 for the newest. Anything else long after a rotation means that the sender was forgotten.
    #[must_use]
    pub fn secret(&self) -> usize {
        self.secret
    }

    /// What the delivery says happened: one event, or one for each item of its list, perhaps none.
    ///
    /// An item that cannot be read is invalid by itself where the source keeps such events, and the others go on.
    ///
    /// # Errors
    /// When a key that the source requires is missing, or the body cannot be read.
    pub fn events(&self, now: Millis) -> Result<Vec<Event>, Invalid> {
        let mapping = &self.source.mapping;
        let text = self.text();
        let body = Json::parse(&text)?;
        for pointer in &mapping.required {
            let value = body.find(pointer)?.map(RawValue::get);
            if matches!(value, None | Some("null" | "\"\"")) {
                return Err(Invalid::Missing(pointer.as_str().to_owned()));
            }
        }
        let Some(each) = &mapping.each else {
            let place = Place {
                delivery: self.delivery,
                body: &body,
                item: &body,
            };
            let part = Part {
                place,
                text: &text,
                index: None,
            };
            return Ok(vec![self.event(part, now)?]);
        };
        let mut events = Vec::new();
        for (index, item) in items(&body, each)?.into_iter().enumerate() {
            let read = Json::part(item).map_err(Invalid::from).and_then(|json| {
                let place = Place {
                    delivery: self.delivery,
                    body: &body,
                    item: &json,
                };
                let part = Part {
                    place,
                    text: item.get().as_bytes(),
                    index: Some(index),
                };
                self.event(part, now)
            });
            events.push(match (read, self.source.on_invalid) {
                (Ok(event), _) => event,
                (Err(why), OnInvalid::Reject) => return Err(why),
                (Err(why), OnInvalid::Quarantine) => {
                    self.kept(item.get().as_bytes(), Some(index), &why, now)
                }
            });
        }
        Ok(events)
    }

    /// The body as JSON: as sent, or what a form says.
    fn text(&self) -> Cow<'a, [u8]> {
        if self.delivery.is_form() {
            Cow::Owned(form::to_json(&self.delivery.body))
        } else {
            Cow::Borrowed(&self.delivery.body)
        }
    }

    fn event(&self, part: Part<'_>, now: Millis) -> Result<Event, Invalid> {
        let mapping = &self.source.mapping;
        let find = |locator: &Option<Locator>, what, limit| match locator {
            None => Ok(None),
            Some(locator) => match locator.find(part.place)? {
                Some(text) if text.len() > limit => Err(Invalid::TooLong(what)),
                found => Ok(found),
            },
        };
        let id = find(&mapping.id, "id", MAX_ID_BYTES)?;
        let kind = find(&mapping.kind, "type", MAX_TYPE_BYTES)?.unwrap_or_default();
        let time = find(&mapping.time, "time", MAX_TYPE_BYTES)?.and_then(|text| event_time(&text));
        let word = find(&mapping.operation, "operation", MAX_TYPE_BYTES)?;
        let (operation, star) = mapping.operation_of(word.as_deref().unwrap_or(&kind));
        let document_type = match &mapping.document_type {
            Some(_) => {
                find(&mapping.document_type, "document type", MAX_TYPE_BYTES)?.unwrap_or_default()
            }
            None => star.to_owned(),
        };
        let document_at = match &mapping.document_id {
            Some(_) => mapping.document_in(part.place.item)?,
            None => None,
        };
        let (key, seconds) = self.key(id.as_deref(), part);
        Ok(Event {
            key,
            source: self.source.name.clone(),
            id: id.unwrap_or_else(|| self.made_up_id(part)),
            kind,
            operation,
            time,
            received_at: now,
            place: place_of(part.index),
            expires_at: (now / 1000).saturating_add(seconds),
            retain_until: self.retain_until(now),
            document_type,
            document_id: find(&mapping.document_id, "document id", MAX_ID_BYTES)?,
            document_at,
            invalid: None,
            trace: self.delivery.trace.clone(),
            settled: None,
            body: Body(part.text.to_vec()),
        })
    }

    /// Until when its source keeps it, in seconds since 1970.
    fn retain_until(&self, now: Millis) -> Option<i64> {
        let seconds = self.source.retain_days.saturating_mul(DAY / 1000);
        (seconds > 0).then(|| (now / 1000).saturating_add(seconds))
    }

    /// An id for an event without one: the request's, or what is the same in every copy of a list.
    fn made_up_id(&self, part: Part<'_>) -> String {
        match part.index {
            None => self.delivery.request_id.clone(),
            Some(index) => format!("{}.{index}", hash(&[&self.delivery.body])),
        }
    }

    /// The delivery as an event that nothing can be done with but keep it.
    #[must_use]
    pub fn unreadable(&self, reason: &Invalid, now: Millis) -> Event {
        self.kept(&self.delivery.body, None, reason, now)
    }

    fn kept(&self, text: &[u8], index: Option<usize>, reason: &Invalid, now: Millis) -> Event {
        let id = hash(&[text]);
        Event {
            key: Key::new(&self.source.name, &[b"unreadable", id.as_bytes()]),
            source: self.source.name.clone(),
            id,
            kind: String::new(),
            operation: Operation::Other,
            time: None,
            received_at: now,
            place: place_of(index),
            expires_at: (now / 1000).saturating_add(LIFE_DAYS * DAY / 1000),
            retain_until: self.retain_until(now),
            document_type: String::new(),
            document_id: None,
            document_at: None,
            invalid: Some(reason.to_string()),
            trace: self.delivery.trace.clone(),
            settled: None,
            body: Body(text.to_vec()),
        }
    }

    /// The key of the event's record and the record's life in seconds.
    ///
    /// Where a source has ids and this item has none, the whole body and the item's place tell it from others. Where a
    /// source has none, only the request does: equal bodies may be two changes, and dropping one would lose it.
    fn key(&self, id: Option<&str>, part: Part<'_>) -> (Key, i64) {
        let text = || hash(&[part.text]);
        let index = part.index.map(|index| index.to_string());
        let place = index.as_deref().unwrap_or_default().as_bytes();
        let life = LIFE_DAYS * DAY / 1000;
        let new = |parts: &[&[u8]]| Key::new(&self.source.name, parts);
        match (self.source.dedupe, id, &index) {
            (Dedupe::Id, Some(id), _) => (new(&[id.as_bytes()]), life),
            (Dedupe::IdAndBody, Some(id), _) => (new(&[id.as_bytes(), text().as_bytes()]), life),
            (Dedupe::Body { seconds }, _, None) => (new(&[b"body", text().as_bytes()]), seconds),
            (Dedupe::Body { seconds }, _, Some(_)) => (self.key_in_body(place), seconds),
            (Dedupe::Id | Dedupe::IdAndBody, None, Some(_)) => (self.key_in_body(place), life),
            (Dedupe::None, _, Some(_)) => {
                let request = self.delivery.request_id.as_bytes();
                (new(&[b"request", request, place]), life)
            }
            (Dedupe::None, _, None) | (_, None, None) => (
                new(&[b"request", self.delivery.request_id.as_bytes()]),
                life,
            ),
        }
    }

    fn key_in_body(&self, place: &[u8]) -> Key {
        let body = hash(&[&self.delivery.body]);
        Key::new(&self.source.name, &[b"item", body.as_bytes(), place])
    }
}

/// The place of an event in its delivery.
fn place_of(index: Option<usize>) -> u32 {
    u32::try_from(index.unwrap_or(0)).unwrap_or(u32::MAX)
}

/// The items of the list: of every such list, where one is inside another.
fn items<'a>(body: &Json<'a>, each: &Pointer) -> Result<Vec<&'a RawValue>, Invalid> {
    let mut found = vec![body.root()];
    for steps in each.steps().split(|step| step == "*") {
        let mut inner = Vec::new();
        for value in found {
            let list = Json::part(value)?.find_steps(steps)?;
            let list = list.and_then(Json::items);
            inner.extend(list.ok_or_else(|| Invalid::Missing(each.as_str().to_owned()))?);
            if inner.len() > MAX_ITEMS {
                return Err(Invalid::TooMany);
            }
        }
        found = inner;
    }
    Ok(found)
}
