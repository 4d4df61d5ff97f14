#![allow(clippy::unwrap_used, clippy::indexing_slicing)]

mod told;

use std::collections::BTreeMap;

use serde_json::json;

use super::*;
use crate::calls::Call;
use crate::journal::Message;
use crate::plan::Plan;
use crate::sources::Destination;

/// Time at which the run begins.
const NOW: u64 = 1_795_700_000_000;

/// Time at which the failing destination works again: every second delivery comes later.
const RECOVERED: u64 = NOW + 200;

/// A run in which everything went well.
struct Fine {
    plan: Plan,
    tries: Vec<Try>,
    sent: Vec<Message>,
    firsts: Vec<FirstRecord>,
    expired: BTreeMap<String, u64>,
    taken: BTreeMap<String, u64>,
    kept: BTreeMap<String, String>,
    writes: Vec<DocumentWrite>,
    records: Vec<Item>,
    documents: Vec<Item>,
    dead_letters: Vec<String>,
    calls: Vec<Call>,
}

impl Fine {
    fn new() -> Self {
        let mut fine = Self {
            tries: Vec::new(),
            sent: Vec::new(),
            firsts: Vec::new(),
            expired: BTreeMap::new(),
            taken: BTreeMap::new(),
            kept: BTreeMap::new(),
            writes: Vec::new(),
            records: Vec::new(),
            documents: Vec::new(),
            dead_letters: Vec::new(),
            calls: Vec::new(),
            plan: Plan::new(60, 7),
        };
        for (delivery, request) in fine.plan.deliveries.iter().enumerate() {
            let nature = fine.plan.events[request.events.start].nature;
            fine.tries.push(Try {
                delivery,
                status: if nature == Nature::Forged { 401 } else { 200 },
                is_duplicate: false,
                started: received(delivery) - 1,
                ended: received(delivery) + 1,
            });
        }
        for event in 0..fine.plan.events.len() {
            let planned = &fine.plan.events[event];
            let (nature, delivery) = (planned.nature, planned.delivery);
            let sent = Sent::read(&fine.plan, planned).unwrap();
            if fine.plan.deliveries[delivery].source == Source::Kept {
                fine.kept.insert(sent.key.clone(), planned.text.clone());
            }
            let status = match nature {
                Nature::Forged => continue,
                Nature::Poison => "quarantined",
                Nature::Good => "done",
            };
            let first = first(&sent, received(delivery));
            if nature == Nature::Good {
                fine.apply(&sent, &first.version);
            } else {
                let letter = json!({ "key": sent.key });
                fine.dead_letters.push(letter.to_string());
            }
            let record = record(&first, status, received(delivery) + 2_000);
            fine.records.push(record);
            told::tell(&mut fine, &sent);
            fine.sent.push(Message {
                key: sent.key,
                at: first.at,
            });
            fine.firsts.push(first);
        }
        fine
    }

    fn apply(&mut self, sent: &Sent, version: &str) {
        let document = sent.document.as_deref().unwrap();
        self.writes.push(DocumentWrite {
            pk: document.to_owned(),
            version: version.to_owned(),
            event: sent.id.clone(),
            committed: true,
        });
        let version = Some(version);
        let is_it = |item: &Item| item["document_id"] == document;
        let mut documents = self.documents.iter();
        if documents.any(|item| is_it(item) && item["version"].as_str() > version) {
            return;
        }
        self.documents.retain(|item| !is_it(item));
        let state = sent.state.as_ref().map(Value::to_string);
        self.documents.push(item(&json!({
            "document_id": document, "version": version, "event_id": sent.id,
            "deleted": state.is_none(), "document": state,
        })));
    }

    fn verdict(&self) -> Verdict {
        Verdict::of(&self.evidence())
    }

    fn evidence(&self) -> Evidence<'_> {
        Evidence {
            plan: &self.plan,
            tries: &self.tries,
            sent: &self.sent,
            firsts: &self.firsts,
            expired: &self.expired,
            taken: &self.taken,
            kept: &self.kept,
            writes: &self.writes,
            records: &self.records,
            documents: &self.documents,
            dead_letters: &self.dead_letters,
            calls: &self.calls,
            recovered_at: RECOVERED,
        }
    }
}

/// Time at which a delivery is received.
fn received(delivery: usize) -> u64 {
    NOW + 10 * u64::try_from(delivery).unwrap()
}

fn first(sent: &Sent, received_at: u64) -> FirstRecord {
    FirstRecord {
        pk: sent.key.clone(),
        received_at,
        version: sent.version(received_at),
        at: received_at + 1,
    }
}

fn record(first: &FirstRecord, status: &str, finished_at: u64) -> Item {
    item(&json!({
        "pk": first.pk, "status": status, "version": first.version,
        "received_at": first.received_at, "finished_at": finished_at,
        "expires_at": finished_at / 1000 + LIFE,
    }))
}

fn item(value: &Value) -> Item {
    serde_json::from_value(value.clone()).unwrap()
}

#[test]
fn a_run_in_which_everything_went_well_kept_the_promise() {
    let verdict = Fine::new().verdict();
    assert!(verdict.is_kept(), "{:?}", verdict.wrong);
    assert_eq!((verdict.acknowledged, verdict.applied), (59, 58));
    assert_eq!(verdict.told["endpoint"], 59);
    assert!(
        verdict.told.len() == Destination::ALL.len(),
        "{:?}",
        verdict.told
    );
    assert_eq!(verdict.dead_lettered, 1);
}

#[test]
fn an_acknowledged_event_without_an_effect_is_lost() {
    let mut fine = Fine::new();
    let (_, _, sent) = fine.good();
    fine.writes.remove(3);
    assert_eq!(fine.verdict().lost, 1, "whether it was sent or not");
    fine.sent.retain(|message| message.key != sent.key);
    assert_eq!(fine.verdict().lost, 1);
}

#[test]
fn an_event_that_was_applied_twice_is_doubled() {
    let mut fine = Fine::new();
    fine.writes.push(fine.writes[3].clone());
    let verdict = fine.verdict();
    assert_eq!((verdict.lost, verdict.doubled), (0, 1));
}

#[test]
fn a_refused_write_is_stale_and_no_loss() {
    let mut fine = Fine::new();
    fine.writes[3].committed = false;
    let verdict = fine.verdict();
    assert_eq!((verdict.lost, verdict.stale), (0, 1));
}

#[test]
fn a_document_that_is_not_the_newest_event_is_wrong() {
    for (name, value) in [
        ("version", json!("000000000000001~0~x")),
        ("event_id", json!("evt_other")),
        ("document", json!("{}")),
    ] {
        let mut fine = Fine::new();
        fine.documents[0].insert(name.to_owned(), value);
        assert!(!fine.verdict().is_kept(), "{name}");
    }
    let mut fine = Fine::new();
    fine.documents.pop();
    assert!(!fine.verdict().is_kept());
}

#[test]
fn poison_outside_the_dead_letter_queue_and_anything_else_inside_is_wrong() {
    let mut fine = Fine::new();
    fine.dead_letters.clear();
    assert_eq!(fine.verdict().lost, 1);
    let mut fine = Fine::new();
    fine.dead_letters
        .push(json!({ "key": fine.good().2.key }).to_string());
    assert!(!fine.verdict().is_kept());
}

#[test]
fn a_forged_event_that_was_answered_200_or_left_something_is_wrong() {
    let mut fine = Fine::new();
    let forged = fine.tries.iter().position(|one| one.status == 401).unwrap();
    fine.tries[forged].status = 200;
    assert!(!fine.verdict().is_kept());
}

#[test]
fn a_record_that_is_still_pending_is_wrong() {
    let mut fine = Fine::new();
    let place = fine.good().0;
    fine.records[place].insert("status".to_owned(), json!("pending"));
    assert!(!fine.verdict().is_kept());
}

/// Time after everything else, at which an event comes again.
const AGAIN: u64 = NOW + 1_000_000;

impl Fine {
    /// The place of a good event's record, its delivery, and the event.
    fn good(&self) -> (usize, usize, Sent) {
        let id = self.writes[3].event.clone();
        let mut events = self.plan.events.iter().map(|planned| {
            let sent = Sent::read(&self.plan, planned).unwrap();
            (planned.delivery, sent)
        });
        let (delivery, sent) = events.find(|(_, sent)| sent.id == id).unwrap();
        let mut records = self.records.iter();
        let place = records
            .position(|record| record["pk"] == *sent.key)
            .unwrap();
        (place, delivery, sent)
    }

    /// The place of the poison's record, the place of its delivery, and the poison.
    fn poison(&self) -> (usize, usize, Sent) {
        let mut events = self.plan.events.iter();
        let is_poison = |planned: &&Planned| planned.nature == Nature::Poison;
        let planned = events.find(is_poison).unwrap();
        let sent = Sent::read(&self.plan, planned).unwrap();
        let mut records = self.records.iter();
        let place = records
            .position(|record| record["pk"] == *sent.key)
            .unwrap();
        (place, planned.delivery, sent)
    }

    fn acknowledge_again(&mut self, delivery: usize) {
        self.tries.push(Try {
            delivery,
            status: 200,
            is_duplicate: false,
            started: AGAIN + 1,
            ended: AGAIN + 5,
        });
    }
}

#[test]
fn an_event_whose_record_expired_is_judged_again_once() {
    let mut fine = Fine::new();
    let (place, delivery, sent) = fine.good();
    fine.expired.insert(sent.key.clone(), AGAIN);
    fine.records[place].insert("expires_at".to_owned(), json!(AGAIN / 1000 - 60));
    assert!(fine.verdict().is_kept(), "it did not come again");
    let second = first(&sent, AGAIN + 3);
    let old = std::mem::replace(&mut fine.records[place], record(&second, "pending", AGAIN));
    fine.firsts.push(second.clone());
    fine.tries.push(Try {
        delivery,
        status: 503,
        is_duplicate: false,
        started: AGAIN + 1,
        ended: AGAIN + 5,
    });
    assert!(fine.verdict().is_kept(), "it came again and was not queued");
    fine.firsts.pop();
    fine.records[place] = old;
    fine.acknowledge_again(delivery);
    let verdict = fine.verdict();
    assert!(!verdict.is_kept(), "it came again, and nothing was done");

    fine.apply(&sent, &second.version);
    fine.records[place] = record(&second, "done", AGAIN + 9);
    fine.firsts.push(second);
    let verdict = fine.verdict();
    assert!(verdict.is_kept(), "{:?}", verdict.wrong);
    let mut lost = fine.verdict().lost;
    fine.writes.pop();
    lost = fine.verdict().lost - lost;
    assert_eq!(lost, 1, "not put again");
}

#[test]
fn a_letter_that_was_taken_away_is_there_again_when_its_event_came_again() {
    let mut fine = Fine::new();
    let (place, delivery, sent) = fine.poison();
    fine.taken.insert(sent.key.clone(), AGAIN);
    let letters = std::mem::take(&mut fine.dead_letters);
    assert!(fine.verdict().is_kept(), "it did not come again");
    fine.acknowledge_again(delivery);
    assert_eq!(fine.verdict().lost, 1);
    fine.dead_letters = letters;
    assert!(!fine.verdict().is_kept(), "the record is the old one");
    fine.records[place] = record(&first(&sent, received(delivery)), "quarantined", AGAIN + 9);
    let verdict = fine.verdict();
    assert!(verdict.is_kept(), "{:?}", verdict.wrong);
}

#[test]
fn a_version_that_is_not_of_the_first_reception_is_wrong() {
    let (place, delivery, sent) = Fine::new().good();
    let of_a_copy = sent.version(received(delivery) + 1);
    let mut recorded = Fine::new();
    recorded.records[place].insert("version".to_owned(), json!(of_a_copy));
    let mut settled = Fine::new();
    let mut firsts = settled.firsts.iter_mut();
    let first = firsts.find(|first| first.pk == sent.key).unwrap();
    first.version.clone_from(&of_a_copy);
    let mut put = Fine::new();
    put.writes[3].version = of_a_copy;
    for broken in [recorded, settled, put] {
        assert!(!broken.verdict().is_kept());
    }
}

#[test]
fn a_reception_when_nobody_sent_the_event_is_wrong() {
    let (_, delivery, _) = Fine::new().good();
    let mut early = Fine::new();
    early.tries[delivery].started = received(delivery) + 1;
    let mut late = Fine::new();
    late.tries[delivery].ended = received(delivery) - COUNTED_ON - 1;
    for broken in [early, late] {
        assert!(!broken.verdict().is_kept());
    }
    let mut counted_on = Fine::new();
    counted_on.tries[delivery].ended = received(delivery) - COUNTED_ON;
    assert!(counted_on.verdict().is_kept());
}

#[test]
fn a_record_that_was_new_twice_is_wrong() {
    let mut fine = Fine::new();
    fine.firsts.push(fine.firsts[3].clone());
    assert!(!fine.verdict().is_kept());
}

#[test]
fn an_event_that_was_not_kept_as_it_was_sent_is_wrong() {
    for change in [|text: &mut String| text.push(' '), String::clear] {
        let mut fine = Fine::new();
        change(fine.kept.values_mut().next().unwrap());
        assert!(!fine.verdict().is_kept());
    }
    let mut fine = Fine::new();
    fine.kept.pop_first();
    assert!(!fine.verdict().is_kept());
}

#[test]
fn a_record_that_does_not_live_35_days_is_wrong() {
    for days in [34, 36] {
        let mut fine = Fine::new();
        let end = NOW / 1000 + days * 24 * 3600;
        let place = fine.good().0;
        fine.records[place].insert("expires_at".to_owned(), json!(end));
        assert!(!fine.verdict().is_kept(), "{days}");
    }
}

#[test]
fn a_document_shows_its_senders_last_word_unless_the_events_say_otherwise() {
    let judge = |first: (u64, u64), last: (u64, u64)| {
        let said = [("evt_first", first), ("evt_last", last)];
        let log = said.map(|(id, order)| Said {
            id: id.to_owned(),
            order,
        });
        let shown = item(&json!({ "document_id": "d", "event_id": "evt_first" }));
        let mut verdict = Verdict::default();
        verdict.senders_last_word(&[shown], &HashMap::from([("d".to_owned(), log.into())]));
        (verdict.wrong.len(), verdict.undecidable)
    };
    assert_eq!(judge((1, 20), (2, 10)), (1, 0), "its time is later");
    assert_eq!(judge((1, 10), (1, 20)), (1, 0), "it came later");
    assert_eq!(judge((1, 20), (1, 10)), (0, 1), "it came first");
}

#[test]
fn the_version_is_the_one_that_the_design_describes() {
    let body = r#"{"id":"evt_1","type":"resource.deleted","created_at":"2026-11-21T09:00:01.250Z","data":{"object":{"id":"d"}}}"#;
    let read = |text: &str| {
        let mut plan = Plan::new(1, 7);
        plan.events[0].text = text.to_owned();
        plan.events[0].place = 3;
        Sent::read(&plan, &plan.events[0]).unwrap()
    };
    let version = read(body).version(NOW);
    let start = "001795251601250~3~~001795700000000.000003~";
    assert!(version.starts_with(start), "{version}");
    assert_eq!(version.len(), start.len() + 16);
    let timeless = body.replace(r#""created_at":"2026-11-21T09:00:01.250Z","#, "");
    let version = read(&timeless).version(NOW);
    let start = "001795700000000~3~~001795700000000.000003~";
    assert!(version.starts_with(start), "{version}");
}
