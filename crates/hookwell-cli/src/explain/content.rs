//! Other bytes that a sender may sign: the pieces of its recipe and of the request, in other order and with other
//! characters between them.

use std::slice;

use hookwell::event::delivery::Delivery;
use hookwell::source::Source;
use hookwell::verify::recipe::{Part, Recipe};

/// Characters between the pieces.
const SEPARATORS: [&str; 8] = ["", ".", ":", "\n", "|", "-", ",", " "];

/// Contents with characters before their pieces.
const TEMPLATES: [&str; 3] = ["v0:{ts}:{body}", "v1:{ts}:{body}", "v1.{ts}.{body}"];

/// The longest value of a header that may be a piece, in bytes.
const MAX_HEADER: usize = 200;

/// The most pieces of a recipe that are put in every order.
const MAX_PIECES: usize = 4;

/// Other contents that `recipe` could have, each with the body in it.
pub(super) fn contents(recipe: &Recipe, source: &Source, delivery: &Delivery) -> Vec<Vec<Part>> {
    let own = pieces(recipe);
    let mut lists = orders(&own);
    for other in others(recipe, source, delivery) {
        if !own.contains(&other) {
            lists.push(vec![other.clone(), Part::Body]);
            lists.push(vec![Part::Body, other]);
        }
    }
    let templates = TEMPLATES.iter().filter(|_| recipe.timestamp.is_some());
    let templates = templates.filter_map(|template| Part::parse(template).ok());
    let joined = lists.iter().flat_map(|list| {
        let count = if list.len() < 2 { 1 } else { SEPARATORS.len() };
        let separators = SEPARATORS.iter().take(count);
        separators.map(|separator| join(list, separator))
    });
    let mut contents: Vec<_> = joined.chain(templates).collect();
    contents.retain(|content| *content != recipe.content);
    contents
}

/// Pieces of a recipe's own content, the body and the time among them.
fn pieces(recipe: &Recipe) -> Vec<Part> {
    let mut pieces = Vec::new();
    let time = recipe.timestamp.as_ref().map(|_| Part::Timestamp);
    let own = recipe.content.iter().flat_map(|part| match part {
        Part::Optional(parts) => parts.clone(),
        part => vec![part.clone()],
    });
    for piece in own.chain([Part::Body]).chain(time) {
        if !matches!(piece, Part::Literal(_)) && !pieces.contains(&piece) {
            pieces.push(piece);
        }
    }
    pieces
}

/// Pieces of the request that the recipe does not name.
fn others(recipe: &Recipe, source: &Source, delivery: &Delivery) -> Vec<Part> {
    let is_signature = |name: &str| {
        let mut fields = recipe.signature.iter().flat_map(|field| &field.headers);
        fields.any(|header| header.eq_ignore_ascii_case(name))
    };
    let headers = delivery.headers.iter();
    let headers = headers.filter(|(name, value)| {
        !is_signature(name.as_str()) && !value.is_empty() && value.len() <= MAX_HEADER
    });
    let headers = headers.map(|(name, _)| Part::Header(vec![name.to_string()]));
    let url = source.public_url.as_ref().map(|_| Part::Url);
    [Part::Method]
        .into_iter()
        .chain(url)
        .chain(headers)
        .collect()
}

/// Every selection of these pieces with the body in it, in every order, the shortest first.
fn orders(pieces: &[Part]) -> Vec<Vec<Part>> {
    if pieces.len() > MAX_PIECES {
        return vec![vec![Part::Body], pieces.to_vec()];
    }
    let (mut found, mut longest) = (Vec::new(), vec![Vec::new()]);
    for _ in pieces {
        longest = longest
            .iter()
            .flat_map(|list: &Vec<Part>| {
                let rest = pieces.iter().filter(|piece| !list.contains(piece));
                rest.map(|piece| [list.as_slice(), slice::from_ref(piece)].concat())
            })
            .collect();
        found.extend(longest.clone());
    }
    found.retain(|list| list.contains(&Part::Body));
    found
}

fn join(list: &[Part], separator: &str) -> Vec<Part> {
    let mut joined = Vec::new();
    for piece in list {
        if !joined.is_empty() && !separator.is_empty() {
            joined.push(Part::Literal(separator.to_owned()));
        }
        joined.push(piece.clone());
    }
    joined
}

/// A content as a sources file writes it.
pub(super) fn written(content: &[Part]) -> String {
    content.iter().map(ToString::to_string).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pieces_stand_in_every_order_and_never_without_the_body() {
        let lists = orders(&[Part::Timestamp, Part::Body]);
        let written: Vec<_> = lists.iter().map(|list| written(&join(list, "."))).collect();
        assert_eq!(written, ["{body}", "{ts}.{body}", "{body}.{ts}"]);
    }
}
