//! A request as a stranger sends it.

use std::net::IpAddr;

use hookwell::event::delivery::Delivery;
use http::{HeaderMap, HeaderName, HeaderValue, Method};

/// A request, headers in the order they come.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Request {
    pub(crate) method: String,
    pub(crate) path: String,
    pub(crate) query: String,
    pub(crate) headers: Vec<(String, Vec<u8>)>,
    pub(crate) body: Vec<u8>,
    pub(crate) address: IpAddr,
}

impl Request {
    /// All values of a header, without the blanks around each, joined as the platform does; `None` when there is none, or one
    /// is not text.
    pub(crate) fn header(&self, wanted: &str) -> Option<String> {
        let mut values = Vec::new();
        for (name, value) in &self.headers {
            if name.eq_ignore_ascii_case(wanted) {
                let is_text = |byte: &u8| (32..127).contains(byte) || *byte == b'\t';
                let is_text = value.iter().all(is_text);
                let text = is_text.then(|| String::from_utf8(value.clone()).unwrap())?;
                values.push(text.trim_matches([' ', '\t']).to_owned());
            }
        }
        (!values.is_empty()).then(|| values.join(","))
    }

    /// The first value of a query parameter, decoded.
    pub(crate) fn query_value(&self, wanted: &str) -> Option<String> {
        let mut all = pairs(self.query.as_bytes()).into_iter();
        all.find_map(|(name, value)| (name == wanted).then_some(value))
    }

    /// The headers; `None` when HTTP itself does not allow them.
    pub(crate) fn header_map(&self) -> Option<HeaderMap> {
        let mut headers = HeaderMap::new();
        for (name, value) in &self.headers {
            let name = HeaderName::from_bytes(name.as_bytes()).ok()?;
            headers.append(name, HeaderValue::from_bytes(value).ok()?);
        }
        Some(headers)
    }

    /// The request as ingest sees it; `None` when HTTP itself does not allow it.
    pub(crate) fn delivery(&self) -> Option<Delivery> {
        Some(Delivery {
            request_id: "request-1".into(),
            method: Method::from_bytes(self.method.as_bytes()).ok()?,
            source: Delivery::source_in(&self.path).map(str::to_owned),
            path: self.path.clone(),
            query: self.query.clone(),
            headers: self.header_map()?,
            body: self.body.clone(),
            source_ip: Some(self.address),
            trace: None,
        })
    }
}

/// The pairs of a form, decoded (URL Standard, "application/x-www-form-urlencoded parsing").
pub(crate) fn pairs(form: &[u8]) -> Vec<(String, String)> {
    let parts = form
        .split(|byte| *byte == b'&')
        .filter(|part| !part.is_empty());
    let pair = |part: &[u8]| {
        let cut = part.iter().position(|byte| *byte == b'=');
        let (name, value) = match cut {
            Some(cut) => (&part[..cut], &part[cut + 1..]),
            None => (part, &part[..0]),
        };
        (decoded(name), decoded(value))
    };
    parts.map(pair).collect()
}

fn decoded(text: &[u8]) -> String {
    let digit = |at: usize| char::from(*text.get(at)?).to_digit(16);
    let mut bytes = Vec::new();
    let mut at = 0;
    while at < text.len() {
        match (text[at], digit(at + 1), digit(at + 2)) {
            (b'%', Some(high), Some(low)) => {
                bytes.push(u8::try_from(high * 16 + low).unwrap());
                at += 2;
            }
            (b'+', ..) => bytes.push(b' '),
            (other, ..) => bytes.push(other),
        }
        at += 1;
    }
    String::from_utf8_lossy(&bytes).into_owned()
}
