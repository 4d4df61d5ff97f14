//! RSA signatures: the keys that may have made one, and its bytes.

use crate::format::encoding::Encoding;
use crate::verify::verifier::{Claim, Refusal};

/// The RSA keys that may have signed: what the source pins, else those of the certificate at this address, which the
/// caller MUST have found to be the provider's.
pub(crate) fn rsa_keys<'c>(claim: &Claim<'c>, url: &str) -> Result<&'c [Vec<u8>], Refusal> {
    if claim.pinned.rsa.is_empty() {
        let fetched = claim.certificates.get(url, claim.now);
        fetched.ok_or_else(|| Refusal::NotFetched(url.to_owned()))
    } else {
        Ok(&claim.pinned.rsa)
    }
}

/// The bytes of an RSA signature in base64. A signature of a length that no accepted key makes is refused.
pub(crate) fn rsa_signature(text: &str) -> Result<Vec<u8>, Refusal> {
    let bytes = Encoding::Base64.decode(text);
    // 2,048 to 8,192 bits, as the names of the algorithms say.
    bytes
        .filter(|bytes| (256..=1024).contains(&bytes.len()))
        .ok_or(Refusal::MalformedSignature)
}
