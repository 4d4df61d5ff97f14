//! Keys of a test sender, and the fields that it adds to a request.

use serde_json::Value;

use crate::event::delivery::Delivery;
use crate::format::time::Millis;
use crate::keys::secret::Secret;
use crate::sender::key_pair::KeyPair;
use crate::verify::verifier::Refusal;

/// Keys and time with which a test sender signs.
#[derive(Debug, Clone, Copy)]
pub struct Signer<'a> {
    /// The source's public address.
    pub url: Option<&'a str>,
    /// The secret it shares with the source.
    pub secret: Option<&'a Secret>,
    /// Private key of the sender, for public-key schemes.
    pub pair: Option<&'a KeyPair>,
    /// Time of signing.
    pub now: Millis,
}

/// The headers a test sender adds, also put on the delivery so that later ones can be signed with them.
pub(crate) struct Added<'d> {
    pub(crate) delivery: &'d mut Delivery,
    pub(crate) headers: Vec<(String, String)>,
}

impl<'d> Added<'d> {
    pub(crate) fn to(delivery: &'d mut Delivery) -> Self {
        Self {
            delivery,
            headers: Vec::new(),
        }
    }

    pub(crate) fn header(&mut self, name: &str, value: String) {
        if let (Ok(name), Ok(value)) = (
            http::HeaderName::from_bytes(name.as_bytes()),
            http::HeaderValue::from_str(&value),
        ) {
            self.delivery.headers.insert(name, value);
        }
        self.headers.push((name.to_owned(), value));
    }

    pub(crate) fn query(&mut self, name: &str, value: &str) {
        let pair = form_urlencoded::Serializer::new(String::new())
            .append_pair(name, value)
            .finish();
        if !self.delivery.query.is_empty() {
            self.delivery.query.push('&');
        }
        self.delivery.query.push_str(&pair);
    }
}

pub(crate) fn key(signer: Signer<'_>) -> Result<&[u8], Refusal> {
    let secret = signer.secret.ok_or(Refusal::NotReady)?;
    Ok(secret.bytes())
}

/// The body of a test delivery, to put a signature into.
pub(crate) fn object(delivery: &Delivery) -> Result<serde_json::Map<String, Value>, Refusal> {
    serde_json::from_slice(&delivery.body).map_err(|_| Refusal::MalformedBody)
}
