//! Reads the replies that a sender expects, and its handshake.

use std::borrow::Cow;

use http::{HeaderValue, StatusCode};

use crate::config::fields::{Fields, Problems};
use crate::keys::reference::SecretRef;
use crate::source::handshake::{Handshake, HandshakeKind};
use crate::source::reply::{JSON, Replies, Reply};

pub(super) fn handshake(fields: &mut Fields<'_>, problems: &Problems) -> Option<Handshake> {
    let mut handshake = fields.table("handshake")?;
    let path = handshake.path().to_owned();
    let kind = handshake.choice("kind", &HandshakeKind::NAMES);
    if kind.is_none() && !handshake.had("kind") {
        problems.add(&format!("{path}.kind"), "is missing");
    }
    let token = handshake.text("verify_token");
    let verify_token = token.as_deref().and_then(SecretRef::parse);
    if token.is_some() && verify_token.is_none() {
        problems.add(
            &format!("{path}.verify_token"),
            "is not env:NAME, ssm:NAME or secretsmanager:ID#STAGE",
        );
    }
    handshake.finish();
    kind.map(|kind| Handshake { kind, verify_token })
}

pub(super) fn replies(fields: &mut Fields<'_>, problems: &Problems) -> Replies {
    let success = fields
        .table("reply")
        .map(|success| reply(success, problems));
    let refused = fields.number("refused_status", 400, 499).map(status);
    Replies {
        success,
        refused_status: refused,
        refused_body: fields.text("refused_body"),
    }
}

fn reply(mut fields: Fields<'_>, problems: &Problems) -> Reply {
    let path = fields.path().to_owned();
    let status = fields
        .number("status", 200, 299)
        .map_or(StatusCode::OK, status);
    let body = fields.text("body").unwrap_or_default();
    let content_type = fields.text("content_type");
    if content_type
        .as_deref()
        .is_some_and(|kind| HeaderValue::from_str(kind).is_err())
    {
        problems.add(&format!("{path}.content_type"), "is not a content type");
    }
    fields.finish();
    Reply {
        status,
        headers: Vec::new(),
        content_type: content_type.map_or(Cow::Borrowed(JSON), Cow::Owned),
        body: Cow::Owned(body),
    }
}

fn status(number: usize) -> StatusCode {
    let number = u16::try_from(number).unwrap_or_default();
    StatusCode::from_u16(number).unwrap_or(StatusCode::OK)
}
