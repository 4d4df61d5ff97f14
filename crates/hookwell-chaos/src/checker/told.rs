//! The rules for destinations: each is told every event that it takes, under the event's key, as the sender wrote it, and never
//! again after the copy's record is done.

use std::collections::{BTreeMap, HashSet};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, KeyInit as _, Mac as _};
use serde_json::Value;
use sha2::Sha256;

use super::evidence::{Due, Evidence, Trail};
use super::sent::{Sent, millis};
use super::verdict::Verdict;
use crate::calls::Call;
use crate::sources::{Destination, SIGNING_SECRET};

/// The most that the time in a signed request may differ from that of its arrival, in milliseconds: what receivers take.
const TOLERANCE: u64 = 5 * 60_000;

/// Length above which no bus and no queue takes an event, in bytes.
const TOO_LARGE: usize = 1024 * 1024;

impl Verdict {
    /// Judges what every destination was told of one event. `buried` are the records whose letters are there.
    pub(super) fn told(
        &mut self,
        sent: &Sent,
        due: Due,
        evidence: &Evidence<'_>,
        trail: &Trail<'_>,
        buried: &HashSet<String>,
    ) {
        for destination in Destination::ALL {
            let name = destination.name();
            let calls = trail.calls(destination, &sent.key);
            if !due.must_end || !destination.takes(sent.source, &sent.kind) {
                if !calls.is_empty() {
                    self.wrong(format!(
                        "{name} was told of {}, which it must not get",
                        sent.id
                    ));
                }
                continue;
            }
            let record = destination.record_key(&sent.key);
            let is_too_large = !destination.is_http() && sent.text.len() > TOO_LARGE;
            let found = trail.records.get(record.as_str());
            let found = found.and_then(|record| record.get("status")?.as_str());
            let is_over = match found {
                Some("done") => !is_too_large,
                // A second delivery of a deleted message may open the record again and never end it.
                Some("quarantined" | "pending") => is_too_large,
                _ => false,
            };
            if !is_over || buried.contains(&record) != is_too_large {
                self.wrong(format!("the copy of {} for {name} is {found:?}", sent.id));
            }
            let taken: Vec<_> = calls.iter().filter(|call| call.is_taken).collect();
            for call in &taken {
                if let Some(part) = sent.difference(call) {
                    self.wrong(format!(
                        "{name} was told of {} with another {part}",
                        sent.id
                    ));
                }
            }
            let Some(arrived) = taken.first().map(|call| call.at) else {
                if due.acknowledged && !is_too_large {
                    self.lost += 1;
                } else if !is_too_large {
                    self.wrong(format!("{name} was not told of {}", sent.id));
                }
                continue;
            };
            *self.told.entry(name).or_default() += 1;
            let again = taken.len().saturating_sub(1);
            self.repeated += u64::try_from(again).unwrap_or(u64::MAX);
            if destination != Destination::Failing {
                self.arrival(sent, arrived, evidence, trail);
            }
        }
    }

    /// Notes when an event arrived at a destination that always works.
    fn arrival(&mut self, sent: &Sent, at: u64, evidence: &Evidence<'_>, trail: &Trail<'_>) {
        let tries = trail.tries(sent.delivery).iter();
        let acknowledged = tries.filter(|one| one.status == 200).map(|one| one.ended);
        let Some(acknowledged) = acknowledged.min() else {
            return;
        };
        let times = if acknowledged < evidence.recovered_at {
            if at > evidence.recovered_at {
                self.wrong(format!("{} waited for a destination that failed", sent.id));
            }
            &mut self.first_arrivals.while_one_fails
        } else {
            &mut self.first_arrivals.otherwise
        };
        times.push(at.saturating_sub(acknowledged));
    }

    /// Judges the calls by themselves: when they began, and that they tell of events which somebody sent.
    pub(super) fn calls(&mut self, calls: &[Call], known: &HashSet<String>) {
        for call in calls {
            self.at_once += u64::from(call.is_beside);
            self.after_the_end += u64::from(call.is_late);
            if !known.contains(&call.key) {
                let (name, key) = (call.destination.name(), &call.key);
                self.wrong(format!("{name} was told of {key:?}, which nobody sent"));
            }
        }
    }
}

impl Sent {
    /// The part of a call that differs from this event; `None` when the whole call is of this event.
    fn difference(&self, call: &Call) -> Option<&'static str> {
        let head = |name: &str| call.head.get(name).map(String::as_str);
        let operation = self.kind.strip_prefix("resource.");
        let operation = operation.and_then(|rest| rest.strip_suffix('d'));
        if call.destination.is_http() {
            let expected = [
                ("hookwell-source", Some(self.source.name())),
                ("hookwell-type", Some(self.kind.as_str())),
                ("hookwell-operation", operation),
                ("hookwell-document", self.document.as_deref()),
            ];
            let other = expected
                .into_iter()
                .find(|(name, value)| head(name) != *value);
            return match other {
                Some((name, _)) => Some(name),
                None if call.body != self.text => Some("body"),
                None if !is_signed(call) => Some("signature"),
                None => None,
            };
        }
        let told: BTreeMap<String, Value> = serde_json::from_str(&call.body).unwrap_or_default();
        let text = |name: &str| told.get(name).and_then(Value::as_str);
        let source = format!("hookwell.{}", self.source.name());
        let is_on_bus = head("EventBusName") == Some("chaos")
            && head("Source") == Some(&source)
            && head("DetailType") == Some(&self.kind);
        let body = serde_json::from_str(&self.text).ok();
        let time = text("time").and_then(millis);
        let parts = [
            ("entry", call.destination == Destination::Queue || is_on_bus),
            ("source", text("source") == Some(self.source.name())),
            ("type", text("type") == Some(&self.kind)),
            ("operation", text("operation") == operation),
            ("document", text("document_id") == self.document.as_deref()),
            (
                "time",
                time.is_some() && self.time.is_none_or(|said| time == Some(said)),
            ),
            ("body", told.get("body") == body.as_ref()),
        ];
        let other = parts.into_iter().find(|(_, is_same)| !is_same);
        other.map(|(name, _)| name)
    }
}

/// True when a receiver takes a request for a genuine one, by the specification of Standard Webhooks.
fn is_signed(call: &Call) -> bool {
    let head = |name: &str| call.head.get(name).map(String::as_str).unwrap_or_default();
    let (id, timestamp) = (head("webhook-id"), head("webhook-timestamp"));
    let (_, secret) = SIGNING_SECRET;
    let key = STANDARD.decode(secret.trim_start_matches("whsec_"));
    let Ok(mac) = Hmac::<Sha256>::new_from_slice(&key.unwrap_or_default()) else {
        return false;
    };
    let mac = mac.chain_update(format!("{id}.{timestamp}.{}", call.body));
    let signature = STANDARD.encode(mac.finalize().into_bytes());
    let seconds: u64 = timestamp.parse().unwrap_or(0);
    let is_now = seconds.saturating_mul(1000).abs_diff(call.at) <= TOLERANCE;
    is_now && head("webhook-signature") == format!("v1,{signature}")
}
