//! The service that the example handler posts to: slow, without a memory for keys, and watched.

use std::collections::BTreeMap;
use std::sync::Mutex;
use std::time::Duration;

use hookwell_sandbox::http::Message;
use serde_json::Value;

use crate::fault::lock;

/// Calls with one idempotency key.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Calls {
    /// Calls that run.
    pub(crate) running: u32,
    /// Calls that took effect.
    pub(crate) effects: u64,
    /// Calls that began while another one ran.
    pub(crate) at_once: u64,
    /// True when the record of the event is finished.
    pub(crate) is_finished: bool,
    /// Calls that began after that.
    pub(crate) after_the_end: u64,
}

/// The calls by idempotency key.
#[derive(Debug, Default)]
pub(crate) struct Endpoint(Mutex<BTreeMap<String, Calls>>);

impl Endpoint {
    /// Takes one call, whether or not its caller lives to see the end. An event that names no document is refused.
    pub(crate) async fn take(&self, request: &Message, pause: Duration) -> Message {
        let body: Value = serde_json::from_slice(&request.body).unwrap_or_default();
        if body.pointer("/data/object/id").is_none() {
            return Message::answer("422 Unprocessable Entity", "it names no document");
        }
        let key = request.header("idempotency-key").unwrap_or_default();
        self.note(key, |calls| {
            calls.at_once += u64::from(calls.running > 0);
            calls.after_the_end += u64::from(calls.is_finished);
            calls.running += 1;
        });
        tokio::time::sleep(pause).await;
        self.note(key, |calls| {
            calls.running = calls.running.saturating_sub(1);
            calls.effects += 1;
        });
        Message::answer("200 OK", "{}")
    }

    /// Notes that the record of an event is finished.
    pub(crate) fn finished(&self, key: &str) {
        self.note(key, |calls| calls.is_finished = true);
    }

    /// Notes that there is no record of an event any more.
    pub(crate) fn forgotten(&self, key: &str) {
        self.note(key, |calls| calls.is_finished = false);
    }

    fn note(&self, key: &str, change: impl FnOnce(&mut Calls)) {
        change(lock(&self.0).entry(key.to_owned()).or_default());
    }

    /// All calls by idempotency key.
    pub(crate) fn calls(&self) -> BTreeMap<String, Calls> {
        lock(&self.0).clone()
    }
}
