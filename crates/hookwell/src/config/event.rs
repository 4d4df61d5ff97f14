//! The `event` table: where the parts of an event are.

use super::{check_headers, pattern};
use crate::event::Operation;
use crate::fields::{Fields, Problems};
use crate::json::Pointer;
use crate::source::{Locator, Mapping, Piece};

pub(super) fn mapping(
    mut fields: Fields<'_>,
    required: Vec<Pointer>,
    problems: &Problems,
) -> Mapping {
    let path = fields.path().to_owned();
    let mut operations = Vec::new();
    if let Some(mut words) = fields.table("operations") {
        for word in words.keys() {
            let operation = words.choice(&word, &Operation::NAMES);
            let pattern = pattern(&word, &format!("{path}.operations"), problems);
            operations.extend(pattern.zip(operation));
        }
    }
    let mapping = Mapping {
        required,
        id: locator(&mut fields, "id", problems),
        kind: locator(&mut fields, "type", problems),
        time: locator(&mut fields, "time", problems),
        operation: locator(&mut fields, "operation", problems),
        operations,
        document: documents(&mut fields, problems),
        document_id: locator(&mut fields, "document_id", problems),
        document_type: locator(&mut fields, "document_type", problems),
    };
    fields.finish();
    mapping
}

fn locator(fields: &mut Fields<'_>, key: &str, problems: &Problems) -> Option<Locator> {
    let path = format!("{}.{key}", fields.path());
    let alternatives = fields.texts(key)?.into_iter().filter_map(|text| {
        let pieces = Locator::parse(&text);
        if pieces.is_none() {
            problems.add(
                &path,
                &format!("{text:?} is not body:/POINTER, header:NAME or a template of them"),
            );
        }
        pieces
    });
    let locator = Locator(alternatives.collect());
    check_headers(
        &locator.headers().map(str::to_owned).collect::<Vec<_>>(),
        &path,
        problems,
    );
    Some(locator)
}

fn documents(fields: &mut Fields<'_>, problems: &Problems) -> Vec<Pointer> {
    let path = format!("{}.document", fields.path());
    let texts = fields.texts("document").unwrap_or_default();
    let places = texts.iter().filter_map(|text| {
        if let Some([Piece::Body(pointer)]) = Locator::parse(text).as_deref() {
            Some(pointer.clone())
        } else {
            problems.add(&path, &format!("{text:?} is not body:/POINTER"));
            None
        }
    });
    places.collect()
}
