//! The schemes that no recipe can express: the signature is in the body, covers sorted fields, or is made with a key
//! that the sender names by an address.
//!
//! Nothing here fetches. A certificate or a web key counts when the source pins it; else a certificate may have been
//! fetched before. Only after every check that needs no key does a scheme ask for one, by [`Refusal::NotFetched`], and
//! only at an address that it found to be the provider's.

pub mod adyen;
pub mod aws_sns;
mod contentful;
mod mailgun;
mod msgraph;
mod paypal;
mod plaid;
mod twilio;
pub mod web_keys;

use serde_json::Value;
use std::borrow::Cow;

use crate::algorithm::Encoding;
use crate::delivery::Delivery;
use crate::recipe::Signer;
use crate::secret::{KeyDecoding, KeyEncoding, Secret};
use crate::verify::{Claim, Refusal, Tolerance, Verifier};

/// A scheme that is code, with what a source can set about it.
#[derive(Debug, Clone)]
pub struct Special {
    /// Which one.
    pub kind: SpecialKind,
    /// How far its signed time may be from now, for those that have one.
    pub tolerance: Tolerance,
    /// The SNS topics that may send.
    pub topics: Vec<String>,
}

/// Which scheme.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SpecialKind {
    /// Twilio: the address and the sorted fields of a form.
    TwilioForm,
    /// Twilio: the address, which holds a hash of the body.
    TwilioJson,
    /// Twilio with SHA-256, as its settings header says.
    TwilioSharedKey,
    /// Contentful: method, path, the headers it names, and the body.
    Contentful,
    /// Amazon SNS: RSA over fields of the body.
    AwsSns,
    /// `PayPal`: RSA over an id, a time and a checksum of the body.
    PayPal,
    /// Plaid: a JSON Web Token with a hash of the body.
    Plaid,
    /// Adyen: each item of the body signs eight of its own fields.
    Adyen,
    /// Mailgun: the body signs a time and a token, nothing else.
    Mailgun,
    /// Microsoft Graph: each item of the body holds the secret.
    MsGraph,
}

static UTF8: KeyDecoding = KeyDecoding {
    strip: Vec::new(),
    encoding: KeyEncoding::Utf8,
};
static HEX: KeyDecoding = KeyDecoding {
    strip: Vec::new(),
    encoding: KeyEncoding::Hex,
};

impl SpecialKind {
    /// Every scheme by its name in a preset.
    pub const NAMES: [(&'static str, Self); 10] = [
        ("twilio-form", Self::TwilioForm),
        ("twilio-json", Self::TwilioJson),
        ("twilio-sharedkey-sha256", Self::TwilioSharedKey),
        ("contentful", Self::Contentful),
        ("aws-sns", Self::AwsSns),
        ("paypal", Self::PayPal),
        ("plaid", Self::Plaid),
        ("adyen", Self::Adyen),
        ("mailgun", Self::Mailgun),
        ("msgraph", Self::MsGraph),
    ];

    /// How the text of a secret becomes its key.
    #[must_use]
    pub fn key_decoding(self) -> &'static KeyDecoding {
        match self {
            Self::Adyen => &HEX,
            _ => &UTF8,
        }
    }

    /// Whether it needs a secret; the others need only what they pin.
    #[must_use]
    pub fn has_secret(self) -> bool {
        !matches!(self, Self::AwsSns | Self::Plaid)
    }

    /// Whether it signs the address it posts to.
    #[must_use]
    pub fn signs_url(self) -> bool {
        matches!(
            self,
            Self::TwilioForm | Self::TwilioJson | Self::TwilioSharedKey
        )
    }

    /// Whether keys are pinned for it.
    #[must_use]
    pub fn pins(self) -> bool {
        matches!(self, Self::AwsSns | Self::PayPal | Self::Plaid)
    }

    /// The content type of its requests.
    #[must_use]
    pub fn content_type(self) -> &'static str {
        match self {
            Self::TwilioForm | Self::TwilioSharedKey => "application/x-www-form-urlencoded",
            Self::AwsSns => "text/plain; charset=UTF-8",
            _ => "application/json",
        }
    }

    /// Whether what it signs covers this header.
    #[must_use]
    pub fn signs_header(self, name: &str) -> bool {
        match self {
            Self::PayPal => name.eq_ignore_ascii_case(paypal::ID),
            _ => false,
        }
    }
}

impl Verifier for Special {
    fn verify(&self, claim: &Claim<'_>) -> Result<usize, Refusal> {
        if claim.secrets.is_empty() && self.kind.has_secret() {
            return Err(Refusal::NotReady);
        }
        match self.kind {
            SpecialKind::TwilioForm => twilio::form(claim),
            SpecialKind::TwilioJson => twilio::json(claim),
            SpecialKind::TwilioSharedKey => twilio::shared_key(claim),
            SpecialKind::Contentful => contentful::verify(claim, self.tolerance),
            SpecialKind::AwsSns => aws_sns::verify(claim, &self.topics),
            SpecialKind::PayPal => paypal::verify(claim),
            SpecialKind::Plaid => plaid::verify(claim, self.tolerance),
            SpecialKind::Adyen => adyen::verify(claim),
            SpecialKind::Mailgun => mailgun::verify(claim, self.tolerance),
            SpecialKind::MsGraph => msgraph::verify(claim),
        }
    }
}

impl Special {
    /// Makes a delivery valid. Returns the headers to send with it; its body and query may have changed.
    ///
    /// # Errors
    /// When it lacks something that is signed, or there is no key.
    pub fn sign(
        &self,
        delivery: &mut Delivery,
        signer: Signer<'_>,
    ) -> Result<Vec<(String, String)>, Refusal> {
        match self.kind {
            SpecialKind::TwilioForm => twilio::sign_form(delivery, signer, false),
            SpecialKind::TwilioJson => twilio::sign_json(delivery, signer),
            SpecialKind::TwilioSharedKey => twilio::sign_form(delivery, signer, true),
            SpecialKind::Contentful => contentful::sign(delivery, signer),
            SpecialKind::AwsSns => aws_sns::sign(delivery, signer, self.topics.first()),
            SpecialKind::PayPal => paypal::sign(delivery, signer),
            SpecialKind::Plaid => plaid::sign(delivery, signer),
            SpecialKind::Adyen => adyen::sign(delivery, signer),
            SpecialKind::Mailgun => mailgun::sign(delivery, signer),
            SpecialKind::MsGraph => msgraph::sign(delivery, signer),
        }
    }
}

/// The position of the first secret for which `fits` says yes. No secret at all is not ready, never a yes.
fn any_secret(claim: &Claim<'_>, fits: impl FnMut(&Secret) -> bool) -> Result<usize, Refusal> {
    if claim.secrets.is_empty() {
        return Err(Refusal::NotReady);
    }
    let found = claim.secrets.iter().position(fits);
    found.ok_or(Refusal::WrongSignature)
}

fn required(delivery: &Delivery, name: &str) -> Result<String, Refusal> {
    let value = delivery.header(name).map(Cow::into_owned);
    value.ok_or_else(|| Refusal::MissingHeader(name.to_owned()))
}

fn key(signer: Signer<'_>) -> Result<&[u8], Refusal> {
    let secret = signer.secret.ok_or(Refusal::NotReady)?;
    Ok(secret.bytes())
}

/// The body of a test delivery, to put a signature into.
fn object(delivery: &Delivery) -> Result<serde_json::Map<String, Value>, Refusal> {
    serde_json::from_slice(&delivery.body).map_err(|_| Refusal::MalformedBody)
}

/// The path of an `https` address on a host for which `is_host` says yes, without its first slash. The host is
/// everything up to there, so that neither a user name nor a longer domain can pass for it.
fn path_at(url: &str, is_host: impl Fn(&str) -> bool) -> Option<&str> {
    let (host, path) = url.strip_prefix("https://")?.split_once('/')?;
    is_host(host).then_some(path)
}

/// Whether this is the name of a file and nothing more: no folder, no query, no escape.
fn is_file_name(text: &str) -> bool {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.');
    (1..=128).contains(&text.len()) && text.bytes().all(plain)
}

/// The RSA keys that may have signed: what the source pins, else those of the certificate at this address, which the
/// caller MUST have found to be the provider's.
fn rsa_keys<'c>(claim: &Claim<'c>, url: &str) -> Result<&'c [Vec<u8>], Refusal> {
    if claim.pinned.rsa.is_empty() {
        let fetched = claim.certificates.get(url, claim.now);
        fetched.ok_or_else(|| Refusal::NotFetched(url.to_owned()))
    } else {
        Ok(&claim.pinned.rsa)
    }
}

/// The bytes of an RSA signature in base64. One of another length than the keys taken here make is none.
fn rsa_signature(text: &str) -> Result<Vec<u8>, Refusal> {
    let bytes = Encoding::Base64.decode(text);
    // 2,048 to 8,192 bits, as the names of the algorithms say.
    bytes
        .filter(|bytes| (256..=1024).contains(&bytes.len()))
        .ok_or(Refusal::MalformedSignature)
}
