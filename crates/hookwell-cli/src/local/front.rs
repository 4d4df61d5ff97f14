//! The HTTP side of the local machine: what API Gateway or a function URL does between a request and ingest.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::extract::{ConnectInfo, Request, State};
use axum::response::Response;
use axum::routing::get;
use http::{HeaderValue, StatusCode};

use super::{LocalIngest, Machine};
use crate::trigger::{HttpRequest, Trigger};

/// The largest request that Lambda takes, in bytes, as the JSON that it gives to the function ("Lambda quotas",
/// invocation payload, synchronous).
const MAX_REQUEST: usize = 6 * 1024 * 1024;

/// Where a running machine tells other `hookwell` commands what it is made of.
pub const DESCRIPTION_PATH: &str = "/_hookwell";

struct Front {
    ingest: LocalIngest,
    requests: AtomicU64,
}

/// The routes of the front.
pub(super) fn router(ingest: LocalIngest, description: Machine) -> Router {
    let front = Arc::new(Front {
        ingest,
        requests: AtomicU64::new(0),
    });
    Router::new()
        .route(
            DESCRIPTION_PATH,
            get(move || async move { axum::Json(description.clone()) }),
        )
        .fallback(answer)
        .with_state(front)
}

async fn answer(
    State(front): State<Arc<Front>>,
    ConnectInfo(peer): ConnectInfo<SocketAddr>,
    request: Request,
) -> Response {
    let (parts, body) = request.into_parts();
    let Ok(body) = to_bytes(body, MAX_REQUEST).await else {
        return too_large();
    };
    let request = HttpRequest {
        method: parts.method.as_str().to_owned(),
        path: parts.uri.path().to_owned(),
        query: parts.uri.query().unwrap_or_default().to_owned(),
        headers: parts.headers,
        body: body.to_vec(),
        source_ip: peer.ip(),
    };
    let now = ingest::now();
    let number = front.requests.fetch_add(1, Ordering::Relaxed);
    let request_id = format!("local-{now}-{number}");
    let event = Trigger::FunctionUrl
        .event(&request, &request_id, now)
        .to_string();
    if event.len() > MAX_REQUEST {
        return too_large();
    }
    let answer = front.ingest.respond(&event, &request_id, None, now).await;
    let status = StatusCode::from_u16(answer.status_code).unwrap_or(StatusCode::BAD_GATEWAY);
    let mut response = plain(status, answer.body);
    for (name, value) in answer.headers {
        if let Ok(value) = HeaderValue::from_str(&value) {
            response.headers_mut().insert(name, value);
        }
    }
    response
}

fn too_large() -> Response {
    plain(
        StatusCode::PAYLOAD_TOO_LARGE,
        r#"{"error":"Payload too large"}"#,
    )
}

fn plain(status: StatusCode, body: impl Into<Body>) -> Response {
    let mut response = Response::new(body.into());
    *response.status_mut() = status;
    response
        .headers_mut()
        .insert("content-type", HeaderValue::from_static("application/json"));
    response
}
