//! The schemes that no recipe can express: the signature is in the body, covers sorted fields, or is made with a key
//! that the sender names by an address.
//!
//! Nothing here fetches. A certificate or a web key counts only when the source pins it; the address that a request
//! gives is checked against the provider's hosts first, so that a cache which fetches can be put before
//! [`crate::keys::Pinned`] without being asked for foreign addresses.

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

use crate::delivery::Delivery;
use crate::recipe::Signer;
use crate::secret::{KeyDecoding, KeyEncoding};
use crate::verify::{Claim, Refusal, Tolerance, Verifier};

/// A scheme that is code, with what a source can set about it.
#[derive(Debug, Clone)]
pub struct Special {
    /// Which one.
    pub kind: SpecialKind,
    /// How far its signed time may be from now, for those that have one.
    pub tolerance: Tolerance,
    /// The SNS topics that may send; all of AWS when empty.
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
fn any_secret(claim: &Claim<'_>, mut fits: impl FnMut(&[u8]) -> bool) -> Result<usize, Refusal> {
    if claim.secrets.is_empty() {
        return Err(Refusal::NotReady);
    }
    let found = claim.secrets.iter().position(|secret| fits(secret.bytes()));
    found.ok_or(Refusal::WrongSignature)
}

fn required(delivery: &Delivery, name: &str) -> Result<String, Refusal> {
    let value = delivery.header(name);
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

/// Whether an address is `https` on a host for which `is_host` says yes. The host is everything up to the first
/// slash, so that neither a user name nor a longer domain can pass for it.
fn is_at(url: &str, is_host: impl Fn(&str) -> bool) -> bool {
    url.strip_prefix("https://")
        .and_then(|rest| rest.split_once('/'))
        .is_some_and(|(host, _)| is_host(host))
}
