//! The secret of the page over an account: in the address that `hookwell console` prints, then in a cookie.
//!
//! Whoever has another login on this machine reaches the port too, and must not read the account with it.

use axum::extract::Request;
use axum::response::{IntoResponse as _, Redirect, Response};
use http::header::{COOKIE, SET_COOKIE};
use http::{HeaderMap, StatusCode};

use super::token::Token;

/// The name of the secret in the address.
const PARAMETER: &str = "secret";

/// The secret that a browser must know to see the page.
pub(crate) struct Entry {
    secret: Token,
    /// Cookies do not tell one port from another, so the name does.
    cookie: String,
}

impl Entry {
    /// The entry to a page on this port.
    ///
    /// # Errors
    /// When the system has no random numbers.
    pub(crate) fn new(port: u16) -> anyhow::Result<Self> {
        Ok(Self {
            secret: Token::new()?,
            cookie: format!("hookwell-{port}"),
        })
    }

    /// The address to open, below the URL of the page.
    pub(crate) fn address(&self, url: &str) -> String {
        format!("{url}/?{PARAMETER}={}", self.secret.as_str())
    }

    /// The answer to a request that does not get further: the secret moves from the address to a cookie, and who has
    /// neither is refused.
    pub(super) fn stop(&self, request: &Request) -> Option<Response> {
        let query = request.uri().query().unwrap_or_default();
        let mut fields = form_urlencoded::parse(query.as_bytes());
        if let Some((_, secret)) = fields.find(|(name, _)| name == PARAMETER)
            && self.secret.is(&secret)
        {
            let cookie = format!(
                "{}={}; Path=/; HttpOnly; SameSite=Strict",
                self.cookie,
                self.secret.as_str()
            );
            return Some(([(SET_COOKIE, cookie)], Redirect::to("/")).into_response());
        }
        if self.is_known(request.headers()) {
            return None;
        }
        let why = "this page needs its secret: open the address that `hookwell console` printed\n";
        Some((StatusCode::FORBIDDEN, why).into_response())
    }

    fn is_known(&self, headers: &HeaderMap) -> bool {
        let values = headers.get_all(COOKIE).iter();
        let mut cookies = values
            .filter_map(|value| value.to_str().ok())
            .flat_map(|value| value.split(';'))
            .filter_map(|cookie| cookie.trim().split_once('='));
        cookies.any(|(name, value)| name == self.cookie && self.secret.is(value))
    }
}
