//! Requests of our own making: a draft, its signature, and every form it can be printed in.

use std::io::Read as _;
use std::net::{IpAddr, Ipv4Addr};
use std::path::Path;

use anyhow::{Context as _, Result, anyhow, ensure};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hookwell::event::Operation;
use hookwell::event::delivery::Delivery;
use hookwell::format::json::Pointer;
use hookwell::format::time::Millis;
use hookwell::keys::key_set::Keys;
use hookwell::sender::edit::Edit;
use hookwell::sender::sample::{Ask, Sample, sample};
use hookwell::sender::samples::in_shape;
use hookwell::source::Source;
use http::{HeaderMap, HeaderName, HeaderValue, Method};
use serde_json::{Value, json};

use crate::test_keys;
use crate::trigger::HttpRequest;

/// A request that is not signed yet.
#[derive(Debug, Clone)]
pub struct Draft {
    headers: Vec<(String, String)>,
    query: String,
    body: Vec<u8>,
}

impl Draft {
    /// A sample event of a source about the document `sample-1`, with an id of its own.
    ///
    /// # Errors
    /// When the system has no random numbers.
    pub fn sample(source: &Source, operation: Operation, at: Millis) -> Result<Self> {
        Self::made_up(source, operation, None, at)
    }

    /// An event of this type: in its sender's own shape where there is a sample of that, else made up from the source's
    /// mapping.
    ///
    /// # Errors
    /// As [`sample`](Self::sample).
    pub fn of_type(source: &Source, kind: &str, at: Millis) -> Result<Self> {
        match in_shape(source, kind, random()?, at) {
            Some(sample) => Ok(sample.into()),
            None => Self::made_up(source, Operation::Create, Some(kind), at),
        }
    }

    fn made_up(
        source: &Source,
        operation: Operation,
        kind: Option<&str>,
        at: Millis,
    ) -> Result<Self> {
        let id = format!("evt_{}", hex::encode(random::<8>()?));
        let ask = Ask {
            operation,
            kind,
            id: &id,
            document_id: "sample-1",
            at,
        };
        Ok(sample(source, ask).into())
    }

    /// Puts a value into the body.
    ///
    /// # Errors
    /// When the body is neither JSON nor a form, or has no such place.
    pub fn set(&mut self, pointer: &Pointer, value: Value) -> Result<()> {
        let mut body = Edit::of(&self.body).context("the body is neither JSON nor a form")?;
        let shown = pointer.as_str();
        ensure!(
            body.set(pointer, value),
            "the body has no place {shown}: a list there is shorter"
        );
        self.body = body.bytes();
        Ok(())
    }

    /// Draft of a delivery, without the headers that its connection and its signature added.
    #[must_use]
    pub fn of(delivery: &Delivery) -> Self {
        let added = [
            "host",
            "connection",
            "content-length",
            "content-type",
            "accept-encoding",
        ];
        let headers = delivery.headers.iter().filter_map(|(name, value)| {
            let is_own = !added.contains(&name.as_str());
            let text = value.to_str().ok().filter(|_| is_own)?;
            Some((name.to_string(), text.to_owned()))
        });
        Self {
            headers: headers.collect(),
            query: delivery.query.clone(),
            body: delivery.body.clone(),
        }
    }

    /// Puts these bytes in place of the sample's. Its headers stay: some senders have the id and the type there.
    pub fn set_body(&mut self, body: Vec<u8>) {
        self.body = body;
    }

    /// Puts the bytes of a file in place of the sample's, or those of standard input for `-`.
    ///
    /// # Errors
    /// When it cannot be read.
    pub fn set_body_from(&mut self, path: &Path) -> Result<()> {
        if path == Path::new("-") {
            let mut body = Vec::new();
            let read = std::io::stdin().lock().read_to_end(&mut body);
            read.context("cannot read standard input")?;
            self.body = body;
            return Ok(());
        }
        let body = std::fs::read(path);
        self.body = body.with_context(|| format!("cannot read {}", path.display()))?;
        Ok(())
    }
}

impl From<Sample> for Draft {
    fn from(sample: Sample) -> Self {
        Self {
            headers: sample.headers,
            query: sample.query,
            body: sample.body,
        }
    }
}

fn random<const LENGTH: usize>() -> Result<[u8; LENGTH]> {
    let mut random = [0; LENGTH];
    getrandom::fill(&mut random).map_err(|error| anyhow!("no random numbers: {error}"))?;
    Ok(random)
}

/// A request as its sender would send it.
#[derive(Debug, Clone)]
pub struct Signed {
    /// The source it is for.
    pub source: String,
    /// Query of the URL, without `?`.
    pub query: String,
    /// Headers of the request.
    pub headers: Vec<(String, String)>,
    /// Body of the request.
    pub body: Vec<u8>,
}

/// Signs a draft by these keys, or by the local test key.
///
/// # Errors
/// When the draft lacks something that is signed.
pub fn signed_with(source: &Source, keys: &Keys, draft: Draft, at: Millis) -> Result<Signed> {
    let pair = test_keys::pair(source);
    let mut headers = draft.headers;
    let content_type = source.content_type().to_owned();
    headers.push(("content-type".to_owned(), content_type));
    let mut delivery = Delivery {
        request_id: String::new(),
        method: Method::POST,
        source: Some(source.name.clone()),
        path: format!("/webhooks/{}", source.name),
        query: draft.query,
        headers: header_map(&headers)?,
        body: draft.body,
        source_ip: None,
        trace: None,
    };
    let added = source.sign(keys, pair.as_ref(), &mut delivery, at)?;
    headers.retain(|(name, _)| {
        added
            .iter()
            .all(|(other, _)| !other.eq_ignore_ascii_case(name))
    });
    headers.extend(added);
    Ok(Signed {
        source: source.name.clone(),
        query: delivery.query,
        headers,
        body: delivery.body,
    })
}

/// A text as one word of a shell.
#[must_use]
pub fn quoted(text: &str) -> String {
    format!("'{}'", text.replace('\'', r"'\''"))
}

pub(crate) fn header_map(headers: &[(String, String)]) -> Result<HeaderMap> {
    let mut map = HeaderMap::new();
    for (name, value) in headers {
        let name = HeaderName::from_bytes(name.as_bytes())?;
        map.append(name, HeaderValue::from_str(value)?);
    }
    Ok(map)
}

impl Signed {
    /// Path of the URL.
    #[must_use]
    pub fn path(&self) -> String {
        format!("/webhooks/{}", self.source)
    }

    /// Path and query of the URL.
    #[must_use]
    pub fn target(&self) -> String {
        match self.query.as_str() {
            "" => self.path(),
            query => format!("{}?{query}", self.path()),
        }
    }

    /// The request in HTTP, from this machine.
    ///
    /// # Errors
    /// When a header cannot be sent.
    pub fn to_http(&self) -> Result<HttpRequest> {
        Ok(HttpRequest {
            method: "POST".to_owned(),
            path: self.path(),
            query: self.query.clone(),
            headers: header_map(&self.headers)?,
            body: self.body.clone(),
            source_ip: IpAddr::V4(Ipv4Addr::LOCALHOST),
        })
    }

    /// The request in the JSON that `hookwell verify` reads.
    #[must_use]
    pub fn to_json(&self) -> Value {
        let headers: serde_json::Map<_, _> = self
            .headers
            .iter()
            .map(|(name, value)| (name.clone(), json!(value)))
            .collect();
        json!({
            "source": self.source,
            "method": "POST",
            "path": self.path(),
            "query": self.query,
            "headers": headers,
            "body_base64": STANDARD.encode(&self.body),
        })
    }

    /// The request as a `curl` command for a shell.
    #[must_use]
    pub fn to_curl(&self, base: &str) -> String {
        let headers = self
            .headers
            .iter()
            .map(|(name, value)| format!(" -H {}", quoted(&format!("{name}: {value}"))));
        let headers: String = headers.collect();
        let body = quoted(&String::from_utf8_lossy(&self.body));
        format!(
            "curl -i {}{headers} --data-binary {body}",
            quoted(&format!("{base}{}", self.target()))
        )
    }
}
