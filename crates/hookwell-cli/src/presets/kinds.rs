//! The kinds of documents that the events of a sender are about.

use std::collections::BTreeMap;

use hookwell::event::Operation;
use hookwell::format::pattern::Pattern;
use hookwell::source::mapping::{Locator, Mapping, Parts, Piece};
use serde::Serialize;

/// One kind of document, or all documents whose type the event itself names.
#[derive(Debug, Serialize)]
pub struct Kind {
    /// The type of the document, where it is always the same.
    pub document_type: Option<String>,
    /// Places of the type where it differs, or the patterns whose star stands for the type.
    pub type_from: Vec<String>,
    /// The types of the events about the documents; empty for all types that no other kind names.
    pub types: Vec<String>,
    /// Places of the document's whole state. Empty where events only name the document.
    pub state: Vec<String>,
    /// Places of the document's id.
    pub id: Vec<String>,
    /// The operation of each word of the sender.
    pub operations: BTreeMap<String, Operation>,
    /// Places of the sender's count of the document's states.
    pub version: Vec<String>,
    /// Places of the event's time.
    pub time: Vec<String>,
}

impl Kind {
    /// The kinds of a mapping, the general one first; also those whose events change no document.
    pub(super) fn all(mapping: &Mapping) -> Vec<Self> {
        let root = if mapping.each.is_empty() {
            "body"
        } else {
            "item"
        };
        let has_rest = !catches_all(mapping) && !believes_shapes_only(mapping);
        let general = has_rest.then(|| Self::of(&[], &mapping.parts, root));
        let special = mapping.documents.iter();
        let special = special.map(|(types, parts)| Self::of(types, parts, root));
        general.into_iter().chain(special).collect()
    }

    fn of(types: &[Pattern], parts: &Parts, root: &str) -> Self {
        let type_from = match &parts.document_type {
            Some(locator) => places(Some(locator)),
            None => stars(parts),
        };
        let (document_type, type_from) = match type_from.as_slice() {
            [only] if only.starts_with("text:") => (only.strip_prefix("text:"), Vec::new()),
            _ => (None, type_from.clone()),
        };
        // A kind takes over the words of `[event]` too, most of which match none of the kind's own types.
        let is_its_own = |word: &Pattern| {
            let mut types = types.iter();
            types.len() == 0 || parts.operation.is_some() || types.any(|kind| meet(kind, word))
        };
        let operations = parts.operations.iter();
        let operations = operations.filter(|(word, _)| is_its_own(word));
        let state = parts.document.iter();
        Self {
            document_type: document_type.map(str::to_owned),
            type_from,
            types: types.iter().map(ToString::to_string).collect(),
            state: state.map(|at| format!("{root}:{}", at.as_str())).collect(),
            id: places(parts.document_id.as_ref()),
            operations: operations
                .map(|(word, it)| (word.to_string(), *it))
                .collect(),
            version: places(parts.version.as_ref()),
            time: places(parts.time.as_ref()),
        }
    }

    /// Tells whether any of its events changes or names a document.
    pub(super) fn is_about_documents(&self) -> bool {
        let does_something = self.operations.values().any(|it| *it != Operation::Other);
        does_something && !self.id.is_empty()
    }

    /// Tells whether the documents table keeps it.
    #[must_use]
    pub fn is_kept(&self) -> bool {
        !self.state.is_empty()
    }

    /// The type of its documents, or where that is.
    #[must_use]
    pub fn name(&self) -> String {
        const SHOWN: usize = 3;
        if let Some(name) = &self.document_type {
            return format!("`{name}`");
        }
        let from = self.type_from.iter().take(SHOWN);
        // The last of several places may be a word.
        let from = from.map(|it| format!("`{}`", it.strip_prefix("text:").unwrap_or(it)));
        let from = from.collect::<Vec<_>>();
        let more = match self.type_from.len().saturating_sub(SHOWN) {
            0 => String::new(),
            more => format!(" and {more} more"),
        };
        match self.type_from.first() {
            None => "documents without a type".to_owned(),
            Some(star) if star.contains('*') => format!("the star of {}{more}", from.join(", ")),
            Some(_) => format!("the text at {}", from.join(", else ")),
        }
    }
}

/// Tells whether no event is left for the general places.
pub(super) fn catches_all(mapping: &Mapping) -> bool {
    let mut types = mapping.documents.iter().flat_map(|(types, _)| types);
    types.any(|pattern| pattern.to_string() == "*")
}

/// True when an event is believed only where its body has the shape of a kind, so that the general places never count.
fn believes_shapes_only(mapping: &Mapping) -> bool {
    let mut kinds = mapping.documents.iter();
    mapping.parts.shape.is_none() && kinds.any(|(_, parts)| parts.shape.is_some())
}

/// The patterns whose star stands for the type of the document.
fn stars(parts: &Parts) -> Vec<String> {
    let words = parts.operations.iter();
    let words = words.filter(|(_, operation)| *operation != Operation::Other);
    let words = words.map(|(word, _)| word.to_string());
    words.filter(|word| word.contains('*')).collect()
}

/// True when both patterns match some text.
fn meet(one: &Pattern, other: &Pattern) -> bool {
    let (first, second) = (one.to_string(), other.to_string());
    match (first.split_once('*'), second.split_once('*')) {
        (None, _) => other.capture(&first).is_some(),
        (_, None) => one.capture(&second).is_some(),
        (Some((start, end)), Some((other_start, other_end))) => {
            (start.starts_with(other_start) || other_start.starts_with(start))
                && (end.ends_with(other_end) || other_end.ends_with(end))
        }
    }
}

/// The texts of a locator, as a preset writes them.
pub(super) fn places(locator: Option<&Locator>) -> Vec<String> {
    let alternatives = locator.into_iter().flat_map(|locator| &locator.0);
    let texts = alternatives.map(|pieces| match pieces.as_slice() {
        [one] => place(one),
        several => several.iter().map(in_template).collect(),
    });
    texts.collect()
}

fn place(piece: &Piece) -> String {
    match piece {
        Piece::Body(pointer) => format!("body:{}", pointer.as_str()),
        Piece::Item(pointer) => format!("item:{}", pointer.as_str()),
        Piece::Outer(pointer) => format!("outer:{}", pointer.as_str()),
        Piece::Document(pointer) => format!("document:{}", pointer.as_str()),
        Piece::Query(name) => format!("query:{name}"),
        Piece::Header(name) => format!("header:{name}"),
        Piece::Literal(text) => format!("text:{text}"),
    }
}

fn in_template(piece: &Piece) -> String {
    match piece {
        Piece::Literal(text) => text.clone(),
        piece => format!("{{{}}}", place(piece)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_meet_where_a_text_matches_both() {
        let meet = |one, other| {
            meet(
                &Pattern::parse(one).unwrap(),
                &Pattern::parse(other).unwrap(),
            )
        };
        assert!(meet("email.*", "*.created") && meet("email.*", "email.sent"));
        assert!(meet("*", "ping") && meet("a.b", "a.*") && meet("a.*", "*"));
        assert!(!meet("email.*", "contact.*") && !meet("*.created", "*.deleted"));
        assert!(!meet("a.b", "a.c") && !meet("email.*", "contact.topics.updated"));
    }
}
