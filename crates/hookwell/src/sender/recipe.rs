//! The sending half of a recipe, for test senders.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use crate::event::delivery::Delivery;
use crate::event::identity::hash;
use crate::format::json::Json;
use crate::format::time::Millis;
use crate::sender::signer::{Added, Signer};
use crate::verify::algorithm::Algorithm;
use crate::verify::recipe::{Part, Recipe, Timestamp, TimestampPlace};
use crate::verify::verifier::Refusal;

impl Recipe {
    /// Makes a delivery valid. Returns the headers to send with it; its query may have changed.
    ///
    /// # Errors
    /// When the recipe signs something that neither the delivery nor the sender has.
    pub fn sign(
        &self,
        delivery: &mut Delivery,
        signer: Signer<'_>,
    ) -> Result<Vec<(String, String)>, Refusal> {
        let mut added = Added::to(delivery);
        let Some(field) = &self.signature else {
            return Ok(added.headers);
        };
        for (name, value) in &self.require {
            added.header(name, value.clone());
        }
        self.complete(&mut added, signer.now);
        let time = self.stamp(&mut added, signer.now)?;
        let value = self.signature_of(added.delivery, signer, time.as_deref())?;
        let mut value = match (field.kv, &field.tag) {
            (Some(kv), Some(tag)) => format!("{tag}{kv}{value}"),
            _ => value,
        };
        if let (Some(TimestampPlace::Tag(tag)), Some(time)) =
            (self.timestamp.as_ref().map(|stamp| &stamp.place), &time)
        {
            let kv = field.kv.unwrap_or('=');
            let separator = field.separator.as_deref().unwrap_or(",");
            value = format!("{tag}{kv}{time}{separator}{value}");
        }
        if let Some(name) = field.headers.first() {
            added.header(name, value);
        }
        Ok(added.headers)
    }

    /// Adds what is signed and what every real request has: an id in a header, a parameter in the query.
    fn complete(&self, added: &mut Added<'_>, now: Millis) {
        let made_up = format!(
            "sample_{}",
            hash(&[&added.delivery.body, now.to_string().as_bytes()])
        );
        for part in &self.content {
            match part {
                Part::Header(names)
                    if names
                        .iter()
                        .all(|name| added.delivery.header(name).is_none()) =>
                {
                    if let Some(name) = names.first() {
                        added.header(name, made_up.clone());
                    }
                }
                Part::Query(name) if added.delivery.query_value(name).is_none() => {
                    added.query(name, &made_up);
                }
                _ => {}
            }
        }
    }

    /// Writes the time where the recipe has it, and returns it as written.
    fn stamp(&self, added: &mut Added<'_>, now: Millis) -> Result<Option<String>, Refusal> {
        let Some(Timestamp { place, unit, .. }) = &self.timestamp else {
            return Ok(None);
        };
        let time = unit.format(now);
        match place {
            TimestampPlace::Tag(_) => {}
            TimestampPlace::Header(names) => {
                if let Some(name) = names.first() {
                    added.header(name, time.clone());
                }
            }
            TimestampPlace::Body(pointer) => {
                let body = Json::parse(&added.delivery.body);
                let written = body
                    .and_then(|body| Ok(body.text(pointer)?.map(std::borrow::Cow::into_owned)))
                    .map_err(|_| Refusal::MalformedTimestamp)?;
                return written.ok_or(Refusal::MissingTimestamp).map(Some);
            }
        }
        Ok(Some(time))
    }

    fn signature_of(
        &self,
        delivery: &Delivery,
        signer: Signer<'_>,
        time: Option<&str>,
    ) -> Result<String, Refusal> {
        let encoding = self.signature.as_ref().map(|field| field.encoding);
        let encoding = encoding.ok_or(Refusal::NotReady)?;
        let secret = signer.secret.ok_or(Refusal::NotReady)?;
        let bytes = self.signed_bytes(delivery, signer.url, secret, time)?;
        Ok(match self.algorithm {
            Algorithm::Token => String::from_utf8_lossy(secret.bytes()).into_owned(),
            Algorithm::Basic => format!("Basic {}", STANDARD.encode(secret.bytes())),
            Algorithm::Ed25519 | Algorithm::EcdsaP256Sha256 => {
                let signature = signer.pair.and_then(|pair| pair.sign(&bytes));
                encoding.encode(&signature.ok_or(Refusal::NotReady)?)
            }
            _ => encoding.encode(&self.algorithm.digest(secret.bytes(), &bytes)),
        })
    }
}
