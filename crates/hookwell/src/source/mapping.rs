//! Where the parts of an event are in a delivery.

use std::borrow::Cow;

use crate::event::Operation;
use crate::event::delivery::Delivery;
use crate::format::json::{Json, JsonError, Pointer};
use crate::format::pattern::Pattern;
use crate::format::template;

/// Where the parts of an event are in a delivery.
#[derive(Debug, Clone, Default)]
pub struct Mapping {
    /// Places that must hold something.
    pub required: Vec<Pointer>,
    /// The list whose items are the events, for senders that put many into one delivery. A step `*` stands for every
    /// item of an outer list.
    pub each: Option<Pointer>,
    /// The sender's id of the event.
    pub id: Option<Locator>,
    /// Its type.
    pub kind: Option<Locator>,
    /// When it happened.
    pub time: Option<Locator>,
    /// The word that says what happened to the document; the type when there is none.
    pub operation: Option<Locator>,
    /// What the words mean.
    pub operations: Vec<(Pattern, Operation)>,
    /// The document's state: in the item where there are many events, else in the body.
    pub document: Vec<Pointer>,
    /// The document's id.
    pub document_id: Option<Locator>,
    /// What sort of document it is; what the star of the matching pattern stands for when there is none.
    pub document_type: Option<Locator>,
}

/// Where a text is: alternatives, of which the first that is there counts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Locator(pub Vec<Vec<Piece>>);

/// One piece of a located text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Piece {
    /// A place in the body.
    Body(Pointer),
    /// A place in the item, where a delivery has many events.
    Item(Pointer),
    /// A query parameter.
    Query(String),
    /// A header.
    Header(String),
    /// These characters.
    Literal(String),
}

impl Piece {
    fn parse(text: &str) -> Option<Self> {
        match text.split_once(':')? {
            ("body", pointer) => Pointer::parse(pointer).map(Self::Body),
            ("item", pointer) => Pointer::parse(pointer).map(Self::Item),
            ("query", name) => (!name.is_empty()).then(|| Self::Query(name.to_owned())),
            ("header", name) => (!name.is_empty()).then(|| Self::Header(name.to_owned())),
            _ => None,
        }
    }
}

impl Locator {
    /// Reads one alternative: `body:/id`, `header:NAME`, or a template such as `{header:X-Event}.{body:/action}`.
    #[must_use]
    pub fn parse(text: &str) -> Option<Vec<Piece>> {
        if !text.contains('{') {
            return Piece::parse(text).map(|piece| vec![piece]);
        }
        let piece = |token: &str| Piece::parse(token).ok_or_else(String::new);
        template::parse(text, Piece::Literal, piece).ok()
    }

    /// The headers it reads.
    pub fn headers(&self) -> impl Iterator<Item = &str> {
        self.0.iter().flatten().filter_map(|piece| match piece {
            Piece::Header(name) => Some(name.as_str()),
            Piece::Body(_) | Piece::Item(_) | Piece::Query(_) | Piece::Literal(_) => None,
        })
    }

    pub(crate) fn find(&self, place: Place<'_>) -> Result<Option<String>, JsonError> {
        for alternative in &self.0 {
            let mut text = String::new();
            let mut whole = true;
            for piece in alternative {
                match place.read(piece)? {
                    Some(value) => text.push_str(&value),
                    None => whole = false,
                }
            }
            if whole {
                return Ok(Some(text));
            }
        }
        Ok(None)
    }
}

/// What the parts of one event are read from.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Place<'a> {
    pub(crate) delivery: &'a Delivery,
    pub(crate) body: &'a Json<'a>,
    /// The item, or the body again where a delivery is one event.
    pub(crate) item: &'a Json<'a>,
}

impl<'a> Place<'a> {
    fn read(self, piece: &'a Piece) -> Result<Option<Cow<'a, str>>, JsonError> {
        Ok(match piece {
            Piece::Body(pointer) => self.body.text(pointer)?,
            Piece::Item(pointer) => self.item.text(pointer)?,
            Piece::Header(name) => self.delivery.header(name),
            Piece::Query(name) => self.delivery.query_value(name).map(Cow::Owned),
            Piece::Literal(text) => Some(Cow::Borrowed(text.as_str())),
        }
        .filter(|text| !text.is_empty()))
    }
}

impl Mapping {
    /// Whether any part of an event is in an item of a list.
    #[must_use]
    pub fn reads_items(&self) -> bool {
        let parts = [
            &self.id,
            &self.kind,
            &self.time,
            &self.operation,
            &self.document_id,
            &self.document_type,
        ];
        let mut pieces = parts
            .into_iter()
            .flatten()
            .flat_map(|locator| &locator.0)
            .flatten();
        pieces.any(|piece| matches!(piece, Piece::Item(_)))
    }

    /// What a sender's word does, and what the star of its pattern stands for.
    pub(crate) fn operation_of<'w>(&self, word: &'w str) -> (Operation, &'w str) {
        self.operations
            .iter()
            .filter_map(|(pattern, operation)| {
                Some((pattern.weight(), *operation, pattern.capture(word)?))
            })
            .max_by_key(|(weight, ..)| *weight)
            .map_or((Operation::Other, ""), |(_, operation, star)| {
                (operation, star)
            })
    }

    /// The first place of the document that holds something; the last one when none does, so that a delete without
    /// a state is still about a document.
    pub(crate) fn document_in(&self, body: &Json<'_>) -> Result<Option<String>, JsonError> {
        let mut place = Some(String::new());
        for pointer in &self.document {
            place = Some(pointer.as_str().to_owned());
            if body.find(pointer)?.is_some() {
                break;
            }
        }
        Ok(place)
    }
}
