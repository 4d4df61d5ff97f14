//! A source: one sender, with how it signs, where its events are and who may send.

pub mod handshake;
mod load_keys;
pub mod mapping;
pub mod reply;
pub mod shape;

use std::net::IpAddr;

use ipnet::IpNet;

use crate::format::body::BodyFormat;
use crate::format::pattern::Pattern;
use crate::format::time::Millis;
use crate::keys::reference::SecretRef;
use crate::source::handshake::Handshake;
use crate::source::mapping::{Mapping, Piece};
use crate::source::reply::{Receipt, Replies, Reply};
use crate::verify::algorithm::Algorithm;
use crate::verify::scheme::Scheme;

/// One sender.
#[derive(Debug, Clone)]
pub struct Source {
    /// Name of the source in the path and everywhere else.
    pub name: String,
    /// The preset it was made from.
    pub preset: Option<String>,
    /// Schemes with which the sender signs; any one of them is enough.
    pub schemes: Vec<Scheme>,
    /// References to the secrets, newest first.
    pub secrets: Vec<SecretRef>,
    /// References to the keys that the scheme would otherwise fetch.
    pub pinned: Vec<SecretRef>,
    /// The shortest secret it may use, in bytes.
    pub min_secret_bytes: usize,
    /// Addresses that may send; empty for everyone who signs.
    pub allow_ips: Vec<IpNet>,
    /// Address of the source as the sender knows it.
    pub public_url: Option<String>,
    /// Reference to the key of the sender's API, by which a command registers the source there.
    pub api_key: Option<SecretRef>,
    /// Address of the sender's API, where it is another than usual.
    pub api_url: Option<String>,
    /// The largest body, in bytes.
    pub max_body_bytes: usize,
    /// Format of the sender's bodies.
    pub body: BodyFormat,
    /// Largest age of an event's time, in milliseconds, where the sender signs it and nothing else limits its age.
    pub max_age: Option<Millis>,
    /// Treatment of a signed body that cannot be read.
    pub on_invalid: OnInvalid,
    /// The weaknesses that its author, or that of its preset, takes knowingly.
    pub accepts: Vec<Weakness>,
    /// Keys of the file that nothing reads any more.
    pub ignored: Vec<&'static str>,
    /// Days for which its events are kept whole, so that they can be replayed; 0 keeps none.
    pub retain_days: i64,
    /// Time for which an event that fails is tried again, in milliseconds.
    pub retry_for: Millis,
    /// Hours within which its sender sends something, for an alarm when it does not.
    pub expect_every: Option<u16>,
    /// Seconds for which its sender waits for an answer, where it says so.
    pub answer_within: Option<u8>,
    /// The types to queue; empty for all.
    pub types: Vec<Pattern>,
    /// Rule by which two deliveries are the same event.
    pub dedupe: Dedupe,
    /// Places of an event's parts.
    pub mapping: Mapping,
    /// Check by which the sender finds out that somebody is there.
    pub handshake: Option<Handshake>,
    /// Replies that the sender expects.
    pub replies: Replies,
}

/// A weakness that a source has only where somebody wrote that it may.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Weakness {
    /// A plain hash over a secret and what follows it, to which more can be added.
    LengthExtension,
    /// A signature that does not cover the body.
    UnsignedBody,
    /// A secret that another source has too.
    SharedSecret,
}

impl Weakness {
    /// Every weakness by its name in a sources file.
    pub const NAMES: [(&'static str, Self); 3] = [
        ("length-extension", Self::LengthExtension),
        ("unsigned-body", Self::UnsignedBody),
        ("shared-secret", Self::SharedSecret),
    ];
}

/// Treatment of a signed body that cannot be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OnInvalid {
    /// The sender gets 400.
    Reject,
    /// The sender gets 200, and the body goes to the dead-letter queue with the reason.
    Quarantine,
}

/// Rule by which two deliveries are the same event.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Dedupe {
    /// Nothing: every delivery is applied. Never drops.
    None,
    /// The same signed id, and the same type where nobody signs that.
    Id,
    /// The same id and the same body, where the id is not signed or may be reused.
    IdAndBody,
    /// The same body within this many seconds. Drops a legal repetition of an earlier state.
    Body {
        /// The window.
        seconds: i64,
    },
}

impl Source {
    /// True when nothing is signed, so that only addresses say who sends.
    #[must_use]
    pub fn is_unsigned(&self) -> bool {
        self.schemes.iter().any(|scheme| {
            matches!(scheme, Scheme::Recipe(recipe) if recipe.algorithm == Algorithm::Unsigned)
        })
    }

    /// True when the sender proves what is read from these pieces: it signs them, or it signs nothing and a header is worth as
    /// much as the body.
    pub(crate) fn proves(&self, pieces: &[Piece]) -> bool {
        let is_bearer = self.schemes.iter().all(Scheme::is_bearer);
        is_bearer || self.signs(pieces)
    }

    /// True when each of these pieces is signed, or is in the body: whether the body is signed is not looked at.
    pub(crate) fn signs(&self, pieces: &[Piece]) -> bool {
        let has_own_query = |url: &String| url.contains('?');
        let is_in_url = !self.public_url.as_ref().is_some_and(has_own_query);
        let signs = |scheme: &Scheme, piece: &Piece| match piece {
            Piece::Header(name) => scheme.signs_header(name),
            Piece::Query(name) => scheme.signs_query(name) || (scheme.signs_url() && is_in_url),
            Piece::Body(_)
            | Piece::Item(_)
            | Piece::Outer(_)
            | Piece::Document(_)
            | Piece::Literal(_) => true,
        };
        let mut all = pieces
            .iter()
            .flat_map(|piece| self.schemes.iter().map(move |scheme| (scheme, piece)));
        all.all(|(scheme, piece)| signs(scheme, piece))
    }

    /// True when a request from this address may go on.
    #[must_use]
    pub fn allows(&self, address: Option<IpAddr>) -> bool {
        let Some(address) = address.map(|address| address.to_canonical()) else {
            return self.allow_ips.is_empty();
        };
        self.allow_ips.is_empty() || self.allow_ips.iter().any(|net| net.contains(&address))
    }

    /// The content type its sender uses.
    #[must_use]
    pub fn content_type(&self) -> &'static str {
        match self.schemes.first() {
            Some(Scheme::Special(special)) => special.kind.content_type(),
            _ => "application/json",
        }
    }

    /// Reply to the sender.
    #[must_use]
    pub fn reply(&self, receipt: Receipt) -> Reply {
        let handshake = self.handshake.as_ref();
        let more = handshake.map_or(&[][..], |handshake| handshake.kind.methods());
        self.replies.reply(receipt, more)
    }
}
