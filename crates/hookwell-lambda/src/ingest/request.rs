//! From a trigger's JSON to a delivery.

use std::borrow::Cow;
use std::fmt;
use std::net::IpAddr;
use std::panic::{AssertUnwindSafe, catch_unwind};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hookwell::delivery::Delivery;
use hookwell::trace::Trace;
use lambda_http::http::{HeaderMap, HeaderName, HeaderValue, Method};
use lambda_http::request::RequestContext;
use lambda_http::{Body, Request, RequestExt as _};
use serde::de::{Deserialize, Deserializer, Error as _, MapAccess, Visitor};

/// The event is not a request that can be answered with more than 400.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the request is not one that a trigger sends")]
pub(crate) struct NotARequest;

/// Reads a trigger event. `request_id` and `xray` are the invocation's; a sender's own trace goes before it.
///
/// Function URLs and HTTP APIs are what nearly everybody has, and their format 2.0 needs no more than to be read.
/// `lambda_http` knows the other triggers; it tries one after the other and makes up a URL, for a tenth of the
/// instructions of the whole request.
pub(crate) fn delivery(
    event: &str,
    request_id: &str,
    xray: Option<&str>,
) -> Result<Delivery, NotARequest> {
    let parts = match serde_json::from_str::<Format2<'_>>(event) {
        Ok(event) => event.parts()?,
        Err(_) => other(event)?,
    };
    let traceparent = parts.headers.get("traceparent");
    let trace = traceparent.and_then(|value| Trace::parse(value.to_str().ok()?));
    let source = Delivery::source_in(&parts.path, parts.stage.as_deref()).map(str::to_owned);
    Ok(Delivery {
        request_id: request_id.to_owned(),
        method: parts.method,
        source,
        path: parts.path,
        query: parts.query,
        headers: parts.headers,
        body: parts.body,
        source_ip: parts.source_ip,
        trace: trace.or_else(|| Trace::from_xray(xray?)),
    })
}

/// What every format has.
struct Parts {
    stage: Option<String>,
    method: Method,
    path: String,
    query: String,
    headers: HeaderMap,
    body: Vec<u8>,
    source_ip: Option<IpAddr>,
}

/// What is needed of an event in format 2.0 ("Create AWS Lambda proxy integrations for HTTP APIs in API Gateway"; function
/// URLs have the same).
#[derive(serde::Deserialize)]
#[serde(rename_all = "camelCase")]
struct Format2<'e> {
    raw_path: String,
    raw_query_string: String,
    headers: Headers,
    request_context: Context,
    #[serde(borrow)]
    body: Option<Cow<'e, str>>,
    #[serde(default)]
    is_base64_encoded: bool,
}

#[derive(serde::Deserialize)]
struct Context {
    stage: Option<String>,
    http: Http,
}

#[derive(serde::Deserialize)]
#[serde(rename_all = "camelCase")]
struct Http {
    method: String,
    source_ip: String,
}

impl Format2<'_> {
    fn parts(self) -> Result<Parts, NotARequest> {
        let Context { stage, http } = self.request_context;
        let body = self.body.unwrap_or_default();
        let body = if self.is_base64_encoded {
            STANDARD.decode(&*body).map_err(|_| NotARequest)?
        } else {
            body.into_owned().into_bytes()
        };
        Ok(Parts {
            stage,
            method: http.method.parse().map_err(|_| NotARequest)?,
            path: self.raw_path,
            query: self.raw_query_string,
            headers: self.headers.0,
            body,
            source_ip: http.source_ip.parse().ok(),
        })
    }
}

/// Headers of one value each, which the trigger has joined with commas where they were sent more than once.
struct Headers(HeaderMap);

/// A text of the event, without a copy where it has nothing escaped.
#[derive(serde::Deserialize)]
struct Text<'e>(#[serde(borrow)] Cow<'e, str>);

impl<'de> Deserialize<'de> for Headers {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Each;
        impl<'de> Visitor<'de> for Each {
            type Value = Headers;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("headers")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut all: A) -> Result<Headers, A::Error> {
                let mut headers = HeaderMap::with_capacity(32);
                while let Some((Text(name), Text(value))) = all.next_entry()? {
                    let name: HeaderName = name.parse().map_err(A::Error::custom)?;
                    let value: HeaderValue = value.parse().map_err(A::Error::custom)?;
                    headers.try_append(name, value).map_err(A::Error::custom)?;
                }
                Ok(Headers(headers))
            }
        }
        deserializer.deserialize_map(Each)
    }
}

/// `lambda_http` panics where it builds the URL from a `Host` or `X-Forwarded-Proto` that is not one, and where it
/// decodes a body that is not base64. The sender chooses all three, so the panic ends here.
fn other(event: &str) -> Result<Parts, NotARequest> {
    let parse = AssertUnwindSafe(|| lambda_http::request::from_str(event));
    let request = catch_unwind(parse)
        .map_err(|_| NotARequest)?
        .map_err(|_| NotARequest)?;
    let (stage, source_ip) = origin(&request);
    let path = request.raw_http_path().to_owned();
    let query = request.uri().query().unwrap_or_default().to_owned();
    let (parts, body) = request.into_parts();
    Ok(Parts {
        stage,
        method: parts.method,
        path,
        query,
        headers: parts.headers,
        body: match body {
            Body::Text(text) => text.into_bytes(),
            Body::Binary(bytes) => bytes,
            _ => Vec::new(),
        },
        source_ip,
    })
}

/// The API's stage and the peer's address. A load balancer names the peer only in a header that anybody may send, so
/// behind one an address list lets nobody in.
fn origin(request: &Request) -> (Option<String>, Option<IpAddr>) {
    let parse = |address: &Option<String>| address.as_deref().and_then(|text| text.parse().ok());
    match request.request_context_ref() {
        Some(RequestContext::ApiGatewayV2(context)) => {
            (context.stage.clone(), parse(&context.http.source_ip))
        }
        Some(RequestContext::ApiGatewayV1(context)) => {
            (context.stage.clone(), parse(&context.identity.source_ip))
        }
        _ => (None, None),
    }
}
