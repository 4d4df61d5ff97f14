//! A token that was masked when its request was recorded: only its length can be compared.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hookwell::event::delivery::Delivery;
use hookwell::format::json::{Json, Pointer};
use hookwell::ingest::masked::characters;
use hookwell::source::Source;
use hookwell::verify::algorithm::Algorithm;
use hookwell::verify::providers::SpecialKind;
use hookwell::verify::scheme::Scheme;

use super::known::Known;

/// Words about a masked token; `None` where the delivery has none that the source takes.
pub(super) fn says(source: &Source, known: Known<'_>, delivery: &Delivery) -> Option<String> {
    source.schemes.iter().find_map(|scheme| {
        let (place, length) = masked(scheme, delivery)?;
        let is_basic = matches!(scheme, Scheme::Recipe(recipe) if recipe.algorithm == Algorithm::Basic);
        let lengths = source.secrets.iter().filter_map(|secret| {
            let text = (known.fetch)(secret).ok()?;
            let text = text.trim();
            let length = if is_basic {
                STANDARD.encode(text).len()
            } else {
                text.chars().count()
            };
            Some((secret, length))
        });
        let lengths: Vec<_> = lengths.collect();
        let compared = lengths.iter();
        let compared = compared.map(|(secret, length)| format!(", and {secret} has {length}"));
        let compared: String = compared.collect();
        let remedy = if lengths.iter().any(|(_, own)| *own == length) {
            "compare the two"
        } else {
            "it is another one, or has something before or behind it, as a word, a blank or a line end"
        };
        let encoded = if is_basic { " in base64" } else { "" };
        Some(format!(
            "{place} holds what was masked when the request was recorded: it had {length} characters{encoded}{compared}: {remedy}"
        ))
    })
}

/// The place and the length of a token that was masked.
fn masked(scheme: &Scheme, delivery: &Delivery) -> Option<(String, usize)> {
    match scheme {
        Scheme::Recipe(recipe) if scheme.is_bearer() => {
            let mut names = recipe.signature.iter().flat_map(|field| &field.headers);
            names.find_map(|name| {
                let length = characters(&delivery.header(name)?)?;
                Some((format!("header {name}"), length))
            })
        }
        Scheme::Special(special) if special.kind == SpecialKind::MsGraph => {
            let body = Json::parse(&delivery.body).ok()?;
            let state = body.text(&Pointer::parse("/value/0/clientState")?).ok()??;
            Some(("/value/0/clientState".to_owned(), characters(&state)?))
        }
        _ => None,
    }
}
