//! The `event` table: where the parts of an event are.

use toml::{Table, Value};

use crate::config::fields::{Fields, Problems};
use crate::config::values::{check_headers, pattern};
use crate::event::Operation;
use crate::format::json::Pointer;
use crate::format::pattern::Pattern;
use crate::source::mapping::{Locator, Mapping, Parts, Piece};
use crate::source::shape::Shape;

pub(super) fn mapping(
    mut fields: Fields<'_>,
    required: Vec<Pointer>,
    guessed: bool,
    problems: &Problems,
) -> Mapping {
    let path = fields.path().to_owned();
    let each = each(&mut fields, problems);
    let many = !each.is_empty();
    let kind = locator(&mut fields, "type", problems);
    let unique_ids = fields.choice("ids", &[("unique", true)]).unwrap_or(false);
    let strict = fields.flag("strict").unwrap_or(false);
    let documents = fields.table("documents");
    let general = fields.rest();
    let parts = parts(&mut fields, many, problems);
    fields.finish();
    let documents = documents.map(|mut tables| {
        let kinds = tables.keys().into_iter();
        let kinds = kinds.filter_map(|name| {
            let mut fields = tables.table(&name)?;
            // The table's name is the document type here: the general `document_type` is for other documents.
            let document_type = Table::from_iter([(
                "document_type".to_owned(),
                Value::String(format!("text:{name}")),
            )]);
            fields.underlay(document_type);
            let mut general = general.clone();
            // A table with operations of its own takes no general ones: a longer general pattern would win.
            if fields.has("operations") {
                general.remove("operations");
            }
            // A table with a shape of its own takes no general `deletion_shape` either.
            if fields.has("shape") {
                general.remove("deletion_shape");
            }
            fields.underlay(general);
            Some(document(fields, many, problems))
        });
        kinds.collect()
    });
    let mapping = Mapping {
        required,
        each,
        kind,
        parts,
        documents: documents.unwrap_or_default(),
        unique_ids,
        guessed: guessed && !strict,
    };
    if !many && mapping.reads_items() {
        problems.add(
            &format!("{path}.each"),
            "is missing: item: looks into the items of a list, so say where the list is",
        );
    }
    mapping
}

/// The events about one kind of document, and where their parts are.
fn document(mut fields: Fields<'_>, many: bool, problems: &Problems) -> (Vec<Pattern>, Parts) {
    let path = format!("{}.types", fields.path());
    let types = fields.texts("types").unwrap_or_default();
    if types.is_empty() {
        problems.add(&path, "is missing: say which types are about this document");
    }
    let types = types
        .iter()
        .filter_map(|text| pattern(text, &path, problems));
    let types = types.collect();
    let parts = parts(&mut fields, many, problems);
    fields.finish();
    (types, parts)
}

fn parts(fields: &mut Fields<'_>, many: bool, problems: &Problems) -> Parts {
    let path = format!("{}.operations", fields.path());
    let mut operations = Vec::new();
    if let Some(mut words) = fields.table("operations") {
        for word in words.keys() {
            let operation = words.choice(&word, &Operation::NAMES);
            operations.extend(pattern(&word, &path, problems).zip(operation));
        }
    }
    Parts {
        id: locator(fields, "id", problems),
        time: locator(fields, "time", problems),
        version: locator(fields, "version", problems),
        operation: locator(fields, "operation", problems),
        operations,
        document: documents(fields, many, problems),
        document_id: locator(fields, "document_id", problems),
        document_type: locator(fields, "document_type", problems),
        shape: shape(fields, "shape", problems),
        deletion_shape: shape(fields, "deletion_shape", problems),
    }
}

/// Shape of a body that is about such a document.
fn shape(fields: &mut Fields<'_>, key: &str, problems: &Problems) -> Option<Shape> {
    let texts = fields.texts(key)?;
    match Shape::parse(&texts) {
        Ok(shape) => Some(shape),
        Err((text, why)) => {
            problems.add(
                &format!("{}.{key}", fields.path()),
                &format!("{text:?} {why}"),
            );
            None
        }
    }
}

/// Places of the lists of events.
fn each(fields: &mut Fields<'_>, problems: &Problems) -> Vec<Pointer> {
    let path = format!("{}.each", fields.path());
    let texts = fields.texts("each").unwrap_or_default();
    let places = texts.iter().filter_map(|text| {
        if let Some([Piece::Body(pointer)]) = Locator::parse(text).as_deref() {
            return Some(pointer.clone());
        }
        problems.add(&path, &format!("{text:?} is not body:/POINTER"));
        None
    });
    places.collect()
}

fn locator(fields: &mut Fields<'_>, key: &str, problems: &Problems) -> Option<Locator> {
    let path = format!("{}.{key}", fields.path());
    let texts = fields.texts(key).filter(|texts| !texts.is_empty())?;
    let alternatives = texts.into_iter().filter_map(|text| {
        let pieces = Locator::parse(&text);
        if pieces.is_none() {
            problems.add(
                &path,
                &format!("{text:?} is not body:/POINTER, item:/POINTER, outer:/POINTER, document:/POINTER, header:NAME, query:NAME, text:WORD or a template of them"),
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

/// Reads the places of the document: in the item where a delivery has many events, because a message holds one item.
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
