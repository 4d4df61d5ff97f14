//! The HTTP side of the local machine: what API Gateway or a function URL does between a request and ingest.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::extract::{ConnectInfo, Request, State};
use axum::middleware::from_fn;
use axum::response::Response;
use axum::routing::get;
use hookwell::event::delivery::Delivery;
use hookwell::ingest::Received;
use hookwell::source::reply::Receipt;
use hookwell_aws::{EventsTable, SqsQueue};
use hookwell_lambda::ingest::{self, Ingest};
use hookwell_lambda::now::now;
use hookwell_local::guard;
use hookwell_sandbox::trigger::{HttpRequest, Trigger};
use http::{HeaderValue, StatusCode};
use serde::Serialize;
use tokio::sync::watch;

use crate::news::{Arrived, Recorder};

/// The largest request that Lambda takes, in bytes, as the JSON that it gives to the function ("Lambda quotas",
/// invocation payload, synchronous).
pub(crate) const MAX_REQUEST: usize = 6 * 1024 * 1024;

/// The largest body that is read to its end, in bytes: a sender that still writes sees a broken connection in place of
/// the answer.
const MAX_READ: usize = 10 * MAX_REQUEST;

/// Stands for the unknown address of a sender behind a tunnel: headers that name the address can be made up. No list of
/// a source's senders has this address.
const BEHIND_A_TUNNEL: IpAddr = IpAddr::V4(Ipv4Addr::UNSPECIFIED);

/// Path at which a running machine describes itself to other `hookwell` commands.
pub(crate) const DESCRIPTION_PATH: &str = "/_hookwell";

/// Takes requests over HTTP and hands them to ingest.
pub(crate) struct Front {
    ingest: Ingest<EventsTable, SqsQueue>,
    requests: AtomicU64,
    recorder: Recorder,
    /// Each delivery that is at work holds a receiver, so that the end of all deliveries can be awaited.
    at_work: watch::Sender<()>,
}

impl fmt::Debug for Front {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Front").finish_non_exhaustive()
    }
}

/// The routes of the front, beside those of the page.
pub(crate) fn router(
    front: Arc<Front>,
    page: Router,
    description: impl Serialize + Clone + Send + Sync + 'static,
) -> Router {
    Router::new()
        .route(
            DESCRIPTION_PATH,
            get(move || async move { axum::Json(description.clone()) })
                .layer(from_fn(guard::local_only)),
        )
        .fallback(answer)
        .with_state(front.clone())
        .merge(page)
        // A sender that posts to the page's address is told what every sender is told.
        .method_not_allowed_fallback(move |peer, request| {
            answer(State(front.clone()), peer, request)
        })
}

async fn answer(
    State(front): State<Arc<Front>>,
    ConnectInfo(peer): ConnectInfo<SocketAddr>,
    request: Request,
) -> Response {
    let headers = request.headers();
    let refusal = match Delivery::source_in(request.uri().path()) {
        Some(_) => guard::refusal_of_delivery(headers),
        None => guard::refusal(request.method(), headers),
    };
    if let Some(why) = refusal {
        let why = serde_json::json!({ "error": why });
        return plain(StatusCode::FORBIDDEN, why.to_string());
    }
    let source_ip = if guard::is_forwarded(headers) {
        BEHIND_A_TUNNEL
    } else {
        peer.ip()
    };
    let (parts, body) = request.into_parts();
    let body = to_bytes(body, MAX_READ).await.ok();
    let Some(body) = body.filter(|body| body.len() <= MAX_REQUEST) else {
        return plain(
            StatusCode::PAYLOAD_TOO_LARGE,
            r#"{"error":"Payload too large"}"#,
        );
    };
    let request = HttpRequest {
        method: parts.method.as_str().to_owned(),
        path: parts.uri.path().to_owned(),
        query: parts.uri.query().unwrap_or_default().to_owned(),
        headers: parts.headers,
        body: body.to_vec(),
        source_ip,
    };
    front.deliver(request).await.1
}

impl Front {
    pub(crate) fn new(ingest: Ingest<EventsTable, SqsQueue>, recorder: Recorder) -> Self {
        Self {
            ingest,
            requests: AtomicU64::new(1),
            recorder,
            at_work: watch::Sender::default(),
        }
    }

    /// Waits until no delivery is at work.
    pub(crate) async fn at_rest(&self) {
        self.at_work.closed().await;
    }

    /// Answers a request, and says which one it was. As on Lambda, a delivery that has begun comes to its end although
    /// its sender hangs up, so it is a task of its own.
    pub(crate) async fn deliver(self: &Arc<Self>, request: HttpRequest) -> (u64, Response) {
        let number = self.requests.fetch_add(1, Ordering::Relaxed);
        let (front, at_work) = (Arc::clone(self), self.at_work.subscribe());
        let work = tokio::spawn(async move {
            let response = front.receive(number, request).await;
            drop(at_work);
            response
        });
        let response = work.await.unwrap_or_else(|_panicked| {
            let error = r#"{"message":"Internal Server Error"}"#;
            plain(StatusCode::BAD_GATEWAY, error)
        });
        (number, response)
    }

    async fn receive(&self, number: u64, request: HttpRequest) -> Response {
        let (now, started) = (now(), Instant::now());
        let request_id = format!("local-{now}-{number}");
        let event = Trigger::FunctionUrl
            .event(&request, &request_id, now)
            .to_string();
        let received = if event.len() > MAX_REQUEST {
            let why = "Lambda takes no request of this size".to_owned();
            Received::refused(Receipt::TooLarge, Some(why))
        } else {
            let clock = hookwell_lambda::now::clock();
            self.ingest.receive(&event, &request_id, None, clock).await
        };
        let answer = ingest::Response::from(received.reply.clone());
        self.recorder.arrived(Arrived {
            number,
            at: now,
            ack: started.elapsed(),
            request,
            received,
        });
        let status = StatusCode::from_u16(answer.status_code).unwrap_or(StatusCode::BAD_GATEWAY);
        let mut response = plain(status, answer.body);
        for (name, value) in answer.headers {
            if let Ok(value) = HeaderValue::from_str(&value) {
                response.headers_mut().insert(name, value);
            }
        }
        response
    }
}

fn plain(status: StatusCode, body: impl Into<Body>) -> Response {
    let mut response = Response::new(body.into());
    *response.status_mut() = status;
    response
        .headers_mut()
        .insert("content-type", HeaderValue::from_static("application/json"));
    response
}
