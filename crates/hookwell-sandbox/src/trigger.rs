//! The JSON with which each kind of trigger invokes a function, as AWS documents it ("Payload format version 2.0" for
//! HTTP APIs and function URLs, "Input format for proxy integration" for REST APIs, "Lambda functions as targets" for
//! load balancers).

use std::collections::BTreeMap;
use std::net::IpAddr;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hookwell::format::time::{Millis, to_rfc3339};
use http::HeaderMap;
use serde_json::{Value, json};

/// Kind of a trigger.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Trigger {
    /// A function URL.
    FunctionUrl,
    /// An API Gateway HTTP API.
    HttpApi,
    /// An API Gateway REST API.
    RestApi,
    /// An Application Load Balancer.
    Alb,
}

/// An HTTP request as it reaches a trigger.
#[derive(Debug, Clone)]
pub struct HttpRequest {
    /// Method of the request, `POST`.
    pub method: String,
    /// The path as sent.
    pub path: String,
    /// The query as sent, without `?`.
    pub query: String,
    /// Headers of the request.
    pub headers: HeaderMap,
    /// Body of the request.
    pub body: Vec<u8>,
    /// Address of the peer.
    pub source_ip: IpAddr,
}

impl Trigger {
    /// The event of one request.
    #[must_use]
    pub fn event(self, request: &HttpRequest, request_id: &str, at: Millis) -> Value {
        match self {
            Self::FunctionUrl => version_2(request, request_id, at, "lambda-url.us-east-1.on.aws"),
            Self::HttpApi => version_2(
                request,
                request_id,
                at,
                "execute-api.us-east-1.amazonaws.com",
            ),
            Self::RestApi => rest(request, request_id, at),
            Self::Alb => alb(request),
        }
    }
}

fn version_2(request: &HttpRequest, request_id: &str, at: Millis, domain: &str) -> Value {
    let (body, is_base64) = body(request);
    let mut event = json!({
        "version": "2.0",
        "routeKey": "$default",
        "rawPath": request.path,
        "rawQueryString": request.query,
        "headers": joined(&request.headers),
        "requestContext": {
            "accountId": "000000000000",
            "apiId": "local",
            "domainName": format!("local.{domain}"),
            "domainPrefix": "local",
            "http": {
                "method": request.method,
                "path": request.path,
                "protocol": "HTTP/1.1",
                "sourceIp": request.source_ip.to_string(),
                "userAgent": request.headers.get("user-agent").and_then(|v| v.to_str().ok()).unwrap_or_default(),
            },
            "requestId": request_id,
            "routeKey": "$default",
            "stage": "$default",
            "time": to_rfc3339(at),
            "timeEpoch": at,
        },
        "body": body,
        "isBase64Encoded": is_base64,
    });
    if let (Value::Object(event), false) = (&mut event, request.query.is_empty()) {
        event.insert("queryStringParameters".to_owned(), json!(query(request)));
    }
    event
}

fn rest(request: &HttpRequest, request_id: &str, at: Millis) -> Value {
    let (body, is_base64) = body(request);
    json!({
        "resource": "/{proxy+}",
        "path": request.path,
        "httpMethod": request.method,
        "headers": joined(&request.headers),
        "multiValueHeaders": multi(&request.headers),
        "queryStringParameters": query(request),
        "multiValueQueryStringParameters": null,
        "pathParameters": null,
        "stageVariables": null,
        "requestContext": {
            "accountId": "000000000000",
            "apiId": "local",
            "httpMethod": request.method,
            "identity": { "sourceIp": request.source_ip.to_string() },
            "path": request.path,
            "protocol": "HTTP/1.1",
            "requestId": request_id,
            "requestTimeEpoch": at,
            "resourcePath": "/{proxy+}",
            "stage": "local",
        },
        "body": body,
        "isBase64Encoded": is_base64,
    })
}

fn alb(request: &HttpRequest) -> Value {
    let (body, is_base64) = body(request);
    json!({
        "requestContext": {
            "elb": { "targetGroupArn": "arn:aws:elasticloadbalancing:us-east-1:000000000000:targetgroup/local/0" }
        },
        "httpMethod": request.method,
        "path": request.path,
        "queryStringParameters": escaped_query(request),
        "headers": joined(&request.headers),
        "body": body,
        "isBase64Encoded": is_base64,
    })
}

/// Repeated headers in one line, joined with a comma.
fn joined(headers: &HeaderMap) -> BTreeMap<String, String> {
    multi(headers)
        .into_iter()
        .map(|(name, values)| (name, values.join(",")))
        .collect()
}

fn multi(headers: &HeaderMap) -> BTreeMap<String, Vec<String>> {
    let mut all: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for (name, value) in headers {
        let text = String::from_utf8_lossy(value.as_bytes()).into_owned();
        all.entry(name.as_str().to_owned()).or_default().push(text);
    }
    all
}

/// Query parameters as a load balancer passes them on: as sent.
fn escaped_query(request: &HttpRequest) -> BTreeMap<&str, &str> {
    let pairs = request.query.split('&').filter(|pair| !pair.is_empty());
    pairs
        .map(|pair| pair.split_once('=').unwrap_or((pair, "")))
        .collect()
}

fn query(request: &HttpRequest) -> BTreeMap<String, String> {
    form_urlencoded::parse(request.query.as_bytes())
        .into_owned()
        .collect()
}

/// Text when the content type is a text and the bytes are, else base64, as API Gateway and function URLs do.
fn body(request: &HttpRequest) -> (String, bool) {
    let content_type = request
        .headers
        .get("content-type")
        .and_then(|value| value.to_str().ok());
    let kind = content_type
        .unwrap_or_default()
        .split(';')
        .next()
        .unwrap_or_default()
        .trim();
    let texts = [
        "application/json",
        "application/javascript",
        "application/xml",
    ];
    let is_text = kind.starts_with("text/") || texts.contains(&kind);
    match std::str::from_utf8(&request.body) {
        Ok(text) if is_text => (text.to_owned(), false),
        _ => (STANDARD.encode(&request.body), true),
    }
}
