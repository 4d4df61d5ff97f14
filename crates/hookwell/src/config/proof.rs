//! Refuses recipes that prove nothing, before anybody relies on a source to which a stranger could send.

use std::collections::BTreeMap;

use crate::config::fields::Problems;
use crate::deliver::{Destination, Target};
use crate::event::Operation;
use crate::format::body::BodyFormat;
use crate::keys::reference::SecretRef;
use crate::source::handshake::Handshake;
use crate::source::mapping::{Locator, Mapping, Parts, Piece};
use crate::source::{Source, Weakness};
use crate::verify::algorithm::Algorithm;
use crate::verify::recipe::{Part, Recipe, TimestampPlace};
use crate::verify::scheme::Scheme;

/// Reports the parts of a delivery that a recipe leaves unsigned or movable. `accepts` are the weaknesses that the
/// source takes knowingly.
pub(super) fn recipe(recipe: &Recipe, accepts: &[Weakness], path: &str, problems: &Problems) {
    let always = |part: &Part| recipe.content.contains(part);
    let content = format!("{path}.content");
    let is_signed = recipe.algorithm.signs();
    if !is_signed && !recipe.content.is_empty() {
        problems.add(
            &content,
            "signs nothing here: leave it out, or name an alg that signs",
        );
    }
    if is_signed
        && !recipe.content.is_empty()
        && !always(&Part::Body)
        && !accepts.contains(&Weakness::UnsignedBody)
    {
        problems.add(
            &content,
            "is without {body}, so that anybody with one delivery can send any body: add {body}. Where the sender \
             signs no body, say accept = [\"unsigned-body\"]",
        );
    }
    hashes(recipe, accepts, &content, problems);
    let mut flat = Vec::new();
    flatten(&recipe.content, &mut flat);
    for pair in flat.windows(2) {
        if let [one, other] = pair
            && (one.is_field() || other.is_field())
            && one.varies()
            && other.varies()
        {
            problems.add(
                &content,
                &format!(
                    "has nothing between {one} and {other}, so that anybody with one delivery can move text from one to the \
                     other: name a separator, as the sender signs it"
                ),
            );
        }
    }
    if let Some(timestamp) = &recipe.timestamp {
        let is_in_content = match &timestamp.place {
            TimestampPlace::Header(names) => always(&Part::Header(names.clone())),
            TimestampPlace::Tag(_) => false,
            TimestampPlace::Body(_) => always(&Part::Body),
        };
        if !(is_signed && (is_in_content || always(&Part::Timestamp))) {
            problems.add(
                &format!("{path}.timestamp"),
                "is not signed, so that anybody can renew it: put {ts} into content, outside of [ ], or leave the \
                 timestamp out",
            );
        }
    }
    let Some(signature) = &recipe.signature else {
        return;
    };
    for name in &signature.headers {
        if is_signed && recipe.signs_header(name) {
            problems.add(
                &content,
                &format!("holds {name:?}, which is the signature itself: name another header"),
            );
        }
    }
    for (key, text) in [("tag", &signature.tag), ("separator", &signature.separator)] {
        if text.as_deref() == Some("") {
            problems.add(
                &format!("{path}.signature.{key}"),
                "is empty: leave it out, or say what it is",
            );
        }
    }
}

/// Collects the parts of a content, those that may be left out among them.
fn flatten<'p>(parts: &'p [Part], flat: &mut Vec<&'p Part>) {
    for part in parts {
        match part {
            Part::Optional(inner) => flatten(inner, flat),
            part => flat.push(part),
        }
    }
}

/// Reports a plain hash whose content lacks the secret, or has the secret anywhere but at the end.
fn hashes(recipe: &Recipe, accepts: &[Weakness], path: &str, problems: &Problems) {
    if !matches!(recipe.algorithm, Algorithm::Sha256 | Algorithm::Sha1) {
        return;
    }
    if !recipe.content.contains(&Part::Secret) {
        problems.add(path, "a plain hash without {secret} proves nothing");
    } else if recipe.content.last() != Some(&Part::Secret)
        && !accepts.contains(&Weakness::LengthExtension)
    {
        problems.add(
            path,
            "does not end with {secret}: who knows such a hash can add to what it is of (length extension). Use \
             hmac-sha256; where the sender does not offer it, say accept = [\"length-extension\"]",
        );
    }
}

/// Reports an empty list of recipes, and an unsigned recipe that makes the others beside it worthless.
pub(super) fn together(recipes: &[Recipe], path: &str, problems: &Problems) {
    if recipes.is_empty() {
        problems.add(path, "is empty: say how the sender signs");
    }
    let is_unsigned = |recipe: &Recipe| recipe.algorithm == Algorithm::Unsigned;
    if recipes.len() > 1 && recipes.iter().any(is_unsigned) {
        problems.add(
            path,
            "has \"unsigned\" beside others, which makes them worthless: leave it out",
        );
    }
}

/// Reports event parts that anybody may choose. `is_own`: the file itself says what happens to which document.
pub(super) fn places(source: &Source, is_own: bool, path: &str, problems: &Problems) {
    let mapping = &source.mapping;
    let never_counts = |scheme: &Scheme| match scheme {
        Scheme::Recipe(recipe) => recipe
            .secret
            .is_some_and(|only| only >= source.secrets.len()),
        Scheme::Special(_) => false,
    };
    let has_secrets = !source.secrets.is_empty();
    if has_secrets && !source.schemes.is_empty() && source.schemes.iter().all(never_counts) {
        problems.add(
            &format!("{path}.secrets"),
            "has no entry for verify.secret, which counts from 0: nothing would ever be taken",
        );
    }
    let is_constant = |locator: &Locator| {
        let mut alternatives = locator.0.iter();
        alternatives.any(|pieces| pieces.iter().all(|one| matches!(one, Piece::Literal(_))))
    };
    if mapping
        .all_parts()
        .filter_map(|parts| parts.id.as_ref())
        .any(is_constant)
    {
        problems.add(
            &format!("{path}.event.id"),
            "is the same for every event, so that all but the first would be dropped: name a place that tells them apart",
        );
    }
    let mut times = mapping.all_parts().filter_map(|parts| parts.time.as_ref());
    if source.max_age.is_some() && times.any(|time| is_open(source, time)) {
        problems.add(
            &format!("{path}.max_age"),
            "is of a time that is not signed, so that anybody can renew it: leave it out, or read event.time from what \
             is signed",
        );
    }
    let signs = |handshake: &Handshake| handshake.kind.signs();
    let mut schemes = source.schemes.iter();
    let leaves_body = schemes.any(|scheme| !scheme.is_bearer() && !scheme.signs_body());
    if source.handshake.as_ref().is_some_and(signs) && leaves_body {
        problems.add(
            &format!("{path}.handshake"),
            "signs a text that whoever asks may choose, which here is as good as a delivery: sign the body as well, or \
             leave the handshake out",
        );
    }
    let mut schemes = source.schemes.iter();
    if source.body != BodyFormat::Json && schemes.any(may_leave_out) {
        problems.add(
            &format!("{path}.verify.content"),
            "has a part in [ ] beside a body that is not JSON, so that anybody with one delivery can move text from the \
             body to that part: write the part without [ ], with a separator",
        );
    }
    if is_own {
        documents(source, mapping, path, problems);
    }
}

/// True when a scheme signs the body beside an optional part. JSON that is cut is no JSON, but a form that is cut
/// anywhere is still a form.
fn may_leave_out(scheme: &Scheme) -> bool {
    let Scheme::Recipe(recipe) = scheme else {
        return false;
    };
    let mut parts = recipe.content.iter();
    recipe.content.contains(&Part::Body) && parts.any(|part| matches!(part, Part::Optional(_)))
}

/// True when anybody may choose what is read from one of the places.
fn is_open(source: &Source, locator: &Locator) -> bool {
    let mut alternatives = locator.0.iter();
    alternatives.any(|pieces| !source.proves(pieces))
}

/// Says where the file names documents that anybody could change.
fn documents(source: &Source, mapping: &Mapping, path: &str, problems: &Problems) {
    let is_open = |locator: &Option<Locator>| {
        let mut locator = locator.iter();
        locator.any(|locator| is_open(source, locator))
    };
    if is_open(&mapping.parts.document_id) {
        problems.add(
            &format!("{path}.event.document_id"),
            "is in a place that is not signed, so that anybody with one delivery can change any document: read it \
             from the body",
        );
    }
    let words = [
        ("type", &mapping.kind),
        ("operation", &mapping.parts.operation),
        ("document_type", &mapping.parts.document_type),
    ];
    let open = words.into_iter().find(|(_, locator)| is_open(locator));
    let does_something = |parts: &Parts| {
        let mut words = parts.operations.iter();
        words.any(|(_, operation)| *operation != Operation::Other)
    };
    if !mapping.all_parts().any(does_something) {
        return;
    }
    let has_shape = mapping.all_parts().any(|parts| parts.shape.is_some());
    if let (Some((word, _)), false) = (open, has_shape) {
        problems.add(
            &format!("{path}.event.{word}"),
            "is in a place that is not signed, so that anybody with one delivery can make another event of it: read it \
             from the body, or say what a body of each kind looks like, shape = [\"/issue\", \"!/comment\"] (shape = [] \
             believes every body)",
        );
    }
}

/// Sources by the references of their secrets, each without its stage.
type Owners<'s> = BTreeMap<String, Vec<(&'s Source, &'s SecretRef)>>;

/// Reports each secret of a source that another source, a destination or the token of a handshake has too: whatever is
/// signed with the secret for one of them is valid for the other.
pub(super) fn shared(sources: &[Source], destinations: &[Destination], problems: &Problems) {
    let mut owners = Owners::new();
    for source in sources {
        for reference in &source.secrets {
            let known = owners.entry(reference.without_stage()).or_default();
            let mut latest = known.iter().rev();
            let other =
                latest.find(|(other, same)| other.name != source.name || *same == reference);
            if let Some((other, _)) = other {
                shared_by_two(source, other, reference, problems);
            }
            known.push((source, reference));
        }
    }
    let owners_of = |reference: &SecretRef| owners.get(&reference.without_stage());
    for destination in destinations {
        let Target::Http { secret, .. } = &destination.to else {
            continue;
        };
        let path = format!("destinations.{}.secret", destination.name);
        for (owner, _) in owners_of(secret).into_iter().flatten() {
            told(owner, None, secret, "this destination", &path, problems);
        }
    }
    for source in sources {
        let handshake = source.handshake.as_ref();
        let Some(token) = handshake.and_then(|handshake| handshake.verify_token.as_ref()) else {
            continue;
        };
        let path = format!("sources.{}.handshake.verify_token", source.name);
        let others = owners_of(token).into_iter().flatten();
        for (owner, _) in others.filter(|(owner, _)| owner.name != source.name) {
            told(owner, Some(source), token, "this sender", &path, problems);
        }
    }
}

fn accepts_shared(source: &Source) -> bool {
    source.accepts.contains(&Weakness::SharedSecret)
}

/// Reports that a secret of `owner` is used elsewhere as well.
fn told(
    owner: &Source,
    beside: Option<&Source>,
    reference: &SecretRef,
    who: &str,
    path: &str,
    problems: &Problems,
) {
    if accepts_shared(owner) && beside.is_none_or(accepts_shared) {
        return;
    }
    let owner = &owner.name;
    problems.add(
        path,
        &format!(
            "{reference} is also a secret of sources.{owner}, so that {who} could send to that one: give each its own. \
             Where that cannot be, say accept = [\"shared-secret\"] in each source"
        ),
    );
}

fn shared_by_two(source: &Source, other: &Source, reference: &SecretRef, problems: &Problems) {
    let path = format!("sources.{}.secrets", source.name);
    if other.name == source.name {
        problems.add(&path, &format!("has {reference} twice"));
    } else if !(accepts_shared(source) && accepts_shared(other)) {
        problems.add(
            &path,
            &format!(
                "{reference} is also a secret of sources.{}, so that each delivery to one is as good for the other: give \
                 each its own. Where that cannot be, say accept = [\"shared-secret\"] in both",
                other.name
            ),
        );
    }
}
