//! A delivery made new: with ids that nobody has seen, and with another time, each written as it was before.

use serde_json::{Number, Value};

use super::edit::Edit;
use super::sample::Sample;
use crate::format::json::Pointer;
use crate::format::time::{Millis, written_like};
use crate::source::Source;
use crate::source::mapping::{Locator, Mapping, Parts, Piece};
use crate::verify::recipe::TimestampPlace;
use crate::verify::scheme::Scheme;

/// A delivery of a source with an event of this type, made new.
pub(super) fn renew(
    source: &Source,
    kind: &str,
    sample: Sample,
    random: [u8; 16],
    at: Millis,
) -> Sample {
    let parts = source.mapping.parts_of(kind);
    let mut delivery = Parsed::new(sample);
    for place in signed_times(source) {
        delivery.change(&Piece::Body(place.clone()), |old| time_like(old, at));
    }
    for (number, item) in (0..).zip(delivery.items(&source.mapping)) {
        delivery.stand_at(item, parts);
        if let Some(time) = delivery.only_piece(parts.time.as_ref()) {
            delivery.change(&time, |old| time_like(old, at));
        }
        if let Some(id) = delivery.id_piece(&source.mapping, parts) {
            let random = u128::from_be_bytes(random).wrapping_add(number);
            delivery.change(&id, |old| id_like(old, random));
        }
    }
    delivery.whole()
}

/// Places in the body of the times that a signature covers.
fn signed_times(source: &Source) -> impl Iterator<Item = &Pointer> {
    source.schemes.iter().filter_map(|scheme| match scheme {
        Scheme::Recipe(recipe) => match &recipe.timestamp.as_ref()?.place {
            TimestampPlace::Body(pointer) => Some(pointer),
            _ => None,
        },
        Scheme::Special(_) => None,
    })
}

/// A delivery whose body is taken apart, where it can be.
struct Parsed {
    sample: Sample,
    body: Option<Edit>,
    /// Place of the item whose pieces are meant; empty where a delivery is one event.
    item: String,
    /// Place of the document in the item.
    document: Option<String>,
}

impl Parsed {
    fn new(sample: Sample) -> Self {
        Self {
            body: Edit::of(&sample.body),
            sample,
            item: String::new(),
            document: None,
        }
    }

    fn at(&self, place: &str) -> Option<&Value> {
        self.body.as_ref()?.get(place)
    }

    /// Places of the items; that of the body where a delivery is one event.
    fn items(&self, mapping: &Mapping) -> Vec<String> {
        let mut all = Vec::new();
        for list in &mapping.each {
            let mut places = vec![String::new()];
            for step in list.as_str().split('/').skip(1) {
                places = match step {
                    "*" => places.iter().flat_map(|place| self.inside(place)).collect(),
                    step => places
                        .iter()
                        .map(|place| format!("{place}/{step}"))
                        .collect(),
                };
            }
            all.extend(places.iter().flat_map(|place| self.inside(place)));
        }
        if all.is_empty() {
            all.push(String::new());
        }
        all
    }

    /// Places of the items of a list.
    fn inside(&self, list: &str) -> Vec<String> {
        let count = self.at(list).and_then(Value::as_array).map_or(0, Vec::len);
        (0..count).map(|at| format!("{list}/{at}")).collect()
    }

    /// Reads pieces from this item from now on.
    fn stand_at(&mut self, item: String, parts: &Parts) {
        let mut documents = parts.document.iter().map(Pointer::as_str);
        let document = documents.find(|it| self.at(&format!("{item}{it}")).is_some());
        self.document = document.map(str::to_owned);
        self.item = item;
    }

    /// The place of a piece in the body.
    fn place(&self, piece: &Piece) -> Option<Pointer> {
        let place = match piece {
            Piece::Body(pointer) => pointer.as_str().to_owned(),
            Piece::Item(pointer) => format!("{}{}", self.item, pointer.as_str()),
            Piece::Document(pointer) => {
                format!(
                    "{}{}{}",
                    self.item,
                    self.document.as_ref()?,
                    pointer.as_str()
                )
            }
            Piece::Outer(_) | Piece::Query(_) | Piece::Header(_) | Piece::Literal(_) => {
                return None;
            }
        };
        Pointer::parse(&place)
    }

    /// The text or number of a piece.
    fn get(&self, piece: &Piece) -> Option<Value> {
        match piece {
            Piece::Header(name) => {
                let mut headers = self.sample.headers.iter();
                let (_, text) = headers.find(|(known, _)| known.eq_ignore_ascii_case(name))?;
                Some(Value::String(text.clone()))
            }
            Piece::Query(name) => {
                let mut query = form_urlencoded::parse(self.sample.query.as_bytes());
                let (_, text) = query.find(|(known, _)| known == name)?;
                Some(Value::String(text.into_owned()))
            }
            _ => self
                .body
                .as_ref()?
                .get(self.place(piece)?.as_str())
                .cloned(),
        }
    }

    /// Replaces a piece that is there.
    fn change(&mut self, piece: &Piece, new: impl FnOnce(&Value) -> Option<Value>) {
        let Some(new) = self.get(piece).and_then(|old| new(&old)) else {
            return;
        };
        let text = new.as_str().map_or_else(|| new.to_string(), str::to_owned);
        match piece {
            Piece::Header(name) => {
                for (known, old) in &mut self.sample.headers {
                    if known.eq_ignore_ascii_case(name) {
                        old.clone_from(&text);
                    }
                }
            }
            Piece::Query(name) => {
                let pairs: Vec<_> = form_urlencoded::parse(self.sample.query.as_bytes()).collect();
                let mut query = form_urlencoded::Serializer::new(String::new());
                for (known, old) in &pairs {
                    let is_it = known == name;
                    query.append_pair(known, if is_it { &text } else { old });
                }
                self.sample.query = query.finish();
            }
            _ => {
                if let (Some(place), Some(body)) = (self.place(piece), &mut self.body) {
                    body.set(&place, new);
                }
            }
        }
    }

    /// The pieces of the alternative that counts, without its literals.
    fn pieces<'l>(&self, locator: Option<&'l Locator>) -> Vec<&'l Piece> {
        let is_there = |piece: &&Piece| self.get(piece).is_some_and(|it| it != "" && !it.is_null());
        let alternatives = locator.into_iter().flat_map(|locator| &locator.0);
        let mut alternatives = alternatives.map(|alternative| {
            let pieces = alternative.iter();
            pieces
                .filter(|piece| !matches!(piece, Piece::Literal(_)))
                .collect::<Vec<_>>()
        });
        let found = alternatives.find(|pieces| pieces.iter().all(&is_there));
        found.unwrap_or_default()
    }

    fn pieces_of<'l>(&self, locators: [&'l Option<Locator>; 2]) -> Vec<&'l Piece> {
        let pieces = locators.map(|locator| self.pieces(locator.as_ref()));
        pieces.concat()
    }

    /// The piece of a text that is no template.
    fn only_piece(&self, locator: Option<&Locator>) -> Option<Piece> {
        match self.pieces(locator).as_slice() {
            [piece] => Some((*piece).clone()),
            _ => None,
        }
    }

    /// The piece that tells the id of an event from other ids: the only piece, or in a template the first that is no
    /// type, time or document. Else the document's id, or no piece where the time is in the template.
    fn id_piece(&self, mapping: &Mapping, parts: &Parts) -> Option<Piece> {
        if let Some(only) = self.only_piece(parts.id.as_ref()) {
            return Some(only);
        }
        let words = self.pieces_of([&mapping.kind, &parts.operation]);
        let times = self.pieces(parts.time.as_ref());
        let documents = self.pieces_of([&parts.document_id, &parts.document_type]);
        let mut pieces = self.pieces(parts.id.as_ref());
        pieces.retain(|piece| !words.contains(piece));
        let own = |piece: &&&Piece| !times.contains(piece) && !documents.contains(piece);
        let found = pieces.iter().find(own);
        let has_time = pieces.iter().any(|piece| times.contains(piece));
        let found = found.or_else(|| pieces.first().filter(|_| !has_time));
        found.map(|piece| (*piece).clone())
    }

    fn whole(self) -> Sample {
        let body = self.body.map_or(self.sample.body, |body| body.bytes());
        Sample {
            body,
            ..self.sample
        }
    }
}

/// A time in the form of an old one; `None` where the old one has no form of a time.
fn time_like(old: &Value, at: Millis) -> Option<Value> {
    match old {
        Value::Number(old) if old.is_f64() => {
            let text = format!("{}.{:03}", at / 1000, at % 1000);
            text.parse().ok().map(Value::Number)
        }
        Value::Number(old) => Some(Value::Number(in_unit(old.as_i64()?, at).into())),
        Value::String(old) => {
            let text = written_like(old, at).or_else(|| count_like(old, at))?;
            Some(Value::String(text))
        }
        _ => None,
    }
}

/// A time as a count with as many digits behind the point as an old one.
fn count_like(old: &str, at: Millis) -> Option<String> {
    let Some((whole, part)) = old.split_once('.') else {
        return Some(in_unit(old.parse().ok()?, at).to_string());
    };
    let (whole, digits) = (whole.parse::<i64>().ok()?, part.len());
    part.parse::<u64>().ok()?;
    let seconds = in_unit(whole, at);
    Some(format!(
        "{seconds}.{:0<digits$}",
        format!("{:03}", at % 1000)
    ))
}

/// A time in the unit of an old one: seconds, milliseconds, microseconds or nanoseconds.
fn in_unit(old: i64, at: Millis) -> i64 {
    if old < 100_000_000_000 {
        at / 1000
    } else if old < 100_000_000_000_000 {
        at
    } else if old < 100_000_000_000_000_000 {
        at.saturating_mul(1000)
    } else {
        at.saturating_mul(1_000_000)
    }
}

/// An id in the form of an old one: a number, digits, a UUID, or a text with the same beginning.
fn id_like(old: &Value, random: u128) -> Option<Value> {
    let hex = format!("{random:032x}");
    // What every reader of JSON holds exactly.
    let number = u64::try_from(random % (1 << 52)).ok()?;
    Some(match old {
        Value::Number(_) => Value::Number(Number::from(number)),
        Value::String(old) if old.bytes().all(|byte| byte.is_ascii_digit()) => {
            Value::String(number.to_string())
        }
        Value::String(old) if is_uuid(old) => {
            let mut uuid = hex;
            for dash in [8, 13, 18, 23] {
                uuid.insert(dash, '-');
            }
            Value::String(uuid)
        }
        Value::String(old) => {
            let prefix = old
                .rsplit_once('_')
                .map_or(String::new(), |(prefix, _)| format!("{prefix}_"));
            Value::String(prefix + &hex)
        }
        _ => return None,
    })
}

fn is_uuid(text: &str) -> bool {
    let groups: Vec<_> = text.split('-').map(str::len).collect();
    groups == [8, 4, 4, 4, 12]
}
