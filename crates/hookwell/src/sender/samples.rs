//! Deliveries of every preset in the shape that its sender gives them, shortened: `tests/samples/PRESET.json`. `from` says
//! there where each shape was seen, and `events` what a delivery must become.

use serde_json::Value;

use super::renew::renew;
use super::sample::Sample;
use crate::format::time::Millis;
use crate::source::Source;

/// The file of each preset.
macro_rules! files {
    ($($preset:literal,)*) => {
        [$(($preset, include_str!(concat!("../../tests/samples/", $preset, ".json")))),*]
    };
}

const FILES: [(&str, &str); 78] = files![
    "adyen",
    "adyen-platform",
    "airtable",
    "anthropic",
    "asana",
    "aws-sns",
    "bitbucket",
    "box",
    "calendly",
    "circleci",
    "clerk",
    "cloudinary",
    "coinbase-commerce",
    "contentful",
    "customerio",
    "discord",
    "docusign",
    "dropbox",
    "elevenlabs",
    "generic",
    "github",
    "github-sha1",
    "gitlab-signing-token",
    "gitlab-token",
    "gocardless",
    "hubspot-v1",
    "hubspot-v2",
    "hubspot-v3",
    "intercom",
    "lemonsqueezy",
    "line",
    "linear",
    "mailgun",
    "mercadopago",
    "meta",
    "msgraph",
    "mux",
    "notion",
    "openai",
    "paddle",
    "pagerduty",
    "paypal",
    "plaid",
    "plain",
    "polar",
    "postmark",
    "pusher",
    "quickbooks",
    "razorpay",
    "replicate",
    "resend",
    "resource",
    "retell",
    "sanity",
    "sendgrid",
    "sentry",
    "shopify",
    "slack",
    "square",
    "standard-webhooks",
    "standard-webhooks-v1a",
    "stonal",
    "stripe",
    "supabase-auth-hook",
    "svix",
    "telegram",
    "trello",
    "twilio-form",
    "twilio-json",
    "twilio-sharedkey-sha256",
    "typeform",
    "vercel",
    "webflow",
    "woocommerce",
    "workos",
    "xero",
    "zendesk",
    "zoom",
];

/// Types of the events of a preset that there is a delivery of.
#[must_use]
pub fn types(preset: &str) -> Vec<String> {
    let mut types: Vec<String> = Vec::new();
    for kind in deliveries(preset).iter().flat_map(kinds) {
        if !kind.is_empty() && !types.iter().any(|known| known == kind) {
            types.push(kind.to_owned());
        }
    }
    types
}

/// The first delivery of a source's preset that has an event of this type, with the time `at` and with new ids, which
/// are made from `random`. `None` where there is none.
#[must_use]
pub fn in_shape(source: &Source, kind: &str, random: [u8; 16], at: Millis) -> Option<Sample> {
    let deliveries = deliveries(source.preset.as_deref()?);
    let found = deliveries
        .iter()
        .find(|one| kinds(one).any(|it| it == kind))?;
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let headers = found.get("headers").and_then(Value::as_object);
    let headers = headers.into_iter().flatten();
    let body = match found.get("text") {
        Some(body) => text(body),
        None => found.get("body").unwrap_or_default().to_string(),
    };
    let sample = Sample {
        headers: headers
            .map(|(name, value)| (name.clone(), text(value)))
            .collect(),
        query: found.get("query").map(text).unwrap_or_default(),
        content_type: source.content_type(),
        body: body.into_bytes(),
    };
    Some(renew(source, kind, sample, random, at))
}

fn deliveries(preset: &str) -> Vec<Value> {
    let file = FILES.iter().find(|(name, _)| *name == preset);
    file.and_then(|(_, text)| serde_json::from_str(text).ok())
        .unwrap_or_default()
}

/// Types of the events of a delivery.
fn kinds(delivery: &Value) -> impl Iterator<Item = &str> {
    let events = delivery.get("events").and_then(Value::as_array);
    let events = events.into_iter().flatten();
    events.filter_map(|event| event.get("type").and_then(Value::as_str))
}
