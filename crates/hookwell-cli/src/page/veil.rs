//! Hides signatures, credentials and the secrets of this machine wherever they turn up on the page.

use std::cmp::Reverse;

use hookwell::ingest::masked::CREDENTIALS;
use hookwell::source::Source;
use hookwell::verify::scheme::Scheme;
use http::HeaderMap;
use maud::html;
use serde_json::Value;

use crate::sender::Senders;

/// Parts of the names of headers that hold a proof of this body.
const PROOFS: [&str; 4] = ["signature", "-sig", "hmac", "verification"];

/// Text that replaces a secret.
const MASK: &str = "••••••••";

/// The shortest text that is hidden, in bytes: shorter ones are in every page by chance.
const MIN_SECRET: usize = 6;

/// Hides secrets.
#[derive(Debug, Default)]
pub(super) struct Veil(Vec<String>);

impl Veil {
    /// Hides every secret of these senders.
    pub(super) fn new(senders: &Senders) -> Self {
        let Senders {
            sources, secrets, ..
        } = senders;
        let references = sources.iter().flat_map(Source::references);
        let texts = references.filter_map(|reference| secrets.fetch(reference).ok());
        let mut all = Vec::new();
        for text in texts.filter(|text| text.len() >= MIN_SECRET) {
            let json = Value::String(text.clone()).to_string();
            let json = json.trim_matches('"');
            let form: String = form_urlencoded::byte_serialize(text.as_bytes()).collect();
            // Every spelling: as it is, in JSON and in a form, each also with the escapes of a page.
            for text in [text.as_str(), json, &form] {
                all.extend([text.to_owned(), html! { (text) }.into_string()]);
            }
        }
        all.sort_by(|one, other| (Reverse(one.len()), one).cmp(&(Reverse(other.len()), other)));
        all.dedup();
        Self(all)
    }

    /// A text without secrets.
    pub(super) fn hide(&self, mut text: String) -> String {
        for secret in &self.0 {
            if text.contains(secret.as_str()) {
                text = text.replace(secret.as_str(), MASK);
            }
        }
        text
    }
}

/// Headers to show, name and value, with proofs and credentials masked.
pub(super) fn headers(source: Option<&Source>, headers: &HeaderMap) -> Vec<(String, String)> {
    let signed: Vec<_> = source.map(signature_headers).unwrap_or_default();
    let shown = headers.iter().map(|(name, value)| {
        let name = name.as_str();
        let value = String::from_utf8_lossy(value.as_bytes());
        let is_proof = signed.iter().any(|it| it.eq_ignore_ascii_case(name))
            || PROOFS
                .iter()
                .chain(&CREDENTIALS)
                .any(|part| name.contains(part));
        let shown = if is_proof {
            format!("{MASK} ({} characters)", value.chars().count())
        } else {
            value.into_owned()
        };
        (name.to_owned(), shown)
    });
    shown.collect()
}

/// A header of a request that leaves the machine's page: without what proves its sender for another body too, such as a
/// token. A signature proves no other body.
pub(super) fn credential_hidden(source: Option<&Source>, name: &str, value: &str) -> String {
    let signed: Vec<_> = source.map(signature_headers).unwrap_or_default();
    let proves = signed.iter().any(|it| it.eq_ignore_ascii_case(name));
    let is_bearer = || source.is_some_and(|source| source.schemes.iter().any(Scheme::is_bearer));
    let is_credential = if proves {
        is_bearer()
    } else {
        CREDENTIALS.iter().any(|part| name.contains(part))
    };
    if is_credential {
        return "********".to_owned();
    }
    value.to_owned()
}

/// Headers from which a source reads its signatures.
fn signature_headers(source: &Source) -> Vec<&str> {
    let fields = source.schemes.iter().filter_map(|scheme| match scheme {
        Scheme::Recipe(recipe) => recipe.signature.as_ref(),
        Scheme::Special(_) => None,
    });
    fields
        .flat_map(|field| field.headers.iter().map(String::as_str))
        .collect()
}
