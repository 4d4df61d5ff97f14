//! Amazon SNS over HTTPS.
//! <https://docs.aws.amazon.com/sns/latest/dg/sns-verify-signature-of-message.html>
//!
//! Every AWS account can have SNS sign a message to any address, so the signature alone says little: `topics` of the
//! source names the topics that may send, and a source without them is refused by the sources file.

use std::borrow::Cow;

use ring::signature::{
    RSA_PKCS1_2048_8192_SHA1_FOR_LEGACY_USE_ONLY, RSA_PKCS1_2048_8192_SHA256, UnparsedPublicKey,
    VerificationAlgorithm,
};

use crate::format::json::{Json, Pointer};
use crate::verify::address::{is_file_name, path_at};
use crate::verify::rsa::{rsa_keys, rsa_signature};
use crate::verify::verifier::{Claim, Refusal};

/// Signed fields, by the type of the message. A notification has a subject or has none.
const NOTIFICATION: [&str; 6] = [
    "Message",
    "MessageId",
    "Subject",
    "Timestamp",
    "TopicArn",
    "Type",
];
const CONFIRMATION: [&str; 7] = [
    "Message",
    "MessageId",
    "SubscribeURL",
    "Timestamp",
    "Token",
    "TopicArn",
    "Type",
];

pub(super) fn verify(claim: &Claim<'_>, topics: &[String]) -> Result<usize, Refusal> {
    let body = Json::parse(&claim.delivery.body).map_err(|_| Refusal::MalformedBody)?;
    let field = |name: &str| text(&body, name).ok().flatten();
    let kind = field("Type").ok_or(Refusal::MalformedBody)?;
    let algorithm: &dyn VerificationAlgorithm = match field("SignatureVersion").as_deref() {
        Some("1") => &RSA_PKCS1_2048_8192_SHA1_FOR_LEGACY_USE_ONLY,
        Some("2") => &RSA_PKCS1_2048_8192_SHA256,
        _ => return Err(Refusal::MalformedSignature),
    };
    let url = field("SigningCertURL").ok_or(Refusal::MalformedBody)?;
    if !is_certificate_url(&url) {
        return Err(Refusal::ForeignCertificate);
    }
    let topic = field("TopicArn").unwrap_or_default();
    if !topics.iter().any(|known| *known == topic) {
        return Err(Refusal::ForeignTopic);
    }
    let signature = rsa_signature(&field("Signature").ok_or(Refusal::NoSignature)?)?;
    let bytes = signed_bytes(&body, &kind)?;
    let fits = |key: &Vec<u8>| {
        UnparsedPublicKey::new(algorithm, key)
            .verify(&bytes, &signature)
            .is_ok()
    };
    let found = rsa_keys(claim, &url)?.iter().position(fits);
    found.ok_or(Refusal::WrongSignature)
}

pub(crate) fn signed_bytes(body: &Json<'_>, kind: &str) -> Result<Vec<u8>, Refusal> {
    let names: &[&str] = match kind {
        "Notification" => &NOTIFICATION,
        "SubscriptionConfirmation" | "UnsubscribeConfirmation" => &CONFIRMATION,
        _ => return Err(Refusal::MalformedBody),
    };
    let mut bytes = Vec::new();
    for name in names {
        match text(body, name)? {
            // With a line break in any other field, the same bytes could be read as other fields.
            Some(value) if *name != "Message" && value.contains('\n') => {
                return Err(Refusal::MalformedBody);
            }
            Some(value) => {
                for part in [name, "\n", &value, "\n"] {
                    bytes.extend_from_slice(part.as_bytes());
                }
            }
            None if *name == "Subject" => {}
            None => return Err(Refusal::MalformedBody),
        }
    }
    Ok(bytes)
}

fn text<'a>(body: &Json<'a>, name: &str) -> Result<Option<Cow<'a, str>>, Refusal> {
    let pointer = Pointer::parse(&format!("/{name}")).ok_or(Refusal::MalformedBody)?;
    body.text(&pointer).map_err(|_| Refusal::MalformedBody)
}

/// True when opening an address confirms a subscription at SNS itself, in any region, and does nothing else
/// (<https://docs.aws.amazon.com/sns/latest/dg/http-subscription-confirmation-json.html>).
pub(crate) fn is_confirmation_url(url: &str) -> bool {
    path_at(url, is_host).is_some_and(|path| path.starts_with("?Action=ConfirmSubscription&"))
}

/// True for an address where SNS keeps its certificates. No other address on the host counts: the API of SNS there
/// answers with texts that a caller chose.
fn is_certificate_url(url: &str) -> bool {
    path_at(url, is_host)
        .and_then(|path| path.strip_prefix("SimpleNotificationService-"))
        .and_then(|rest| rest.strip_suffix(".pem"))
        .is_some_and(is_file_name)
}

/// `sns.REGION.amazonaws.com`. A region is two letters, words and a number: `sns.s3-us-west-2.amazonaws.com` has the
/// same form, and is somebody's bucket.
fn is_host(host: &str) -> bool {
    let region = host.strip_prefix("sns.").and_then(|rest| {
        rest.strip_suffix(".amazonaws.com")
            .or_else(|| rest.strip_suffix(".amazonaws.com.cn"))
    });
    let parts: Vec<&str> = region.unwrap_or_default().split('-').collect();
    let letters =
        |part: &str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_lowercase());
    match parts.as_slice() {
        [country, words @ .., number] if !words.is_empty() => {
            country.len() == 2
                && letters(country)
                && words.iter().copied().all(letters)
                && matches!(number.as_bytes(), [b'0'..=b'9'])
        }
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_service_itself_may_hold_a_certificate() {
        for good in [
            "https://sns.eu-west-1.amazonaws.com/SimpleNotificationService-1.pem",
            "https://sns.us-gov-west-1.amazonaws.com/SimpleNotificationService-f3ecfb72.pem",
            "https://sns.cn-north-1.amazonaws.com.cn/SimpleNotificationService-1.pem",
        ] {
            assert!(is_certificate_url(good), "{good}");
        }
        for bad in [
            "http://sns.eu-west-1.amazonaws.com/SimpleNotificationService-1.pem",
            "https://sns.eu-west-1.amazonaws.com",
            "https://sns.eu-west-1.amazonaws.com.evil.example/SimpleNotificationService-1.pem",
            "https://sns.eu-west-1.amazonaws.com@evil.example/SimpleNotificationService-1.pem",
            "https://evil.example/sns.eu-west-1.amazonaws.com/SimpleNotificationService-1.pem",
            "https://evil.example#.sns.eu-west-1.amazonaws.com/SimpleNotificationService-1.pem",
            "https://sns.evil.example.amazonaws.com/SimpleNotificationService-1.pem",
            "https://sns.eu-west-1.amazonaws.com:8443/SimpleNotificationService-1.pem",
            "https://SNS.eu-west-1.amazonaws.com/SimpleNotificationService-1.pem",
            "https://s3.amazonaws.com/SimpleNotificationService-1.pem",
            "https://sns.s3-us-west-2.amazonaws.com/SimpleNotificationService-1.pem",
            "https://sns.s3-accelerate.amazonaws.com/SimpleNotificationService-1.pem",
            "https://sns.eu-west-1.amazonaws.com/other.pem",
            "https://sns.eu-west-1.amazonaws.com/?Action=X&a=SimpleNotificationService-1.pem",
            "https://sns.eu-west-1.amazonaws.com/SimpleNotificationService-1.pem?x=.pem",
            "https://sns.eu-west-1.amazonaws.com/SimpleNotificationService-/../1.pem",
            "https://sns.eu-west-1.amazonaws.com/SimpleNotificationService-%2f.pem",
        ] {
            assert!(!is_certificate_url(bad), "{bad}");
        }
    }

    #[test]
    fn only_a_confirmation_at_the_service_itself_is_opened() {
        let good = "https://sns.eu-west-1.amazonaws.com/?Action=ConfirmSubscription&TopicArn=arn:aws:sns:eu-west-1:1:t&Token=2";
        assert!(is_confirmation_url(good));
        for bad in [
            good.replace("https:", "http:"),
            good.replace("amazonaws.com/", "amazonaws.com.evil.example/"),
            good.replace("amazonaws.com/", "amazonaws.com@evil.example/"),
            good.replace("sns.", "sqs."),
            good.replace("/?Action", "/other?Action"),
            good.replace("ConfirmSubscription&", "Unsubscribe&"),
            good.replace("ConfirmSubscription&", "ConfirmSubscriptionX&"),
        ] {
            assert!(!is_confirmation_url(&bad), "{bad}");
        }
    }
}
