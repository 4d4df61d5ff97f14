//! Faults between the functions and their storage, drawn at random and counted.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};

use serde_json::{Map, Value, json};

use crate::rng::Rng;
use crate::sources::Destination;
use hookwell_sandbox::http::Message;

/// A call that a function makes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Site {
    /// Ingest writes the record, or process where ingest could not.
    Remember,
    /// Ingest sends to the queue.
    Send,
    /// Ingest sends up to ten events of a list at once.
    SendMany,
    /// Ingest puts what is too large for a message into the bucket.
    Store,
    /// Process reads it there.
    Fetch,
    /// Process reads the records of a batch.
    Recall,
    /// Process writes a record that is missing.
    Settle,
    /// Process keeps an event whole.
    Keep,
    /// Process takes a lease.
    Claim,
    /// Process writes the document.
    Document,
    /// Process queues an event once more for each of its destinations.
    Copy,
    /// Process tells a destination of an event.
    Tell(Destination),
    /// Process closes the record.
    Finish,
    /// Process sends to the dead-letter queue.
    Bury,
    /// Process hides a failed message.
    Delay,
    /// Process asks for its dead-letter queue.
    Lookup,
    /// The function answers.
    Answer,
    /// Ingest opens a connection at its start.
    Ping,
    /// Anything else; there should be nothing.
    Other,
}

impl Site {
    /// Name of the call in reports.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Remember => "remember",
            Self::Send => "send",
            Self::SendMany => "send many",
            Self::Store => "store",
            Self::Fetch => "fetch",
            Self::Recall => "recall",
            Self::Settle => "settle",
            Self::Keep => "keep",
            Self::Claim => "claim",
            Self::Document => "document",
            Self::Copy => "copy",
            Self::Tell(destination) => destination.name(),
            Self::Finish => "finish",
            Self::Bury => "bury",
            Self::Delay => "delay",
            Self::Lookup => "lookup",
            Self::Answer => "answer",
            Self::Ping => "ping",
            Self::Other => "other",
        }
    }
}

/// A service that a function calls.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Service {
    /// The Lambda Runtime API.
    Runtime,
    /// The tables.
    DynamoDb,
    /// The queues.
    Sqs,
    /// The bucket.
    S3,
    /// HTTP endpoints that are told of events.
    Http,
    /// The event bus.
    EventBridge,
}

/// The time of a fault: before or after the call takes effect.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum When {
    /// The call never reaches the storage.
    Before,
    /// The storage has done it, only the answer suffers.
    After,
}

/// A kind of fault.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Kind {
    /// Throttling error of the service.
    Throttle,
    /// Status 500.
    Internal,
    /// Status 503.
    Unavailable,
    /// Connection reset (RST).
    Reset,
    /// Connection closed (FIN) without an answer.
    Close,
    /// No answer, the connection stays.
    Silence,
    /// The answer comes late.
    Slow,
    /// Half of the answer comes.
    Truncate,
    /// 200 with a body that is no JSON.
    Garbage,
    /// 200 with a page, as a proxy on the way may answer.
    Page,
    /// 200 with an error in JSON.
    ErrorIn200,
    /// 200, and some of what was asked for is left out.
    Unprocessed,
    /// The credentials are taken for old ones.
    Expired,
    /// The answer comes, and once more behind it on the same connection.
    Twice,
    /// The answer says that it is longer than it is.
    Short,
}

impl Kind {
    fn name(self) -> &'static str {
        match self {
            Self::Throttle => "throttle",
            Self::Internal => "500",
            Self::Unavailable => "503",
            Self::Reset => "reset",
            Self::Close => "close",
            Self::Silence => "silence",
            Self::Slow => "slow",
            Self::Truncate => "truncate",
            Self::Garbage => "garbage",
            Self::Page => "page",
            Self::ErrorIn200 => "error in 200",
            Self::Unprocessed => "unprocessed",
            Self::Expired => "expired credentials",
            Self::Twice => "twice",
            Self::Short => "short",
        }
    }

    /// True when a call to this site can end with this fault. A put into a table needs no body in its 200, so of the
    /// calls that write, only a send, a put into the bucket and one on the bus can be answered with 200 without effect:
    /// their clients look for a message's id, an object's tag and an event's id.
    fn fits(self, when: When, site: Site) -> bool {
        match self {
            Self::Unprocessed => matches!(site, Site::Recall | Site::SendMany | Site::Copy),
            Self::Garbage | Self::Page | Self::ErrorIn200 if when == When::Before => {
                matches!(
                    site,
                    Site::Send
                        | Site::SendMany
                        | Site::Copy
                        | Site::Tell(Destination::Bus | Destination::Queue)
                        | Site::Bury
                        | Site::Recall
                        | Site::Store
                        | Site::Fetch
                )
            }
            _ => true,
        }
    }
}

/// Every fault, as often as it should be drawn: those that cost time are rarer.
const URN: [(When, Kind, u64); 22] = [
    (When::Before, Kind::Throttle, 4),
    (When::Before, Kind::Internal, 2),
    (When::Before, Kind::Unavailable, 2),
    (When::Before, Kind::Reset, 2),
    (When::Before, Kind::Close, 1),
    (When::Before, Kind::Silence, 1),
    (When::Before, Kind::Garbage, 2),
    (When::Before, Kind::Page, 2),
    (When::Before, Kind::ErrorIn200, 3),
    (When::Before, Kind::Unprocessed, 4),
    (When::Before, Kind::Expired, 1),
    (When::After, Kind::Internal, 2),
    (When::After, Kind::Unavailable, 2),
    (When::After, Kind::Reset, 3),
    (When::After, Kind::Close, 3),
    (When::After, Kind::Truncate, 3),
    (When::After, Kind::Short, 1),
    (When::After, Kind::Twice, 1),
    (When::After, Kind::Garbage, 2),
    (When::After, Kind::Unprocessed, 4),
    (When::After, Kind::Slow, 2),
    (When::After, Kind::Silence, 1),
];

/// Draws and counts faults.
#[derive(Debug)]
pub(crate) struct Faults {
    rate: f64,
    open: AtomicBool,
    rng: Mutex<Rng>,
    counts: Mutex<BTreeMap<(Site, When, Kind), u64>>,
    calls: Mutex<BTreeMap<Site, u64>>,
}

impl Faults {
    /// Faults at this rate.
    pub(crate) fn new(rate: f64, seed: u64) -> Self {
        Self {
            rate,
            open: AtomicBool::new(true),
            rng: Mutex::new(Rng::new(seed, 2)),
            counts: Mutex::default(),
            calls: Mutex::default(),
        }
    }

    /// Lets calls go wrong from now on.
    pub(crate) fn begin(&self) {
        self.open.store(true, Ordering::Relaxed);
    }

    /// Ends the faults.
    pub(crate) fn end(&self) {
        self.open.store(false, Ordering::Relaxed);
    }

    /// Draws the fault of this call, or none.
    pub(crate) fn draw(&self, site: Site) -> Option<(When, Kind)> {
        *lock(&self.calls).entry(site).or_default() += 1;
        if !self.open.load(Ordering::Relaxed) {
            return None;
        }
        let mut rng = lock(&self.rng);
        if !rng.chance(self.rate) {
            return None;
        }
        let urn = || {
            let fits = |(when, kind, _): &&(When, Kind, u64)| kind.fits(*when, site);
            URN.iter().filter(fits)
        };
        let mut left = rng.below(urn().map(|(_, _, weight)| weight).sum());
        drop(rng);
        let drawn = urn().find(|(_, _, weight)| {
            let is_it = left < *weight;
            left = left.saturating_sub(*weight);
            is_it
        });
        let (when, kind) = drawn.map(|(when, kind, _)| (*when, *kind))?;
        *lock(&self.counts).entry((site, when, kind)).or_default() += 1;
        Some((when, kind))
    }

    /// Delay of a slow answer, in milliseconds: 20 to 2,560, every doubling as likely.
    pub(crate) fn lateness(&self) -> u64 {
        let mut rng = lock(&self.rng);
        let base = 20_u64 << rng.below(7);
        base.saturating_add(rng.below(base))
    }

    /// State of a connection after its function was frozen for long: nobody answers any more, or the connection is
    /// reset; `None` for the third of connections that still work.
    pub(crate) fn dead_connection(&self) -> Option<Kind> {
        [None, Some(Kind::Silence), Some(Kind::Reset)]
            .get(lock(&self.rng).index(3))
            .copied()
            .flatten()
    }

    /// Time that a destination takes for a call, in milliseconds.
    pub(crate) fn slowness(&self) -> u64 {
        lock(&self.rng).below(200)
    }

    /// Number of faults so far.
    pub(crate) fn total(&self) -> u64 {
        lock(&self.counts).values().sum()
    }

    /// The counts by kind, and by call, kind, and before or after the effect.
    pub(crate) fn report(&self) -> (Value, Value) {
        let mut kinds: BTreeMap<String, u64> = BTreeMap::new();
        let mut sites: BTreeMap<&str, BTreeMap<String, u64>> = BTreeMap::new();
        for ((site, when, kind), count) in lock(&self.counts).iter() {
            let when = match when {
                When::Before => "before",
                When::After => "after",
            };
            let name = format!("{} {when}", kind.name());
            *kinds.entry(name.clone()).or_default() += count;
            sites.entry(site.name()).or_default().insert(name, *count);
        }
        for (site, count) in lock(&self.calls).iter() {
            let site = sites.entry(site.name()).or_default();
            site.insert("calls".to_owned(), *count);
        }
        (json!(kinds), json!(sites))
    }
}

/// The service's answer with this fault; `None` when the fault is not an answer.
pub(crate) fn answer(kind: Kind, service: Service, dice: u64) -> Option<Message> {
    let error = |status: &str, code: &str| {
        let shape = match service {
            Service::Sqs => "com.amazonaws.sqs",
            Service::EventBridge => "com.amazonaws.events",
            _ => "com.amazonaws.dynamodb.v20120810",
        };
        let body = json!({ "__type": format!("{shape}#{code}"), "message": "chaos" });
        Message::answer(status, body.to_string())
    };
    match kind {
        // Only the status of an endpoint's answer is read, so a garbled body would change nothing.
        Kind::Throttle | Kind::Garbage if service == Service::Http => {
            Some(Message::answer("429 Too Many Requests", "chaos"))
        }
        Kind::Throttle if service == Service::Sqs => {
            let code = "RequestThrottled";
            let query = format!("{code};Sender");
            Some(error("400 Bad Request", code).with("x-amzn-query-error", &query))
        }
        Kind::Throttle if dice.is_multiple_of(2) => {
            Some(error("400 Bad Request", "ThrottlingException"))
        }
        Kind::Throttle => Some(error(
            "400 Bad Request",
            "ProvisionedThroughputExceededException",
        )),
        Kind::Expired if service == Service::Http => {
            Some(Message::answer("503 Service Unavailable", "chaos"))
        }
        Kind::Expired => Some(error("400 Bad Request", "ExpiredTokenException")),
        Kind::Internal => Some(error("500 Internal Server Error", "InternalServerError")),
        Kind::Unavailable => Some(Message::answer("503 Service Unavailable", "chaos")),
        Kind::Garbage => Some(Message::answer("200 OK", "\u{0}<garbage}")),
        Kind::Page => Some(Message::answer(
            "200 OK",
            "<!doctype html><title>Please sign in</title>",
        )),
        Kind::ErrorIn200 if service == Service::EventBridge => {
            let refused = r#"{"FailedEntryCount":1,"Entries":[{"ErrorCode":"InternalFailure"}]}"#;
            Some(Message::answer("200 OK", refused))
        }
        Kind::ErrorIn200 => Some(error("200 OK", "ServiceUnavailable")),
        // Made from the request and the true answer.
        Kind::Unprocessed
        | Kind::Twice
        | Kind::Short
        | Kind::Reset
        | Kind::Close
        | Kind::Silence
        | Kind::Slow
        | Kind::Truncate => None,
    }
}

/// The answer of a `BatchGetItem` that had capacity for half of its keys: the records of that half, and the other keys
/// again. Without a true answer there was capacity for no key.
pub(crate) fn unprocessed(request: &Value, true_answer: Option<&Message>) -> Message {
    let read = true_answer.and_then(|answer| serde_json::from_slice(&answer.body).ok());
    let mut answer: Value = read.unwrap_or_else(|| json!({ "Responses": {} }));
    let mut open = Map::new();
    let tables = request.get("RequestItems").and_then(Value::as_object);
    for (table, asked) in tables.into_iter().flatten() {
        let keys = asked.get("Keys").and_then(Value::as_array);
        let keys = keys.map(Vec::as_slice).unwrap_or_default();
        let done = true_answer.map_or(0, |_| keys.len() / 2);
        let left = keys.get(done..).unwrap_or_default();
        let mut again = asked.clone();
        if let Some(kept) = again.get_mut("Keys") {
            *kept = json!(left);
        }
        open.insert(table.clone(), again);
        let is_left = |item: &Value| left.iter().any(|key| key.get("pk") == item.get("pk"));
        let items = answer.pointer_mut("/Responses");
        let items = items.and_then(|tables| tables.get_mut(table)?.as_array_mut());
        if let Some(items) = items {
            items.retain(|item| !is_left(item));
        }
    }
    if let Some(answer) = answer.as_object_mut() {
        answer.insert("UnprocessedKeys".to_owned(), Value::Object(open));
    }
    Message::answer("200 OK", answer.to_string())
}

/// The answer of a `SendMessageBatch` that took half of its entries: the other half failed, as when SQS throttles them.
/// Without a true answer the queue took none. With a true answer the queue has all entries, and half of them are said
/// to have failed.
pub(crate) fn half_sent(request: &Value, true_answer: Option<&Message>) -> Message {
    let read = true_answer.and_then(|answer| serde_json::from_slice(&answer.body).ok());
    let read: Value = read.unwrap_or_default();
    let list = |of: &Value, name: &str| {
        let list = of.get(name).and_then(Value::as_array);
        list.cloned().unwrap_or_default()
    };
    let entries = list(request, "Entries");
    let taken: Vec<_> = list(&read, "Successful")
        .into_iter()
        .take(entries.len() / 2)
        .collect();
    let is_taken = |entry: &&Value| taken.iter().any(|one| one.get("Id") == entry.get("Id"));
    let failed = entries.iter().filter(|entry| !is_taken(entry));
    let failed = failed.map(|entry| {
        json!({ "Id": entry.get("Id"), "Code": "RequestThrottled", "Message": "chaos", "SenderFault": false })
    });
    let failed: Vec<_> = failed.collect();
    let answer = json!({ "Successful": taken, "Failed": failed });
    Message::answer("200 OK", answer.to_string())
}

/// A lock that a panic elsewhere does not break.
pub(crate) fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
