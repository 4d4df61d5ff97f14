//! What the page does not show: signatures, credentials, and the secrets of this machine wherever they turn up.

use http::HeaderMap;

use hookwell::source::{Scheme, Source};

use crate::local::Senders;

/// Headers with one of these in their name hold a proof of somebody.
const TELLING: [&str; 12] = [
    "signature",
    "-sig",
    "hmac",
    "verification",
    "authorization",
    "token",
    "secret",
    "password",
    "cookie",
    "api-key",
    "apikey",
    "credential",
];

/// What stands in place of a secret.
const MASK: &str = "••••••••";

/// Hides secrets.
#[derive(Debug, Default)]
pub(super) struct Veil(Vec<String>);

impl Veil {
    /// Hides every secret of these senders.
    pub(super) fn new(senders: &Senders) -> Self {
        let Senders { sources, secrets } = senders;
        let references = sources.iter().flat_map(Source::references);
        let texts = references.filter_map(|reference| secrets.fetch(reference).ok());
        let mut all = Vec::new();
        for text in texts.filter(|text| !text.is_empty()) {
            // As it is written in JSON and in a form.
            let json = serde_json::Value::String(text.clone()).to_string();
            all.push(json.trim_matches('"').to_owned());
            all.push(form_urlencoded::byte_serialize(text.as_bytes()).collect());
            all.push(text);
        }
        all.sort_by_key(|text| std::cmp::Reverse(text.len()));
        all.dedup();
        Self(all)
    }

    /// A text without secrets.
    pub(super) fn hide(&self, text: &str) -> String {
        let mut shown = text.to_owned();
        for secret in &self.0 {
            if shown.contains(secret.as_str()) {
                shown = shown.replace(secret.as_str(), MASK);
            }
        }
        shown
    }

    /// Headers to show: name and value.
    pub(super) fn headers(
        &self,
        source: Option<&Source>,
        headers: &HeaderMap,
    ) -> Vec<(String, String)> {
        let signed: Vec<_> = source.map(signature_headers).unwrap_or_default();
        let shown = headers.iter().map(|(name, value)| {
            let name = name.as_str();
            let value = String::from_utf8_lossy(value.as_bytes());
            let is_proof = signed.iter().any(|it| it.eq_ignore_ascii_case(name))
                || TELLING.iter().any(|part| name.contains(part));
            let shown = if is_proof {
                format!("{MASK} ({} characters)", value.chars().count())
            } else {
                self.hide(&value)
            };
            (name.to_owned(), shown)
        });
        shown.collect()
    }
}

/// Where a source reads its signature.
fn signature_headers(source: &Source) -> Vec<&str> {
    let fields = source.schemes.iter().filter_map(|scheme| match scheme {
        Scheme::Recipe(recipe) => recipe.signature.as_ref(),
        Scheme::Special(_) => None,
    });
    fields
        .flat_map(|field| field.headers.iter().map(String::as_str))
        .collect()
}
