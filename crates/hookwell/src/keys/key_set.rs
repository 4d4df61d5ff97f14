//! The keys of a source: its secrets decoded for each way it can sign, what it pins, and certificates that were fetched.

use crate::keys::certificates::Certificates;
use crate::keys::secret::Secret;
use crate::keys::web_keys::WebKeys;

/// The keys of a source.
#[derive(Debug, Clone)]
pub struct Keys {
    /// For each scheme of the source, its secrets, newest first.
    pub(crate) schemes: Vec<Vec<Secret>>,
    /// Keys that the source pins.
    pub(crate) pinned: Pinned,
    /// Certificates that were fetched in place of pinned ones.
    pub(crate) certificates: Certificates,
    /// The token of a handshake, where it is not one of the secrets.
    pub(crate) handshake: Option<Secret>,
}

/// Keys that a scheme would otherwise fetch.
#[derive(Debug, Clone, Default)]
pub struct Pinned {
    /// RSA keys, from certificates.
    pub rsa: Vec<Vec<u8>>,
    /// Keys by name.
    pub web: WebKeys,
}
