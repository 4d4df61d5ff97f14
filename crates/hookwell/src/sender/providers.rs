//! The sending half of the schemes that are code, for test senders.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Map, Value, json};
use sha2::{Digest, Sha256};

use crate::event::delivery::Delivery;
use crate::event::identity::hash;
use crate::format::encoding::Encoding;
use crate::format::json::Json;
use crate::format::time::{Unit, to_rfc3339};
use crate::sender::signer::{Added, Signer, key, object};
use crate::verify::algorithm::Algorithm;
use crate::verify::providers::{
    Special, SpecialKind, adyen, aws_sns, contentful, paypal, plaid, twilio,
};
use crate::verify::verifier::Refusal;

/// The id of the web key that test deliveries are signed with.
const SAMPLE_KEY: &str = "sample";

/// The headers to send with a delivery, in their order.
type Headers = Vec<(String, String)>;

impl Special {
    /// Makes a delivery valid. Returns the headers to send with it; its body and query may have changed.
    ///
    /// # Errors
    /// When it lacks something that is signed, or there is no key.
    pub fn sign(&self, delivery: &mut Delivery, signer: Signer<'_>) -> Result<Headers, Refusal> {
        match self.kind {
            SpecialKind::TwilioForm => twilio_form(delivery, signer, false),
            SpecialKind::TwilioJson => twilio_json(delivery, signer),
            SpecialKind::TwilioSharedKey => twilio_form(delivery, signer, true),
            SpecialKind::Contentful => contentful(delivery, signer),
            SpecialKind::AwsSns => aws_sns(delivery, signer, self.topics.first()),
            SpecialKind::PayPal => paypal(delivery, signer),
            SpecialKind::Plaid => plaid(delivery, signer),
            SpecialKind::Adyen => adyen(delivery, signer),
            SpecialKind::Mailgun => mailgun(delivery, signer),
            SpecialKind::MsGraph => msgraph(delivery, signer),
        }
    }
}

fn adyen(delivery: &mut Delivery, signer: Signer<'_>) -> Result<Headers, Refusal> {
    let mut body = object(delivery)?;
    let list = body
        .get_mut("notificationItems")
        .and_then(Value::as_array_mut);
    for item in list.ok_or(Refusal::MalformedBody)? {
        let item = item.get_mut(adyen::ITEM).and_then(Value::as_object_mut);
        let item = item.ok_or(Refusal::MalformedBody)?;
        let text = serde_json::to_vec(&*item).map_err(|_| Refusal::MalformedBody)?;
        let bytes = adyen::signed_bytes(&Json::parse(&text).map_err(|_| Refusal::MalformedBody)?)?;
        let signature =
            Encoding::Base64.encode(&Algorithm::HmacSha256.digest(key(signer)?, &bytes));
        let more = item
            .entry("additionalData")
            .or_insert_with(|| Value::Object(Map::new()));
        let more = more.as_object_mut().ok_or(Refusal::MalformedBody)?;
        more.insert("hmacSignature".to_owned(), json!(signature));
    }
    delivery.body = serde_json::to_vec(&body).map_err(|_| Refusal::MalformedBody)?;
    Ok(Vec::new())
}

fn aws_sns(
    delivery: &mut Delivery,
    signer: Signer<'_>,
    topic: Option<&String>,
) -> Result<Headers, Refusal> {
    let mut body = object(delivery)?;
    let mut fill = |name: &str, value: &str| {
        body.entry(name).or_insert_with(|| json!(value));
    };
    let topic = topic.map_or("arn:aws:sns:us-east-1:000000000000:sample", String::as_str);
    fill("MessageId", "00000000-0000-0000-0000-000000000000");
    fill("TopicArn", topic);
    fill("Message", "sample");
    fill("Timestamp", &to_rfc3339(signer.now));
    let host = "https://sns.us-east-1.amazonaws.com";
    fill(
        "SigningCertURL",
        &format!("{host}/SimpleNotificationService-0.pem"),
    );
    body.insert("SignatureVersion".to_owned(), json!("2"));
    let kinds = [
        "Notification",
        "SubscriptionConfirmation",
        "UnsubscribeConfirmation",
    ];
    let kind = body.get("Type").and_then(Value::as_str);
    let kind = kind.filter(|kind| kinds.contains(kind));
    let kind = kind.unwrap_or("Notification").to_owned();
    body.insert("Type".to_owned(), json!(kind));
    let text = serde_json::to_vec(&body).map_err(|_| Refusal::MalformedBody)?;
    let bytes = aws_sns::signed_bytes(
        &Json::parse(&text).map_err(|_| Refusal::MalformedBody)?,
        &kind,
    )?;
    let signature = signer.pair.and_then(|pair| pair.sign(&bytes));
    let signature = Encoding::Base64.encode(&signature.ok_or(Refusal::NotReady)?);
    body.insert("Signature".to_owned(), json!(signature));
    delivery.body = serde_json::to_vec(&body).map_err(|_| Refusal::MalformedBody)?;
    let mut added = Added::to(delivery);
    added.header("x-amz-sns-message-type", kind);
    Ok(added.headers)
}

fn contentful(delivery: &mut Delivery, signer: Signer<'_>) -> Result<Headers, Refusal> {
    let mut added = Added::to(delivery);
    let mut names = vec![contentful::SIGNED, contentful::TIME];
    let topic = "x-contentful-topic";
    if added.delivery.headers.contains_key(topic) {
        names.push(topic);
    }
    let names = names.join(",");
    added.header(contentful::SIGNED, names.clone());
    added.header(contentful::TIME, Unit::Millis.format(signer.now));
    let bytes = contentful::canonical(added.delivery, signer.url, &names)?;
    let digest = Algorithm::HmacSha256.digest(key(signer)?, &bytes);
    added.header(contentful::SIGNATURE, Encoding::Hex.encode(&digest));
    Ok(added.headers)
}

fn mailgun(delivery: &mut Delivery, signer: Signer<'_>) -> Result<Headers, Refusal> {
    let time = Unit::Seconds.format(signer.now);
    let token = hash(&[&delivery.body, time.as_bytes()]);
    let digest = Algorithm::HmacSha256.digest(key(signer)?, format!("{time}{token}").as_bytes());
    let signature = Encoding::Hex.encode(&digest);
    let Ok(mut body) = object(delivery) else {
        let fields = [
            ("timestamp", time),
            ("token", token),
            ("signature", signature),
        ];
        delivery.body = with_fields(&delivery.body, &fields);
        return Ok(Vec::new());
    };
    let proof = json!({ "timestamp": time, "token": token, "signature": signature });
    body.insert("signature".to_owned(), proof);
    delivery.body = serde_json::to_vec(&body).map_err(|_| Refusal::MalformedBody)?;
    Ok(Vec::new())
}

/// A form, or a body of several parts, with these fields before its own.
fn with_fields(body: &[u8], fields: &[(&str, String)]) -> Vec<u8> {
    let own = String::from_utf8_lossy(body);
    let text = match own.split_once("\r\n") {
        Some((boundary, _)) if boundary.starts_with("--") => {
            let head = "Content-Disposition: form-data; name=";
            let parts = fields
                .iter()
                .map(|(name, text)| format!("{boundary}\r\n{head}\"{name}\"\r\n\r\n{text}\r\n"));
            format!("{}{own}", parts.collect::<String>())
        }
        _ => {
            let mut form = form_urlencoded::Serializer::new(String::new());
            format!("{}&{own}", form.extend_pairs(fields).finish())
        }
    };
    text.into_bytes()
}

fn msgraph(delivery: &mut Delivery, signer: Signer<'_>) -> Result<Headers, Refusal> {
    let mut body = object(delivery)?;
    let state = String::from_utf8_lossy(key(signer)?).into_owned();
    let list = body.get_mut("value").and_then(Value::as_array_mut);
    for item in list.ok_or(Refusal::MalformedBody)? {
        let item = item.as_object_mut().ok_or(Refusal::MalformedBody)?;
        item.insert("clientState".to_owned(), json!(state));
    }
    delivery.body = serde_json::to_vec(&body).map_err(|_| Refusal::MalformedBody)?;
    Ok(Vec::new())
}

fn paypal(delivery: &mut Delivery, signer: Signer<'_>) -> Result<Headers, Refusal> {
    let time = to_rfc3339(signer.now);
    let id = hash(&[&delivery.body, time.as_bytes()]);
    let checksum = paypal::crc32(&delivery.body);
    let bytes = paypal::signed_bytes(&id, &time, key(signer)?, checksum);
    let signature = signer.pair.and_then(|pair| pair.sign(&bytes));
    let signature = Encoding::Base64.encode(&signature.ok_or(Refusal::NotReady)?);
    let mut added = Added::to(delivery);
    added.header(paypal::ID, id);
    added.header(paypal::TIME, time);
    added.header(
        paypal::CERTIFICATE,
        format!(
            "https://{}/{}CERT-sample",
            paypal::HOSTS[0],
            paypal::CERTIFICATES
        ),
    );
    added.header(paypal::ALGORITHM, "SHA256withRSA".to_owned());
    added.header(paypal::SIGNATURE, signature);
    Ok(added.headers)
}

fn plaid(delivery: &mut Delivery, signer: Signer<'_>) -> Result<Headers, Refusal> {
    let header = json!({ "alg": "ES256", "kid": SAMPLE_KEY, "typ": "JWT" });
    let hash = Encoding::Hex.encode(&Sha256::digest(&delivery.body));
    let claims = json!({ "iat": signer.now / 1000, "request_body_sha256": hash });
    let [header, claims] = [header, claims].map(|part| URL_SAFE_NO_PAD.encode(part.to_string()));
    let content = format!("{header}.{claims}");
    let signature = signer
        .pair
        .and_then(|pair| pair.sign_es256(content.as_bytes()));
    let signature = URL_SAFE_NO_PAD.encode(signature.ok_or(Refusal::NotReady)?);
    let mut added = Added::to(delivery);
    added.header(plaid::TOKEN, format!("{content}.{signature}"));
    Ok(added.headers)
}

fn twilio_form(
    delivery: &mut Delivery,
    signer: Signer<'_>,
    sha256: bool,
) -> Result<Headers, Refusal> {
    let mut added = Added::to(delivery);
    let algorithm = if sha256 {
        added.header(twilio::SETTINGS, format!("key=sample,{}", twilio::SHA256));
        Algorithm::HmacSha256
    } else {
        Algorithm::HmacSha1
    };
    let fields = twilio::fields(&added.delivery.body).ok_or(Refusal::MalformedBody)?;
    twilio(added, signer, algorithm, &fields)
}

fn twilio_json(delivery: &mut Delivery, signer: Signer<'_>) -> Result<Headers, Refusal> {
    let mut added = Added::to(delivery);
    let hash = Encoding::Hex.encode(&Sha256::digest(&added.delivery.body));
    added.query(twilio::BODY_HASH, &hash);
    twilio(added, signer, Algorithm::HmacSha1, "")
}

fn twilio(
    mut added: Added<'_>,
    signer: Signer<'_>,
    algorithm: Algorithm,
    fields: &str,
) -> Result<Headers, Refusal> {
    let url = added
        .delivery
        .signed_url(signer.url)
        .ok_or(Refusal::NotReady)?;
    let digest = algorithm.digest(key(signer)?, format!("{url}{fields}").as_bytes());
    added.header(twilio::SIGNATURE, Encoding::Base64.encode(&digest));
    Ok(added.headers)
}
