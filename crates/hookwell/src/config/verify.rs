//! Reads how a source verifies: the `verify` table with a recipe, or several of which any counts; or the name of a
//! scheme that is code.

use crate::config::fields::{Fields, Problems};
use crate::config::proof;
use crate::config::values::{check_headers, pointer};
use crate::format::encoding::Encoding;
use crate::format::time::Unit;
use crate::keys::public_key::KeyKind;
use crate::keys::secret::{KeyDecoding, KeyEncoding};
use crate::source::Weakness;
use crate::verify::algorithm::Algorithm;
use crate::verify::providers::{Special, SpecialKind};
use crate::verify::recipe::{Part, Recipe, SignatureField, Timestamp, TimestampPlace};
use crate::verify::scheme::Scheme;
use crate::verify::verifier::Tolerance;

/// Distance that a signed time may have from now unless the recipe says otherwise, in seconds (Standard Webhooks).
const DEFAULT_TOLERANCE: u32 = 300;

pub(super) fn schemes(
    fields: &mut Fields<'_>,
    accepts: &[Weakness],
    problems: &Problems,
) -> Vec<Scheme> {
    let path = fields.path().to_owned();
    let verifier = fields.choice("verifier", &SpecialKind::NAMES);
    let named = fields.had("verifier") && verifier.is_some();
    let tolerance = fields.table("tolerance");
    let topics = fields.texts("topics").unwrap_or_default();
    if !topics.is_empty() && verifier != Some(SpecialKind::AwsSns) {
        problems.add(
            &format!("{path}.topics"),
            "goes with verifier = \"aws-sns\"",
        );
    }
    if topics.is_empty() && verifier == Some(SpecialKind::AwsSns) {
        problems.add(
            &format!("{path}.topics"),
            "is missing: every AWS account can have SNS sign to this address, so name the topics that may send, \
             [\"arn:aws:sns:REGION:ACCOUNT:NAME\"]",
        );
    }
    if tolerance.is_some() && !named {
        problems.add(
            &format!("{path}.tolerance"),
            "goes with a verifier; in a recipe it is timestamp.past and timestamp.future",
        );
    }
    if tolerance.is_some() && verifier.is_some_and(|kind| !kind.has_time()) {
        problems.add(
            &format!("{path}.tolerance"),
            "does nothing here: this sender signs no time that is checked. Leave it out; max_age may do what you want",
        );
    }
    let tolerance = tolerance.map(|mut table| {
        let tolerance = self::tolerance(&mut table);
        table.finish();
        tolerance
    });
    match (fields.table("verify"), verifier) {
        (None, Some(kind)) => vec![Scheme::Special(Special {
            kind,
            tolerance: tolerance.unwrap_or(Tolerance {
                past: DEFAULT_TOLERANCE,
                future: DEFAULT_TOLERANCE,
            }),
            topics,
        })],
        (Some(verify), None) => recipes(verify, accepts, problems)
            .into_iter()
            .map(|recipe| Scheme::Recipe(Box::new(recipe)))
            .collect(),
        (Some(_), Some(_)) => {
            problems.add(
                &format!("{path}.verify"),
                "is there beside verifier: only one can be",
            );
            Vec::new()
        }
        (None, None) => {
            problems.add(
                &format!("{path}.verify"),
                "is missing: name a preset, or say how the sender signs",
            );
            Vec::new()
        }
    }
}

fn recipes(mut verify: Fields<'_>, accepts: &[Weakness], problems: &Problems) -> Vec<Recipe> {
    let Some(all) = verify.tables("any_of") else {
        return recipe(verify, accepts, problems).into_iter().collect();
    };
    let path = format!("{}.any_of", verify.path());
    verify.finish();
    let count = all.len();
    let recipes: Vec<_> = all
        .into_iter()
        .filter_map(|fields| recipe(fields, accepts, problems))
        .collect();
    if recipes.len() == count {
        proof::together(&recipes, &path, problems);
    }
    recipes
}

fn recipe(mut fields: Fields<'_>, accepts: &[Weakness], problems: &Problems) -> Option<Recipe> {
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
    let own = match algorithm {
        Some(Algorithm::Ed25519) => Some(KeyEncoding::Public(KeyKind::Ed25519)),
        Some(Algorithm::EcdsaP256Sha256) => Some(KeyEncoding::Public(KeyKind::P256)),
        Some(Algorithm::Basic) => Some(KeyEncoding::Credentials),
        _ => None,
    };
    let unread = match own {
        Some(KeyEncoding::Public(_)) => {
            Some("does not go with a public key, which is read in every form that providers give")
        }
        Some(_) => Some("does not go with \"basic\", whose secret is user:password"),
        None => None,
    };
    if let (Some(why), Some(_)) = (unread, encoding) {
        problems.add(&format!("{path}.key"), why);
    }
    let key = KeyDecoding {
        strip: fields.texts("key_strip").unwrap_or_default(),
        encoding: own.or(encoding).unwrap_or_default(),
    };
    let require = require(&mut fields, problems);
    let secret = fields.number("secret", 0, 2);
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
                // The template's problem is reported. Body and time stand in for it, so that no second problem follows.
                let time = timestamp.is_some().then_some(Part::Timestamp);
                [Part::Body]
                    .into_iter()
                    .chain(time)
                    .chain([Part::Secret])
                    .collect()
            }
        });
    fields.finish();
    let algorithm = algorithm?;
    if algorithm != Algorithm::Unsigned && signature.is_none() {
        problems.add(
            &format!("{path}.signature"),
            "is missing: say which header holds the signature",
        );
    }
    if algorithm.signs() && content.as_ref().is_none_or(Vec::is_empty) {
        problems.add(
            &format!("{path}.content"),
            "is missing: say what is signed, \"{body}\"",
        );
    }
    let content = content.unwrap_or_default();
    if Part::any_in(&content, &|part| *part == Part::Timestamp) && timestamp.is_none() {
        problems.add(
            &format!("{path}.timestamp"),
            "is missing: the content has {ts}",
        );
    }
    let recipe = Recipe {
        algorithm,
        key,
        signature,
        timestamp,
        content,
        require,
        secret,
    };
    proof::recipe(&recipe, accepts, &path, problems);
    Some(recipe)
}

fn require(fields: &mut Fields<'_>, problems: &Problems) -> Vec<(String, String)> {
    let Some(mut table) = fields.table("require") else {
        return Vec::new();
    };
    let names = table.keys();
    check_headers(&names, table.path(), problems);
    let pairs = names.into_iter().filter_map(|name| {
        let value = table.text(&name)?;
        Some((name, value))
    });
    let pairs = pairs.collect();
    table.finish();
    pairs
}

fn tolerance(fields: &mut Fields<'_>) -> Tolerance {
    let mut seconds = |key, least| {
        let number = fields.number(key, least, 35 * 86_400);
        number
            .and_then(|number| u32::try_from(number).ok())
            .unwrap_or(DEFAULT_TOLERANCE)
    };
    Tolerance {
        past: seconds("past", 1),
        future: seconds("future", 0),
    }
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
    let tolerance = tolerance(&mut fields);
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
    Some(Timestamp {
        place,
        unit,
        tolerance,
    })
}
