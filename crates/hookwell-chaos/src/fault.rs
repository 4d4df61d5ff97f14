//! What goes wrong between the functions and their storage, and how often each did.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};

use serde_json::{Value, json};

use crate::rng::Rng;
use hookwell_sandbox::http::Message;

/// A call that a function makes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Site {
    /// Ingest writes the record, or process where ingest could not.
    Remember,
    /// Ingest sends to the queue.
    Send,
    /// Process asks for the records of a batch.
    Recall,
    /// Process takes a lease.
    Claim,
    /// Process writes the document.
    Document,
    /// The example handler posts to its endpoint.
    Endpoint,
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
    /// Anything else; there should be nothing.
    Other,
}

impl Site {
    /// Its name.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Remember => "remember",
            Self::Send => "send",
            Self::Recall => "recall",
            Self::Claim => "claim",
            Self::Document => "document",
            Self::Endpoint => "endpoint",
            Self::Finish => "finish",
            Self::Bury => "bury",
            Self::Delay => "delay",
            Self::Lookup => "lookup",
            Self::Answer => "answer",
            Self::Other => "other",
        }
    }
}

/// What a function speaks to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Service {
    /// The Lambda Runtime API.
    Runtime,
    /// The tables.
    DynamoDb,
    /// The queues.
    Sqs,
    /// The endpoint of the example handler.
    Endpoint,
}

/// Whether the call had taken effect.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum When {
    /// It never reached the storage.
    Before,
    /// The storage has done it, only the answer suffers.
    After,
}

/// What goes wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Kind {
    /// The service's word for "slower".
    Throttle,
    /// 500.
    Internal,
    /// 503.
    Unavailable,
    /// RST.
    Reset,
    /// FIN without an answer.
    Close,
    /// No answer, the connection stays.
    Silence,
    /// The answer comes late.
    Slow,
    /// Half of the answer comes.
    Truncate,
    /// 200 with a body that is no JSON.
    Garbage,
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
        }
    }
}

/// Every fault, as often as it should be drawn: those that cost time are rarer.
const URN: [(When, Kind, u64); 14] = [
    (When::Before, Kind::Throttle, 4),
    (When::Before, Kind::Internal, 2),
    (When::Before, Kind::Unavailable, 2),
    (When::Before, Kind::Reset, 2),
    (When::Before, Kind::Close, 1),
    (When::Before, Kind::Silence, 1),
    (When::After, Kind::Internal, 2),
    (When::After, Kind::Unavailable, 2),
    (When::After, Kind::Reset, 3),
    (When::After, Kind::Close, 3),
    (When::After, Kind::Truncate, 3),
    (When::After, Kind::Garbage, 2),
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

    /// From now on nothing goes wrong.
    pub(crate) fn end(&self) {
        self.open.store(false, Ordering::Relaxed);
    }

    /// What goes wrong with this call, if anything does.
    pub(crate) fn draw(&self, site: Site) -> Option<(When, Kind)> {
        *lock(&self.calls).entry(site).or_default() += 1;
        if !self.open.load(Ordering::Relaxed) {
            return None;
        }
        let mut rng = lock(&self.rng);
        if !rng.chance(self.rate) {
            return None;
        }
        let mut left = rng.below(URN.iter().map(|(_, _, weight)| weight).sum());
        drop(rng);
        let drawn = URN.iter().find(|(_, _, weight)| {
            let is_it = left < *weight;
            left = left.saturating_sub(*weight);
            is_it
        });
        let (when, kind) = drawn.map(|(when, kind, _)| (*when, *kind))?;
        *lock(&self.counts).entry((site, when, kind)).or_default() += 1;
        Some((when, kind))
    }

    /// How late a slow answer is, in milliseconds: 20 to 2,560, every doubling as likely.
    pub(crate) fn lateness(&self) -> u64 {
        let mut rng = lock(&self.rng);
        let base = 20_u64 << rng.below(7);
        base.saturating_add(rng.below(base))
    }

    /// How long the endpoint takes, in milliseconds.
    pub(crate) fn slowness(&self) -> u64 {
        lock(&self.rng).below(200)
    }

    /// How many faults there were.
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

/// What the service would say; `None` for what is no answer.
pub(crate) fn answer(kind: Kind, service: Service, dice: u64) -> Option<Message> {
    let error = |status: &str, code: &str| {
        let shape = match service {
            Service::Sqs => "com.amazonaws.sqs",
            _ => "com.amazonaws.dynamodb.v20120810",
        };
        let body = json!({ "__type": format!("{shape}#{code}"), "message": "chaos" });
        Message::answer(status, body.to_string())
    };
    match kind {
        // Of the endpoint only the status is read, so a body that is garbage would change nothing.
        Kind::Throttle | Kind::Garbage if service == Service::Endpoint => {
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
        Kind::Internal => Some(error("500 Internal Server Error", "InternalServerError")),
        Kind::Unavailable => Some(Message::answer("503 Service Unavailable", "chaos")),
        Kind::Garbage => Some(Message::answer("200 OK", "\u{0}<garbage}")),
        Kind::Reset | Kind::Close | Kind::Silence | Kind::Slow | Kind::Truncate => None,
    }
}

/// A lock that a panic elsewhere does not break.
pub(crate) fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
