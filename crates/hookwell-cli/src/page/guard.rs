//! Who may see the page and press its buttons: a browser on this machine that was asked to, and nobody else's page.

use axum::extract::Request;
use axum::middleware::Next;
use axum::response::{IntoResponse as _, Response};
use http::header::{
    CACHE_CONTROL, CONTENT_SECURITY_POLICY, FORWARDED, HOST, ORIGIN, REFERRER_POLICY, VIA,
    X_CONTENT_TYPE_OPTIONS,
};
use http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode};

/// No script and no style but our own files, nothing from elsewhere, in nobody's frame.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; \
                      form-action 'self'; base-uri 'none'; frame-ancestors 'none'";

/// Refuses what does not come from this machine's own browser, and tells the browser what the page may do.
pub(super) async fn guard(request: Request, next: Next) -> Response {
    let mut response = match refusal(request.method(), request.headers()) {
        Some(why) => (StatusCode::FORBIDDEN, format!("{why}\n")).into_response(),
        None => next.run(request).await,
    };
    let headers = response.headers_mut();
    for (name, value) in [
        (CONTENT_SECURITY_POLICY, POLICY),
        (X_CONTENT_TYPE_OPTIONS, "nosniff"),
        // With no-referrer a browser would send `Origin: null` with our own forms.
        (REFERRER_POLICY, "same-origin"),
        (CACHE_CONTROL, "no-store"),
    ] {
        headers.insert(name, HeaderValue::from_static(value));
    }
    response
}

fn refusal(method: &Method, headers: &HeaderMap) -> Option<&'static str> {
    let get = |name: HeaderName| headers.get(name).and_then(|value| value.to_str().ok());
    let host = get(HOST).unwrap_or_default();
    if !is_this_machine(host) {
        return Some(
            "this page is for this machine only: open it as http://127.0.0.1 or http://localhost",
        );
    }
    let forwarded = [
        FORWARDED,
        VIA,
        HeaderName::from_static("x-forwarded-for"),
        HeaderName::from_static("x-forwarded-host"),
    ];
    if forwarded.iter().any(|name| headers.contains_key(name)) {
        return Some("this page is for this machine only, and something forwarded the request");
    }
    if method == Method::GET || method == Method::HEAD {
        return None;
    }
    let is_ours = get(ORIGIN) == Some(&*format!("http://{host}"));
    let site = headers.get("sec-fetch-site");
    if !is_ours || site.is_some_and(|site| site != "same-origin") {
        return Some("only this page's own buttons do that");
    }
    None
}

/// Whether a `Host` is this machine by a name that nobody else can point here (DNS rebinding).
fn is_this_machine(host: &str) -> bool {
    let name = match host.rsplit_once(':') {
        Some((name, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) => name,
        _ => host,
    };
    ["127.0.0.1", "localhost", "[::1]"].contains(&name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_this_machine_is_this_machine() {
        for host in ["127.0.0.1", "127.0.0.1:9000", "localhost:9000", "[::1]:1"] {
            assert!(is_this_machine(host), "{host}");
        }
        for host in [
            "",
            "evil.example",
            "localhost.evil.example:9000",
            "127.0.0.1.evil.example",
            "127.0.0.1:evil",
            "evil@127.0.0.1",
            "0.0.0.0:9000",
        ] {
            assert!(!is_this_machine(host), "{host}");
        }
    }
}
