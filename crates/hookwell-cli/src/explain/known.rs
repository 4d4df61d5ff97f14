//! Sources and secrets that a delivery is compared with.

use std::fmt;

use hookwell::keys::not_ready::SecretProblem;
use hookwell::keys::reference::SecretRef;
use hookwell::source::Source;

/// Finds the text of a secret.
pub type Fetch<'a> = &'a dyn Fn(&SecretRef) -> Result<String, SecretProblem>;

/// Sources and secrets that a delivery is compared with.
#[derive(Clone, Copy)]
pub struct Known<'a> {
    /// Every source of the file: a secret is easily given to the wrong one.
    pub sources: &'a [Source],
    /// Finds the text of a secret.
    pub fetch: Fetch<'a>,
    /// True for a secret that this machine made up, which no real sender has.
    pub is_made_up: &'a dyn Fn(&SecretRef) -> bool,
}

impl fmt::Debug for Known<'_> {
    /// Without the secrets.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Known")
            .field("sources", &self.sources)
            .finish_non_exhaustive()
    }
}
