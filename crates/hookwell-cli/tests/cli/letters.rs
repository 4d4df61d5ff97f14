//! `hookwell dlq`.

use serde_json::{Value, json};

use crate::cli::{Dev, hookwell, text};

/// Waits until the dead-letter queue holds so many, and lists them.
fn dead_letters(local: &str, count: usize) -> Vec<Value> {
    loop {
        let listed = hookwell(&["dlq", "list", "--json", local]);
        assert!(listed.status.success(), "{listed:?}");
        let lines = text(&listed.stdout);
        let letters: Vec<Value> = lines
            .lines()
            .map(|line| serde_json::from_str(line).unwrap())
            .collect();
        if letters.len() == count {
            return letters;
        }
    }
}

#[test]
fn a_rejected_event_can_be_looked_at_and_put_back() {
    let dev = Dev::start();
    let local = format!("--local={}", dev.url());
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(
        file.path(),
        r#"{"event":"asset.created","data":{"no":"id"}}"#,
    )
    .unwrap();
    let data = file.path().to_str().unwrap();
    for _ in 0..2 {
        let sent = hookwell(&["send", "plain", "--data", data, "--to", dev.url()]);
        assert!(sent.status.success(), "{sent:?}");
    }
    let letters = dead_letters(&local, 2);
    assert_eq!(letters[0]["reason"], "the event names no document");
    let id = letters[0]["event_id"].as_str().unwrap();
    let counted = hookwell(&["dlq", "stats", "--json", &local]);
    let counted: Value = serde_json::from_slice(&counted.stdout).unwrap();
    assert_eq!(
        (&counted["source"], &counted["type"], &counted["letters"]),
        (&json!("plain"), &json!("asset.created"), &json!(2))
    );
    assert_eq!(counted["reason"], "the event names no document");
    assert!(counted["first"].as_str() <= counted["last"].as_str());

    // What a list leaves out is said, also when it had to read more than it prints.
    let one = hookwell(&[
        "events",
        "list",
        "--outcome",
        "rejected",
        "--limit",
        "1",
        &local,
    ]);
    assert_eq!(text(&one.stdout).lines().count(), 2);
    assert_eq!(text(&one.stderr), "1 of 2: --limit shows more\n");
    let none = hookwell(&[
        "events",
        "list",
        "--outcome",
        "rejected",
        "--limit",
        "2",
        &local,
    ]);
    assert_eq!(text(&none.stderr), "");
    let one = hookwell(&["dlq", "list", "--limit", "1", &local]);
    assert!(text(&one.stderr).contains("`hookwell dlq stats` counts them"));

    let shown = hookwell(&["dlq", "show", id, "--json", &local]);
    let shown: Value = serde_json::from_slice(&shown.stdout).unwrap();
    assert!(shown["body"].as_str().unwrap().contains(r#"{"no":"id"}"#));

    let unknown = hookwell(&["dlq", "redrive", "nobody", &local]);
    assert!(text(&unknown.stderr).contains("there is no dead letter \"nobody\""));
    let many = hookwell(&["dlq", "redrive", "--all", &local]);
    assert!(text(&many.stderr).contains("this would put 2 events into the queue: add --yes"));
    dead_letters(&local, 2);

    let redriven = hookwell(&["dlq", "redrive", id, "--json", &local]);
    let redriven: Value = serde_json::from_slice(&redriven.stdout).unwrap();
    assert_eq!(
        (&redriven["redriven"], &redriven["reopened"]),
        (&Value::Bool(true), &Value::Bool(true))
    );
    // Nothing changed about it, so it is rejected again; its record keeps who asked.
    dead_letters(&local, 2);
    let record = hookwell(&["events", "show", id, "--json", &local]);
    let record: Value = serde_json::from_slice(&record.stdout).unwrap();
    assert_eq!(record["status"], "quarantined");
    assert!(record["reopened_at"].is_i64() && record["reopened_by"].is_string());
    let all = hookwell(&["dlq", "redrive", "--all", "--yes", &local]);
    assert_eq!(text(&all.stdout).trim(), "2 put back into the queue");
    dead_letters(&local, 2);
    assert!(dev.interrupt());
}
