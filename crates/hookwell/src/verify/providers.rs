//! The schemes that no recipe can express: the signature is in the body, covers sorted fields, or is made with a key
//! that the sender names by an address.
//!
//! Nothing here fetches. A certificate or a web key counts when the source pins it; else a certificate may have been
//! fetched before. Only after every check that needs no key does a scheme ask for one, by [`Refusal::NotFetched`], and
//! only at an address that it found to be the provider's.

pub(crate) mod adyen;
pub(crate) mod aws_sns;
pub(crate) mod contentful;
mod mailgun;
mod msgraph;
pub(crate) mod paypal;
pub(crate) mod plaid;
pub(crate) mod twilio;

use crate::keys::secret::{KeyDecoding, KeyEncoding};
use crate::verify::verifier::{Claim, Refusal, Tolerance, Verifier};

/// A scheme that is code, with what a source can set about it.
#[derive(Debug, Clone)]
pub struct Special {
    /// Kind of the scheme.
    pub kind: SpecialKind,
    /// Distance that the signed time may have from now, for schemes that have one.
    pub tolerance: Tolerance,
    /// The SNS topics that may send.
    pub topics: Vec<String>,
}

/// Kind of a scheme that is code.
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

    /// Rule by which the text of a secret becomes its key.
    #[must_use]
    pub fn key_decoding(self) -> &'static KeyDecoding {
        match self {
            Self::Adyen => &HEX,
            _ => &UTF8,
        }
    }

    /// True when the scheme needs a secret; the others need only the keys that they pin.
    #[must_use]
    pub fn has_secret(self) -> bool {
        !matches!(self, Self::AwsSns | Self::Plaid)
    }

    /// True when the sender signs the address that it posts to.
    #[must_use]
    pub fn signs_url(self) -> bool {
        matches!(
            self,
            Self::TwilioForm | Self::TwilioJson | Self::TwilioSharedKey
        )
    }

    /// True when a source pins keys for the scheme.
    #[must_use]
    pub fn pins(self) -> bool {
        matches!(self, Self::AwsSns | Self::PayPal | Self::Plaid)
    }

    /// True when the sender signs a time that the scheme checks.
    #[must_use]
    pub fn has_time(self) -> bool {
        matches!(
            self,
            Self::Contentful | Self::PayPal | Self::Plaid | Self::Mailgun
        )
    }

    /// True when the signature covers the body, or the parts of it that say what happened to which document.
    #[must_use]
    pub fn signs_body(self) -> bool {
        !matches!(self, Self::Mailgun | Self::MsGraph)
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

    /// True when the signature covers this header.
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
            SpecialKind::PayPal => paypal::verify(claim, self.tolerance),
            SpecialKind::Plaid => plaid::verify(claim, self.tolerance),
            SpecialKind::Adyen => adyen::verify(claim),
            SpecialKind::Mailgun => mailgun::verify(claim, self.tolerance),
            SpecialKind::MsGraph => msgraph::verify(claim),
        }
    }
}
