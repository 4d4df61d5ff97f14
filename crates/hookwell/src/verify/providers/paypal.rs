//! `PayPal`.
//! <https://developer.paypal.com/api/rest/webhooks/rest/#link-selfverificationmethod>
//!
//! The signature covers a CRC-32 of the body, which whoever may choose a body can collide: with one captured delivery any
//! body can be sent, within the tolerance of the signed time.

use ring::signature::{RSA_PKCS1_2048_8192_SHA256, UnparsedPublicKey};

use crate::format::time::Unit;
use crate::verify::address::{is_file_name, path_at};
use crate::verify::rsa::{rsa_keys, rsa_signature};
use crate::verify::verifier::{Claim, Refusal, Tolerance, any_secret, required};

pub(crate) const ID: &str = "PAYPAL-TRANSMISSION-ID";
pub(crate) const TIME: &str = "PAYPAL-TRANSMISSION-TIME";
pub(crate) const SIGNATURE: &str = "PAYPAL-TRANSMISSION-SIG";
pub(crate) const CERTIFICATE: &str = "PAYPAL-CERT-URL";
pub(crate) const ALGORITHM: &str = "PAYPAL-AUTH-ALGO";

pub(crate) const HOSTS: [&str; 4] = [
    "api.paypal.com",
    "api-m.paypal.com",
    "api.sandbox.paypal.com",
    "api-m.sandbox.paypal.com",
];

/// Path of their certificates, as in the sample of the page.
pub(crate) const CERTIFICATES: &str = "v1/notifications/certs/";

pub(super) fn verify(claim: &Claim<'_>, tolerance: Tolerance) -> Result<usize, Refusal> {
    let delivery = claim.delivery;
    let id = required(delivery, ID)?;
    let time = required(delivery, TIME)?;
    let signature = required(delivery, SIGNATURE)?;
    let url = required(delivery, CERTIFICATE)?;
    if required(delivery, ALGORITHM)? != "SHA256withRSA" {
        return Err(Refusal::UnsupportedVersion(ALGORITHM.to_owned()));
    }
    let name = path_at(&url, |host| HOSTS.contains(&host))
        .and_then(|path| path.strip_prefix(CERTIFICATES));
    if !name.is_some_and(is_file_name) {
        return Err(Refusal::ForeignCertificate);
    }
    let at = Unit::Rfc3339.parse(&time);
    tolerance.check(at.ok_or(Refusal::MalformedTimestamp)?, claim.now)?;
    let signature = rsa_signature(&signature)?;
    let keys = rsa_keys(claim, &url)?;
    let checksum = crc32(&delivery.body);
    any_secret(claim, |webhook| {
        let bytes = signed_bytes(&id, &time, webhook.bytes(), checksum);
        keys.iter().any(|key| {
            UnparsedPublicKey::new(&RSA_PKCS1_2048_8192_SHA256, key)
                .verify(&bytes, &signature)
                .is_ok()
        })
    })
}

pub(crate) fn signed_bytes(id: &str, time: &str, webhook: &[u8], checksum: u32) -> Vec<u8> {
    let mut bytes = format!("{id}|{time}|").into_bytes();
    bytes.extend_from_slice(webhook);
    bytes.extend_from_slice(format!("|{checksum}").as_bytes());
    bytes
}

/// CRC-32 of ISO 3309, as zlib has it.
pub(crate) fn crc32(bytes: &[u8]) -> u32 {
    let mut crc = u32::MAX;
    for byte in bytes {
        crc ^= u32::from(*byte);
        for _ in 0..8 {
            let low = crc & 1;
            crc >>= 1;
            if low == 1 {
                crc ^= 0xedb8_8320;
            }
        }
    }
    !crc
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_checksum_is_that_of_zlib() {
        assert_eq!(super::crc32(b"123456789"), 0xcbf4_3926);
        assert_eq!(super::crc32(b""), 0);
    }
}
