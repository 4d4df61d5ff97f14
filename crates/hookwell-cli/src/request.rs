//! Requests of our own making: a draft, its signature, and every form it can be printed in.

use std::net::{IpAddr, Ipv4Addr};
use std::path::Path;

use anyhow::{Context as _, Result, anyhow};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hookwell::delivery::Delivery;
use hookwell::event::Operation;
use hookwell::sample::{Ask, sample};
use hookwell::source::Source;
use hookwell::time::Millis;
use http::{HeaderMap, HeaderName, HeaderValue, Method};
use serde_json::{Value, json};

use crate::secrets::Secrets;
use crate::trigger::HttpRequest;

/// A request that is not signed yet.
#[derive(Debug, Clone)]
pub struct Draft {
    headers: Vec<(String, String)>,
    body: Vec<u8>,
}

impl Draft {
    /// A sample event of a source about the document `sample-1`, with an id of its own.
    ///
    /// # Errors
    /// When the system has no random numbers.
    pub fn sample(source: &Source, operation: Operation, at: Millis) -> Result<Self> {
        let mut random = [0; 8];
        getrandom::fill(&mut random).map_err(|error| anyhow!("no random numbers: {error}"))?;
        let id = format!("evt_{}", hex::encode(random));
        let sample = sample(
            source,
            Ask {
                operation,
                id: &id,
                document_id: "sample-1",
                at,
            },
        );
        Ok(Self {
            headers: sample.headers,
            body: sample.body,
        })
    }

    /// The bytes of a file.
    ///
    /// # Errors
    /// When it cannot be read.
    pub fn file(path: &Path) -> Result<Self> {
        let body =
            std::fs::read(path).with_context(|| format!("cannot read {}", path.display()))?;
        Ok(Self {
            headers: Vec::new(),
            body,
        })
    }
}

/// A request as its sender would send it.
#[derive(Debug, Clone)]
pub struct Signed {
    /// The source it is for.
    pub source: String,
    /// Its headers.
    pub headers: Vec<(String, String)>,
    /// Its body.
    pub body: Vec<u8>,
}

/// Signs a draft by the source's newest secret.
///
/// # Errors
/// When the secret is not set, or the draft lacks something that is signed.
pub fn signed(source: &Source, secrets: &Secrets, draft: Draft, at: Millis) -> Result<Signed> {
    let keys = source.keys(|reference| secrets.fetch(reference))?;
    let mut headers = draft.headers;
    headers.push(("content-type".to_owned(), "application/json".to_owned()));
    let delivery = Delivery {
        request_id: String::new(),
        method: Method::POST,
        source: Some(source.name.clone()),
        path: format!("/webhooks/{}", source.name),
        query: String::new(),
        headers: header_map(&headers)?,
        body: draft.body,
        source_ip: None,
    };
    headers.extend(source.sign(&keys, &delivery, at)?);
    Ok(Signed {
        source: source.name.clone(),
        headers,
        body: delivery.body,
    })
}

fn header_map(headers: &[(String, String)]) -> Result<HeaderMap> {
    let mut map = HeaderMap::new();
    for (name, value) in headers {
        let name = HeaderName::from_bytes(name.as_bytes())?;
        map.append(name, HeaderValue::from_str(value)?);
    }
    Ok(map)
}

impl Signed {
    /// Its path.
    #[must_use]
    pub fn path(&self) -> String {
        format!("/webhooks/{}", self.source)
    }

    /// As an HTTP request from this machine.
    ///
    /// # Errors
    /// When a header cannot be sent.
    pub fn to_http(&self) -> Result<HttpRequest> {
        Ok(HttpRequest {
            method: "POST".to_owned(),
            path: self.path(),
            query: String::new(),
            headers: header_map(&self.headers)?,
            body: self.body.clone(),
            source_ip: IpAddr::V4(Ipv4Addr::LOCALHOST),
        })
    }

    /// As the JSON that `hookwell verify` reads.
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
            "query": "",
            "headers": headers,
            "body_base64": STANDARD.encode(&self.body),
        })
    }

    /// As a `curl` command for a shell.
    #[must_use]
    pub fn to_curl(&self, base: &str) -> String {
        let quote = |text: &str| format!("'{}'", text.replace('\'', r"'\''"));
        let headers = self
            .headers
            .iter()
            .map(|(name, value)| format!(" -H {}", quote(&format!("{name}: {value}"))));
        let headers: String = headers.collect();
        let body = quote(&String::from_utf8_lossy(&self.body));
        format!(
            "curl -i {base}{}{headers} --data-binary {body}",
            self.path()
        )
    }
}
