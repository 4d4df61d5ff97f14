//! An event of a source, to test a handler with: signed, verified and mapped as the real ones are.

use std::time::{SystemTime, UNIX_EPOCH};

use anyhow::{Context as _, Result, anyhow, bail};
use hookwell::config;
use hookwell::event::delivery::Delivery;
use hookwell::event::{Event, Operation};
use hookwell::format::time::Millis;
use hookwell::keys::reference::SecretRef;
use hookwell::source::Source;
use hookwell::verify::scheme::Scheme;
use http::Method;

use crate::sender::{Draft, header_map, signed_with};
use crate::test_keys;

/// A sample event of a source in the text of a sources file, about the document `sample-1`.
///
/// # Errors
/// When the file has mistakes or no such source, or nobody can sign for it here.
pub fn event(sources: &str, source: &str, operation: Operation) -> Result<Event> {
    let source = find(sources, source)?;
    let draft = Draft::sample(&source, operation, now())?;
    received(&source, draft)
}

/// The event that a source in the text of a sources file makes of this body.
///
/// # Errors
/// As [`event`], and when the source does not take the body.
pub fn event_of(sources: &str, source: &str, body: impl Into<Vec<u8>>) -> Result<Event> {
    let source = find(sources, source)?;
    let mut draft = Draft::sample(&source, Operation::Update, now())?;
    draft.set_body(body.into());
    received(&source, draft)
}

/// A sample event of every source in the text of a sources file.
///
/// # Errors
/// As [`event`].
pub fn events(sources: &str) -> Result<Vec<Event>> {
    let all = parsed(sources)?.into_iter();
    let event = |source: Source| {
        let draft = Draft::sample(&source, Operation::Create, now())?;
        let event = received(&source, draft);
        event.with_context(|| format!("source {}", source.name))
    };
    all.map(event).collect()
}

fn parsed(sources: &str) -> Result<Vec<Source>> {
    let (sources, _) = config::parse_locally(sources).map_err(|problems| {
        let lines: Vec<_> = problems.iter().map(ToString::to_string).collect();
        anyhow!("the sources file has mistakes:\n{}", lines.join("\n"))
    })?;
    Ok(sources)
}

fn find(sources: &str, name: &str) -> Result<Source> {
    let mut all = parsed(sources)?.into_iter();
    let found = all.find(|source| source.name == name);
    found.with_context(|| format!("there is no source {name:?}"))
}

/// Signs a draft by the local test keys, and verifies and reads it as ingest does.
fn received(source: &Source, draft: Draft) -> Result<Event> {
    let now = now();
    let mut source = source.clone();
    let fetches = matches!(source.schemes.first(), Some(Scheme::Special(_)));
    if fetches && source.pinned.is_empty() && test_keys::pair(&source).is_some() {
        // In place of the certificate that ingest would fetch.
        source.pinned.push(SecretRef::Env("PINNED".to_owned()));
    }
    let source = &source;
    let keys = source.keys(|reference| Ok(test_keys::made_up(source, reference)))?;
    let signed = signed_with(source, &keys, draft, now)?;
    let delivery = Delivery {
        request_id: "sample".to_owned(),
        method: Method::POST,
        source: Some(source.name.clone()),
        path: signed.path(),
        query: signed.query.clone(),
        headers: header_map(&signed.headers)?,
        body: signed.body,
        source_ip: None,
        trace: None,
    };
    let verified = source.verify(&keys, &delivery, now);
    let verified = verified.map_err(|why| anyhow!("the sample is refused: {why}"))?;
    let events = verified.events(now);
    let mut events = events.map_err(|why| anyhow!("the source does not take the body: {why}"))?;
    if events.is_empty() {
        bail!("the source makes no event of the body");
    }
    Ok(events.remove(0))
}

fn now() -> Millis {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    Millis::try_from(since.unwrap_or_default().as_millis()).unwrap_or(Millis::MAX)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    const SOURCES: &str = r#"
[sources.stripe]
preset = "stripe"
secrets = ["env:STRIPE"]
[sources.open]
preset = "plain"
allow_ips = ["127.0.0.1"]
"#;

    #[test]
    fn a_sample_is_an_event_of_its_source() {
        let sample = event(SOURCES, "stripe", Operation::Delete).unwrap();
        assert_eq!(sample.source, "stripe");
        assert_eq!(sample.operation, Operation::Delete);
        assert_eq!(sample.document_id.as_deref(), Some("sample-1"));
        assert_eq!(events(SOURCES).unwrap().len(), 2);
    }

    #[test]
    fn a_body_of_ones_own_is_read_by_the_mapping_of_the_source() {
        let body = r#"{"id":"evt_1","type":"payment_intent.succeeded","created":1700000000,
                       "data":{"object":{"id":"pi_1","object":"payment_intent"}}}"#;
        let event = event_of(SOURCES, "stripe", body).unwrap();
        assert_eq!(event.kind, "payment_intent.succeeded");
        assert_eq!(event.id, "evt_1");
        assert_eq!(event.document_id.as_deref(), Some("pi_1"));
    }

    #[test]
    fn what_cannot_be_is_said() {
        let why = |source, body: &str| event_of(SOURCES, source, body).unwrap_err().to_string();
        assert_eq!(why("shop", "{}"), "there is no source \"shop\"");
        assert!(why("open", "no JSON").contains("does not take the body"));
    }
}
