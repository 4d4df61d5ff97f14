#![allow(clippy::unwrap_used, clippy::indexing_slicing)]

use serde_json::json;

use super::*;
use crate::plan::Plan;

/// A run in which everything went well.
struct Fine {
    plan: Plan,
    tries: Vec<Try>,
    sent: Vec<String>,
    writes: Vec<DocumentWrite>,
    records: Vec<Item>,
    documents: Vec<Item>,
    dead_letters: Vec<String>,
    calls: Option<BTreeMap<String, Calls>>,
}

impl Fine {
    fn new() -> Self {
        let mut fine = Self {
            tries: Vec::new(),
            sent: Vec::new(),
            writes: Vec::new(),
            records: Vec::new(),
            documents: Vec::new(),
            dead_letters: Vec::new(),
            calls: None,
            plan: Plan::new(40, 7),
        };
        for event in 0..fine.plan.events.len() {
            let planned = &fine.plan.events[event];
            let (nature, sent) = (planned.nature, Sent::read(&planned.body).unwrap());
            fine.tries.push(Try {
                event,
                status: if nature == Nature::Forged { 401 } else { 200 },
                is_duplicate: false,
                millis: 1,
            });
            let status = match nature {
                Nature::Forged => continue,
                Nature::Poison => "quarantined",
                Nature::Good => "done",
            };
            if nature == Nature::Good {
                fine.apply(&sent);
            } else {
                let letter = json!({ "id": sent.id });
                fine.dead_letters.push(letter.to_string());
            }
            let record = json!({ "pk": record_key(&sent.id), "status": status });
            fine.records.push(item(&record));
            fine.sent.push(sent.id);
        }
        fine
    }

    fn apply(&mut self, sent: &Sent) {
        let document = sent.document.as_deref().unwrap();
        self.writes.push(DocumentWrite {
            pk: document.to_owned(),
            version: sent.version.clone(),
            event: sent.id.clone(),
            committed: true,
        });
        let version = Some(sent.version.as_str());
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
        Verdict::of(&Evidence {
            events: &self.plan.events,
            tries: &self.tries,
            sent: &self.sent,
            writes: &self.writes,
            records: &self.records,
            documents: &self.documents,
            dead_letters: &self.dead_letters,
            calls: self.calls.as_ref(),
        })
    }

    /// The same with the example handler: every event that had an effect had one at the endpoint.
    fn outside() -> Self {
        let mut fine = Self::new();
        let effects = fine.writes.drain(..).map(|write| {
            let calls = Calls {
                effects: 1,
                ..Calls::default()
            };
            (record_key(&write.event), calls)
        });
        fine.calls = Some(effects.collect());
        fine.documents.clear();
        fine
    }

    fn first_call(&mut self) -> &mut Calls {
        self.calls.as_mut().unwrap().values_mut().next().unwrap()
    }
}

fn item(value: &Value) -> Item {
    serde_json::from_value(value.clone()).unwrap()
}

#[test]
fn a_run_in_which_everything_went_well_kept_the_promise() {
    let verdict = Fine::new().verdict();
    assert!(verdict.is_kept(), "{:?}", verdict.wrong);
    assert_eq!((verdict.acknowledged, verdict.applied), (39, 38));
    assert_eq!(verdict.dead_lettered, 1);
}

#[test]
fn an_acknowledged_event_without_an_effect_is_lost() {
    let mut fine = Fine::new();
    let gone = fine.writes.remove(3).event;
    assert_eq!(fine.verdict().lost, 1, "whether it was sent or not");
    fine.sent.retain(|id| *id != gone);
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
fn an_effect_elsewhere_may_be_repeated_but_neither_beside_another_nor_after_the_end_nor_never() {
    let mut repeated = Fine::outside();
    repeated.first_call().effects = 2;
    let verdict = repeated.verdict();
    assert!(verdict.is_kept(), "{:?}", verdict.wrong);
    assert_eq!((verdict.repeated, verdict.doubled), (1, 0));

    let mut beside = Fine::outside();
    beside.first_call().at_once = 1;
    let mut late = Fine::outside();
    late.first_call().after_the_end = 1;
    let mut never = Fine::outside();
    never.first_call().effects = 0;
    for broken in [&beside, &late, &never] {
        assert!(!broken.verdict().is_kept());
    }
    assert_eq!(never.verdict().lost, 1);
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
        .push(json!({ "id": fine.writes[0].event }).to_string());
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
    fine.records[5].insert("status".to_owned(), json!("pending"));
    assert!(!fine.verdict().is_kept());
}

#[test]
fn the_version_is_the_one_that_the_design_describes() {
    let body = r#"{"id":"evt_1","type":"resource.deleted","created_at":"2026-11-21T09:00:01.250Z","data":{"object":{"id":"d"}}}"#;
    let sent = Sent::read(body).unwrap();
    assert!(
        sent.version.starts_with("001795251601250~2~"),
        "{}",
        sent.version
    );
    assert_eq!(sent.version.len(), "001795251601250~2~".len() + 16);
}
