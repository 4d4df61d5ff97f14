//! An event as a signed request, by Standard Webhooks (<https://www.standardwebhooks.com>).

use std::fmt::Write as _;

use hmac::Mac as _;
use serde::de::IgnoredAny;

use crate::event::Event;
use crate::format::encoding::Encoding;
use crate::format::time::Millis;
use crate::keys::secret::{KeyDecoding, KeyEncoding, MIN_BYTES, Secret, SecretError};

/// Key that signs the requests of a destination.
#[derive(Debug, Clone)]
pub struct SigningKey(Secret);

impl SigningKey {
    /// Reads a secret as Standard Webhooks writes it: base64, usually behind `whsec_`.
    ///
    /// # Errors
    /// When it is blank, no base64, or shorter than 16 bytes.
    pub fn new(text: &str) -> Result<Self, SecretError> {
        let decoding = KeyDecoding {
            strip: vec!["whsec_".to_owned()],
            encoding: KeyEncoding::Base64,
        };
        Secret::new(text, &decoding, MIN_BYTES).map(Self)
    }
}

/// A signed request, but for its address. Its body is the event's.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Request {
    /// Names and values of the headers.
    pub headers: Vec<(&'static str, String)>,
}

impl Request {
    /// The request that tells an event, signed at `now`. The id of the request is the event's key, at every try.
    #[must_use]
    pub fn new(event: &Event, key: &SigningKey, now: Millis) -> Self {
        let (id, timestamp) = (event.key.as_str(), (now / 1000).to_string());
        let mut hmac = key.0.hmac_sha256();
        for part in [
            id.as_bytes(),
            b".",
            timestamp.as_bytes(),
            b".",
            &event.body.0,
        ] {
            hmac.update(part);
        }
        let signature = Encoding::Base64.encode(&hmac.finalize().into_bytes());
        let mut headers = vec![
            ("content-type", content_type(event).to_owned()),
            ("user-agent", "hookwell".to_owned()),
            ("webhook-id", id.to_owned()),
            ("webhook-timestamp", timestamp),
            ("webhook-signature", format!("v1,{signature}")),
            ("hookwell-source", event.source.clone()),
            ("hookwell-type", visible(&event.kind)),
            ("hookwell-operation", event.operation.name().to_owned()),
        ];
        if let Some(id) = &event.document_id {
            headers.push(("hookwell-document", visible(id)));
        }
        if let Some(trace) = &event.trace {
            headers.push(("traceparent", trace.traceparent().to_owned()));
        }
        Self { headers }
    }
}

/// Content type of the body. Ingest makes JSON of forms, so anything else is rare.
fn content_type(event: &Event) -> &'static str {
    if serde_json::from_slice::<IgnoredAny>(&event.body.0).is_ok() {
        "application/json"
    } else {
        "application/octet-stream"
    }
}

/// A text as the value of a header: what is not visible ASCII, and `%`, is percent-encoded.
fn visible(text: &str) -> String {
    let mut value = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_graphic() && byte != b'%' {
            value.push(char::from(byte));
        } else {
            // Writing to a String cannot fail.
            let _ = write!(value, "%{byte:02X}");
        }
    }
    value
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::body::Body;
    use crate::event::identity::Key;
    use crate::format::trace::Trace;

    const SECRET: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";

    fn header(request: &Request, name: &str) -> Option<String> {
        let mut headers = request.headers.iter();
        let (_, value) = headers.find(|(known, _)| *known == name)?;
        Some(value.clone())
    }

    #[test]
    fn a_request_is_signed_as_the_specification_says() {
        // The key, the body and the time of the reference libraries' own tests; their message id is no key of ours, so the
        // signature is computed over ours by its definition.
        let event = Event {
            body: Body(br#"{"test": 2432232314}"#.to_vec()),
            ..Event::bare("shop", "1")
        };
        let key = SigningKey::new(SECRET).unwrap();
        let request = Request::new(&event, &key, 1_614_265_330_999);
        let id = Key::new("shop", &[b"1"]);
        assert_eq!(header(&request, "webhook-id").as_deref(), Some(id.as_str()));
        assert_eq!(header(&request, "webhook-timestamp").unwrap(), "1614265330");
        assert_eq!(
            header(&request, "content-type").unwrap(),
            "application/json"
        );
        let signed = format!(r#"{}.1614265330.{{"test": 2432232314}}"#, id.as_str());
        let ring = ring::hmac::Key::new(
            ring::hmac::HMAC_SHA256,
            &Encoding::Base64.decode(&SECRET[6..]).unwrap(),
        );
        let tag = ring::hmac::sign(&ring, signed.as_bytes());
        let expected = format!("v1,{}", Encoding::Base64.encode(tag.as_ref()));
        assert_eq!(header(&request, "webhook-signature").unwrap(), expected);
    }

    #[test]
    fn what_no_header_takes_is_percent_encoded() {
        let event = Event {
            kind: "größe geändert".into(),
            document_id: Some("a\r\nb: 100%".into()),
            trace: Trace::parse("00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"),
            ..Event::bare("shop", "1")
        };
        let key = SigningKey::new(SECRET).unwrap();
        let request = Request::new(&event, &key, 0);
        assert_eq!(
            header(&request, "hookwell-type").unwrap(),
            "gr%C3%B6%C3%9Fe%20ge%C3%A4ndert"
        );
        assert_eq!(
            header(&request, "hookwell-document").unwrap(),
            "a%0D%0Ab:%20100%25"
        );
        assert_eq!(header(&request, "hookwell-operation").unwrap(), "other");
        assert!(header(&request, "traceparent").is_some());
        let bare = Request::new(&Event::bare("shop", "1"), &key, 0);
        assert_eq!(header(&bare, "hookwell-document"), None);
    }

    #[test]
    fn a_secret_that_nobody_could_verify_with_is_refused() {
        for text in [
            "",
            "whsec_",
            "whsec_c2hvcnQ=",
            "not base64 at all",
            "whsec_your_secret_here",
        ] {
            assert!(SigningKey::new(text).is_err(), "{text:?}");
        }
        assert!(SigningKey::new(&SECRET[6..]).is_ok());
    }
}
