//! From a trigger's JSON to a delivery.
//!
//! `lambda_http` reads the events of all four triggers. The fields that it loses are read here: the order and the
//! escapes of a query, a header's earlier values, and how a load balancer wants its answer.

use std::borrow::Cow;
use std::cell::Cell;
use std::fmt;
use std::net::IpAddr;
use std::panic::{self, AssertUnwindSafe, catch_unwind};
use std::sync::Once;

use hookwell::event::delivery::Delivery;
use hookwell::format::trace::Trace;
use lambda_http::http::{HeaderName, HeaderValue};
use lambda_http::request::{RequestContext, from_str};
use lambda_http::{Body, Request, RequestExt as _};
use serde::de::{Deserialize, Deserializer, MapAccess, Visitor};
use serde_json::Value;

/// The event is not a request that can be answered with more than 400.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the request is not one that a trigger sends")]
pub(crate) struct NotARequest;

/// A trigger event, read.
#[derive(Debug)]
pub(crate) struct Read {
    pub(crate) delivery: Result<Delivery, NotARequest>,
    /// True when the answer needs lists of headers: a load balancer that hands over headers as lists drops every header
    /// of an answer that is not in a list.
    pub(crate) multi_value_headers: bool,
}

/// Reads a trigger event. `request_id` and `xray` are the invocation's; a trace in the request counts before `xray`.
pub(crate) fn read(event: &str, request_id: &str, xray: Option<&str>) -> Read {
    let parts = serde_json::from_str(event).ok().and_then(|beside: Beside| {
        let request = guarded(event).or_else(|| guarded_without_url(event))?;
        Some((request, beside))
    });
    let Some((request, beside)) = parts else {
        return Read {
            delivery: Err(NotARequest),
            multi_value_headers: false,
        };
    };
    Read {
        multi_value_headers: is_load_balancer(&request) && beside.multi_value_headers.is_some(),
        delivery: delivery(request, beside, request_id, xray).ok_or(NotARequest),
    }
}

fn delivery(
    mut request: Request,
    beside: Beside<'_>,
    request_id: &str,
    xray: Option<&str>,
) -> Option<Delivery> {
    // `lambda_http` keeps only the last value of a header that came more than once.
    let lists = beside.multi_value_headers.unwrap_or_default().0;
    for (name, _) in &lists {
        request.headers_mut().remove(name);
    }
    for (name, value) in lists {
        let (name, value) = (HeaderName::try_from(name), HeaderValue::try_from(value));
        request
            .headers_mut()
            .try_append(name.ok()?, value.ok()?)
            .ok()?;
    }
    let query = if let Some(query) = beside.raw_query_string {
        query.into_owned()
    } else {
        let lists = beside.multi_value_query_string_parameters;
        let lists = lists.filter(|pairs| !pairs.0.is_empty());
        let pairs = lists.or(beside.query_string_parameters);
        // A load balancer passes on what was sent; API Gateway has decoded it.
        let is_decoded = !is_load_balancer(&request);
        pairs.unwrap_or_default().query(is_decoded)
    };
    let path = request.raw_http_path().to_owned();
    let source_ip = source_ip(&request);
    let (parts, body) = request.into_parts();
    let traceparent = parts.headers.get("traceparent");
    let trace = traceparent.and_then(|value| Trace::parse(value.to_str().ok()?));
    Some(Delivery {
        request_id: request_id.to_owned(),
        method: parts.method,
        source: Delivery::source_in(&path).map(str::to_owned),
        path,
        query,
        headers: parts.headers,
        body: match body {
            Body::Text(text) => text.into_bytes(),
            Body::Binary(bytes) => bytes,
            _ => Vec::new(),
        },
        source_ip,
        trace: trace.or_else(|| Trace::from_xray(xray?)),
    })
}

fn is_load_balancer(request: &Request) -> bool {
    matches!(request.request_context_ref(), Some(RequestContext::Alb(_)))
}

/// The peer's address. A load balancer names the peer only in a header that anybody may send, so behind one an address
/// list lets nobody in.
fn source_ip(request: &Request) -> Option<IpAddr> {
    let address = match request.request_context_ref()? {
        RequestContext::ApiGatewayV2(context) => context.http.source_ip.as_deref(),
        RequestContext::ApiGatewayV1(context) => context.identity.source_ip.as_deref(),
        _ => None,
    };
    address?.parse().ok()
}

/// `lambda_http` panics where it can build no URL or request, and where a body is not the base64 that the event says.
/// The sender chooses host, query and body, so the panic is caught here and not logged: its text may be the sender's.
fn guarded(event: &str) -> Option<Request> {
    thread_local!(static IS_READING: Cell<bool> = const { Cell::new(false) });
    static HOOK: Once = Once::new();
    HOOK.call_once(|| {
        let hook = panic::take_hook();
        panic::set_hook(Box::new(move |panic| {
            if !IS_READING.get() {
                hook(panic);
            }
        }));
    });
    IS_READING.set(true);
    let request = catch_unwind(AssertUnwindSafe(|| from_str(event)));
    IS_READING.set(false);
    request.ok()?.ok()
}

/// Reads an event whose URL `lambda_http` cannot build, from an odd `Host` (AWS's own console template has one) or an
/// odd query. Nothing here asks for the URL, so it is given another one.
fn guarded_without_url(event: &str) -> Option<Request> {
    let mut event = serde_json::from_str::<Value>(event).ok()?;
    let members = event.as_object_mut()?;
    members.remove("rawQueryString");
    let mut kept = Vec::new();
    for (name, value) in members.get_mut("headers")?.as_object_mut()? {
        let name = HeaderName::try_from(name).ok()?;
        if name == "host" || name == "x-forwarded-proto" {
            kept.push((name, HeaderValue::try_from(value.as_str()?).ok()?));
            *value = Value::from("https"); // can be both
        }
    }
    let mut request = guarded(&event.to_string())?;
    for (name, value) in kept {
        request.headers_mut().insert(name, value);
    }
    Some(request)
}

/// Fields of the event that are read here and not by `lambda_http`.
#[derive(serde::Deserialize)]
#[serde(rename_all = "camelCase")]
struct Beside<'e> {
    #[serde(borrow)]
    raw_query_string: Option<Cow<'e, str>>,
    query_string_parameters: Option<Pairs>,
    multi_value_query_string_parameters: Option<Pairs>,
    multi_value_headers: Option<Pairs>,
}

/// Names and values in the order of the event, a name once for each of its values.
#[derive(Debug, Default)]
struct Pairs(Vec<(String, String)>);

#[derive(serde::Deserialize)]
#[serde(untagged)]
enum Values {
    One(String),
    List(Vec<String>),
}

impl<'de> Deserialize<'de> for Pairs {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct InOrder;
        impl<'de> Visitor<'de> for InOrder {
            type Value = Pairs;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("names with one or more values")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut all: A) -> Result<Pairs, A::Error> {
                let mut pairs = Vec::new();
                while let Some((name, values)) = all.next_entry::<String, Values>()? {
                    match values {
                        Values::One(value) => pairs.push((name, value)),
                        Values::List(list) => {
                            pairs.extend(list.into_iter().map(|value| (name.clone(), value)));
                        }
                    }
                }
                Ok(Pairs(pairs))
            }
        }
        deserializer.deserialize_map(InOrder)
    }
}

impl Pairs {
    fn query(&self, is_decoded: bool) -> String {
        let text = |text: &str| {
            if is_decoded {
                escaped(text)
            } else {
                text.to_owned()
            }
        };
        let pairs = self.0.iter();
        let pairs = pairs.map(|(name, value)| format!("{}={}", text(name), text(value)));
        pairs.collect::<Vec<_>>().join("&")
    }
}

/// A text in a query as most senders escape it: everything but RFC 3986's unreserved characters. The trigger has
/// decoded the query, so the sender's own escapes are lost.
fn escaped(text: &str) -> String {
    let byte = |byte: u8| match byte {
        b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => {
            char::from(byte).to_string()
        }
        _ => format!("%{byte:02X}"),
    };
    text.bytes().map(byte).collect()
}
