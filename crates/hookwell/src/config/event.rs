//! The `event` table: where the parts of an event are.

use crate::config::fields::{Fields, Problems};
use crate::config::values::{check_headers, pattern};
use crate::event::Operation;
use crate::format::json::Pointer;
use crate::source::mapping::{Locator, Mapping, Piece};

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
    let each = each(&mut fields, problems);
    let many = each.is_some();
    let mapping = Mapping {
        required,
        each,
        id: locator(&mut fields, "id", problems),
        kind: locator(&mut fields, "type", problems),
        time: locator(&mut fields, "time", problems),
        operation: locator(&mut fields, "operation", problems),
        operations,
        document: documents(&mut fields, many, problems),
        document_id: locator(&mut fields, "document_id", problems),
        document_type: locator(&mut fields, "document_type", problems),
    };
    fields.finish();
    if !many && mapping.reads_items() {
        problems.add(
            &format!("{path}.each"),
            "is missing: item: looks into the items of a list, so say where the list is",
        );
    }
    mapping
}

/// Where the list of events is.
fn each(fields: &mut Fields<'_>, problems: &Problems) -> Option<Pointer> {
    let text = fields.text("each")?;
    if let Some([Piece::Body(pointer)]) = Locator::parse(&text).as_deref() {
        return Some(pointer.clone());
    }
    let path = format!("{}.each", fields.path());
    problems.add(&path, &format!("{text:?} is not body:/POINTER"));
    None
}

fn locator(fields: &mut Fields<'_>, key: &str, problems: &Problems) -> Option<Locator> {
    let path = format!("{}.{key}", fields.path());
    let alternatives = fields.texts(key)?.into_iter().filter_map(|text| {
        let pieces = Locator::parse(&text);
        if pieces.is_none() {
            problems.add(
                &path,
                &format!("{text:?} is not body:/POINTER, item:/POINTER, header:NAME, query:NAME or a template of them"),
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

/// The document is in the item where there are many events: a message holds only its own item.
fn documents(fields: &mut Fields<'_>, many: bool, problems: &Problems) -> Vec<Pointer> {
    let path = format!("{}.document", fields.path());
    let texts = fields.texts("document").unwrap_or_default();
    let places = texts
        .iter()
        .filter_map(|text| match (Locator::parse(text).as_deref(), many) {
            (Some([Piece::Body(pointer)]), false) | (Some([Piece::Item(pointer)]), true) => {
                Some(pointer.clone())
            }
            _ => {
                let place = if many { "item" } else { "body" };
                problems.add(&path, &format!("{text:?} is not {place}:/POINTER"));
                None
            }
        });
    places.collect()
}
