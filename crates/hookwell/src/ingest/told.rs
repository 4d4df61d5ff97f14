//! Claims of a sender: what happened to which document, and whether the signed bytes bear it out.

use crate::event::Operation;
use crate::event::identity::{MAX_TYPE_BYTES, bounded};
use crate::format::json::Pointer;
use crate::ingest::invalid::Invalid;
use crate::source::Source;
use crate::source::mapping::{Found, Parts, Piece, Place};

/// The type of an event.
#[derive(Clone, Copy)]
pub(super) struct Kind<'a> {
    pub(super) text: &'a str,
    /// The pieces that it was read from.
    pub(super) by: &'a [Piece],
    /// The places of the parts of such events.
    pub(super) parts: &'a Parts,
    /// True when the type is signed.
    pub(super) is_proven: bool,
}

impl Kind<'_> {
    /// The found text, where it is unsigned and reads a header or query parameter that the type does not read.
    fn unproven_beside(self, source: &Source, found: Option<&Found<'_>>) -> Option<String> {
        let found = found.filter(|found| !source.proves(found.by))?;
        let is_other = |piece: &Piece| {
            matches!(piece, Piece::Header(_) | Piece::Query(_)) && !self.by.contains(piece)
        };
        let text = || bounded(found.text.clone(), MAX_TYPE_BYTES);
        found.by.iter().any(is_other).then(text)
    }
}

/// Operation and document type that an event claims.
pub(super) struct Told {
    pub(super) said: Operation,
    /// Type of the document; empty where the claim is not believed.
    pub(super) document_type: String,
    /// True when the claim is signed, or the body has the configured shape.
    pub(super) is_believed: bool,
    /// Unsigned texts that decide what the event is. A copy with other texts must not stand for the event, so these
    /// texts are part of the record's key.
    pub(super) unproven: Vec<String>,
}

impl Told {
    /// Reads what an event of this kind says. `document` is the place of the document's state.
    pub(super) fn of(
        source: &Source,
        kind: Kind<'_>,
        place: Place<'_>,
        document: Option<&Pointer>,
    ) -> Result<Self, Invalid> {
        let parts = kind.parts;
        let word = place.find(parts.operation.as_ref(), document)?;
        let mut is_proven = kind.is_proven && proves(source, word.as_ref());
        let mut unproven: Vec<_> = (!kind.is_proven)
            .then(|| kind.text.to_owned())
            .into_iter()
            .collect();
        unproven.extend(kind.unproven_beside(source, word.as_ref()));
        let word = short(word, MAX_TYPE_BYTES);
        let (said, star) = parts.operation_of(word.as_deref().unwrap_or(kind.text));
        let document_type = if parts.document_type.is_some() {
            let found = place.find(parts.document_type.as_ref(), document)?;
            is_proven = is_proven && proves(source, found.as_ref());
            unproven.extend(kind.unproven_beside(source, found.as_ref()));
            short(found, MAX_TYPE_BYTES).unwrap_or_default()
        } else {
            star.to_owned()
        };
        let is_believed = is_proven
            || match parts.shape_of(said) {
                Some(shape) => shape.fits(place.item, &document_type)?,
                None => false,
            };
        let document_type = if is_believed {
            document_type
        } else {
            String::new()
        };
        Ok(Self {
            said,
            document_type,
            is_believed,
            unproven,
        })
    }

    /// The claimed operation where the claim is believed, else [`Operation::Other`].
    pub(super) fn operation(&self) -> Operation {
        if self.is_believed {
            self.said
        } else {
            Operation::Other
        }
    }
}

/// True when the text that was found is signed. An absent text counts as signed.
pub(super) fn proves(source: &Source, found: Option<&Found<'_>>) -> bool {
    found.is_none_or(|found| source.proves(found.by))
}

/// Text that was found, in at most `limit` bytes.
pub(super) fn short(found: Option<Found<'_>>, limit: usize) -> Option<String> {
    found.map(|found| bounded(found.text, limit))
}
