//! The bucket: messages that are too large for the queue, whole events that are too large for the table, and recordings.

use std::io::{Read as _, Write as _};

use flate2::Compression;
use flate2::read::DeflateDecoder;
use flate2::write::DeflateEncoder;
use hookwell::event::Event;
use hookwell::event::message::{Damage, is_source_name};
use hookwell::ports::queue::{OpenError, QueueError};
use serde::{Deserialize, Serialize};

use crate::client::connection::Connection;
use crate::client::limits::Limits;
use crate::client::settings::Environment;
use crate::http::signed::{Answer, Request};

/// The largest text that a stored event expands to, in bytes: the largest body of Lambda in base64, with room for the
/// rest of the event.
const MAX_EXPANDED: u64 = 16 * 1024 * 1024;

/// A bucket of S3, or what stands in for one.
#[derive(Debug, Clone)]
pub struct Bucket {
    connection: Connection,
    name: String,
    limits: Limits,
}

/// The bucket cannot be used now.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the bucket is unavailable: {0}")]
pub struct BucketError(pub String);

/// Text of a message whose event is in the bucket.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Pointer {
    /// The object's name.
    stored: String,
}

/// Beginning of every pointer, and of no event.
const POINTER: &str = r#"{"stored":"#;

impl Bucket {
    /// The bucket of that name.
    #[must_use]
    pub fn new(connection: Connection, name: String, limits: Limits) -> Self {
        Self {
            connection,
            name,
            limits,
        }
    }

    /// The bucket that `HOOKWELL_BUCKET` names; none where it is not set.
    #[must_use]
    pub fn from_environment(
        env: Environment<'_>,
        connection: &Connection,
        limits: Limits,
    ) -> Option<Self> {
        let name = env("HOOKWELL_BUCKET")?;
        Some(Self::new(connection.clone(), name, limits))
    }

    /// Stores an event, and gives the object's name. The same event has the same name every time, and an event with
    /// another body has another name, so that no object is overwritten by a different one.
    ///
    /// # Errors
    /// When the bucket does not take it, or not in time.
    pub async fn store(&self, event: &Event) -> Result<String, BucketError> {
        let name = object_name(event);
        let compressed = compress(&event.to_message());
        self.call("PUT", &name, &[], &compressed).await?;
        Ok(name)
    }

    /// The event that was [stored](Self::store) under a name, as a message.
    ///
    /// # Errors
    /// When the bucket does not answer in time, or something else is there.
    pub async fn read(&self, name: &str) -> Result<String, OpenError> {
        if !is_object_name(name) {
            return Err(Damage::Place.into());
        }
        let compressed = match self.call("GET", name, &[], &[]).await {
            Ok(compressed) => compressed,
            // Ingest puts the object before it sends the message, and S3 shows every object at once. S3 says so only to
            // a role that may list the bucket, and template.yaml lets process; any other role gets 403, as for a
            // mistake in the role.
            Err(BucketError(code)) if code == NO_OBJECT => return Err(Damage::NoObject.into()),
            Err(why) => return Err(QueueError(why.to_string()).into()),
        };
        let message = expand(&compressed).ok_or(Damage::OtherObject)?;
        let event = Event::from_message(&message);
        // A message of a later release has a name that only that release can tell.
        if event.is_ok_and(|event| object_name(&event) != name) {
            return Err(Damage::OtherObject.into());
        }
        Ok(message)
    }

    /// Calls S3 about the object `name`. Names of objects need no escapes in a URL.
    ///
    /// # Errors
    /// S3's code, or why there is no answer.
    pub(crate) async fn call(
        &self,
        method: &'static str,
        name: &str,
        headers: &[(&'static str, &str)],
        body: &[u8],
    ) -> Result<Vec<u8>, BucketError> {
        let answer = self.ask(method, name, headers, body).await?;
        // Somebody on the way may answer 200 as well: without the tag nothing is stored, or the body is not the object.
        if !answer.has_tag {
            return Err(BucketError("the answer is not S3's".to_owned()));
        }
        Ok(answer.body)
    }

    /// Names of the objects that begin with a text ("ListObjectsV2"). The text needs no escapes in a URL but for its slashes.
    ///
    /// # Errors
    /// S3's code, or why there is no answer.
    #[cfg(feature = "tools")]
    pub(crate) async fn names(&self, prefix: &str) -> Result<Vec<String>, BucketError> {
        let (mut names, mut next) = (Vec::new(), None);
        loop {
            let mut query = form_urlencoded::Serializer::new(String::new());
            query.append_pair("list-type", "2");
            query.append_pair("prefix", prefix);
            query.extend_pairs(next.iter().map(|next| ("continuation-token", next)));
            let query = format!("?{}", query.finish());
            let answer = self.ask("GET", &query, &[], &[]).await?;
            let text = String::from_utf8_lossy(&answer.body);
            if !text.contains("<ListBucketResult") {
                return Err(BucketError("the answer is not S3's".to_owned()));
            }
            let keys = text.split("<Key>").skip(1);
            let keys = keys.filter_map(|rest| Some(rest.split_once("</Key>")?.0.to_owned()));
            names.extend(keys);
            let token = text.split_once("<NextContinuationToken>");
            next = token.and_then(|(_, rest)| Some(rest.split_once('<')?.0.to_owned()));
            if next.is_none() {
                return Ok(names);
            }
        }
    }

    /// Asks S3 about what stands behind the bucket in the URL; an answer but 200 is an error.
    async fn ask(
        &self,
        method: &'static str,
        what: &str,
        headers: &[(&'static str, &str)],
        body: &[u8],
    ) -> Result<Answer, BucketError> {
        let url = format!("{}/{what}", self.connection.bucket_url(&self.name));
        let request = Request {
            service: "s3",
            method,
            url: &url,
            headers,
            body,
        };
        let answer = self.connection.send_signed(&request, self.limits).await;
        let answer = answer.map_err(|why| BucketError(why.to_owned()))?;
        if answer.status == 200 {
            Ok(answer)
        } else {
            Err(BucketError(code(&answer)))
        }
    }
}

/// Code of S3 for an object that is not there.
const NO_OBJECT: &str = "NoSuchKey";

/// Code of an S3 error ("Error responses": XML with a `Code`), else the status.
fn code(answer: &Answer) -> String {
    let text = String::from_utf8_lossy(&answer.body);
    let code = text
        .split_once("<Code>")
        .and_then(|(_, rest)| rest.split_once("</Code>"));
    match code {
        Some((code, _)) if code.len() < 64 && code.chars().all(|c| c.is_ascii_alphanumeric()) => {
            code.to_owned()
        }
        _ => format!("status {}", answer.status),
    }
}

fn object_name(event: &Event) -> String {
    let key = event.record_key().as_str().replace(['#', '>'], "/");
    format!("{key}/{}", event.body.hash())
}

/// True when an event can be under this name: a source, what tells its key from others, and a hash. Nothing else may become
/// part of a URL.
fn is_object_name(name: &str) -> bool {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.');
    let is_part = |part: &str| !matches!(part, "" | "." | "..") && part.bytes().all(plain);
    let source = name.split_once('/').map(|(source, _)| source);
    name.len() <= MAX_OBJECT_NAME
        && source.is_some_and(is_source_name)
        && name.split('/').all(is_part)
}

/// The longest name of an object, in bytes ("Naming Amazon S3 objects").
const MAX_OBJECT_NAME: usize = 1024;

/// A message that says where the event is.
pub(crate) fn pointer(name: String) -> String {
    // One text under one key always serialises.
    serde_json::to_string(&Pointer { stored: name }).unwrap_or_default()
}

/// Key of the object with a message's event, when the message is not the event itself.
pub(crate) fn pointed_at(message: &str) -> Option<String> {
    if !message.starts_with(POINTER) {
        return None;
    }
    let pointer: Pointer = serde_json::from_str(message).ok()?;
    Some(pointer.stored)
}

/// Deflate, at its fastest: it saves most of the bytes that compression of JSON can save, and some senders wait for it.
pub(crate) fn compress(text: &str) -> Vec<u8> {
    let mut encoder = DeflateEncoder::new(Vec::new(), Compression::fast());
    // Into memory, which takes everything.
    let _ = encoder.write_all(text.as_bytes());
    encoder.finish().unwrap_or_default()
}

/// Decompresses an event; `None` when the bytes are not compressed, or it is larger than any of ours.
pub(crate) fn expand(compressed: &[u8]) -> Option<String> {
    let mut text = String::new();
    let mut decoder = DeflateDecoder::new(compressed).take(MAX_EXPANDED);
    decoder.read_to_string(&mut text).ok()?;
    // At the limit more text may follow, and a part of an event is no event.
    (decoder.limit() > 0).then_some(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_compressed_comes_back() {
        for text in [
            String::new(),
            "x".repeat(7_000_000),
            "é\u{FFFF}\0".to_owned(),
        ] {
            assert_eq!(expand(&compress(&text)), Some(text));
        }
        assert_eq!(expand(b"not compressed"), None);
    }

    #[test]
    fn a_pointer_is_no_event_and_an_event_no_pointer() {
        let name = "shop/abc/def";
        assert_eq!(pointed_at(&pointer(name.to_owned())).as_deref(), Some(name));
        for other in [
            "",
            "{}",
            r#"{"key":"a"}"#,
            r#"{"stored":"a","key":"b"}"#,
            r#"{"stored":1}"#,
        ] {
            assert_eq!(pointed_at(other), None, "{other}");
        }
    }
}
