//! `hookwell presets` as its user runs it.

use std::process::{Command, Output, Stdio};

use hookwell::config;
use serde_json::Value;

fn presets(arguments: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_hookwell"));
    command.arg("presets").args(arguments).output().unwrap()
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).unwrap()
}

/// The text that `presets show` prints from a name at the start of a line up to the next name.
fn after(shown: &str, name: &str) -> String {
    let mut lines = shown.lines().skip_while(|line| !line.starts_with(name));
    let first = lines.next().unwrap().strip_prefix(name).unwrap();
    let more = lines.take_while(|line| line.starts_with(' '));
    let all: Vec<_> = std::iter::once(first).chain(more).map(str::trim).collect();
    all.join("\n")
}

#[test]
fn list_has_every_preset_and_whether_it_keeps_documents() {
    let listed = presets(&["list"]);
    assert!(listed.status.success(), "{listed:?}");
    let listed = text(&listed.stdout);
    let mut lines = listed.lines();
    assert!(lines.next().unwrap().starts_with("PRESET "));
    let names = lines.map(|line| line.split_whitespace().next().unwrap());
    assert!(names.eq(config::presets()));
    for (name, keeps) in [
        ("github ", "kept, some only named"),
        ("paddle ", "kept "),
        ("notion ", "only named "),
        ("dropbox ", "none "),
    ] {
        let mut lines = listed.lines();
        let line = lines.find(|line| line.starts_with(name)).unwrap();
        let rest = line.strip_prefix(name).unwrap().trim_start();
        assert!(rest.starts_with(keeps), "{line}");
    }
}

#[test]
fn show_has_the_types_that_send_has_a_sample_of() {
    let shown = text(&presets(&["show", "stripe"]).stdout);
    assert!(
        after(&shown, "samples ").contains("checkout.session.completed"),
        "{shown}"
    );
    let shown: Value =
        serde_json::from_slice(&presets(&["show", "github", "--json"]).stdout).unwrap();
    assert!(
        shown["samples"]
            .as_array()
            .unwrap()
            .contains(&"push".into()),
        "{shown}"
    );
}

#[test]
fn list_prints_an_object_for_each_preset() {
    let listed = text(&presets(&["list", "--json"]).stdout);
    let listed: Vec<Value> = listed
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    assert_eq!(listed.len(), config::presets().len());
    let of = |name| listed.iter().find(|it| it["preset"] == name).unwrap();
    assert_eq!(of("stripe")["keeps"], "documents");
    assert_eq!(of("asana")["keeps"], "names");
    assert_eq!(of("pusher")["keeps"], "nothing");
    assert!(of("pusher")["why_none"].is_string() && of("stripe")["why_none"].is_null());
}

#[test]
fn show_says_how_it_signs_what_is_kept_and_what_orders_it() {
    let shown = presets(&["show", "square"]);
    assert!(shown.status.success(), "{shown:?}");
    let shown = text(&shown.stdout);
    assert_eq!(
        after(&shown, "signed"),
        "hmac-sha256 of {url}{body} in x-square-hmacsha256-signature"
    );
    assert_eq!(after(&shown, "documents"), "kept, some only named");
    let ordered = after(&shown, "ordered by");
    assert!(ordered.starts_with("body:/created_at (some in whole seconds)\n"));
    assert!(ordered.contains("customer: the sequence body:/data/object/customer/version, then"));
    assert_eq!(after(&shown, "a tie"), "arrival");
    assert!(after(&shown, "neither").contains("catalog.version.updated"));
    assert!(shown.contains("document     order\nstate        only named"));
    assert!(
        shown.contains("\n[square.verify]\nalg = "),
        "the preset itself"
    );
}

#[test]
fn show_says_why_nothing_is_kept() {
    let shown = text(&presets(&["show", "airtable"]).stdout);
    assert!(after(&shown, "documents").starts_with("none: a notification says"));
    assert!(!shown.contains("ordered by") && !shown.contains("a tie"));
}

#[test]
fn show_of_a_preset_that_extends_another_says_so_and_has_all_that_it_takes_over() {
    let shown = text(&presets(&["show", "clerk"]).stdout);
    assert_eq!(after(&shown, "extends"), "svix");
    assert!(after(&shown, "signed").starts_with("hmac-sha256 of {header:svix-id|webhook-id}"));
    assert!(shown.contains("state        kept, from body:/data"));
}

#[test]
fn show_prints_one_object() {
    let shown = presets(&["show", "github", "--json"]);
    let shown: Value = serde_json::from_slice(&shown.stdout).unwrap();
    assert_eq!(shown["signing"]["algorithm"], "hmac-sha256");
    assert_eq!(shown["documents"]["tie"], "arrival");
    let kinds = shown["documents"]["kinds"].as_array().unwrap();
    let comment = kinds
        .iter()
        .find(|it| it["document_type"] == "issue_comment");
    assert_eq!(comment.unwrap()["state"][0], "body:/comment");
    assert_eq!(comment.unwrap()["operations"]["*.deleted"], "delete");
    assert!(shown["toml"].as_str().unwrap().contains("[github.verify]"));
}

#[test]
fn an_unknown_preset_is_an_error_with_what_was_meant() {
    for (name, hint) in [
        ("strpie", "did you mean stripe?"),
        (
            "gitlab",
            "did you mean gitlab-signing-token or gitlab-token?",
        ),
        ("nobody-at-all", "`hookwell presets list` has them all"),
    ] {
        let shown = presets(&["show", name]);
        assert_eq!(shown.status.code(), Some(1));
        assert!(shown.stdout.is_empty());
        let said = text(&shown.stderr);
        assert!(
            said.contains(&format!("there is no preset {name:?}")),
            "{said}"
        );
        assert!(said.contains(hint), "{said}");
    }
}

#[test]
fn a_reader_that_goes_away_is_no_failure() {
    for arguments in [&["list"][..], &["list", "--json"], &["show", "github"]] {
        let mut command = Command::new(env!("CARGO_BIN_EXE_hookwell"));
        command
            .arg("presets")
            .args(arguments)
            .stdout(Stdio::piped());
        let mut process = command.stderr(Stdio::piped()).spawn().unwrap();
        drop(process.stdout.take());
        let ended = process.wait_with_output().unwrap();
        assert!(ended.status.success(), "{ended:?}");
        assert!(ended.stderr.is_empty(), "{ended:?}");
    }
}
