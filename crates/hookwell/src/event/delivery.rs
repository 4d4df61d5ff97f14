//! A delivery: one HTTP request as it arrived, before anybody trusts it.

use std::borrow::Cow;
use std::net::IpAddr;

use http::{HeaderMap, HeaderValue, Method};

use crate::format::trace::Trace;

/// One request, in the shape every Lambda trigger can give.
#[derive(Clone)]
pub struct Delivery {
    /// Id of the request, unique, as the platform gives it.
    pub request_id: String,
    /// Method of the request.
    pub method: Method,
    /// The name after `/webhooks/`, `None` on any other path.
    pub source: Option<String>,
    /// The path as it was asked for.
    pub path: String,
    /// The query string, without `?`, as sent.
    pub query: String,
    /// Headers of the request.
    pub headers: HeaderMap,
    /// The bytes as sent.
    pub body: Vec<u8>,
    /// The peer that the platform saw; never what a header claims.
    pub source_ip: Option<IpAddr>,
    /// Trace of the request, by the sender's word or the platform's; it proves nothing.
    pub trace: Option<Trace>,
}

impl Delivery {
    /// The source named by a request path: `/webhooks/NAME` at its end, with or without a slash behind it. What stands before it is an API's stage, the base
    /// path of a custom domain or a proxy's own, and an event does not always say which.
    #[must_use]
    pub fn source_in(path: &str) -> Option<&str> {
        let path = path.strip_suffix('/').unwrap_or(path);
        let (_, name) = path.rsplit_once("/webhooks/")?;
        (!name.is_empty() && !name.contains('/')).then_some(name)
    }

    /// The value of a header without blanks around it (RFC 9110, 5.5), repeated ones joined with a comma as API Gateway and
    /// function URLs do; `None` when it is absent or not text.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<Cow<'_, str>> {
        let mut values = self.headers.get_all(name).iter();
        let mut text = Cow::Borrowed(text_of(values.next()?)?);
        for value in values {
            let joined = text.to_mut();
            joined.push(',');
            joined.push_str(text_of(value)?);
        }
        Some(text)
    }

    /// The URL that the sender signed: the source's configured URL, with the query of this request unless the
    /// configured URL has a query.
    #[must_use]
    pub fn signed_url<'u>(&self, url: Option<&'u str>) -> Option<Cow<'u, str>> {
        let url = url?;
        if self.query.is_empty() || url.contains('?') {
            return Some(Cow::Borrowed(url));
        }
        Some(Cow::Owned(format!("{url}?{}", self.query)))
    }

    /// True when the content type says that the body is a form.
    #[must_use]
    pub fn is_form(&self) -> bool {
        let kind = self.header("content-type").unwrap_or_default();
        let kind = kind.split(';').next().unwrap_or_default().trim();
        kind.eq_ignore_ascii_case("application/x-www-form-urlencoded")
    }

    /// The decoded value of a query parameter, the first when it is repeated.
    #[must_use]
    pub fn query_value(&self, name: &str) -> Option<String> {
        let mut pairs = form_urlencoded::parse(self.query.as_bytes());
        pairs.find_map(|(key, value)| (key == name).then(|| value.into_owned()))
    }
}

/// The text of a header's value.
fn text_of(value: &HeaderValue) -> Option<&str> {
    Some(value.to_str().ok()?.trim_matches([' ', '\t']))
}

impl std::fmt::Debug for Delivery {
    /// Without headers, query and body: they hold secrets and customers' data.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Delivery")
            .field("request_id", &self.request_id)
            .field("method", &self.method)
            .field("source", &self.source)
            .field("bytes", &self.body.len())
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_source_is_the_one_segment_after_webhooks() {
        for path in [
            "/webhooks/shop",
            "/prod/webhooks/shop",
            "/hooks/v1/webhooks/shop",
            "/webhooks/webhooks/shop",
            "/webhooks/shop/",
        ] {
            assert_eq!(Delivery::source_in(path), Some("shop"), "{path}");
        }
        for other in [
            "/",
            "webhooks/shop",
            "/webhooks",
            "/webhooks/",
            "/webhooks/a/b",
            "/webhooks/shop//",
            "/xwebhooks/shop",
            "/Webhooks/shop",
        ] {
            assert_eq!(Delivery::source_in(other), None, "{other}");
        }
    }

    #[test]
    fn repeated_headers_join_with_a_comma_and_lose_the_blanks_around_them() {
        let mut headers = HeaderMap::new();
        headers.append("x-signature", " a\t".parse().unwrap());
        headers.append("X-Signature", "b ".parse().unwrap());
        let delivery = Delivery {
            request_id: String::new(),
            method: Method::POST,
            source: None,
            path: String::new(),
            query: String::new(),
            headers,
            body: Vec::new(),
            source_ip: None,
            trace: None,
        };
        assert_eq!(delivery.header("X-SIGNATURE").as_deref(), Some("a,b"));
        assert_eq!(delivery.header("x-other"), None);
    }
}
