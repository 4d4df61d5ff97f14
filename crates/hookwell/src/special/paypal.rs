//! `PayPal`.
//! <https://developer.paypal.com/api/rest/webhooks/rest/#link-selfverificationmethod>
//!
//! The signature covers a CRC-32 of the body, which whoever may choose a body can collide: it proves who sent, and
//! only by that what was sent.

use ring::signature::{RSA_PKCS1_2048_8192_SHA256, UnparsedPublicKey};

use super::{any_secret, is_file_name, key, path_at, required, rsa_keys, rsa_signature};
use crate::algorithm::Encoding;
use crate::delivery::Delivery;
use crate::event::hash;
use crate::recipe::{Added, Signer};
use crate::time::to_rfc3339;
use crate::verify::{Claim, Refusal};

pub(super) const ID: &str = "PAYPAL-TRANSMISSION-ID";
const TIME: &str = "PAYPAL-TRANSMISSION-TIME";
const SIGNATURE: &str = "PAYPAL-TRANSMISSION-SIG";
const CERTIFICATE: &str = "PAYPAL-CERT-URL";
const ALGORITHM: &str = "PAYPAL-AUTH-ALGO";

const HOSTS: [&str; 4] = [
    "api.paypal.com",
    "api-m.paypal.com",
    "api.sandbox.paypal.com",
    "api-m.sandbox.paypal.com",
];

/// Where they keep their certificates, as in the sample of the page.
const CERTIFICATES: &str = "v1/notifications/certs/";

pub(super) fn verify(claim: &Claim<'_>) -> Result<usize, Refusal> {
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
    let signature = rsa_signature(&signature)?;
    let keys = rsa_keys(claim, &url)?;
    any_secret(claim, |webhook| {
        let bytes = signed_bytes(&id, &time, webhook.bytes(), &delivery.body);
        keys.iter().any(|key| {
            UnparsedPublicKey::new(&RSA_PKCS1_2048_8192_SHA256, key)
                .verify(&bytes, &signature)
                .is_ok()
        })
    })
}

fn signed_bytes(id: &str, time: &str, webhook: &[u8], body: &[u8]) -> Vec<u8> {
    let mut bytes = format!("{id}|{time}|").into_bytes();
    bytes.extend_from_slice(webhook);
    bytes.extend_from_slice(format!("|{}", crc32(body)).as_bytes());
    bytes
}

/// CRC-32 of ISO 3309, as zlib has it.
fn crc32(bytes: &[u8]) -> u32 {
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

pub(super) fn sign(
    delivery: &mut Delivery,
    signer: Signer<'_>,
) -> Result<Vec<(String, String)>, Refusal> {
    let time = to_rfc3339(signer.now);
    let id = hash(&[&delivery.body, time.as_bytes()]);
    let bytes = signed_bytes(&id, &time, key(signer)?, &delivery.body);
    let signature = signer.pair.and_then(|pair| pair.sign(&bytes));
    let signature = Encoding::Base64.encode(&signature.ok_or(Refusal::NotReady)?);
    let mut added = Added::to(delivery);
    added.header(ID, id);
    added.header(TIME, time);
    added.header(
        CERTIFICATE,
        format!("https://{}/{CERTIFICATES}CERT-sample", HOSTS[0]),
    );
    added.header(ALGORITHM, "SHA256withRSA".to_owned());
    added.header(SIGNATURE, signature);
    Ok(added.headers)
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_checksum_is_that_of_zlib() {
        assert_eq!(super::crc32(b"123456789"), 0xcbf4_3926);
        assert_eq!(super::crc32(b""), 0);
    }
}
