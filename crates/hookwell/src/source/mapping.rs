//! Places of an event's parts in a delivery.

use std::borrow::Cow;

use crate::event::Operation;
use crate::event::delivery::Delivery;
use crate::format::json::{Json, JsonError, Pointer};
use crate::format::pattern::Pattern;
use crate::format::template;
use crate::source::shape::Shape;

/// Places of an event's parts in a delivery.
#[derive(Debug, Clone, Default)]
pub struct Mapping {
    /// Places that must hold something.
    pub required: Vec<Pointer>,
    /// The lists whose items are the events, for senders that put many into one delivery; all that are there are read. A
    /// step `*` stands for every item of an outer list.
    pub each: Vec<Pointer>,
    /// The event's type.
    pub kind: Option<Locator>,
    /// The other parts.
    pub parts: Parts,
    /// The other parts of events about another kind of document, by their types.
    pub documents: Vec<(Vec<Pattern>, Parts)>,
    /// True when the sender never uses the id of a document again.
    pub unique_ids: bool,
    /// True when a preset names the place of the document's id, and not the file itself: then an event without one is
    /// nothing to wake anybody for.
    pub guessed: bool,
}

/// Places of the parts of an event whose type is known.
#[derive(Debug, Clone, Default)]
pub struct Parts {
    /// The sender's id of the event.
    pub id: Option<Locator>,
    /// Time of the event.
    pub time: Option<Locator>,
    /// The sender's own count of the document's states.
    pub version: Option<Locator>,
    /// The word that says what happened to the document; the type when there is none.
    pub operation: Option<Locator>,
    /// Operations by the words that mean them.
    pub operations: Vec<(Pattern, Operation)>,
    /// The document's state: in the item where there are many events, else in the body. Empty where the sender's events
    /// hold none.
    pub document: Vec<Pointer>,
    /// The document's id.
    pub document_id: Option<Locator>,
    /// Type of the document; without a place, the text that the star of the matching pattern stands for.
    pub document_type: Option<Locator>,
    /// Shape of a body of this kind, where only an unsigned place says that it is of this kind. Without a shape such a
    /// place is never believed.
    pub shape: Option<Shape>,
    /// Shape of the body of a deletion, where it differs from `shape`.
    pub deletion_shape: Option<Shape>,
}

/// Place of a text: alternatives, of which the first that is there counts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Locator(pub Vec<Vec<Piece>>);

/// A text that a locator found.
#[derive(Debug)]
pub(crate) struct Found<'a> {
    pub(crate) text: String,
    /// The alternative that it was found by.
    pub(crate) by: &'a [Piece],
}

/// One piece of a located text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Piece {
    /// A place in the body.
    Body(Pointer),
    /// A place in the item, where a delivery has many events.
    Item(Pointer),
    /// A place in the item of the list around the event's own.
    Outer(Pointer),
    /// A place in the document's state.
    Document(Pointer),
    /// A query parameter.
    Query(String),
    /// A header.
    Header(String),
    /// These characters.
    Literal(String),
}

impl Piece {
    fn parse(text: &str) -> Option<Self> {
        let named = |name: &str| (!name.is_empty()).then(|| name.to_owned());
        match text.split_once(':')? {
            ("body", pointer) => Pointer::parse(pointer).map(Self::Body),
            ("item", pointer) => Pointer::parse(pointer).map(Self::Item),
            ("outer", pointer) => Pointer::parse(pointer).map(Self::Outer),
            ("document", pointer) => Pointer::parse(pointer).map(Self::Document),
            ("query", name) => named(name).map(Self::Query),
            ("header", name) => named(name).map(Self::Header),
            ("text", text) => named(text).map(Self::Literal),
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
            _ => None,
        })
    }

    /// The text of the first alternative that is wholly there. `read` gives the text of one piece.
    fn find<'a>(
        &'a self,
        mut read: impl FnMut(&'a Piece) -> Result<Option<Cow<'a, str>>, JsonError>,
    ) -> Result<Option<Found<'a>>, JsonError> {
        for alternative in &self.0 {
            let mut text = String::new();
            let mut whole = true;
            for piece in alternative {
                match read(piece)? {
                    Some(value) => text.push_str(&value),
                    None => whole = false,
                }
            }
            if whole {
                let by = alternative;
                return Ok(Some(Found { text, by }));
            }
        }
        Ok(None)
    }
}

/// Delivery, body and item that the parts of one event are read from.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Place<'a> {
    pub(crate) delivery: &'a Delivery,
    pub(crate) body: &'a Json<'a>,
    /// The item of the list around the event's own, or the body.
    pub(crate) outer: &'a Json<'a>,
    /// The item, or the body again where a delivery is one event.
    pub(crate) item: &'a Json<'a>,
}

impl<'a> Place<'a> {
    /// The text that a locator finds. With `document` that is the place of the document's state in the item.
    pub(crate) fn find(
        self,
        locator: Option<&'a Locator>,
        document: Option<&Pointer>,
    ) -> Result<Option<Found<'a>>, JsonError> {
        locator.map_or(Ok(None), |locator| {
            locator.find(|piece| self.read(piece, document))
        })
    }

    /// The text that the locator of an id finds; an error where a value is there that is no text.
    pub(crate) fn find_id(
        self,
        locator: Option<&'a Locator>,
        document: Option<&Pointer>,
    ) -> Result<Option<Found<'a>>, JsonError> {
        locator.map_or(Ok(None), |locator| {
            locator.find(|piece| self.read_id(piece, document))
        })
    }

    /// The text of a piece.
    fn read(
        self,
        piece: &'a Piece,
        document: Option<&Pointer>,
    ) -> Result<Option<Cow<'a, str>>, JsonError> {
        Ok(match piece {
            Piece::Body(pointer) => self.body.text(pointer)?,
            Piece::Item(pointer) => self.item.text(pointer)?,
            Piece::Outer(pointer) => self.outer.text(pointer)?,
            Piece::Document(pointer) => self.in_document(pointer, document, Json::text)?,
            Piece::Header(name) => self.delivery.header(name),
            Piece::Query(name) => self.delivery.query_value(name).map(Cow::Owned),
            Piece::Literal(text) => Some(Cow::Borrowed(text.as_str())),
        }
        .filter(|text| !text.is_empty()))
    }

    /// The text of a piece of an id.
    fn read_id(
        self,
        piece: &'a Piece,
        document: Option<&Pointer>,
    ) -> Result<Option<Cow<'a, str>>, JsonError> {
        match piece {
            Piece::Body(pointer) => self.body.id(pointer),
            Piece::Item(pointer) => self.item.id(pointer),
            Piece::Outer(pointer) => self.outer.id(pointer),
            Piece::Document(pointer) => self.in_document(pointer, document, Json::id),
            Piece::Header(_) | Piece::Query(_) | Piece::Literal(_) => self.read(piece, document),
        }
    }

    fn in_document(
        self,
        pointer: &Pointer,
        document: Option<&Pointer>,
        read: impl Fn(&Json<'a>, &Pointer) -> Result<Option<Cow<'a, str>>, JsonError>,
    ) -> Result<Option<Cow<'a, str>>, JsonError> {
        match document {
            Some(document) => read(self.item, &document.join(pointer)),
            None => Ok(None),
        }
    }
}

impl Mapping {
    /// The places of the parts of an event of this type: those of the documents whose pattern fits best, else the general
    /// ones.
    #[must_use]
    pub fn parts_of(&self, kind: &str) -> &Parts {
        let fitting = self.documents.iter().filter_map(|(types, parts)| {
            let types = types
                .iter()
                .filter(|pattern| pattern.capture(kind).is_some());
            Some((types.map(Pattern::weight).max()?, parts))
        });
        let best = fitting.max_by_key(|(weight, _)| *weight);
        best.map_or(&self.parts, |(_, parts)| parts)
    }

    /// Every set of parts, the general one first.
    pub fn all_parts(&self) -> impl Iterator<Item = &Parts> {
        std::iter::once(&self.parts).chain(self.documents.iter().map(|(_, parts)| parts))
    }

    /// The pieces of all locators.
    fn pieces(&self) -> impl Iterator<Item = &Piece> {
        let locators = self.all_parts().flat_map(Parts::locators);
        let locators = locators.chain(&self.kind);
        locators.flat_map(|locator| &locator.0).flatten()
    }

    /// The places that its locators name, those for which `of` has one.
    pub(crate) fn pointers(
        &self,
        of: impl Fn(&Piece) -> Option<&Pointer>,
    ) -> impl Iterator<Item = &Pointer> {
        self.pieces().filter_map(of)
    }

    /// True when any part of an event is in an item of a list.
    #[must_use]
    pub fn reads_items(&self) -> bool {
        let mut pieces = self.pieces();
        pieces.any(|piece| matches!(piece, Piece::Item(_) | Piece::Outer(_)))
    }

    /// True when the events of any type keep documents.
    #[must_use]
    pub fn keeps_documents(&self) -> bool {
        self.all_parts()
            .any(|parts| !parts.document.is_empty() && parts.document_id.is_some())
    }
}

impl Parts {
    fn locators(&self) -> impl Iterator<Item = &Locator> {
        let all = [
            &self.id,
            &self.time,
            &self.version,
            &self.operation,
            &self.document_id,
            &self.document_type,
        ];
        all.into_iter().flatten()
    }

    /// Shape of a body that tells of such an operation.
    pub(crate) fn shape_of(&self, operation: Operation) -> Option<&Shape> {
        let own = self.deletion_shape.as_ref();
        let own = own.filter(|_| operation == Operation::Delete);
        own.or(self.shape.as_ref())
    }

    /// Operation that a sender's word means, and the text that the star of its pattern stands for.
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

    /// The first place of the document that holds something other than `null`.
    pub(crate) fn document_in<'p>(
        &'p self,
        item: &Json<'_>,
    ) -> Result<Option<&'p Pointer>, JsonError> {
        for pointer in &self.document {
            if item
                .find(pointer)?
                .is_some_and(|value| value.get() != "null")
            {
                return Ok(Some(pointer));
            }
        }
        Ok(None)
    }
}
