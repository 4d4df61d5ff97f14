//! The senders: what they do, when they say so, and when they try again.

use hookwell::config;
use hookwell::event::delivery::Delivery;
use hookwell::format::time::DAY;
use hookwell::ingest::key_cache::Sources;
use http::{HeaderMap, Method};

use crate::support::NOW;
use crate::world::Random;

pub(crate) const SECOND: i64 = 1000;
pub(crate) const MINUTE: i64 = 60 * SECOND;
pub(crate) const HOUR: i64 = 60 * MINUTE;
pub(crate) const EVENTS_PER_SEED: u64 = 5_000;

/// When senders try again, counted from the try before: `resource`, Standard Webhooks, Shopify (eight in four hours),
/// GitHub (never), Svix, Adyen's first ones.
pub(crate) const SCHEDULES: [&[i64]; 6] = [
    &[MINUTE, 5 * MINUTE, 30 * MINUTE, 2 * HOUR],
    &[
        5 * SECOND,
        5 * MINUTE,
        30 * MINUTE,
        2 * HOUR,
        5 * HOUR,
        10 * HOUR,
        14 * HOUR,
    ],
    &[
        MINUTE,
        2 * MINUTE,
        5 * MINUTE,
        10 * MINUTE,
        30 * MINUTE,
        HOUR,
        2 * HOUR,
    ],
    &[],
    &[
        5 * SECOND,
        5 * MINUTE,
        30 * MINUTE,
        2 * HOUR,
        5 * HOUR,
        10 * HOUR,
        10 * HOUR,
    ],
    &[
        SECOND,
        SECOND,
        SECOND,
        2 * MINUTE,
        5 * MINUTE,
        10 * MINUTE,
        15 * MINUTE,
        30 * MINUTE,
    ],
];

/// Clock by which a sender tells the time of its events.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Clock {
    /// The events have no time.
    None,
    Seconds,
    Millis,
    /// In seconds, three hours behind.
    Behind,
    /// In seconds, three days ahead.
    Ahead,
    /// In seconds, and half-way through it is set back by ten minutes.
    SetBack,
    /// In seconds, beside a count of the document's states.
    Counted,
}

pub(crate) const CLOCKS: [(Clock, &str); 7] = [
    (Clock::None, "none"),
    (Clock::Seconds, "seconds"),
    (Clock::Millis, "millis"),
    (Clock::Behind, "behind"),
    (Clock::Ahead, "ahead"),
    (Clock::SetBack, "set-back"),
    (Clock::Counted, "counted"),
];

pub(crate) fn sources() -> Sources {
    let source = |(clock, name): &(Clock, &str)| {
        let version = match clock {
            Clock::Counted => r#"version = "body:/count""#,
            _ => "",
        };
        format!(
            r#"
            [sources.{name}]
            allow_ips = ["0.0.0.0/0"]
            [sources.{name}.verify]
            alg = "unsigned"
            [sources.{name}.event]
            id = "body:/id"
            type = "body:/type"
            time = "body:/at"
            {version}
            operations = {{ create = "create", update = "update", delete = "delete" }}
            document = "body:/data"
            document_id = "body:/data/id"
            "#
        )
    };
    let text: String = CLOCKS.iter().map(source).collect();
    let none = hookwell::keys::not_ready::SecretProblem::NotSet;
    Sources::new(config::parse(&text).unwrap(), |_| Err(none.clone()))
}

/// Act of a sender on a document, and the event that tells of it.
pub(crate) struct Plan {
    /// `None` for a poison event, which names no document.
    pub(crate) document: Option<u64>,
    /// Time at which the sender did it.
    pub(crate) acted_at: i64,
    /// Longest time until the delivery is first tried, in milliseconds.
    pub(crate) delay: u64,
    pub(crate) clock: Clock,
    pub(crate) operation: &'static str,
}

/// The documents of a run: each has a sender with a clock of its own, which delivers at once or with a delay.
pub(crate) const DOCUMENTS: u64 = 7 * 3 * 14;

impl Plan {
    /// The actions of a run, in the order in which they are done.
    pub(crate) fn all(random: &Random) -> Vec<Self> {
        let mut plans: Vec<Self> = Vec::new();
        for number in 0..EVENTS_PER_SEED {
            let operation =
                ["create", "update", "update", "delete"][usize::try_from(random.below(4)).unwrap()];
            // Half of the actions follow another on the same document, mostly within one second.
            let last = plans.last().and_then(|plan| plan.document);
            let again = last.filter(|_| random.per_mille(500));
            let subject = again.unwrap_or_else(|| random.below(DOCUMENTS));
            let clock = CLOCKS[usize::try_from(subject % 7).unwrap()].0;
            plans.push(Self {
                document: (!random.per_mille(5)).then_some(subject),
                acted_at: NOW + i64::try_from(number).unwrap() * 200,
                delay: [1, 2_000, 60_000][usize::try_from(subject / 7 % 3).unwrap()],
                clock,
                operation,
            });
        }
        plans
    }

    pub(crate) fn source(&self) -> &'static str {
        CLOCKS
            .iter()
            .find(|(clock, _)| *clock == self.clock)
            .unwrap()
            .1
    }

    /// The time that the event says, in milliseconds and as it is written.
    pub(crate) fn time(&self) -> Option<(i64, i64)> {
        let seconds = |at: i64| Some((at / SECOND * SECOND, at / SECOND));
        let half = NOW + i64::try_from(EVENTS_PER_SEED).unwrap() * 100;
        match self.clock {
            Clock::None => None,
            Clock::Millis => Some((self.acted_at, self.acted_at)),
            Clock::Behind => seconds(self.acted_at - 3 * HOUR),
            Clock::Ahead => seconds(self.acted_at + 3 * DAY),
            Clock::SetBack if self.acted_at > half => seconds(self.acted_at - 10 * MINUTE),
            Clock::Seconds | Clock::SetBack | Clock::Counted => seconds(self.acted_at),
        }
    }
}

pub(crate) fn delivery(number: usize, plan: &Plan) -> Delivery {
    let id = plan.document.map(|document| format!(r#""d{document}""#));
    let id = id.as_deref().unwrap_or("null");
    let time = plan
        .time()
        .map(|(_, written)| format!(r#""at":{written},"#));
    let (time, operation) = (time.unwrap_or_default(), plan.operation);
    let body = format!(
        r#"{{"id":"e{number}","type":"{operation}",{time}"count":{number},"data":{{"id":{id},"n":{number}}}}}"#
    );
    Delivery {
        request_id: String::new(),
        method: Method::POST,
        source: Some(plan.source().into()),
        path: format!("/webhooks/{}", plan.source()),
        query: String::new(),
        headers: HeaderMap::new(),
        body: body.into_bytes(),
        source_ip: Some("192.0.2.1".parse().unwrap()),
        trace: None,
    }
}
