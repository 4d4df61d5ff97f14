//! Signed bytes into events, in the way that the source says and nothing unsigned can change.

use std::cell::OnceCell;

use serde_json::value::RawValue;

use crate::event::body::Body;
use crate::event::identity::{Key, Rank, hash};
use crate::event::{Event, LIFE_DAYS, Operation, UnusableTime, WithoutState};
use crate::format::json::{Json, JsonError, Pointer};
use crate::format::time::{DAY, Millis, event_time};
use crate::ingest::verified::Verified;
use crate::source::mapping::{Locator, Parts, Place};
use crate::source::{Dedupe, OnInvalid, Source};

/// The largest text taken as an id, in bytes: with source and type it must fit a `DynamoDB` key of 2,048.
pub const MAX_ID_BYTES: usize = 1024;

/// The largest text taken as a type, in bytes.
pub const MAX_TYPE_BYTES: usize = 256;

/// The most events that one delivery may carry: more than any known sender puts into one (SendGrid: 768 KB), and what fits
/// the memory of a small function.
pub const MAX_ITEMS: usize = 10_000;

/// Largest time of an event after its reception, in milliseconds. A clock that is further ahead is wrong, and every
/// later event of the document would look older than this one.
const MAX_FUTURE: Millis = DAY;

/// Reason why a signed body is no event.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Invalid {
    /// The body cannot be read.
    #[error(transparent)]
    Json(#[from] JsonError),
    /// The body is a form where the source says JSON.
    #[error(
        "the body is not JSON; if the sender posts forms, say body = \"form\" in the sources file"
    )]
    Form,
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

impl Verified<'_> {
    /// The events that the delivery holds: one, or one for each item of its lists, perhaps none.
    ///
    /// An item that cannot be read is invalid by itself where the source keeps such events, and the others go on.
    ///
    /// # Errors
    /// When a key that the source requires is missing, or the body cannot be read.
    pub fn events(&self, now: Millis) -> Result<Vec<Event>, Invalid> {
        let mapping = &self.source.mapping;
        let text = self.source.body.read(&self.delivery.body);
        let body = Json::parse(&text).map_err(|why| self.unread(why))?;
        for pointer in &mapping.required {
            let value = body.find(pointer)?.map(RawValue::get);
            if matches!(value, None | Some("null" | "\"\"")) {
                return Err(Invalid::Missing(pointer.as_str().to_owned()));
            }
        }
        let reading = Reading {
            verified: self,
            now,
            body_hash: OnceCell::new(),
        };
        if mapping.each.is_empty() {
            let place = Place {
                delivery: self.delivery,
                body: &body,
                outer: &body,
                item: &body,
            };
            return Ok(vec![reading.event(place, &text, None)?]);
        }
        reading.items(&body)
    }

    /// The delivery as an event that nothing can be done with but keep it.
    #[must_use]
    pub fn unreadable(&self, reason: &Invalid, now: Millis) -> Event {
        let reading = Reading {
            verified: self,
            now,
            body_hash: OnceCell::new(),
        };
        reading.kept(&self.delivery.body, None, reason)
    }

    /// Reason why the body is no JSON, with what to do where its label says that it is a form.
    fn unread(&self, why: JsonError) -> Invalid {
        if why == JsonError::Syntax && self.delivery.is_form() {
            Invalid::Form
        } else {
            Invalid::Json(why)
        }
    }
}

/// The reading of one verified delivery.
struct Reading<'a> {
    verified: &'a Verified<'a>,
    now: Millis,
    /// Hash of the whole body, once an event needs it.
    body_hash: OnceCell<String>,
}

impl Reading<'_> {
    fn source(&self) -> &Source {
        self.verified.source
    }

    /// The events of all lists in the body.
    fn items(&self, body: &Json<'_>) -> Result<Vec<Event>, Invalid> {
        let each = &self.source().mapping.each;
        let mut lists = Vec::new();
        let mut is_there = false;
        // An object in place of a list is a list of one, unless there is a list elsewhere.
        for takes_one in [false, true] {
            for pointer in each {
                if let Some(found) = lists_at(body, pointer, takes_one)? {
                    is_there = true;
                    lists.extend(found);
                }
            }
            if is_there {
                break;
            }
        }
        if !is_there {
            let names: Vec<_> = each.iter().map(Pointer::as_str).collect();
            return Err(Invalid::Missing(names.join(" or ")));
        }
        let count = lists.iter().map(|(_, items)| items.len());
        if count.sum::<usize>() > MAX_ITEMS {
            return Err(Invalid::TooMany);
        }
        let mut events = Vec::new();
        for (outer, items) in lists {
            let outer = Json::part(outer)?;
            for item in items {
                let index = Some(events.len());
                let text = item.get().as_bytes();
                let read = Json::part(item).map_err(Invalid::from).and_then(|json| {
                    let place = Place {
                        delivery: self.verified.delivery,
                        body,
                        outer: &outer,
                        item: &json,
                    };
                    self.event(place, text, index)
                });
                events.push(match (read, self.source().on_invalid) {
                    (Ok(event), _) => event,
                    (Err(why), OnInvalid::Reject) => return Err(why),
                    (Err(why), OnInvalid::Quarantine) => self.kept(text, index, &why),
                });
            }
        }
        Ok(events)
    }

    /// One event, which keeps `text` of the body; `index` is its position where a delivery has many.
    fn event(&self, place: Place<'_>, text: &[u8], index: Option<usize>) -> Result<Event, Invalid> {
        let mapping = &self.source().mapping;
        let short = |found: Option<String>, what, limit| match found {
            Some(text) if text.len() > limit => Err(Invalid::TooLong(what)),
            found => Ok(found),
        };
        let kind = match &mapping.kind {
            Some(locator) => locator.find(|piece| place.read(piece, None))?,
            None => None,
        };
        let kind = short(kind, "type", MAX_TYPE_BYTES)?.unwrap_or_default();
        let parts = mapping.parts_of(&kind);
        let holds = parts.document_in(place.item)?;
        // A deletion is often told without a state, and is about its document all the same.
        let document = holds.or_else(|| parts.document.last());
        let find = |locator: &Option<Locator>| match locator {
            Some(locator) => locator.find(|piece| place.read(piece, document)),
            None => Ok(None),
        };
        let find_id = |locator: &Option<Locator>| match locator {
            Some(locator) => locator.find(|piece| place.read_id(piece, document)),
            None => Ok(None),
        };
        let id = short(find_id(&parts.id)?, "id", MAX_ID_BYTES)?;
        let document_id = short(find_id(&parts.document_id)?, "document id", MAX_ID_BYTES)?;
        let word = short(find(&parts.operation)?, "operation", MAX_TYPE_BYTES)?;
        let (operation, star) = parts.operation_of(word.as_deref().unwrap_or(&kind));
        let document_type = match &parts.document_type {
            Some(_) => short(find(&parts.document_type)?, "document type", MAX_TYPE_BYTES)?,
            None => Some(star.to_owned()),
        };
        let (time, unusable_time) = self.time(find(&parts.time)?.as_deref());
        let sequence = find(&parts.version)?.and_then(|text| text.parse().ok());
        let without_state =
            self.without_state(parts, operation, document_id.as_deref(), holds.is_some());
        let (key, seconds) = self.key(id.as_deref(), text, index);
        Ok(Event {
            key,
            source: self.source().name.clone(),
            id: id.unwrap_or_else(|| self.made_up_id(index)),
            kind,
            operation,
            time,
            unusable_time,
            sequence,
            rank: rank_of(operation, mapping.unique_ids),
            received_at: self.now,
            place: place_of(index),
            expires_at: (self.now / 1000).saturating_add(seconds),
            retain_until: self.retain_until(),
            retry_for: self.source().retry_for,
            document_type: document_type.unwrap_or_default(),
            document_at: self.document_at(parts, holds, without_state),
            document_id,
            without_state,
            invalid: None,
            trace: self.verified.delivery.trace.clone(),
            settled: None,
            body: Body(text.to_vec()),
        })
    }

    /// The time of an event, or what is wrong with the one that is there.
    fn time(&self, text: Option<&str>) -> (Option<Millis>, Option<UnusableTime>) {
        let Some(text) = text else {
            return (None, None);
        };
        match event_time(text) {
            None => (None, Some(UnusableTime::Unreadable)),
            Some(time) if time > self.now.saturating_add(MAX_FUTURE) => {
                (None, Some(UnusableTime::Future))
            }
            time => (time, None),
        }
    }

    /// Reason why an event is about no document, or about one without a state.
    fn without_state(
        &self,
        parts: &Parts,
        operation: Operation,
        document_id: Option<&str>,
        holds_state: bool,
    ) -> Option<WithoutState> {
        let guessed = self.source().mapping.guessed;
        if operation == Operation::Other || parts.document_id.is_none() {
            return None;
        }
        // What a person wrote in the sources file is no guess: where it finds nothing, process rejects the event.
        if document_id.is_none() {
            return guessed.then_some(WithoutState::Unnamed);
        }
        // A deletion needs no state, where there are documents to delete.
        let is_thin = match operation {
            Operation::Delete => !self.source().mapping.keeps_documents(),
            _ => parts.document.is_empty() || (guessed && !holds_state),
        };
        is_thin.then_some(WithoutState::Thin)
    }

    /// Place of an event's document state. Where the sources file names a place that holds none, that place: then
    /// process says so.
    fn document_at(
        &self,
        parts: &Parts,
        holds: Option<&Pointer>,
        without_state: Option<WithoutState>,
    ) -> Option<String> {
        let named = || {
            let last = parts.document.last().map(Pointer::as_str);
            last.unwrap_or_default().to_owned()
        };
        let holds = holds.map(|pointer| pointer.as_str().to_owned());
        if without_state.is_some() || parts.document_id.is_none() {
            return None;
        }
        if self.source().mapping.guessed {
            holds
        } else {
            holds.or_else(|| Some(named()))
        }
    }

    /// Until when its source keeps it, in seconds since 1970.
    fn retain_until(&self) -> Option<i64> {
        let seconds = self.source().retain_days.saturating_mul(DAY / 1000);
        (seconds > 0).then(|| (self.now / 1000).saturating_add(seconds))
    }

    /// Hash of the whole body.
    fn body_hash(&self) -> &str {
        self.body_hash
            .get_or_init(|| hash(&[&self.verified.delivery.body]))
    }

    /// An id for an event without one: the request's, or what is the same in every copy of a list.
    fn made_up_id(&self, index: Option<usize>) -> String {
        match index {
            None => self.verified.delivery.request_id.clone(),
            Some(index) => format!("{}.{index}", self.body_hash()),
        }
    }

    fn kept(&self, text: &[u8], index: Option<usize>, reason: &Invalid) -> Event {
        let id = hash(&[text]);
        Event {
            key: Key::new(&self.source().name, &[b"unreadable", id.as_bytes()]),
            received_at: self.now,
            place: place_of(index),
            expires_at: (self.now / 1000).saturating_add(LIFE_DAYS * DAY / 1000),
            retain_until: self.retain_until(),
            invalid: Some(reason.to_string()),
            trace: self.verified.delivery.trace.clone(),
            body: Body(text.to_vec()),
            ..Event::bare(&self.source().name, &id)
        }
    }

    /// The key of the event's record and the record's life in seconds.
    ///
    /// Where a source has ids and this item has none, the whole body and the item's place tell it from others. Where a
    /// source has none, only the request does: equal bodies may be two changes, and dropping one would lose it.
    fn key(&self, id: Option<&str>, text: &[u8], index: Option<usize>) -> (Key, i64) {
        let text = || hash(&[text]);
        let index = index.map(|index| index.to_string());
        let place = index.as_deref().unwrap_or_default().as_bytes();
        let request = self.verified.delivery.request_id.as_bytes();
        let life = LIFE_DAYS * DAY / 1000;
        let new = |parts: &[&[u8]]| Key::new(&self.source().name, parts);
        let in_body = || new(&[b"item", self.body_hash().as_bytes(), place]);
        match (self.source().dedupe, id, &index) {
            (Dedupe::Id, Some(id), _) => (new(&[id.as_bytes()]), life),
            (Dedupe::IdAndBody, Some(id), _) => (new(&[id.as_bytes(), text().as_bytes()]), life),
            (Dedupe::Body { seconds }, _, None) => (new(&[b"body", text().as_bytes()]), seconds),
            (Dedupe::Body { seconds }, _, Some(_)) => (in_body(), seconds),
            (Dedupe::Id | Dedupe::IdAndBody, None, Some(_)) => (in_body(), life),
            (Dedupe::None, _, Some(_)) => (new(&[b"request", request, place]), life),
            (Dedupe::None, _, None) | (_, None, None) => (new(&[b"request", request]), life),
        }
    }
}

/// The rank of an event among those of its instant.
fn rank_of(operation: Operation, unique_ids: bool) -> Rank {
    match operation {
        _ if !unique_ids => Rank::Arrival,
        Operation::Create => Rank::First,
        Operation::Delete => Rank::Last,
        Operation::Update | Operation::Other => Rank::Middle,
    }
}

/// The place of an event in its delivery.
fn place_of(index: Option<usize>) -> u32 {
    u32::try_from(index.unwrap_or(0)).unwrap_or(u32::MAX)
}

/// The items of a list, with the value that the list is in.
type List<'a> = (&'a RawValue, Vec<&'a RawValue>);

/// The lists at a place in a body: every such list, where one is inside another; `None` when the outermost is absent. An
/// inner one that is absent is left out. `takes_one`: an object in place of a list is a list of one.
fn lists_at<'a>(
    body: &Json<'a>,
    each: &Pointer,
    takes_one: bool,
) -> Result<Option<Vec<List<'a>>>, Invalid> {
    let mut lists: Vec<List<'a>> = vec![(body.root(), vec![body.root()])];
    for (depth, steps) in each.steps().split(|step| step == "*").enumerate() {
        let mut inner = Vec::new();
        let mut count = 0_usize;
        for value in lists.into_iter().flat_map(|(_, items)| items) {
            let list = Json::part(value)?.find_steps(steps)?;
            let items = list.and_then(|list| {
                let one = (takes_one && list.get().starts_with('{')).then(|| vec![list]);
                Json::items(list).or(one)
            });
            match items {
                Some(items) => {
                    count = count.saturating_add(items.len());
                    inner.push((value, items));
                }
                None if depth == 0 => return Ok(None),
                None => {}
            }
            if count > MAX_ITEMS {
                return Err(Invalid::TooMany);
            }
        }
        lists = inner;
    }
    Ok(Some(lists))
}
