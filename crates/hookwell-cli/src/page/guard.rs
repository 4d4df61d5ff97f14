//! Guards the page and its buttons: only a browser on this machine may use them, and no other web page in it.

use std::sync::Arc;

use axum::body::{Body, to_bytes};
use axum::extract::{Request, State};
use axum::middleware::Next;
use axum::response::{IntoResponse as _, Response};
use hookwell_local::guard::refusal;
use http::header::{
    CACHE_CONTROL, CONTENT_SECURITY_POLICY, ORIGIN, REFERRER_POLICY, X_CONTENT_TYPE_OPTIONS,
};
use http::{HeaderName, HeaderValue, Method, StatusCode};

use super::shared::Page;
use super::token::FIELD;
use crate::front::MAX_REQUEST;

/// Content security policy: no script and no style but our own files, nothing from elsewhere, in nobody's frame.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; \
                      form-action 'self'; base-uri 'none'; frame-ancestors 'none'";

/// The largest form, in bytes: the largest body that Lambda takes, of which a form writes each byte as three at most.
const MAX_FORM: usize = 3 * MAX_REQUEST + 4096;

/// Refuses requests that do not come from a browser of this machine, and tells the browser what the page may do.
pub(super) async fn guard(State(page): State<Arc<Page>>, request: Request, next: Next) -> Response {
    let mut response = answer(&page, request, next).await;
    let headers = response.headers_mut();
    for (name, value) in [
        (CONTENT_SECURITY_POLICY, POLICY),
        (X_CONTENT_TYPE_OPTIONS, "nosniff"),
        // With no-referrer a browser would send `Origin: null` with our own forms.
        (REFERRER_POLICY, "same-origin"),
        (CACHE_CONTROL, "no-store"),
        (
            HeaderName::from_static("cross-origin-resource-policy"),
            "same-origin",
        ),
    ] {
        headers.insert(name, HeaderValue::from_static(value));
    }
    response
}

async fn answer(page: &Page, request: Request, next: Next) -> Response {
    if let Some(why) = refusal(request.method(), request.headers()) {
        return refused(why);
    }
    if let Some(stopped) = page.entry.as_ref().and_then(|it| it.stop(&request)) {
        return stopped;
    }
    if request.method() == Method::GET || request.method() == Method::HEAD {
        return next.run(request).await;
    }
    // A browser names its page with every form. `refusal` has seen that it is this one.
    if !request.headers().contains_key(ORIGIN) {
        return refused("only this page's own buttons do that");
    }
    let (parts, body) = request.into_parts();
    let Ok(form) = to_bytes(body, MAX_FORM).await else {
        return (StatusCode::PAYLOAD_TOO_LARGE, "the form is too large\n").into_response();
    };
    let mut fields = form_urlencoded::parse(&form);
    let is_ours = fields.any(|(name, value)| name == FIELD && page.token.is(&value));
    if !is_ours {
        return refused("the page was opened before its server started: load it again");
    }
    next.run(Request::from_parts(parts, Body::from(form))).await
}

fn refused(why: &str) -> Response {
    (StatusCode::FORBIDDEN, format!("{why}\n")).into_response()
}
