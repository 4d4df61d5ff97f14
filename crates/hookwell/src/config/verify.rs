//! The `verify` table: a recipe, or several of which any is enough.

use super::{DEFAULT_TOLERANCE, check_headers, pointer};
use crate::fields::{Fields, Problems};
use crate::recipe::{Algorithm, Encoding, Part, Recipe, SignatureField, Timestamp, TimestampPlace};
use crate::secret::{KeyDecoding, KeyEncoding};
use crate::time::Unit;

pub(super) fn recipes(mut verify: Fields<'_>, problems: &Problems) -> Vec<Recipe> {
    if let Some(all) = verify.tables("any_of") {
        verify.finish();
        return all
            .into_iter()
            .filter_map(|fields| recipe(fields, problems))
            .collect();
    }
    recipe(verify, problems).into_iter().collect()
}

fn recipe(mut fields: Fields<'_>, problems: &Problems) -> Option<Recipe> {
    let path = fields.path().to_owned();
    let algorithm = fields.choice("alg", &Algorithm::NAMES);
    if algorithm.is_none() && !fields.had("alg") {
        problems.add(&format!("{path}.alg"), "is missing");
    }
    let encoding = fields.choice(
        "key",
        &[
            ("utf8", KeyEncoding::Utf8),
            ("base64", KeyEncoding::Base64),
            ("hex", KeyEncoding::Hex),
        ],
    );
    let key = KeyDecoding {
        strip: fields.texts("key_strip").unwrap_or_default(),
        encoding: encoding.unwrap_or_default(),
    };
    let signature = fields
        .table("signature")
        .map(|signature| signature_field(signature, problems));
    let timestamp = fields
        .table("timestamp")
        .and_then(|timestamp| self::timestamp(timestamp, problems));
    let content = fields
        .text("content")
        .map(|template| match Part::parse(&template) {
            Ok(parts) => parts,
            Err(problem) => {
                problems.add(&format!("{path}.content"), &problem);
                Vec::new()
            }
        });
    fields.finish();
    let algorithm = algorithm?;
    let wants_content = !matches!(
        algorithm,
        Algorithm::Token | Algorithm::Basic | Algorithm::Unsigned
    );
    if algorithm != Algorithm::Unsigned && signature.is_none() {
        problems.add(
            &format!("{path}.signature"),
            "is missing: say which header holds the signature",
        );
    }
    if wants_content && content.is_none() {
        problems.add(
            &format!("{path}.content"),
            "is missing: say what is signed, \"{body}\"",
        );
    }
    let content = content.unwrap_or_default();
    if content.contains(&Part::Timestamp) && timestamp.is_none() {
        problems.add(
            &format!("{path}.timestamp"),
            "is missing: the content has {ts}",
        );
    }
    if matches!(algorithm, Algorithm::Sha256 | Algorithm::Sha1) && !content.contains(&Part::Secret)
    {
        problems.add(
            &format!("{path}.content"),
            "a plain hash without {secret} proves nothing",
        );
    }
    Some(Recipe {
        algorithm,
        key,
        signature,
        timestamp,
        content,
    })
}

fn signature_field(mut fields: Fields<'_>, problems: &Problems) -> SignatureField {
    let path = fields.path().to_owned();
    let headers = fields.texts("header").unwrap_or_default();
    if headers.is_empty() {
        problems.add(&format!("{path}.header"), "is missing");
    }
    check_headers(&headers, &format!("{path}.header"), problems);
    let kv = fields.text("kv");
    if kv.as_ref().is_some_and(|kv| kv.chars().count() != 1) {
        problems.add(&format!("{path}.kv"), "is one character");
    }
    let tag = fields.text("tag");
    if tag.is_some() != kv.is_some() {
        problems.add(
            &format!("{path}.tag"),
            "tag and kv go together: in v1=abc they are \"v1\" and \"=\"",
        );
    }
    let field = SignatureField {
        headers,
        separator: fields.text("separator"),
        kv: kv.and_then(|kv| kv.chars().next()),
        tag,
        encoding: fields
            .choice("encoding", &Encoding::NAMES)
            .unwrap_or(Encoding::Hex),
    };
    fields.finish();
    field
}

fn timestamp(mut fields: Fields<'_>, problems: &Problems) -> Option<Timestamp> {
    let path = fields.path().to_owned();
    let headers = fields.texts("header");
    let tag = fields.text("tag");
    let body = fields
        .text("body")
        .and_then(|text| pointer(&text, &format!("{path}.body"), problems));
    let unit = fields.choice("unit", &Unit::NAMES).unwrap_or(Unit::Seconds);
    let past = fields.number("past", 1, 86_400).unwrap_or(300);
    let future = fields.number("future", 0, 86_400).unwrap_or(300);
    fields.finish();
    let place = match (headers, tag, body) {
        (Some(names), None, None) => {
            check_headers(&names, &format!("{path}.header"), problems);
            TimestampPlace::Header(names)
        }
        (None, Some(tag), None) => TimestampPlace::Tag(tag),
        (None, None, Some(pointer)) => TimestampPlace::Body(pointer),
        _ => {
            problems.add(&path, "has one of header, tag or body");
            return None;
        }
    };
    let seconds = |number: usize| u32::try_from(number).unwrap_or(DEFAULT_TOLERANCE);
    Some(Timestamp {
        place,
        unit,
        past: seconds(past),
        future: seconds(future),
    })
}
