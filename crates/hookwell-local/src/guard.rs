//! Keeps web pages away from the ports of this machine.
//!
//! A browser lets every page send requests to 127.0.0.1, and lets a page read the answers once its own name points here
//! (DNS rebinding). Such requests are recognised by what a page cannot change: `Host`, `Origin` and `Sec-Fetch-Site`.

use axum::extract::Request;
use axum::middleware::Next;
use axum::response::{IntoResponse as _, Response};
use http::header::{HOST, ORIGIN};
use http::{HeaderMap, HeaderValue, Method, StatusCode};

/// Headers of a request that a proxy or a tunnel passed on.
const FORWARDING: [&str; 4] = ["forwarded", "via", "x-forwarded-for", "x-forwarded-host"];

/// Answers 403 to what [`refusal`] refuses.
pub async fn local_only(request: Request, next: Next) -> Response {
    match refusal(request.method(), request.headers()) {
        Some(why) => (StatusCode::FORBIDDEN, format!("{why}\n")).into_response(),
        None => next.run(request).await,
    }
}

/// Says why a request may not have a port of this machine; `None` for one of this machine's own programs.
#[must_use]
pub fn refusal(method: &Method, headers: &HeaderMap) -> Option<&'static str> {
    if local_host(headers).is_none() {
        return Some("this is for this machine only: use http://127.0.0.1 or http://localhost");
    }
    if is_forwarded(headers) {
        return Some("this is for this machine only, and something forwarded the request");
    }
    if is_of_another_page(headers) && !is_followed_link(method, headers) {
        return Some("this is for this machine only, and another web page sent the request");
    }
    None
}

/// True for a request that a proxy or a tunnel passed on: its connection comes from this machine, its sender does not.
#[must_use]
pub fn is_forwarded(headers: &HeaderMap) -> bool {
    FORWARDING.iter().any(|name| headers.contains_key(*name))
}

/// Says why a request cannot be a delivery. A tunnel may ask under any name, but no sender is a web page.
#[must_use]
pub fn refusal_of_delivery(headers: &HeaderMap) -> Option<&'static str> {
    is_of_another_page(headers)
        .then_some("a web page sent the request, and no sender is a web page")
}

/// The `Host` of a request, when it is this machine by a name that nobody else can point here.
fn local_host(headers: &HeaderMap) -> Option<&str> {
    let mut hosts = headers.get_all(HOST).iter();
    let host = hosts.next()?.to_str().ok()?;
    (hosts.next().is_none() && is_this_machine(host)).then_some(host)
}

fn is_this_machine(host: &str) -> bool {
    let name = match host.rsplit_once(':') {
        Some((name, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) => name,
        _ => host,
    };
    let mut names = ["127.0.0.1", "localhost", "[::1]"].iter();
    names.any(|one| name.eq_ignore_ascii_case(one))
}

/// True when a web page from elsewhere than this port sent the request.
fn is_of_another_page(headers: &HeaderMap) -> bool {
    let own = local_host(headers).map(|host| format!("http://{host}"));
    let is_own = |origin: &HeaderValue| {
        own.as_ref()
            .is_some_and(|own| own.as_bytes().eq_ignore_ascii_case(origin.as_bytes()))
    };
    let mut sites = headers.get_all("sec-fetch-site").iter();
    !headers.get_all(ORIGIN).iter().all(is_own)
        || sites.any(|site| site != "same-origin" && site != "none")
}

/// True when a person follows a link to here: the answer is shown to them, and the page with the link cannot read it.
fn is_followed_link(method: &Method, headers: &HeaderMap) -> bool {
    let is = |name: &str, expected: &str| headers.get(name).is_some_and(|value| value == expected);
    method == Method::GET
        && !headers.contains_key(ORIGIN)
        && is("sec-fetch-mode", "navigate")
        && is("sec-fetch-dest", "document")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_this_machine_is_this_machine() {
        for host in ["127.0.0.1", "127.0.0.1:9000", "LocalHost:9000", "[::1]:1"] {
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
