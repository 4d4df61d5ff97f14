//! Explains why a delivery was refused, by trying what people get wrong: a change that makes the signature fit is the
//! answer. Says what differs and never what the right signature would have been.

mod rewrite;

use hookwell::config;
use hookwell::event::delivery::Delivery;
use hookwell::format::time::Millis;
use hookwell::keys::not_ready::SecretProblem;
use hookwell::keys::reference::SecretRef;
use hookwell::keys::secret::{KeyDecoding, KeyEncoding};
use hookwell::source::Source;
use hookwell::verify::scheme::Scheme;
use hookwell::verify::verifier::Refusal;

/// Finds the text of a secret.
pub type Fetch<'a> = &'a dyn Fn(&SecretRef) -> Result<String, SecretProblem>;

/// Explains why `source` refuses a delivery, in a sentence or two; `None` when it does not. `sources` are all there
/// are, because a secret is easily given to the wrong one.
#[must_use]
pub fn explain(
    source: &Source,
    sources: &[Source],
    fetch: Fetch<'_>,
    delivery: &Delivery,
    now: Millis,
) -> Option<String> {
    let keys = match source.keys(fetch) {
        Ok(keys) => keys,
        Err(why) => return Some(format!("{why}, so nothing can be verified")),
    };
    let refusal = source.verify(&keys, delivery, now).err()?;
    let (clock, now) = match refusal {
        Refusal::TooOld { seconds } => (
            Some(format!(
                "the signed time is {seconds} s ago: a slow retry, a replay, or a wrong clock"
            )),
            now.saturating_sub(seconds.saturating_mul(1000)),
        ),
        Refusal::TooNew { seconds } => (
            Some(format!(
                "the signed time is {seconds} s ahead: the sender's clock or this one is wrong"
            )),
            now.saturating_add(seconds.saturating_mul(1000)),
        ),
        _ => (None, now),
    };
    let case = Case {
        source,
        fetch,
        delivery,
        now,
    };
    Some(match clock {
        Some(clock) if case.fits() => format!("{clock}; the signature itself is good"),
        Some(clock) => format!("{clock}; apart from that, {}", case.difference(sources)),
        None => match refusal {
            Refusal::WrongSignature
            | Refusal::MalformedSignature
            | Refusal::NoSignature
            | Refusal::MissingHeader(_)
            | Refusal::MissingTimestamp
            | Refusal::MalformedTimestamp => case.difference(sources),
            other => other.to_string(),
        },
    })
}

/// One way to look at a delivery.
#[derive(Clone, Copy)]
struct Case<'a> {
    source: &'a Source,
    fetch: Fetch<'a>,
    delivery: &'a Delivery,
    now: Millis,
}

impl Case<'_> {
    fn fits(&self) -> bool {
        self.refusal().is_none()
    }

    fn refusal(&self) -> Option<Refusal> {
        match self.source.keys(self.fetch) {
            Ok(keys) => self.source.verify(&keys, self.delivery, self.now).err(),
            Err(_) => Some(Refusal::NotReady),
        }
    }

    /// The change with which the signature fits, in words.
    fn difference(&self, sources: &[Source]) -> String {
        let found = self
            .other_secret(sources)
            .or_else(|| self.other_reading())
            .or_else(|| self.other_body())
            .or_else(|| self.other_header())
            .or_else(|| self.other_preset());
        found.unwrap_or_else(|| {
            let refusal = self.refusal().map(|refusal| refusal.to_string());
            format!(
                "{}. Tried and ruled out: the secrets of the other sources, other readings of this secret, a body \
                 that was written again after signing, other headers, other presets. So it was made with a secret \
                 that is not here, or over another body",
                refusal.unwrap_or_default()
            )
        })
    }

    /// Tries the secrets of the other sources.
    fn other_secret(&self, sources: &[Source]) -> Option<String> {
        let others = sources.iter().filter(|it| it.name != self.source.name);
        for other in others {
            for secret in &other.secrets {
                let fetch = |_: &SecretRef| (self.fetch)(secret);
                let case = Case {
                    fetch: &fetch,
                    ..*self
                };
                if case.fits() {
                    return Some(format!(
                        "it was made with {secret}, which is the secret of source {}",
                        other.name
                    ));
                }
            }
        }
        None
    }

    /// Tries other readings of the right secret.
    fn other_reading(&self) -> Option<String> {
        let readings = [
            (KeyEncoding::Utf8, "as text"),
            (KeyEncoding::Base64, "as base64"),
            (KeyEncoding::Hex, "as hex"),
        ];
        for (encoding, name) in readings {
            for strip in [vec![], vec!["whsec_".to_owned()]] {
                let mut source = self.source.clone();
                source.min_secret_bytes = 1;
                let label = if strip.is_empty() {
                    ""
                } else {
                    " without its whsec_"
                };
                for scheme in &mut source.schemes {
                    if let Scheme::Recipe(recipe) = scheme {
                        recipe.key = KeyDecoding {
                            strip: strip.clone(),
                            encoding,
                        };
                    }
                }
                let case = Case {
                    source: &source,
                    ..*self
                };
                if case.fits() {
                    return Some(format!(
                        "the sender uses the secret {name}{label}, this source reads it in another way: see \
                         verify.key and verify.key_strip"
                    ));
                }
            }
        }
        None
    }

    /// Tries other bodies.
    fn other_body(&self) -> Option<String> {
        rewrite::bodies(&self.delivery.body).find_map(|(what, body)| {
            let delivery = Delivery {
                body,
                ..self.delivery.clone()
            };
            let case = Case {
                delivery: &delivery,
                ..*self
            };
            case.fits().then(|| {
                format!(
                    "the body was changed after it was signed: {what}. The bytes must arrive as they were sent: look \
                     for a proxy or a script that parses and writes them again"
                )
            })
        })
    }

    /// Tries the signature in other headers.
    fn other_header(&self) -> Option<String> {
        self.delivery.headers.keys().find_map(|name| {
            let mut source = self.source.clone();
            for scheme in &mut source.schemes {
                if let Scheme::Recipe(recipe) = scheme
                    && let Some(field) = &mut recipe.signature
                {
                    field.headers = vec![name.to_string()];
                }
            }
            let case = Case {
                source: &source,
                ..*self
            };
            case.fits().then(|| {
                format!("the signature is in header {name}, where this source does not look: see verify.signature")
            })
        })
    }

    /// Tries the schemes of other senders.
    fn other_preset(&self) -> Option<String> {
        let secrets = &self.source.secrets;
        let secrets: Vec<_> = secrets.iter().map(|it| format!("{it}").into()).collect();
        config::presets().into_iter().find_map(|preset| {
            let mut table = toml::Table::new();
            table.insert("preset".to_owned(), preset.clone().into());
            table.insert("secrets".to_owned(), toml::Value::Array(secrets.clone()));
            let url = self.source.public_url.clone();
            url.map(|url| table.insert("public_url".to_owned(), url.into()));
            let file = format!("[sources.it]\n{table}");
            let sources = config::parse(&file).ok()?;
            let source = sources.first().filter(|source| !source.is_unsigned())?;
            let case = Case { source, ..*self };
            case.fits()
                .then(|| format!("it is signed as preset {preset:?} says, with this secret"))
        })
    }
}
