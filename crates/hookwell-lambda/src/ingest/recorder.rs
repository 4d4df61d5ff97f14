//! Records refused requests of one source for a while, so that `hookwell verify --explain` can look at what AWS received.
//!
//! Off unless `HOOKWELL_RECORD_REFUSED` says `SOURCE until TIME`, and after that time again. At most a hundred requests, one for
//! each place that a hash of the body gives, so that what a sender repeats takes one place. What is recorded is masked.

use std::collections::BTreeSet;
use std::hash::{DefaultHasher, Hasher as _};
use std::net::IpAddr;
use std::sync::{Mutex, MutexGuard, PoisonError};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hookwell::event::delivery::Delivery;
use hookwell::event::message::is_source_name;
use hookwell::format::time::{DAY, Millis, Unit, to_rfc3339};
use hookwell::ingest::Received;
use hookwell::ingest::key_cache::Sources;
use hookwell::ingest::masked::{Masked, masked};
use hookwell::source::reply::Receipt;
use hookwell_aws::settings::Environment;
use hookwell_aws::{Bucket, PLACES, Place, Recordings};
use lambda_http::http::{HeaderMap, HeaderName};
use serde::Serialize;
use serde_json::{Map, Value};

/// Variable that says what to record.
const VARIABLE: &str = "HOOKWELL_RECORD_REFUSED";

/// The largest body that is recorded, in bytes.
const MAX_BODY: usize = 256 * 1024;

/// A recording that has not ended.
#[derive(Debug)]
pub(super) struct Recorder {
    source: String,
    until: Millis,
    recordings: Recordings,
    /// Numbers of the places that this running copy knows to be taken: a flood asks the bucket once for each.
    taken: Mutex<BTreeSet<u8>>,
}

/// A refused request: what `hookwell verify` reads, and what became of it.
#[derive(Serialize)]
struct Recorded<'a> {
    source: &'a str,
    received_at: Millis,
    status: u16,
    outcome: &'static str,
    reason: Option<&'a str>,
    method: &'a str,
    path: &'a str,
    query: &'a str,
    headers: Map<String, Value>,
    body_base64: String,
    /// Length of the body as it came.
    bytes: usize,
    source_ip: Option<IpAddr>,
    masked: Vec<String>,
}

impl Recorder {
    /// The recording that the environment asks for; none when it asks for none, or the time is over.
    ///
    /// # Errors
    /// The reason for which there is none although the variable is set, safe to log.
    pub(super) fn from_environment(
        env: Environment<'_>,
        bucket: Option<Bucket>,
        sources: &Sources,
        now: Millis,
    ) -> Result<Option<Self>, &'static str> {
        let Some(text) = env(VARIABLE) else {
            return Ok(None);
        };
        let (source, until) = read(&text, now)?;
        if until <= now {
            return Ok(None);
        }
        if sources.get(source).is_none() {
            return Err("the sources file has no such source");
        }
        let bucket = bucket.ok_or("HOOKWELL_BUCKET is not set")?;
        tracing::info!(
            source,
            until = to_rfc3339(until),
            "refused requests are recorded"
        );
        Ok(Some(Self {
            source: source.to_owned(),
            until,
            recordings: Recordings::new(bucket),
            taken: Mutex::default(),
        }))
    }

    /// Records a delivery that was refused, where it is of this recording. What fails is one line of the log, and changes
    /// nothing of the answer.
    pub(super) async fn record(
        &self,
        sources: &Sources,
        delivery: &Delivery,
        received: &Received,
        now: Millis,
    ) {
        let is_ours = delivery.source.as_ref() == Some(&self.source) && now < self.until;
        if !is_ours || !is_refusal(received.receipt) || delivery.body.len() > MAX_BODY {
            return;
        }
        let number = place_of(&delivery.body);
        let is_taken = self.taken().contains(&number);
        let (false, Some((source, keys))) = (is_taken, sources.get(&self.source)) else {
            return;
        };
        let Masked {
            delivery: shown,
            places,
        } = masked(source, &keys, delivery);
        let recorded = Recorded {
            source: &self.source,
            received_at: now,
            status: received.reply.status.as_u16(),
            outcome: received.receipt.name(),
            reason: received.reason.as_deref(),
            method: shown.method.as_str(),
            path: &shown.path,
            query: &shown.query,
            headers: texts(&shown.headers),
            body_base64: STANDARD.encode(&shown.body),
            bytes: delivery.body.len(),
            source_ip: shown.source_ip,
            masked: places,
        };
        let Ok(json) = serde_json::to_vec(&recorded) else {
            return;
        };
        let place = Place {
            source: self.source.clone(),
            until: self.until / 1000,
            number,
        };
        match self.recordings.add(&place, &json).await {
            Ok(_) => {
                self.taken().insert(number);
            }
            Err(why) => {
                let (source, problem) = (&self.source, why.to_string());
                tracing::warn!(source, problem, "a refused request was not recorded");
            }
        }
    }

    fn taken(&self) -> MutexGuard<'_, BTreeSet<u8>> {
        self.taken.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Reads `SOURCE until TIME`. A command asks for an hour; a time far ahead is a mistake, or a recording that would not end.
fn read(text: &str, now: Millis) -> Result<(&str, Millis), &'static str> {
    let (source, until) = text
        .split_once(" until ")
        .filter(|(source, _)| is_source_name(source))
        .ok_or("it is not SOURCE until TIME")?;
    let until = Unit::Rfc3339.parse(until);
    let until = until.ok_or("its time is not in RFC 3339")?;
    if until > now.saturating_add(DAY) {
        return Err("its time is more than a day ahead");
    }
    Ok((source, until))
}

/// True when the request itself was refused, with 4xx. A source without its secret, or a queue that is away, is not the
/// sender's mistake, and the log says which.
fn is_refusal(receipt: Receipt) -> bool {
    match receipt {
        Receipt::Invalid
        | Receipt::Unverified
        | Receipt::NoCertificate
        | Receipt::AddressNotAllowed
        | Receipt::MethodNotAllowed
        | Receipt::TooLarge
        | Receipt::Compressed => true,
        Receipt::Received
        | Receipt::Duplicate
        | Receipt::Filtered
        | Receipt::Quarantined
        | Receipt::Handshake
        | Receipt::BadRequest
        | Receipt::UnknownSource
        | Receipt::NotConfigured
        | Receipt::NotReady
        | Receipt::NoKeyYet
        | Receipt::Unavailable => false,
    }
}

/// Number of the place of a body. Every running copy of the function hashes alike.
fn place_of(body: &[u8]) -> u8 {
    let mut hasher = DefaultHasher::new();
    hasher.write(body);
    let number = hasher.finish() % u64::from(PLACES);
    u8::try_from(number).unwrap_or_default()
}

/// The headers by their names; a list of texts where there are many of one name.
fn texts(headers: &HeaderMap) -> Map<String, Value> {
    let of = |name: &str| {
        let values = headers.get_all(name).iter();
        let texts = values.map(|value| Value::from(String::from_utf8_lossy(value.as_bytes())));
        texts.collect::<Vec<_>>()
    };
    let names = headers.keys().map(HeaderName::as_str);
    let all = names.map(|name| match <[Value; 1]>::try_from(of(name)) {
        Ok([one]) => (name.to_owned(), one),
        Err(many) => (name.to_owned(), Value::Array(many)),
    });
    all.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Millis = 1_795_251_600_000;

    #[test]
    fn a_recording_names_its_source_and_a_time_within_a_day() {
        let hour = NOW + 3_600_000;
        let text = format!("shop until {}", to_rfc3339(hour));
        assert_eq!(read(&text, NOW), Ok(("shop", hour)));
        let far = format!("shop until {}", to_rfc3339(NOW + DAY + 1));
        for wrong in [
            "",
            "shop",
            "shop until",
            "shop until tomorrow",
            "../shop until 2026-11-27T19:00:00Z",
            " until 2026-11-27T19:00:00Z",
            "shop 2026-11-27T19:00:00Z",
            far.as_str(),
        ] {
            assert!(read(wrong, NOW).is_err(), "{wrong}");
        }
    }
}
