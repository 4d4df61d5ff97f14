//! Public keys as providers hand them out, and certificates that hold one.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use crate::format::encoding::Encoding;

/// Type of a public key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KeyKind {
    /// Ed25519, 32 bytes.
    Ed25519,
    /// A point on P-256, 65 bytes.
    P256,
}

/// Bytes before the key in a `SubjectPublicKeyInfo` (RFC 8410 for Ed25519, RFC 5480 for P-256).
const ED25519_INFO: [u8; 12] = [0x30, 0x2a, 0x30, 5, 6, 3, 0x2b, 0x65, 0x70, 3, 0x21, 0];
const P256_INFO: [u8; 26] = [
    0x30, 0x59, 0x30, 0x13, 6, 7, 0x2a, 0x86, 0x48, 0xce, 0x3d, 2, 1, 6, 8, 0x2a, 0x86, 0x48, 0xce,
    0x3d, 3, 1, 7, 3, 0x42, 0,
];

/// Reads a public key in any of the forms that providers give: hex, base64 of the key or of its
/// `SubjectPublicKeyInfo`, PEM, or `whpk_` and base64. Their lengths differ, so nothing is guessed.
#[must_use]
pub fn decode(kind: KeyKind, text: &str) -> Option<Vec<u8>> {
    let text = text.trim();
    let text = text.strip_prefix("whpk_").unwrap_or(text);
    let bytes = if text.starts_with("-----BEGIN") {
        pem(text).into_iter().next()?
    } else {
        let tight: String = text.split_ascii_whitespace().collect();
        Encoding::Hex
            .decode(&tight)
            .or_else(|| STANDARD.decode(&tight).ok())?
    };
    let (info, length) = match kind {
        KeyKind::Ed25519 => (&ED25519_INFO[..], 32),
        KeyKind::P256 => (&P256_INFO[..], 65),
    };
    let key = bytes.strip_prefix(info).unwrap_or(&bytes);
    (key.len() == length).then(|| key.to_vec())
}

/// The contents of every PEM block in a text.
#[must_use]
pub fn pem(text: &str) -> Vec<Vec<u8>> {
    let blocks = text.split("-----BEGIN ").skip(1).filter_map(|block| {
        let inner = block.split_once("-----")?.1.split_once("-----END")?.0;
        // In an environment variable the line ends are often written out.
        let tight: String = inner.replace("\\n", "").split_ascii_whitespace().collect();
        STANDARD.decode(tight).ok()
    });
    blocks.collect()
}

/// The RSA keys in a text of PEM certificates or public keys, each as an `RSAPublicKey`.
#[must_use]
pub fn rsa_keys(text: &str) -> Vec<Vec<u8>> {
    pem(text).iter().filter_map(|der| rsa_in(der)).collect()
}

/// The RSA key in a certificate (RFC 5280) or a `SubjectPublicKeyInfo`.
fn rsa_in(der: &[u8]) -> Option<Vec<u8>> {
    const SEQUENCE: u8 = 0x30;
    const RSA: [u8; 11] = [6, 9, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 1, 1];
    let (outer, _) = der::expect(der, SEQUENCE)?;
    let (first, rest) = der::expect(outer, SEQUENCE)?;
    let (algorithm, rest) = if first.starts_with(&RSA) {
        (first, rest)
    } else {
        // version, serial, signature, issuer, validity, subject, and then the key
        let mut rest = match der::expect(first, 0xa0) {
            Some((_, rest)) => rest,
            None => first,
        };
        for tag in [2, SEQUENCE, SEQUENCE, SEQUENCE, SEQUENCE] {
            rest = der::expect(rest, tag)?.1;
        }
        let (info, _) = der::expect(rest, SEQUENCE)?;
        der::expect(info, SEQUENCE)?
    };
    let (bits, _) = der::expect(rest, 3)?;
    algorithm
        .starts_with(&RSA)
        .then(|| bits.strip_prefix(&[0]).map(<[u8]>::to_vec))?
}

/// Just enough of DER (X.690) to walk to a public key.
mod der {
    /// The content of the first value, which has this tag, and what follows it.
    pub(super) fn expect(bytes: &[u8], tag: u8) -> Option<(&[u8], &[u8])> {
        let (&[found, length], rest) = bytes.split_first_chunk::<2>()?;
        if found != tag {
            return None;
        }
        let (length, rest) = match length {
            0..=0x7f => (usize::from(length), rest),
            0x81 => (usize::from(*rest.first()?), rest.get(1..)?),
            0x82 => {
                let (&[high, low], rest) = rest.split_first_chunk::<2>()?;
                (usize::from(u16::from_be_bytes([high, low])), rest)
            }
            _ => return None,
        };
        rest.split_at_checked(length)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_public_key_reads_the_same_in_every_form() {
        let raw = &[7; 32][..];
        let info = [&ED25519_INFO[..], raw].concat();
        let pem = format!(
            "-----BEGIN PUBLIC KEY-----\n{}\n-----END PUBLIC KEY-----\n",
            STANDARD.encode(&info)
        );
        for text in [
            Encoding::Hex.encode(raw),
            STANDARD.encode(raw),
            STANDARD.encode(&info),
            format!("whpk_{}", STANDARD.encode(raw)),
            pem.replace('\n', "\\n"),
            pem,
        ] {
            assert_eq!(
                decode(KeyKind::Ed25519, &text).as_deref(),
                Some(raw),
                "{text}"
            );
        }
        for bad in ["", "whpk_", "00", "not a key", "-----BEGIN x"] {
            assert_eq!(decode(KeyKind::Ed25519, bad), None, "{bad}");
        }
    }

    #[test]
    fn der_that_ends_early_is_no_key() {
        for bad in [
            &b""[..],
            b"\x30",
            b"\x30\x05\x30",
            b"\x30\x84\xff\xff\xff\xff",
            b"\x30\x82\x01",
        ] {
            assert_eq!(rsa_in(bad), None);
        }
    }
}
