//! Explains why a delivery was refused, by trying what people get wrong: a change that makes the signature fit is the
//! answer. Where none does, the explanation says what was tried, and concludes nothing. No explanation holds a secret, a
//! signature or a body.
//!
//! * `variations`: the list of what people get wrong
//!   * `recipe`: the part of it that is about a recipe
//!   * `content`: other bytes that may have been signed
//!   * `rewrite`: other bodies that may have been signed
//! * `variation`: one entry of the list
//! * `look`: one way to look at a delivery
//! * `masked`: a token of which only the length was recorded
//! * `known`: sources and secrets that a delivery is compared with

mod content;
mod known;
mod look;
mod masked;
mod recipe;
mod rewrite;
mod variation;
mod variations;

use hookwell::event::delivery::Delivery;
use hookwell::format::time::Millis;
use hookwell::source::Source;
use hookwell::verify::verifier::Refusal;

pub use self::known::{Fetch, Known};
use self::look::Look;
use self::variation::Difference;

/// Explanation of a refusal.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Explanation {
    /// Name of the one difference between the sender and the source, where one was proven.
    pub difference: Option<&'static str>,
    /// The explanation in plain words.
    pub text: String,
}

impl Explanation {
    fn open(text: String) -> Self {
        Self {
            difference: None,
            text,
        }
    }
}

/// Explains why `source` refuses a delivery; `None` when it does not.
#[must_use]
pub fn explain(
    source: &Source,
    known: Known<'_>,
    delivery: &Delivery,
    now: Millis,
) -> Option<Explanation> {
    if let Err(why) = source.keys(known.fetch) {
        let text = format!("{why}, so nothing can be verified");
        return Some(Explanation::open(text));
    }
    let look = Look::new(source, known.fetch, delivery, now);
    let refusal = look.refusal()?;
    if let Some(text) = masked::says(source, known, delivery) {
        return Some(Explanation::open(text));
    }
    let (look, time) = in_time(look, &refusal);
    let signature = look.refusal().map(|refusal| match refusal {
        Refusal::WrongSignature
        | Refusal::MalformedSignature
        | Refusal::NoSignature
        | Refusal::MissingHeader(_)
        | Refusal::MissingQuery
        | Refusal::UnsupportedVersion(_)
        | Refusal::MissingTimestamp
        | Refusal::MalformedTimestamp => search(&look, known, delivery, &refusal),
        other => Explanation::open(other.to_string()),
    });
    Some(match (time, signature) {
        (None, signature) => signature?,
        (Some((difference, says)), None) => Explanation {
            difference: Some(difference.name()),
            text: format!("{says}; the signature itself is good"),
        },
        (Some((_, says)), Some(signature)) => Explanation {
            text: format!("{says}; apart from that, {}", signature.text),
            ..signature
        },
    })
}

/// The same look at a time at which the signed time counts, and what is wrong with that time.
fn in_time<'a>(look: Look<'a>, refusal: &Refusal) -> (Look<'a>, Option<(Difference, String)>) {
    let is_about_time = |refusal: &Refusal| {
        matches!(
            refusal,
            Refusal::TooOld { .. } | Refusal::TooNew { .. } | Refusal::MalformedTimestamp
        )
    };
    if !is_about_time(refusal) {
        return (look, None);
    }
    for variation in look.recipes().flat_map(recipe::units) {
        let (difference, says, other) = variation.of(&look);
        if !other.refusal().as_ref().is_some_and(is_about_time) {
            return (other, Some((difference, says)));
        }
    }
    let (shift, says) = match refusal {
        Refusal::TooOld { seconds } => (
            seconds.saturating_neg(),
            format!("the signed time is {seconds} s ago: a slow retry, a replay, or a wrong clock"),
        ),
        Refusal::TooNew { seconds } => (
            *seconds,
            format!(
                "the signed time is {seconds} s ahead: the sender's clock or this one is wrong"
            ),
        ),
        _ => return (look, None),
    };
    let now = look.now.saturating_add(shift.saturating_mul(1000));
    (look.at(now), Some((Difference::Clock, says)))
}

/// Tries every variation alone. The first with which the signature fits is proven.
fn search(
    look: &Look<'_>,
    known: Known<'_>,
    delivery: &Delivery,
    refusal: &Refusal,
) -> Explanation {
    let mut tried = Vec::new();
    for variation in variations::all(look, known, delivery) {
        let (difference, text, other) = variation.of(look);
        match other.refusal() {
            None => {
                return Explanation {
                    difference: Some(difference.name()),
                    text,
                };
            }
            // Only where a signature was compared has something been tried.
            Some(Refusal::WrongSignature) if !tried.contains(&difference) => tried.push(difference),
            Some(_) => {}
        }
    }
    Explanation {
        difference: match refusal {
            Refusal::MissingHeader(_) => Some(Difference::Header.name()),
            _ => None,
        },
        text: unexplained(look, known, delivery, refusal, &tried),
    }
}

/// Says what was tried and what was not, and what can be seen. Nothing is concluded from it.
fn unexplained(
    look: &Look<'_>,
    known: Known<'_>,
    delivery: &Delivery,
    refusal: &Refusal,
    tried: &[Difference],
) -> String {
    let mut says = vec![match refusal {
        Refusal::MissingHeader(_) | Refusal::MissingTimestamp => {
            format!("{refusal}: have the sender send it")
        }
        _ => refusal.to_string(),
    }];
    if !tried.is_empty() {
        let tried: Vec<_> = tried.iter().map(|one| one.tried()).collect();
        says.push(format!(
            "Tried one at a time, and none fits: {}",
            tried.join(", ")
        ));
    }
    let (mut not_here, mut made_up) = (Vec::new(), Vec::new());
    for secret in known.sources.iter().flat_map(|source| &source.secrets) {
        if (known.is_made_up)(secret) {
            if look.source.secrets.contains(secret) {
                made_up.push(secret.to_string());
            }
        } else if (known.fetch)(secret).is_err() {
            not_here.push(secret.to_string());
        }
    }
    if !not_here.is_empty() {
        says.push(format!(
            "Not tried, because not here: {}",
            not_here.join(", ")
        ));
    }
    if !made_up.is_empty() {
        says.push(format!(
            "Made up by this machine, so no real sender has it: {}",
            made_up.join(", ")
        ));
    }
    let sent = delivery.header("content-length");
    let sent = sent.and_then(|length| length.parse::<usize>().ok());
    if let Some(sent) = sent.filter(|sent| *sent != delivery.body.len()) {
        let here = delivery.body.len();
        says.push(format!(
            "Content-Length says {sent} bytes, and the body has {here}"
        ));
    }
    if *refusal == Refusal::WrongSignature {
        says.push(
            "Another secret, another body and a way of signing that was not tried look the same from here: compare \
             the secret on both sides, and the bytes that the sender signs with those that arrive"
                .to_owned(),
        );
    }
    says.join(". ")
}
