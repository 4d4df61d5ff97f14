//! From a trigger's JSON to a delivery.

use std::net::IpAddr;
use std::panic::{AssertUnwindSafe, catch_unwind};

use hookwell::delivery::Delivery;
use hookwell::trace::Trace;
use lambda_http::request::RequestContext;
use lambda_http::{Body, Request, RequestExt as _};

/// The event is not a request that can be answered with more than 400.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the request is not one that a trigger sends")]
pub(crate) struct NotARequest;

/// Reads a trigger event.
///
/// `lambda_http` panics where it builds the URL from a `Host` or `X-Forwarded-Proto` that is not one, and where it
/// decodes a body that is not base64. The sender chooses all three, so the panic ends here.
///
/// The trace is the sender's, where it sent one, else the invocation's own, `xray`.
pub(crate) fn delivery(
    event: &str,
    request_id: &str,
    xray: Option<&str>,
) -> Result<Delivery, NotARequest> {
    let parse = AssertUnwindSafe(|| lambda_http::request::from_str(event));
    let request = catch_unwind(parse)
        .map_err(|_| NotARequest)?
        .map_err(|_| NotARequest)?;
    let (stage, source_ip) = origin(&request);
    let path = request.raw_http_path().to_owned();
    let source = Delivery::source_in(&path, stage.as_deref()).map(str::to_owned);
    let query = request.uri().query().unwrap_or_default().to_owned();
    let (parts, body) = request.into_parts();
    let traceparent = parts.headers.get("traceparent");
    let trace = traceparent.and_then(|value| Trace::parse(value.to_str().ok()?));
    Ok(Delivery {
        request_id: request_id.to_owned(),
        method: parts.method,
        source,
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
