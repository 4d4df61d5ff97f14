//! Signing with what this machine knows.

use anyhow::{Result, bail};
use hookwell::format::time::Millis;
use hookwell::source::Source;
use hookwell_sandbox::sender::{Draft, Signed, signed_with};
use hookwell_sandbox::test_keys;

use super::secrets::Secrets;

/// Signs a draft by the source's newest secret; for public-key schemes by the local test key, which only a source
/// that was given its public half accepts.
///
/// # Errors
/// When the secret is not set, the draft lacks something that is signed, or the source trusts a key that is not ours.
pub fn signed(source: &Source, secrets: &Secrets, draft: Draft, at: Millis) -> Result<Signed> {
    let keys = source.keys(|reference| secrets.fetch(reference))?;
    if test_keys::pair(source).is_some() && !secrets.are_made_up_for(source) {
        bail!(
            "{} trusts a real key, whose other half only its sender has: unset it to sign with a local one",
            source.name
        );
    }
    signed_with(source, &keys, draft, at)
}
