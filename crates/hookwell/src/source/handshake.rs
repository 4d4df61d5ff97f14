//! Handshakes: how senders check that an address answers before they trust it with events.
//!
//! A handshake is answered, never queued, and only for the source that is set up for it. What is echoed is short, and
//! is text or JSON that no browser takes for a page. Where the sender signs its check, the signature comes first; where
//! the answer is a digest by our secret, only a plain token gets one, and a delivery whose body could be such a token
//! is refused, or anybody could have bodies signed here.

use std::borrow::Cow;

use http::{Method, StatusCode};
use serde_json::{Value, json};
use subtle::ConstantTimeEq;

use crate::event::delivery::Delivery;
use crate::format::encoding::Encoding;
use crate::format::json::{Json, Pointer};
use crate::format::time::{Millis, event_time};
use crate::keys::key_set::Keys;
use crate::keys::reference::SecretRef;
use crate::source::reply::{JSON, Reply};
use crate::verify::algorithm::Algorithm;
use crate::verify::providers::aws_sns;

/// The longest text that is echoed, in bytes.
pub const MAX_ECHO: usize = 1024;

/// Handshake of a source's sender.
#[derive(Debug, Clone)]
pub struct Handshake {
    /// The scheme.
    pub kind: HandshakeKind,
    /// The token that a check must carry, for the schemes that have one; any of the source's secrets when `None`.
    pub verify_token: Option<SecretRef>,
}

/// A scheme of checking.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum HandshakeKind {
    /// A signed `url_verification`: the challenge as text.
    Slack,
    /// A signed `endpoint.url_validation`: the token and its digest.
    Zoom,
    /// GET with `hub.mode=subscribe` and `hub.verify_token`: the `hub.challenge` as text.
    Meta,
    /// GET as for [`Self::Meta`]: the `hub.challenge` as JSON.
    Strava,
    /// GET with `challenge`: the challenge as text.
    Challenge,
    /// POST with `validationToken` in the query: the token as text.
    Msgraph,
    /// POST with `X-Hook-Secret`: the same header back.
    Asana,
    /// POST of a `verification_token`: taken.
    Notion,
    /// A signed ping: 204, or a ping back.
    Discord,
    /// A signed `SubscriptionConfirmation`: taken, and its address opened.
    Sns,
    /// HEAD: 200.
    Head,
    /// GET with `x-okta-verification-challenge`: the challenge as JSON.
    Okta,
    /// POST of a `challenge`: the same back.
    Monday,
    /// POST of a `SubscriptionValidationEvent`: its code back.
    EventGrid,
    /// OPTIONS with `WebHook-Request-Origin` (`CloudEvents` webhooks, section 4): the origin is welcome.
    CloudEvents,
    /// GET with `crc_token`: its digest.
    Crc,
    /// POST of a form with only a `webhook_id`: taken.
    Woocommerce,
}

/// Result of a check.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Check {
    /// The request is no check.
    Not,
    /// Answered.
    Answered(Reply),
    /// Answered, and an operator has something to do.
    Act(Reply, String),
    /// Answered, and the sender waits until this address was opened.
    Open(Reply, String),
    /// The check carries the wrong token.
    Refused,
}

impl HandshakeKind {
    /// Every scheme by its name.
    pub const NAMES: [(&'static str, Self); 18] = [
        ("slack", Self::Slack),
        ("zoom", Self::Zoom),
        ("meta", Self::Meta),
        ("strava", Self::Strava),
        ("challenge", Self::Challenge),
        ("nylas", Self::Challenge),
        ("msgraph", Self::Msgraph),
        ("asana", Self::Asana),
        ("notion", Self::Notion),
        ("discord", Self::Discord),
        ("sns", Self::Sns),
        ("head", Self::Head),
        ("okta", Self::Okta),
        ("monday", Self::Monday),
        ("event-grid", Self::EventGrid),
        ("cloudevents", Self::CloudEvents),
        ("crc", Self::Crc),
        ("woocommerce", Self::Woocommerce),
    ];

    /// True when the answer is a digest by the secret, of a text that whoever asks may choose.
    #[must_use]
    pub fn signs(self) -> bool {
        matches!(self, Self::Crc | Self::Zoom)
    }

    /// The methods it uses beside POST.
    #[must_use]
    pub fn methods(self) -> &'static [Method] {
        match self {
            Self::Meta | Self::Strava | Self::Challenge | Self::Okta | Self::Crc => &[Method::GET],
            Self::Head => &[Method::HEAD],
            Self::CloudEvents | Self::EventGrid => &[Method::OPTIONS],
            _ => &[],
        }
    }
}

impl Handshake {
    /// Answers a check that is not signed. `keys` is `None` while the source has no usable secret: some senders check
    /// before they give it one.
    #[must_use]
    pub fn unsigned(&self, delivery: &Delivery, keys: Option<&Keys>) -> Check {
        if delivery.body.len() > MAX_BODY {
            return Check::Not;
        }
        let header = |name| delivery.header(name).map(Cow::into_owned);
        let query = |name| delivery.query_value(name);
        let text = |text: Option<String>| answer(text.and_then(echo).map(|it| Reply::ok(TEXT, it)));
        let as_json =
            |value: Option<Value>| answer(value.map(|value| Reply::ok(JSON, value.to_string())));
        match (self.kind, delivery.method.as_str()) {
            (HandshakeKind::Meta | HandshakeKind::Strava, "GET") => {
                let (Some("subscribe"), Some(token), Some(challenge)) = (
                    query("hub.mode").as_deref(),
                    query("hub.verify_token"),
                    query("hub.challenge"),
                ) else {
                    return Check::Not;
                };
                if !self.knows(keys, &token) {
                    return Check::Refused;
                }
                match self.kind {
                    HandshakeKind::Meta => text(Some(challenge)),
                    _ => as_json(echo(challenge).map(|it| json!({ "hub.challenge": it }))),
                }
            }
            (HandshakeKind::Challenge, "GET") => text(query("challenge")),
            (HandshakeKind::Msgraph, "POST") if delivery.body.is_empty() => {
                text(query("validationToken"))
            }
            (HandshakeKind::Okta, "GET") => as_json(
                header("x-okta-verification-challenge")
                    .and_then(echo)
                    .map(|it| json!({ "verification": it })),
            ),
            (HandshakeKind::Asana, "POST") => {
                let secret = header("x-hook-secret").and_then(plain);
                answer(secret.map(|secret| Reply {
                    headers: vec![("x-hook-secret", Cow::Owned(secret))],
                    ..Reply::ok(TEXT, "")
                }))
            }
            (HandshakeKind::Head, "HEAD") => Check::Answered(Reply::ok(TEXT, "")),
            (HandshakeKind::CloudEvents | HandshakeKind::EventGrid, "OPTIONS") => {
                // A header of the answer, so no character that Lambda or API Gateway could refuse to send.
                let origin = header("webhook-request-origin").and_then(echo);
                let origin = origin.filter(|it| it.bytes().all(|byte| byte.is_ascii_graphic()));
                answer(origin.map(|origin| Reply {
                    headers: vec![
                        ("webhook-allowed-origin", Cow::Owned(origin)),
                        ("webhook-allowed-rate", Cow::Borrowed("*")),
                        ("allow", Cow::Borrowed("POST, OPTIONS")),
                    ],
                    ..Reply::ok(TEXT, "")
                }))
            }
            (HandshakeKind::Crc, "GET") => {
                let Some(token) = query("crc_token").and_then(plain) else {
                    return Check::Not;
                };
                match keys.and_then(|keys| digest(keys, 0, &token, Encoding::Base64)) {
                    Some(mac) => {
                        as_json(Some(json!({ "response_token": format!("sha256={mac}") })))
                    }
                    None => Check::Refused,
                }
            }
            (HandshakeKind::Woocommerce, "POST") if delivery.is_form() => {
                let mut fields = form_urlencoded::parse(&delivery.body);
                let ping = fields.next().is_some_and(|(name, _)| name == "webhook_id");
                answer((ping && fields.next().is_none()).then(|| Reply::ok(TEXT, "")))
            }
            // Slack looks at the certificate of a command's address so.
            (HandshakeKind::Slack, "POST") => {
                let fields = form_urlencoded::parse(&delivery.body);
                let mut fields: Vec<_> = fields.collect();
                fields.retain(|(name, _)| name != "token");
                let is_check = matches!(fields.as_slice(), [(name, value)] if name == "ssl_check" && value == "1");
                answer(is_check.then(|| Reply::ok(TEXT, "")))
            }
            (_, "POST") => self.unsigned_body(&delivery.body, keys),
            _ => Check::Not,
        }
    }

    fn unsigned_body(&self, body: &[u8], keys: Option<&Keys>) -> Check {
        let at = |pointer| text_at(body, pointer);
        match self.kind {
            HandshakeKind::Monday => match only(body, "challenge") {
                Some(it) => {
                    Check::Answered(Reply::ok(JSON, json!({ "challenge": it }).to_string()))
                }
                None => Check::Not,
            },
            HandshakeKind::EventGrid => {
                let kind = at("/0/eventType");
                let code = at("/0/data/validationCode").and_then(echo);
                match (kind.as_deref(), code) {
                    (Some("Microsoft.EventGrid.SubscriptionValidationEvent"), Some(code)) => {
                        let body = json!({ "validationResponse": code });
                        Check::Answered(Reply::ok(JSON, body.to_string()))
                    }
                    _ => Check::Not,
                }
            }
            HandshakeKind::Notion => match (only(body, "verification_token"), keys) {
                (None, _) => Check::Not,
                (Some(_), Some(_)) => Check::Answered(Reply::ok(JSON, RECEIVED)),
                // Nobody but this request ever tells the token, and without it the source can never be ready. Anybody can
                // send one, and a secret that a stranger chose would let the stranger in: only Notion's own page can tell.
                (Some(token), None) => match plain(token) {
                    Some(token) => Check::Act(
                        Reply::ok(JSON, RECEIVED),
                        format!(
                            "ANYBODY CAN SEND THIS TOKEN. Enter it at Notion first, and set it as the secret only if Notion takes it: {token}"
                        ),
                    ),
                    None => Check::Answered(Reply::ok(JSON, RECEIVED)),
                },
            },
            _ => Check::Not,
        }
    }

    /// True when the CRC handshake may have signed this body as a caller's token: `type=created` and `123` are forms
    /// and JSON as well. No event of a sender with this handshake is such a token.
    #[must_use]
    pub fn may_have_signed(&self, body: &[u8]) -> bool {
        self.kind == HandshakeKind::Crc && is_plain(body)
    }

    /// Answers a check whose signature is good, by this secret of `keys`.
    #[must_use]
    pub fn signed(&self, delivery: &Delivery, keys: &Keys, secret: usize) -> Check {
        let at = |pointer| text_at(&delivery.body, pointer);
        let kind = at("/type");
        match self.kind {
            HandshakeKind::Slack if kind.as_deref() == Some("url_verification") => {
                let reply = at("/challenge").and_then(echo);
                answer_or_refuse(reply.map(|it| Reply::ok(TEXT, it)))
            }
            HandshakeKind::Zoom if at("/event").as_deref() == Some("endpoint.url_validation") => {
                let reply = at("/payload/plainToken").and_then(plain).and_then(|token| {
                    let digest = digest(keys, secret, &token, Encoding::Hex)?;
                    Some(json!({ "plainToken": token, "encryptedToken": digest }))
                });
                answer_or_refuse(reply.map(|reply| Reply::ok(JSON, reply.to_string())))
            }
            HandshakeKind::Discord => match kind.as_deref() {
                Some("0") => Check::Answered(Reply {
                    status: StatusCode::NO_CONTENT,
                    ..Reply::ok(TEXT, "")
                }),
                Some("1") if at("/event/type").is_none() => {
                    Check::Answered(Reply::ok(JSON, r#"{"type":1}"#))
                }
                _ => Check::Not,
            },
            HandshakeKind::Sns => match at("/Type").as_deref() {
                Some("SubscriptionConfirmation") => {
                    match at("/SubscribeURL").filter(|url| aws_sns::is_confirmation_url(url)) {
                        Some(url) => Check::Open(Reply::ok(JSON, RECEIVED), url),
                        None => Check::Refused,
                    }
                }
                Some("UnsubscribeConfirmation") => Check::Act(
                    Reply::ok(JSON, RECEIVED),
                    "the topic's subscription was removed".to_owned(),
                ),
                _ => Check::Not,
            },
            _ => Check::Not,
        }
    }

    /// True when the scheme does not look at the time that is signed with a check.
    pub(crate) fn takes_any_age(&self) -> bool {
        self.kind == HandshakeKind::Sns
    }

    fn knows(&self, keys: Option<&Keys>, token: &str) -> bool {
        let Some(keys) = keys else { return false };
        let secrets = match (&self.verify_token, &keys.handshake) {
            (Some(_), Some(secret)) => std::slice::from_ref(secret),
            (Some(_), None) => &[],
            (None, _) => keys.schemes.first().map_or(&[][..], Vec::as_slice),
        };
        let token = token.as_bytes();
        secrets
            .iter()
            .any(|secret| secret.bytes().ct_eq(token).into())
    }
}

/// The largest body of a check that is not signed, in bytes. No sender's check is larger, and reading more would let a
/// stranger use the function's memory.
const MAX_BODY: usize = 8 * 1024;

const TEXT: &str = "text/plain; charset=utf-8";

const RECEIVED: &str = r#"{"status":"received"}"#;

fn answer(reply: Option<Reply>) -> Check {
    reply.map_or(Check::Not, Check::Answered)
}

/// The answer to what can only be a check.
fn answer_or_refuse(reply: Option<Reply>) -> Check {
    reply.map_or(Check::Refused, Check::Answered)
}

/// A text that may be sent back: short, and without line ends, which could become headers.
fn echo(text: String) -> Option<String> {
    let fits = !text.is_empty() && text.len() <= MAX_ECHO && !text.chars().any(char::is_control);
    fits.then_some(text)
}

/// A token that may get a digest.
fn plain(text: String) -> Option<String> {
    let fits = !text.is_empty() && text.len() <= 256 && is_plain(text.as_bytes());
    fits.then_some(text)
}

/// True when all characters may be in a token. JSON lists, JSON objects and the separator behind a timestamp have other
/// characters; a form or a number may have none of them.
fn is_plain(bytes: &[u8]) -> bool {
    let mut bytes = bytes.iter();
    bytes.all(|byte| byte.is_ascii_alphanumeric() || b"-_+/=".contains(byte))
}

/// The digest of a token by a secret of the source's only scheme: the secret that the sender computes with, not always
/// the newest.
fn digest(keys: &Keys, secret: usize, token: &str, encoding: Encoding) -> Option<String> {
    let secret = keys.schemes.first()?.get(secret)?;
    Some(encoding.encode(&Algorithm::HmacSha256.digest(secret.bytes(), token.as_bytes())))
}

fn text_at(body: &[u8], pointer: &str) -> Option<String> {
    let body = Json::parse(body).ok()?;
    let found = body.text(&Pointer::parse(pointer)?).ok()??;
    Some(found.into_owned())
}

/// Time that SNS signs with a check.
pub(crate) fn time_of_sns(delivery: &Delivery) -> Option<Millis> {
    event_time(&text_at(&delivery.body, "/Timestamp")?)
}

/// The text of the one member that an object has.
fn only(body: &[u8], name: &str) -> Option<String> {
    let body: serde_json::Map<String, Value> = serde_json::from_slice(body).ok()?;
    let text = body.get(name)?.as_str()?.to_owned();
    (body.len() == 1).then_some(text).and_then(echo)
}
