//! Signed bytes into events, in the way that the source says and nothing unsigned can change.

use std::cell::OnceCell;
use std::collections::BTreeSet;

use serde_json::value::RawValue;

use crate::event::body::Body;
use crate::event::identity::{Key, MAX_ID_BYTES, MAX_TYPE_BYTES, Rank, hash};
use crate::event::{Event, LIFE_DAYS, MAX_FUTURE, Operation, UnusableTime, WithoutState};
use crate::format::cut;
use crate::format::json::{Json, JsonError, MAX_ITEMS, Pointer};
use crate::format::time::{DAY, Millis, event_time};
use crate::ingest::invalid::Invalid;
use crate::ingest::lists::{Lists, lists_at};
use crate::ingest::told::{Kind, Told, proves, short};
use crate::ingest::verified::Verified;
use crate::source::mapping::{Found, Parts, Piece, Place};
use crate::source::{Dedupe, OnInvalid, Source};

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
        let body = body.looked_at(mapping.pointers(|piece| match piece {
            Piece::Body(pointer) => Some(pointer),
            _ => None,
        }));
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
        let mut places = Vec::new();
        // An object in place of a list is a list of one, unless there is a list elsewhere.
        for takes_one in [false, true] {
            for pointer in each {
                places.extend(lists_at(body, pointer, takes_one)?);
            }
            if !places.is_empty() {
                break;
            }
        }
        if places.is_empty() {
            let names: Vec<_> = each.iter().map(Pointer::as_str).collect();
            return Err(Invalid::Missing(names.join(" or ")));
        }
        let without = without_lists(&places);
        let mut lists: Vec<_> = places.into_iter().flat_map(|lists| lists.found).collect();
        lists.extend(without.into_iter().map(|item| (item, vec![item])));
        let count = lists.iter().map(|(_, items)| items.len());
        if count.sum::<usize>() > MAX_ITEMS {
            return Err(Invalid::TooMany);
        }
        let in_outer = || {
            self.source().mapping.pointers(|piece| match piece {
                Piece::Outer(pointer) => Some(pointer),
                _ => None,
            })
        };
        let mut events = Vec::new();
        for (outer, items) in lists {
            let outer = Json::part(outer)?.looked_at(in_outer());
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
        let kind = place.find(mapping.kind.as_ref(), None)?;
        let kind_proven = proves(self.source(), kind.as_ref());
        let kind_by = kind.as_ref().map_or(&[][..], |found| found.by);
        let kind = short(kind, MAX_TYPE_BYTES).unwrap_or_default();
        let parts = mapping.parts_of(&kind);
        let holds = parts.document_in(place.item)?;
        // A deletion is often told without a state, and is about its document all the same.
        let document = holds.or_else(|| parts.document.last());
        let id = short(place.find_id(parts.id.as_ref(), document)?, MAX_ID_BYTES);
        let document_id = place.find_id(parts.document_id.as_ref(), document)?;
        let id_proven = proves(self.source(), document_id.as_ref());
        let document_id = short(document_id, MAX_ID_BYTES);
        let of = Kind {
            text: &kind,
            by: kind_by,
            parts,
            is_proven: kind_proven,
        };
        let told = Told::of(self.source(), of, place, document)?;
        let (time, unusable_time) = self.time(place.find(parts.time.as_ref(), document)?);
        let sequence = place.find(parts.version.as_ref(), document)?;
        let sequence = sequence.filter(|found| proves(self.source(), Some(found)));
        let without_state = match told.said {
            Operation::Other => None,
            _ if !(told.is_believed && id_proven) => Some(WithoutState::Unproven),
            said => self.without_state(parts, said, document_id.as_deref(), holds.is_some()),
        };
        let operation = told.operation();
        let key = self.key(id.as_deref(), &told.unproven, text, index);
        Ok(Event {
            key,
            source: self.source().name.clone(),
            id: id.unwrap_or_else(|| self.made_up_id(index)),
            kind,
            operation,
            time,
            unusable_time,
            sequence: sequence.and_then(|found| found.text.parse().ok()),
            rank: rank_of(operation, mapping.unique_ids),
            received_at: self.now,
            place: place_of(index),
            expires_at: self.record_end(),
            repeats_after: self.repeats_after(),
            retain_until: self.retain_until(),
            retry_for: self.source().retry_for,
            document_at: self.document_at(parts, holds, without_state),
            document_id: document_id.filter(|_| told.is_believed),
            document_type: told.document_type,
            without_state,
            invalid: None,
            destination: None,
            queued_at: None,
            trace: self.verified.delivery.trace.clone(),
            settled: None,
            renewed: None,
            body: Body(text.to_vec()),
        })
    }

    /// The time of an event, or what is wrong with the one that is there.
    fn time(&self, found: Option<Found<'_>>) -> (Option<Millis>, Option<UnusableTime>) {
        let Some(found) = found else {
            return (None, None);
        };
        match event_time(&found.text) {
            None => (None, Some(UnusableTime::Unreadable)),
            Some(time) if time > self.now.saturating_add(MAX_FUTURE) => {
                (None, Some(UnusableTime::Future))
            }
            // An unsigned time counts as no later than now: whoever may choose it could keep a document from changing
            // until then.
            Some(time) if !proves(self.source(), Some(&found)) => (Some(time.min(self.now)), None),
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
        // Without a place of an id, no event is about a document.
        parts.document_id.as_ref()?;
        let guessed = self.source().mapping.guessed;
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

    /// Place of an event's document state. Where the sources file names a place that holds no state, that place is
    /// kept, so that process reports it.
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

    /// Time at which its record may be forgotten, in seconds since 1970.
    fn record_end(&self) -> i64 {
        (self.now / 1000).saturating_add(LIFE_DAYS * DAY / 1000)
    }

    /// Time of reception before which the record of an equal body is of an earlier event.
    fn repeats_after(&self) -> Option<Millis> {
        match self.source().dedupe {
            Dedupe::Body { seconds } => Some(self.now.saturating_sub(seconds.saturating_mul(1000))),
            Dedupe::None | Dedupe::Id | Dedupe::IdAndBody => None,
        }
    }

    /// Hash of the whole body.
    fn body_hash(&self) -> &str {
        self.body_hash
            .get_or_init(|| hash(&[&self.verified.delivery.body]))
    }

    /// An id for an event without one: the request's id, or for an item of a list the body's hash and the item's index,
    /// the same in every copy.
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
            expires_at: self.record_end(),
            retain_until: self.retain_until(),
            invalid: Some(cut::reason(reason)),
            trace: self.verified.delivery.trace.clone(),
            body: Body(text.to_vec()),
            ..Event::bare(&self.source().name, &id)
        }
    }

    /// The key of the event's record.
    ///
    /// A type that nobody signs is part of the key: a copy with another one must not stand for the event. Where a
    /// source has ids and this item has none, the whole body and the item's place tell the event from others. Where a
    /// source has no ids, only the request's id does: equal bodies may be two changes, and dropping one would lose it.
    fn key(&self, id: Option<&str>, unproven: &[String], text: &[u8], index: Option<usize>) -> Key {
        let text = || hash(&[text]);
        let index = index.map(|index| index.to_string());
        let place = index.as_deref().unwrap_or_default().as_bytes();
        let request = self.verified.delivery.request_id.as_bytes();
        let new = |parts: &[&[u8]]| Key::new(&self.source().name, parts);
        let with_unproven = |parts: &[&[u8]]| {
            let unproven: Vec<_> = unproven.iter().map(String::as_bytes).collect();
            new(&[parts, &unproven].concat())
        };
        match (self.source().dedupe, id, &index) {
            (Dedupe::Id, Some(id), _) => with_unproven(&[id.as_bytes()]),
            (Dedupe::IdAndBody, Some(id), _) => with_unproven(&[id.as_bytes(), text().as_bytes()]),
            (Dedupe::Body { .. }, _, None) => with_unproven(&[b"body", text().as_bytes()]),
            (Dedupe::Body { .. }, _, Some(_)) | (Dedupe::Id | Dedupe::IdAndBody, None, Some(_)) => {
                with_unproven(&[b"item", self.body_hash().as_bytes(), place])
            }
            (Dedupe::None, _, Some(_)) => new(&[b"request", request, place]),
            (Dedupe::None, _, None) | (_, None, None) => new(&[b"request", request]),
        }
    }
}

/// The items of outer lists without an inner list at any of the places. Each is an event of its own: Meta names the
/// fields that changed in place of their list where an app asked for no values.
fn without_lists<'a>(places: &[Lists<'a>]) -> Vec<&'a RawValue> {
    // A value by its place in the body.
    let place = |item: &RawValue| item.get().as_ptr().addr();
    let Some((first, others)) = places.split_first() else {
        return Vec::new();
    };
    let mut items = first.without.clone();
    for lists in others {
        let without: BTreeSet<_> = lists.without.iter().map(|item| place(item)).collect();
        items.retain(|item| without.contains(&place(item)));
    }
    items
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
