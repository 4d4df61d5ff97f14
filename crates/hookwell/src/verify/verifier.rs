//! Input and result of every verifier.

use std::borrow::Cow;

use crate::event::delivery::Delivery;
use crate::format::time::Millis;
use crate::keys::certificates::Certificates;
use crate::keys::key_set::Pinned;
use crate::keys::secret::Secret;

/// Input of a verifier.
#[derive(Debug, Clone, Copy)]
pub struct Claim<'a> {
    /// The request.
    pub delivery: &'a Delivery,
    /// The source's public address, for schemes that sign it.
    pub url: Option<&'a str>,
    /// The keys that may have signed it, newest first.
    pub secrets: &'a [Secret],
    /// The RSA keys, or the web keys, that the source pins.
    pub pinned: &'a Pinned,
    /// The certificates that were fetched for it.
    pub certificates: &'a Certificates,
    /// The time to measure its timestamp against.
    pub now: Millis,
}

/// Distance that a signed time may have from now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Tolerance {
    /// Largest age, in seconds.
    pub past: u32,
    /// Largest time ahead of now, in seconds. Official verifiers often forget this side.
    pub future: u32,
}

impl Tolerance {
    /// Refuses a time outside the tolerance.
    ///
    /// # Errors
    /// By how much.
    pub fn check(self, at: Millis, now: Millis) -> Result<(), Refusal> {
        let age = now.saturating_sub(at);
        if age > i64::from(self.past).saturating_mul(1000) {
            return Err(Refusal::TooOld {
                seconds: age / 1000,
            });
        }
        if age < i64::from(self.future).saturating_mul(-1000) {
            return Err(Refusal::TooNew {
                seconds: (age / 1000).saturating_neg(),
            });
        }
        Ok(())
    }
}

/// Decides whether a request was signed by someone who holds one of the secrets.
///
/// An implementation MUST work on the bytes as sent, MUST compare in constant time, MUST refuse when anything it
/// needs is missing, and MUST NOT panic, fetch or log.
pub trait Verifier: std::fmt::Debug + Send + Sync {
    /// The position of the secret that matched; of the pinned key, where a scheme has keys and no secret.
    ///
    /// # Errors
    /// The reason, safe to log: it names headers, never their values.
    fn verify(&self, claim: &Claim<'_>) -> Result<usize, Refusal>;
}

/// Reason why a delivery is not trusted. Goes to the log and the metric; the sender gets one answer for all of them.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// A header that the scheme needs is absent, or is not text.
    #[error("header {0} is missing")]
    MissingHeader(String),
    /// Two headers that stand for each other say different things, and only one of them is signed.
    #[error("headers {0} differ, and only one of them is signed")]
    Contradiction(String),
    /// A signed value holds the text that separates it from the value beside it, so that the same bytes could be other
    /// values.
    #[error("a signed value holds {0:?}, which separates such values")]
    MovedBorder(String),
    /// A query parameter that is signed is absent.
    #[error("a signed query parameter is missing")]
    MissingQuery,
    /// The header holds no signature of the kind that counts.
    #[error("the signature header holds no signature of this scheme")]
    NoSignature,
    /// More signatures than any sender has secrets.
    #[error("too many signatures")]
    TooManySignatures,
    /// Not in the encoding of the scheme.
    #[error("the signature is not in its encoding")]
    MalformedSignature,
    /// Signed with another secret, or over other bytes.
    #[error("the signature does not match")]
    WrongSignature,
    /// The scheme signs a time and there is none.
    #[error("the timestamp is missing")]
    MissingTimestamp,
    /// Not a time, or there are two.
    #[error("the timestamp is malformed")]
    MalformedTimestamp,
    /// Older than the tolerance: a replay, a slow retry, or a wrong clock.
    #[error("the timestamp is {seconds} s old")]
    TooOld {
        /// Age of the timestamp, in seconds.
        seconds: i64,
    },
    /// Further ahead than the tolerance.
    #[error("the timestamp is {seconds} s in the future")]
    TooNew {
        /// Time ahead of now, in seconds.
        seconds: i64,
    },
    /// A header that says which variant of the scheme this is names one that is not configured.
    #[error("header {0} names another variant of the scheme")]
    UnsupportedVersion(String),
    /// The body is not what the scheme signs: not its JSON, or nothing in it is signed.
    #[error("the body holds nothing that this scheme signs")]
    MalformedBody,
    /// A certificate that the sender names is not on a host of the provider.
    #[error("the certificate is not on the provider's host")]
    ForeignCertificate,
    /// The certificate at this address is the provider's and would decide, and it is not here.
    #[error("the certificate at {0} is not here")]
    NotFetched(String),
    /// No key is pinned, and nothing fetches one.
    #[error("no key is pinned")]
    NotPinned,
    /// The message is of a topic that the source does not name.
    #[error("the message is of a topic that this source does not name")]
    ForeignTopic,
    /// The source has no key to check with.
    #[error("the source has no usable secret")]
    NotReady,
}

/// The position of the first secret for which `fits` says yes. No secret at all is not ready, never a yes.
pub(crate) fn any_secret(
    claim: &Claim<'_>,
    fits: impl FnMut(&Secret) -> bool,
) -> Result<usize, Refusal> {
    if claim.secrets.is_empty() {
        return Err(Refusal::NotReady);
    }
    let found = claim.secrets.iter().position(fits);
    found.ok_or(Refusal::WrongSignature)
}

/// The value of a header that the scheme needs.
pub(crate) fn required(delivery: &Delivery, name: &str) -> Result<String, Refusal> {
    let value = delivery.header(name).map(Cow::into_owned);
    value.ok_or_else(|| Refusal::MissingHeader(name.to_owned()))
}
