//! The records of the events table by their times: what a tool reads, in which order, and that a table without the index
//! gives the same.

use std::collections::BTreeSet;

use hookwell::event::identity::Key;
use hookwell::event::{Event, Operation};
use hookwell::format::pattern::Pattern;
use hookwell::ports::handler::Outcome;
use hookwell::ports::ledger::{End, Ledger as _, Status};
use hookwell_aws::dynamodb::types::KeySchemaElement;
use hookwell_aws::tools::admin::{Admin, Item, readable};
use hookwell_aws::tools::follow::Follow;
use hookwell_aws::tools::records::{Order, Search};
use hookwell_aws::{EventsTable, Limits};
use hookwell_local::storage::Storage;

const NOW: i64 = 1_790_000_000_000;

/// Events of the table: more than the first pages of all shards hold.
const EVENTS: i64 = 300;

/// An event of one of three sources, received in the second of its number; every tenth has the document `d`.
fn event(number: i64) -> Event {
    let source = ["shop", "billing", "crm"][usize::try_from(number % 3).unwrap()];
    let id = format!("evt_{number}");
    let document = if number % 10 == 0 { "d" } else { "other" };
    Event {
        // The type is part of the key where nobody signs it.
        key: match source {
            "crm" => Key::new(source, &[id.as_bytes(), b"order.paid"]),
            _ => Key::new(source, &[id.as_bytes()]),
        },
        kind: format!("order.{}", if number % 7 == 0 { "paid" } else { "made" }),
        operation: Operation::Update,
        received_at: NOW + number * 1000,
        expires_at: NOW / 1000 + 1_000_000,
        document_type: "order".into(),
        document_id: Some(document.into()),
        ..Event::bare(source, &id)
    }
}

/// A table with the index and one without, both with these events.
struct Tables {
    storage: Storage,
    admin: Admin,
}

impl Tables {
    async fn with(events: &[Event]) -> Self {
        let storage = Storage::for_test("Resources: {}").await.unwrap();
        let admin = Admin::new(&storage.endpoints.connection().unwrap());
        let tables = Self { storage, admin };
        for name in tables.names() {
            let ledger = tables.ledger(&name);
            for event in events {
                ledger.remember(event, NOW).await.unwrap();
            }
        }
        tables
    }

    /// Only the first has the index.
    fn names(&self) -> [String; 2] {
        let endpoints = &self.storage.endpoints;
        [
            endpoints.events_table.clone(),
            endpoints.documents_table.clone(),
        ]
    }

    fn ledger(&self, name: &str) -> EventsTable {
        let connection = self.storage.endpoints.connection().unwrap();
        EventsTable::new(connection.dynamodb(Limits::TOOL), name.to_owned(), None)
    }

    async fn stop(self) {
        self.storage.stop().await;
    }
}

fn ids(items: &[Item]) -> Vec<String> {
    items
        .iter()
        .map(|item| readable(item, "event_id"))
        .collect()
}

fn end(outcome: Outcome, at: i64) -> End {
    End {
        outcome,
        reason: None,
        tie: false,
        at,
        owner: None,
    }
}

#[tokio::test]
async fn records_come_in_the_order_of_their_reception_and_each_once() {
    let events: Vec<_> = (0..EVENTS).map(event).collect();
    let tables = Tables::with(&events).await;
    let admin = &tables.admin;
    for (name, is_indexed) in tables.names().iter().zip([true, false]) {
        for order in [Order::NewestFirst, Order::OldestFirst] {
            let searches = [
                ("all", Search::default()),
                (
                    "source",
                    Search {
                        source: Some("billing".into()),
                        ..Search::default()
                    },
                ),
                (
                    "type",
                    Search {
                        kind: Pattern::parse("*.paid"),
                        ..Search::default()
                    },
                ),
                (
                    "document of a source in a time",
                    Search {
                        source: Some("shop".into()),
                        document_id: Some("d".into()),
                        since: Some(NOW + 30_000),
                        until: Some(NOW + 250_000),
                        ..Search::default()
                    },
                ),
                (
                    "none",
                    Search {
                        since: Some(NOW + 600_000),
                        until: Some(NOW),
                        ..Search::default()
                    },
                ),
            ];
            for (what, search) in searches {
                // Said once more, from the numbers alone.
                let is_meant = |number: &i64| match what {
                    "all" => true,
                    "source" => number % 3 == 1,
                    "type" => number % 7 == 0,
                    "none" => false,
                    _ => number % 3 == 0 && number % 10 == 0 && (30..=250).contains(number),
                };
                let mut expected: Vec<_> = (0..EVENTS).filter(is_meant).collect();
                if order == Order::NewestFirst {
                    expected.reverse();
                }
                let expected: Vec<_> = expected.iter().map(|it| format!("evt_{it}")).collect();
                let mut records = admin.records(name, search.clone(), order);
                let mut found = ids(&records.next(7).await.unwrap());
                assert!(found.len() <= 7);
                let mut counted = admin.records(name, search, order);
                let counted = counted.count(usize::MAX).await;
                assert_eq!(counted, Ok(expected.len()), "{what}");
                found.extend(ids(&records.all().await.unwrap()));
                assert_eq!(found, expected, "{what} {order:?} {is_indexed}");
            }
        }
        let mut records = admin.records(name, Search::default(), Order::NewestFirst);
        assert_eq!(records.count(10).await, Ok(10));
        assert_eq!(records.is_indexed(), is_indexed);
    }
    tables.stop().await;
}

#[tokio::test]
async fn an_event_is_found_by_its_key_and_by_its_senders_id() {
    let mut events: Vec<_> = (0..EVENTS).map(event).collect();
    // The same id at another sender, long ago.
    events.push(Event {
        key: Key::new("old", &[b"evt_299"]),
        received_at: NOW - 1_000_000,
        ..Event::bare("old", "evt_299")
    });
    let tables = Tables::with(&events).await;
    for name in &tables.names() {
        let find = async |id: &str, source| {
            let found = tables.admin.find(name, id, source).await.unwrap();
            let named = |item: &Item| (readable(item, "source"), readable(item, "event_id"));
            found.iter().map(named).collect::<BTreeSet<_>>()
        };
        let one = |source: &str, id: &str| BTreeSet::from([(source.to_owned(), id.to_owned())]);
        assert_eq!(
            find(events[5].key.as_str(), None).await,
            one("crm", "evt_5")
        );
        assert_eq!(find("evt_6", None).await, one("shop", "evt_6"));
        // Its key has more than its id.
        assert_eq!(find("evt_8", None).await, one("crm", "evt_8"));
        assert_eq!(find("evt_8", Some("crm")).await, one("crm", "evt_8"));
        assert_eq!(find("evt_299", Some("old")).await, one("old", "evt_299"));
        assert_eq!(find("evt_8", Some("shop")).await, BTreeSet::new());
        assert_eq!(find("evt_300", None).await, BTreeSet::new());
    }
    tables.stop().await;
}

#[tokio::test]
async fn an_event_is_followed_until_it_is_done() {
    let [before, first, second, late] = [0, 20, 30, 25].map(event);
    let tables = Tables::with(&[before.clone(), first.clone()]).await;
    let second = &second;
    for name in &tables.names() {
        let (admin, ledger) = (&tables.admin, tables.ledger(name));
        let all = Search::default();
        let mut follow = Follow::since(NOW + 10_000);
        let mut look = async |seconds: i64| {
            let mut found = Vec::new();
            let now = NOW + seconds * 1000;
            let looked = follow.look(admin, name, &all, now, |some| found.extend(ids(&some)));
            looked.await.unwrap();
            found
        };
        assert_eq!(look(21).await, ["evt_20"]);
        assert_eq!(look(22).await, [""; 0], "nothing new");
        ledger.remember(second, NOW).await.unwrap();
        ledger
            .finish(&first, &end(Outcome::Rejected, NOW + 31_000))
            .await
            .unwrap();
        ledger
            .finish(&before, &end(Outcome::Applied, NOW + 31_000))
            .await
            .unwrap();
        assert_eq!(
            look(40).await,
            ["evt_30", "evt_20"],
            "in the order of the changes"
        );
        // Its record was late.
        ledger.remember(&late, NOW).await.unwrap();
        assert_eq!(look(50).await, ["evt_25"]);
        ledger
            .finish(second, &end(Outcome::Applied, NOW + 51_000))
            .await
            .unwrap();
        assert_eq!(look(55).await, ["evt_30"]);
        // Days later somebody puts the rejected one back.
        assert_eq!(look(500_000).await, [""; 0]);
        let from = [Status::Quarantined];
        let (by, at) = ("ada", NOW + 500_001_000);
        assert_eq!(
            admin.reopen(name, &first.key, &from, by, at).await,
            Ok(true)
        );
        assert_eq!(look(500_010).await, ["evt_20"]);
        ledger
            .finish(&first, &end(Outcome::Applied, at + 1000))
            .await
            .unwrap();
        assert_eq!(look(500_020).await, ["evt_20"]);
        assert_eq!(look(500_030).await, [""; 0]);
        let remembered = format!("{follow:?}");
        assert!(
            !remembered.contains("evt_20") && remembered.len() < 600,
            "{remembered}"
        );
    }
    tables.stop().await;
}

#[tokio::test]
async fn the_table_of_a_machine_has_the_index_of_the_template() {
    let tables = Tables::with(&[]).await;
    let connection = tables.storage.endpoints.connection().unwrap();
    let table = connection.dynamodb(Limits::TOOL).describe_table();
    let table = table.table_name(&tables.names()[0]).send().await.unwrap();
    let indexes = table.table.unwrap().global_secondary_indexes.unwrap();
    let [index] = &indexes[..] else {
        panic!("{indexes:?}")
    };
    let held = index.projection().unwrap().non_key_attributes().join(", ");
    let keys: Vec<_> = index
        .key_schema()
        .iter()
        .map(KeySchemaElement::attribute_name)
        .collect();
    let template = include_str!("../../../template.yaml");
    let (_, template) = template
        .split_once("      GlobalSecondaryIndexes:\n")
        .unwrap();
    let (template, _) = template.split_once("WarmThroughput").unwrap();
    let named = |name: &str| {
        let lines = template.lines().filter_map(|line| line.split_once(name));
        let values: Vec<_> = lines.map(|(_, value)| value.trim()).collect();
        values.join(" ")
    };
    assert_eq!(named("IndexName:"), index.index_name().unwrap());
    assert_eq!(named("AttributeName:"), keys.join(" "));
    assert_eq!(named("NonKeyAttributes:"), format!("[{held}]"));
    tables.stop().await;
}
