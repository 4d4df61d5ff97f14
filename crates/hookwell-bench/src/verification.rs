//! Our verification of a request against the bare digest over the same bytes.

use std::hint::black_box;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};
use hmac::{Hmac, KeyInit as _, Mac as _};
use hookwell::config;
use hookwell::event::delivery::Delivery;
use hookwell::ingest::key_cache::Sources;
use http::{HeaderMap, HeaderValue, Method};
use sha2::Sha256;

use crate::figures::{median, millis};
use crate::traffic::{ID, SECRET, body, signature};

const SOURCES: &str = "[sources.resource]\npreset = \"resource\"\nsecrets = [\"env:SECRET\"]\n";

/// The number of verifications that are timed together.
const BATCH: u32 = 1_000;

/// Microseconds of our verification and of `hmac` with `sha2`, for a body of so many bytes.
pub(crate) fn measure(bytes: usize, rounds: usize) -> Result<(f64, f64)> {
    let sources = config::parse(SOURCES).map_err(|all| anyhow::anyhow!("{all:?}"))?;
    let sources = Sources::new(sources, |_| Ok(SECRET.to_owned()));
    let (source, keys) = sources.get("resource").context("no source")?;
    let keys = (*keys).as_ref().map_err(Clone::clone)?;
    let body = body(ID, bytes);
    let signature = signature(&body)?;
    let mut headers = HeaderMap::new();
    headers.insert("x-webhook-signature", HeaderValue::from_str(&signature)?);
    let delivery = Delivery {
        request_id: "1".to_owned(),
        method: Method::POST,
        source: Some("resource".to_owned()),
        path: "/webhooks/resource".to_owned(),
        query: String::new(),
        headers,
        body: body.clone().into_bytes(),
        source_ip: None,
        trace: None,
    };
    let expected = hex::decode(&signature)?;
    ensure!(source.verify(keys, &delivery, 0).is_ok(), "refused");
    let ours = || source.verify(keys, black_box(&delivery), 0).is_ok();
    let bare = || {
        let mac = Hmac::<Sha256>::new_from_slice(black_box(SECRET.as_bytes()));
        mac.is_ok_and(|mac| {
            let mac = mac.chain_update(black_box(body.as_bytes()));
            mac.verify_slice(&expected).is_ok()
        })
    };
    let (mut all_ours, mut all_bare) = (Vec::new(), Vec::new());
    for _ in 0..rounds {
        all_ours.push(millis(time(ours)));
        all_bare.push(millis(time(bare)));
    }
    Ok((median(&all_ours), median(&all_bare)))
}

/// Duration of [`BATCH`] calls: its milliseconds are the microseconds of one call.
fn time(call: impl Fn() -> bool) -> Duration {
    let started = Instant::now();
    for _ in 0..BATCH {
        black_box(call());
    }
    started.elapsed()
}
