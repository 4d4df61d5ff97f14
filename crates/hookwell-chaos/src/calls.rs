//! The destinations as they are called: slow, without a memory for keys, and watched. One refuses everything at first.

use std::collections::BTreeMap;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};

use hookwell_sandbox::http::Message;
use serde_json::{Value, json};

use crate::fault::lock;
use crate::journal::now;
use crate::sources::Destination;

/// A sandbox of process in one of its lives.
pub(crate) type Caller = (usize, u64);

/// One call to a destination.
#[derive(Debug, Clone)]
pub(crate) struct Call {
    /// The destination.
    pub(crate) destination: Destination,
    /// Key of the event, as the call names it.
    pub(crate) key: String,
    /// Time at which the call began, in milliseconds since 1970.
    pub(crate) at: u64,
    /// True when the destination took the event.
    pub(crate) is_taken: bool,
    /// True when the call began while a call of another sandbox ran.
    pub(crate) is_beside: bool,
    /// True when the call began after the event was done for this destination, by its record.
    pub(crate) is_late: bool,
    /// The headers that say something of the event, or the members of the bus's entry beside the detail.
    pub(crate) head: BTreeMap<String, String>,
    /// Body of the request, the detail of the entry, or the message.
    pub(crate) body: String,
}

impl Call {
    /// Reads a request to a destination; `json` is its body.
    pub(crate) fn read(destination: Destination, request: &Message, json: &Value) -> Self {
        let text = |pointer: &str| json.pointer(pointer).and_then(Value::as_str);
        let mut head = BTreeMap::new();
        let body = match destination {
            Destination::Endpoint | Destination::Failing => {
                let is_told =
                    |name: &str| name.starts_with("webhook-") || name.starts_with("hookwell-");
                let told = request.headers.iter().filter(|(name, _)| is_told(name));
                head.extend(told.cloned());
                String::from_utf8_lossy(&request.body).into_owned()
            }
            Destination::Bus => {
                for name in ["EventBusName", "Source", "DetailType"] {
                    let value = text(&format!("/Entries/0/{name}")).unwrap_or_default();
                    head.insert(name.to_owned(), value.to_owned());
                }
                text("/Entries/0/Detail").unwrap_or_default().to_owned()
            }
            Destination::Queue => text("/MessageBody").unwrap_or_default().to_owned(),
        };
        let key = if destination.is_http() {
            head.get("webhook-id").cloned()
        } else {
            let told: Value = serde_json::from_str(&body).unwrap_or_default();
            told.get("key").and_then(Value::as_str).map(str::to_owned)
        };
        Self {
            destination,
            key: key.unwrap_or_default(),
            at: now(),
            is_taken: false,
            is_beside: false,
            is_late: false,
            head,
            body,
        }
    }
}

#[derive(Debug, Default)]
struct Log {
    all: Vec<Call>,
    /// The calls that run, by their places, with who makes them.
    running: BTreeMap<usize, Caller>,
}

/// The calls to all destinations.
#[derive(Debug, Default)]
pub(crate) struct Calls {
    log: Mutex<Log>,
    /// Time at which the failing destination began to work; 0 before.
    recovered_at: AtomicU64,
}

impl Calls {
    /// Notes that a call begins, and gives its place.
    pub(crate) fn begin(&self, call: Call, caller: Caller) -> usize {
        let Log { all, running } = &mut *lock(&self.log);
        // A second try of the same sandbox is no other call.
        let mut others = running.iter().filter(|(_, other)| **other != caller);
        let is_same = |other: &Call| other.destination == call.destination && other.key == call.key;
        let is_beside = others.any(|(place, _)| all.get(*place).is_some_and(is_same));
        let place = all.len();
        running.insert(place, caller);
        all.push(Call { is_beside, ..call });
        place
    }

    /// Notes that a call has ended, whether or not its caller lives to see it.
    pub(crate) fn end(&self, place: usize, is_taken: bool) {
        let Log { all, running } = &mut *lock(&self.log);
        running.remove(&place);
        if let Some(call) = all.get_mut(place) {
            call.is_taken = is_taken;
        }
    }

    /// Answer of an endpoint or the bus to the call at this place. While the failing destination fails, it answers
    /// every fiftieth call with 410 and asks a tenth of the calls to wait.
    pub(crate) fn answer(&self, destination: Destination, place: usize) -> Message {
        match destination {
            Destination::Failing if self.recovered_at() == 0 => match place % 50 {
                0 => Message::answer("410 Gone", ""),
                1..=5 => Message::answer("503 Service Unavailable", "").with("retry-after", "1"),
                _ => Message::answer("503 Service Unavailable", ""),
            },
            Destination::Bus => {
                let put =
                    json!({ "FailedEntryCount": 0, "Entries": [{ "EventId": place.to_string() }] });
                Message::answer("200 OK", put.to_string())
            }
            _ => Message::answer("200 OK", ""),
        }
    }

    /// Lets the failing destination work from now on.
    pub(crate) fn recover(&self) {
        self.recovered_at.store(now(), Ordering::Relaxed);
    }

    /// Time at which the failing destination began to work; 0 before.
    pub(crate) fn recovered_at(&self) -> u64 {
        self.recovered_at.load(Ordering::Relaxed)
    }

    /// Takes every call, in the order in which they began.
    pub(crate) fn take(&self) -> Vec<Call> {
        std::mem::take(&mut lock(&self.log).all)
    }
}
