//! Mistakes in a recipe: each entry changes one thing of it, and says in plain words what that means and how to mend it.

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use hookwell::event::delivery::Delivery;
use hookwell::format::encoding::Encoding;
use hookwell::format::time::Unit;
use hookwell::keys::secret::KeyEncoding;
use hookwell::source::Source;
use hookwell::verify::algorithm::Algorithm;
use hookwell::verify::recipe::{MAX_SIGNATURES, Part, Recipe, SignatureField};

use super::content::{contents, written};
use super::variation::{Difference, Variation};

/// Every variation of a recipe but the units of its time, the likeliest first.
pub(super) fn all<'a>(
    recipe: &Recipe,
    source: &Source,
    delivery: &Delivery,
) -> impl Iterator<Item = Variation<'a>> + use<'a> {
    [
        algorithms(recipe),
        encodings(recipe),
        tags(recipe, delivery),
        headers(recipe, delivery),
        keys(recipe, source),
        content(recipe, source, delivery),
        required(recipe),
    ]
    .into_iter()
    .flatten()
}

/// Other units of the signed time.
pub(super) fn units<'a>(recipe: &Recipe) -> Vec<Variation<'a>> {
    let Some(own) = recipe.timestamp.as_ref().map(|time| time.unit) else {
        return Vec::new();
    };
    let others = Unit::NAMES.into_iter().filter(|(_, unit)| *unit != own);
    let own = name_of(&Unit::NAMES, own);
    let variation = |(name, unit)| {
        let says = format!(
            "the signed time is written as \"{name}\", and this source reads \"{own}\": set verify.timestamp.unit = \
             \"{name}\", or have the sender write the other"
        );
        Variation::recipe(Difference::Unit, says, recipe, |recipe| {
            if let Some(time) = &mut recipe.timestamp {
                time.unit = unit;
            }
        })
    };
    others.map(variation).collect()
}

fn name_of<T: Copy + PartialEq>(names: &[(&'static str, T)], value: T) -> &'static str {
    let found = names.iter().find(|(_, one)| *one == value);
    found.map_or("another", |(name, _)| *name)
}

fn algorithms<'a>(recipe: &Recipe) -> Vec<Variation<'a>> {
    let own = name_of(&Algorithm::NAMES, recipe.algorithm);
    let mut found = Vec::new();
    let variation = |says: String, algorithm, content| {
        let change = |recipe: &mut Recipe| {
            recipe.algorithm = algorithm;
            recipe.content = content;
        };
        let is_other = algorithm != recipe.algorithm;
        is_other.then(|| Variation::recipe(Difference::Algorithm, says, recipe, change))
    };
    let mut plain = recipe.content.clone();
    plain.retain(|part| *part != Part::Secret);
    if plain.is_empty() {
        plain.push(Part::Body);
    }
    for algorithm in [
        Algorithm::HmacSha256,
        Algorithm::HmacSha512,
        Algorithm::HmacSha1,
    ] {
        let name = name_of(&Algorithm::NAMES, algorithm);
        let content = if plain == recipe.content {
            String::new()
        } else {
            format!(" and verify.content = {:?}", written(&plain))
        };
        let says = format!(
            "the sender signs with {name}, and this source expects {own}: set verify.alg = \"{name}\"{content}, or \
             have the sender sign with {own}"
        );
        found.extend(variation(says, algorithm, plain.clone()));
        found.extend(named_by_tag(recipe, algorithm));
    }
    for algorithm in [Algorithm::Sha256, Algorithm::Sha1] {
        let name = name_of(&Algorithm::NAMES, algorithm);
        let secret = || vec![Part::Secret];
        for content in [
            plain.clone(),
            [secret(), plain.clone()].concat(),
            [plain.clone(), secret()].concat(),
        ] {
            let says = format!(
                "the sender makes a plain {name} of {:?}, and this source expects {own}: have the sender sign with {own}",
                written(&content)
            );
            found.extend(variation(says, algorithm, content));
        }
    }
    let says = format!(
        "the header holds the secret itself and no signature, and this source expects {own}: have the sender sign, and \
         change the secret, which was shown"
    );
    found.extend(variation(says, Algorithm::Token, Vec::new()));
    found
}

/// Another algorithm whose name stands in the tag, as in `sha256=` for `sha512=`: one mistake of a sender, and two of a recipe.
fn named_by_tag<'a>(recipe: &Recipe, algorithm: Algorithm) -> Option<Variation<'a>> {
    let hash = |algorithm| name_of(&Algorithm::NAMES, algorithm).strip_prefix("hmac-");
    let own_tag = recipe.signature.as_ref()?.tag.as_ref()?;
    let (own, other) = (hash(recipe.algorithm)?, hash(algorithm)?);
    let tag = own_tag.replace(own, other);
    if tag == *own_tag {
        return None;
    }
    let says = format!(
        "the sender signs with hmac-{other} and names it {tag:?}, and this source expects hmac-{own} behind {own_tag:?}: set verify.alg = \
         \"hmac-{other}\" and verify.signature.tag = {tag:?}, or have the sender sign with hmac-{own}"
    );
    let change = |recipe: &mut Recipe| {
        recipe.algorithm = algorithm;
        if let Some(field) = &mut recipe.signature {
            field.tag = Some(tag);
        }
    };
    let variation = Variation::recipe(Difference::Algorithm, says, recipe, change);
    Some(variation)
}

fn encodings<'a>(recipe: &Recipe) -> Vec<Variation<'a>> {
    let signs = recipe.algorithm.signs();
    let Some(field) = recipe.signature.as_ref().filter(|_| signs) else {
        return Vec::new();
    };
    let own = name_of(&Encoding::NAMES, field.encoding);
    let is_other = |(_, encoding): &(_, _)| *encoding != field.encoding;
    let others = Encoding::NAMES.into_iter().filter(is_other);
    let variation = |(name, encoding)| {
        let says = format!(
            "the signature is written in {name}, and this source reads {own}: set verify.signature.encoding = \
             \"{name}\", or have the sender write {own}"
        );
        Variation::recipe(Difference::Encoding, says, recipe, |recipe| {
            if let Some(field) = &mut recipe.signature {
                field.encoding = encoding;
            }
        })
    };
    others.map(variation).collect()
}

/// The longest tag, in characters: a longer word in a header is no tag, and may be a signature.
const MAX_TAG: usize = 16;

/// Ways in which the signature headers of a delivery can be split, and tags in them.
fn tags<'a>(recipe: &Recipe, delivery: &Delivery) -> Vec<Variation<'a>> {
    let Some(own) = &recipe.signature else {
        return Vec::new();
    };
    let is_tag = |text: &str| {
        let is_plain = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
        !text.is_empty() && text.len() <= MAX_TAG && text.chars().all(is_plain)
    };
    let separators = [
        None,
        Some(","),
        Some(";"),
        Some(" "),
        own.separator.as_deref(),
    ];
    let mut fields = Vec::new();
    let mut add = |separator: Option<&str>, kv: Option<char>, tag: Option<&str>| {
        fields.push(SignatureField {
            separator: separator.map(str::to_owned),
            kv,
            tag: tag.map(str::to_owned),
            ..own.clone()
        });
    };
    let values = own.headers.iter().filter_map(|name| delivery.header(name));
    for value in values {
        for separator in separators {
            add(separator, None, None);
            let items = value.split(separator.unwrap_or("\n"));
            for item in items.take(MAX_SIGNATURES) {
                for kv in ['=', ':', ',', ' '] {
                    let tag = item.trim().split_once(kv).map(|(tag, _)| tag);
                    if let Some(tag) = tag.filter(|tag| is_tag(tag)) {
                        add(separator, Some(kv), Some(tag));
                    }
                }
            }
        }
    }
    let variation = |field: SignatureField| {
        let says = tag_says(&field, own);
        Variation::recipe(Difference::Tag, says, recipe, |recipe| {
            recipe.signature = Some(field);
        })
    };
    fields.into_iter().map(variation).collect()
}

fn tag_says(field: &SignatureField, own: &SignatureField) -> String {
    let before = |field: &SignatureField| {
        let (tag, kv) = (field.tag.as_ref()?, field.kv?);
        Some(format!("{tag}{kv}"))
    };
    let expects = match before(own) {
        Some(text) => format!("this source reads what stands behind \"{text}\""),
        None => "this source expects it alone".to_owned(),
    };
    let separator = match &field.separator {
        separator if *separator == own.separator => String::new(),
        Some(separator) => format!(", verify.signature.separator = \"{separator}\""),
        None => ", no verify.signature.separator".to_owned(),
    };
    if let (true, Some(separator)) = (before(field) == before(own), &field.separator) {
        return format!(
            "the header holds several items with {separator:?} between them, and this source splits it otherwise: set \
             verify.signature.separator = {separator:?}, or have the sender write it as expected"
        );
    }
    match (before(field), &field.tag, field.kv) {
        (Some(text), Some(tag), Some(kv)) => format!(
            "the signature stands behind \"{text}\", and {expects}: set verify.signature.tag = \"{tag}\", \
             verify.signature.kv = \"{kv}\"{separator}, or have the sender write it as expected"
        ),
        _ => format!(
            "the signature stands alone, without a tag or prefix, and {expects}: set no verify.signature.tag, no \
             verify.signature.kv{separator}, or have the sender write it as expected"
        ),
    }
}

fn headers<'a>(recipe: &Recipe, delivery: &Delivery) -> Vec<Variation<'a>> {
    let Some(own) = &recipe.signature else {
        return Vec::new();
    };
    let variation = |name: &http::HeaderName| {
        let says = format!(
            "the signature is in header {name}, where this source does not look: set verify.signature.header = \
             [\"{name}\"], or have the sender use {}",
            own.headers.join(" or ")
        );
        Variation::recipe(Difference::Header, says, recipe, |recipe| {
            if let Some(field) = &mut recipe.signature {
                field.headers = vec![name.to_string()];
            }
        })
    };
    delivery.headers.keys().map(variation).collect()
}

/// Readings of a secret's text: words for the finding, words for the remedy, and the key.
type Reading = (&'static str, &'static str, fn(&str) -> Option<Vec<u8>>);

const READINGS: [Reading; 13] = [
    (
        "as text, all of it",
        "set verify.key = \"utf8\" and no verify.key_strip",
        |text| Some(text.into()),
    ),
    (
        "decoded from base64",
        "set verify.key = \"base64\"",
        |text| STANDARD.decode(text).ok(),
    ),
    (
        "decoded from URL-safe base64",
        "write the secret here in plain base64, with verify.key = \"base64\"",
        |text| URL_SAFE_NO_PAD.decode(text.trim_end_matches('=')).ok(),
    ),
    ("decoded from hex", "set verify.key = \"hex\"", |text| {
        hex::decode(text).ok()
    }),
    (
        "without its prefix up to the first _",
        "name that prefix in verify.key_strip",
        |text| Some(text.split_once('_')?.1.into()),
    ),
    (
        "without its prefix up to the first _, decoded from base64",
        "name that prefix in verify.key_strip, and set verify.key = \"base64\"",
        |text| STANDARD.decode(text.split_once('_')?.1).ok(),
    ),
    (
        "with a line end behind it",
        "take the line end off at the sender (`printf` writes none, `echo` does)",
        |text| Some(format!("{text}\n").into()),
    ),
    (
        "with a line end (CR LF) behind it",
        "take the line end off at the sender",
        |text| Some(format!("{text}\r\n").into()),
    ),
    (
        "with a blank behind it",
        "take the blank off at the sender",
        |text| Some(format!("{text} ").into()),
    ),
    (
        "in double quotes",
        "take the quotes off at the sender",
        |text| Some(format!("\"{text}\"").into()),
    ),
    (
        "in single quotes",
        "take the quotes off at the sender",
        |text| Some(format!("'{text}'").into()),
    ),
    (
        "encoded in base64",
        "have the sender use it as it was given",
        |text| Some(STANDARD.encode(text).into()),
    ),
    (
        "encoded in hex",
        "have the sender use it as it was given",
        |text| Some(hex::encode(text).into()),
    ),
];

fn keys<'a>(recipe: &Recipe, source: &Source) -> Vec<Variation<'a>> {
    if matches!(recipe.key.encoding, KeyEncoding::Public(_)) {
        return Vec::new();
    }
    let mut found = Vec::new();
    for secret in &source.secrets {
        for (how, remedy, read) in READINGS {
            let says = format!(
                "the sender uses {secret} {how}, and this source reads it in another way: {remedy}"
            );
            let (secret, recipe) = (secret.clone(), recipe.clone());
            found.push(Variation::new(Difference::Key, says, move |look| {
                look.sign_by(recipe.clone());
                look.use_secret(secret);
                look.read_secret(read);
            }));
        }
    }
    found
}

fn content<'a>(recipe: &Recipe, source: &Source, delivery: &Delivery) -> Vec<Variation<'a>> {
    if !recipe.algorithm.signs() {
        return Vec::new();
    }
    let own = written(&recipe.content);
    let variation = |content: Vec<Part>| {
        let signs_time = content.contains(&Part::Timestamp);
        let and = if recipe.timestamp.is_some() && !signs_time {
            " and no verify.timestamp"
        } else {
            ""
        };
        let says = format!(
            "the sender signs {text:?}, and this source expects {own:?}: have the sender sign that, or set \
             verify.content = {text:?}{and}",
            text = written(&content)
        );
        Variation::recipe(Difference::Content, says, recipe, |recipe| {
            if !signs_time {
                recipe.timestamp = None;
            }
            recipe.content = content;
        })
    };
    let all = contents(recipe, source, delivery).into_iter();
    all.map(variation).collect()
}

fn required<'a>(recipe: &Recipe) -> Vec<Variation<'a>> {
    if recipe.require.is_empty() {
        return Vec::new();
    }
    let names: Vec<_> = recipe.require.iter().map(|(name, _)| &**name).collect();
    let says = format!(
        "the signature is good, and a header of verify.require is missing or has another value: {}",
        names.join(", ")
    );
    vec![Variation::recipe(
        Difference::Required,
        says,
        recipe,
        |recipe| {
            recipe.require.clear();
        },
    )]
}
