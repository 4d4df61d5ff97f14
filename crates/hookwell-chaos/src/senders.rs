//! Senders, each with the retry schedule of a real one. A minute of theirs is ten milliseconds here, and no pause is
//! longer than two seconds.

use std::net::{IpAddr, Ipv4Addr};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use hookwell_sandbox::trigger::{HttpRequest, Trigger};
use http::{HeaderMap, HeaderValue};
use serde_json::Value;
use tokio::sync::Semaphore;
use tokio::task::JoinSet;

use crate::fault::lock;
use crate::journal::now;
use crate::plan::{Delivery, Plan};
use crate::proxy::World;

/// Pauses before the next tries, in the sender's seconds (faults.md 1.4 names their documents).
const SCHEDULES: [(&str, &[u64]); 6] = [
    ("resource", &[0, 60, 300, 1_800, 7_200]),
    ("github", &[]),
    ("shopify", &[60, 300, 600, 1_200, 2_400, 4_800, 4_800]),
    ("svix", &[5, 300, 1_800, 7_200, 18_000, 36_000, 36_000]),
    (
        "adyen",
        &[0, 0, 120, 300, 600, 900, 1_800, 3_600, 7_200, 14_400],
    ),
    (
        "stripe",
        &[60, 300, 1_800, 7_200, 18_000, 36_000, 43_200, 43_200],
    ),
];

/// The longest pause.
const MAX_PAUSE: Duration = Duration::from_secs(2);

/// Time that a sender waits for an answer.
const PATIENCE: Duration = Duration::from_secs(5);

/// Number of sendings under way, most of them pausing.
const UNDER_WAY: usize = 1_000;

/// One try, as the sender saw it.
#[derive(Debug, Clone)]
pub(crate) struct Try {
    /// The delivery, by its place in the plan.
    pub(crate) delivery: usize,
    /// The status; 502 for a function that died, 0 for no answer in time.
    pub(crate) status: u16,
    /// True when the answer calls the delivery a duplicate.
    pub(crate) is_duplicate: bool,
    /// Time of sending, in milliseconds since 1970, queueing for a sandbox not included.
    pub(crate) started: u64,
    /// Time at which the sender had an answer or lost patience.
    pub(crate) ended: u64,
}

/// State that all senders share.
#[derive(Debug)]
pub(crate) struct Senders {
    world: Arc<World>,
    plan: Arc<Plan>,
    log: Mutex<Vec<Try>>,
    finished: AtomicU64,
    sandboxes: Semaphore,
}

impl Senders {
    /// Senders of a plan.
    pub(crate) fn new(world: Arc<World>, plan: Arc<Plan>) -> Self {
        let sandboxes = Semaphore::new(world.ingest.size());
        Self {
            world,
            plan,
            log: Mutex::default(),
            finished: AtomicU64::new(0),
            sandboxes,
        }
    }

    /// Number of sendings that have ended.
    pub(crate) fn finished(&self) -> u64 {
        self.finished.load(Ordering::Relaxed)
    }

    /// Every try.
    pub(crate) fn log(&self) -> Vec<Try> {
        lock(&self.log).clone()
    }

    /// Sends some deliveries.
    pub(crate) async fn run(self: &Arc<Self>, deliveries: &[usize]) {
        let mut sendings = JoinSet::new();
        for (number, delivery) in deliveries.iter().copied().enumerate() {
            while sendings.len() >= UNDER_WAY {
                sendings.join_next().await;
            }
            let senders = self.clone();
            sendings.spawn(async move {
                senders.send(number, delivery).await;
                senders.finished.fetch_add(1, Ordering::Relaxed);
            });
        }
        while sendings.join_next().await.is_some() {}
    }

    /// Sends one delivery until it is taken or its schedule ends.
    async fn send(&self, number: usize, index: usize) {
        let Some(delivery) = self.plan.deliveries.get(index) else {
            return;
        };
        let schedule = SCHEDULES.get(number % SCHEDULES.len());
        let mut pauses = schedule
            .map_or(&[][..], |(_, pauses)| *pauses)
            .iter()
            .copied();
        loop {
            let done = self.try_once(index, delivery).await;
            let is_taken = done.status == 200;
            lock(&self.log).push(done);
            let Some(pause) = pauses.next().filter(|_| !is_taken) else {
                return;
            };
            let pause = Duration::from_millis(pause.saturating_mul(10) / 60);
            tokio::time::sleep(pause.min(MAX_PAUSE)).await;
        }
    }

    async fn try_once(&self, index: usize, delivery: &Delivery) -> Try {
        let _sandbox = self.sandboxes.acquire().await;
        let started = now();
        let payload = Trigger::FunctionUrl.event(&request(delivery), "chaos", 1_795_251_600_000);
        let answer = self.world.ingest.invoke(payload.to_string().into_bytes());
        let (status, is_duplicate) = match tokio::time::timeout(PATIENCE, answer).await {
            Ok(Some(answer)) => read(&answer),
            Ok(None) => (502, false),
            Err(_) => (0, false),
        };
        Try {
            delivery: index,
            status,
            is_duplicate,
            started,
            ended: now(),
        }
    }
}

fn request(delivery: &Delivery) -> HttpRequest {
    let mut headers = HeaderMap::new();
    headers.insert("content-type", HeaderValue::from_static("application/json"));
    if let Ok(signature) = HeaderValue::from_str(&delivery.signature) {
        headers.insert("x-webhook-signature", signature);
    }
    HttpRequest {
        method: "POST".to_owned(),
        path: format!("/webhooks/{}", delivery.source.name()),
        query: String::new(),
        headers,
        body: delivery.body.clone().into_bytes(),
        source_ip: IpAddr::V4(Ipv4Addr::LOCALHOST),
    }
}

/// The status and whether it is a duplicate, from a function URL's answer.
fn read(answer: &[u8]) -> (u16, bool) {
    let answer: Value = serde_json::from_slice(answer).unwrap_or_default();
    let status = answer.get("statusCode").and_then(Value::as_u64);
    let status = status.and_then(|status| u16::try_from(status).ok());
    let body = answer
        .get("body")
        .and_then(Value::as_str)
        .unwrap_or_default();
    (status.unwrap_or(502), body.contains("duplicate"))
}
