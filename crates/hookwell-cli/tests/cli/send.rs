//! `hookwell send`, `sign` and `verify`.

use std::io::{Read as _, Write as _};
use std::net::TcpListener;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use hookwell::config;
use serde_json::Value;

use crate::cli::{Dev, PATIENCE, ROOT, hookwell, text};
use crate::support::sources::source_of;

#[test]
fn every_preset_can_be_checked_signed_verified_and_sent() {
    let file = tempfile::NamedTempFile::new().unwrap();
    let all: String = config::presets().iter().map(|it| source_of(it)).collect();
    std::fs::write(file.path(), all).unwrap();
    let sources = format!("--sources={}", file.path().display());
    let checked = hookwell(&["check", &sources]);
    assert!(checked.status.success(), "{checked:?}");

    let mut signed = Vec::new();
    for preset in config::presets() {
        let line = hookwell(&["sign", &preset, &sources]);
        assert!(line.status.success(), "{preset}: {line:?}");
        signed.extend(line.stdout);
    }
    let mut verify = Command::new(env!("CARGO_BIN_EXE_hookwell"))
        .args(["verify", &sources])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut input = verify.stdin.take().unwrap();
    let writer = std::thread::spawn(move || input.write_all(&signed));
    let verified = text(&verify.wait_with_output().unwrap().stdout);
    writer.join().unwrap().unwrap();
    let verified: Vec<Value> = verified
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    let names = verified.iter().map(|line| line["source"].as_str().unwrap());
    assert!(names.eq(config::presets()));
    for line in &verified {
        assert_eq!(line["verified"], true, "{line}");
    }

    let dev = Dev::with(&[&sources]);
    for preset in config::presets() {
        let sent = hookwell(&["send", &preset, &sources, "--to", dev.url()]);
        assert!(sent.status.success(), "{preset}: {sent:?}");
        assert!(text(&sent.stdout).starts_with('2'), "{preset}: {sent:?}");
    }
    assert!(dev.interrupt());
}

#[test]
fn what_send_sends_can_be_looked_at() {
    let dev = Dev::start();
    let local = format!("--local={}", dev.url());
    for operation in ["create", "update", "delete"] {
        let sent = hookwell(&[
            "send",
            "resource",
            "--operation",
            operation,
            "--to",
            dev.url(),
        ]);
        assert!(
            text(&sent.stdout).starts_with(r#"200 {"status":"received"} "#),
            "{sent:?}"
        );
        assert!(sent.status.success());
    }
    let listed = hookwell(&["events", "list", "--json", "--source", "resource", &local]);
    assert_eq!(text(&listed.stdout).lines().count(), 3, "{listed:?}");
    assert_eq!(text(&listed.stderr), "");
    let short = format!("--local={}", dev.url().strip_prefix("http://").unwrap());
    let some = hookwell(&["events", "list", "--json", "--limit", "1", &short]);
    assert_eq!(text(&some.stdout).lines().count(), 1, "{some:?}");
    assert_eq!(text(&some.stderr), "1 of 3: --limit shows more\n");
    let event: Value = serde_json::from_str(text(&listed.stdout).lines().next().unwrap()).unwrap();
    let shown = hookwell(&[
        "events",
        "show",
        event["event_id"].as_str().unwrap(),
        "--json",
        &local,
    ]);
    assert_eq!(
        serde_json::from_str::<Value>(&text(&shown.stdout)).unwrap()["pk"],
        event["pk"]
    );

    for (filter, count) in [
        (["--type", "*.updated"], 1),
        (["--type", "other"], 0),
        (["--document", "sample-1"], 3),
        (["--since", "1h"], 3),
        (["--since", "2d"], 3),
        (["--since", "2999-01-01T00:00:00Z"], 0),
        (["--outcome", "rejected"], 0),
    ] {
        let arguments = ["events", "list", "--json", &local, filter[0], filter[1]];
        let listed = hookwell(&arguments);
        assert!(listed.status.success(), "{listed:?}");
        assert_eq!(text(&listed.stdout).lines().count(), count, "{filter:?}");
    }
    let wrong = hookwell(&["events", "list", "--outcome", "lost", &local]);
    assert!(
        text(&wrong.stderr).contains("one of pending, waiting, applied, stale, ignored, rejected")
    );

    let shown = || hookwell(&["documents", "show", "sample-1", "--json", &local]);
    let deleted =
        || serde_json::from_slice::<Value>(&shown().stdout).is_ok_and(|it| it["deleted"] == true);
    while !deleted() {
        std::thread::yield_now();
    }
    let counted = || hookwell(&["events", "stats", "--json", &local]);
    let all_ended = || {
        let counted: Value = serde_json::from_slice(&counted().stdout).unwrap();
        let outcomes = counted["outcomes"].as_object().unwrap();
        let ended = ["applied", "stale"].map(|name| outcomes.get(name).and_then(Value::as_u64));
        ended.iter().flatten().sum::<u64>() == 3 && counted["p99_ms"].is_i64()
    };
    while !all_ended() {
        std::thread::yield_now();
    }
    let listed = hookwell(&["documents", "list", &local]);
    assert_eq!(
        text(&listed.stderr).trim(),
        "nothing there",
        "tombstones are shown on request"
    );
    assert!(
        text(&hookwell(&["documents", "list", "--deleted", &local]).stdout).contains("sample-1")
    );
    assert!(
        !hookwell(&["documents", "show", "nobody", &local])
            .status
            .success()
    );
    assert!(dev.interrupt());
}

#[test]
fn what_is_typed_into_send_goes_to_a_host_and_port() {
    let dev = Dev::start();
    let address = dev.url().strip_prefix("http://").unwrap();
    let mut sender = Command::new(env!("CARGO_BIN_EXE_hookwell"))
        .current_dir(ROOT)
        .args(["send", "plain", "--data", "-", "--to", address])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut input = sender.stdin.take().unwrap();
    input
        .write_all(br#"{"event":"asset.created","data":{"id":"typed"}}"#)
        .unwrap();
    drop(input);
    let sent = sender.wait_with_output().unwrap();
    assert!(text(&sent.stdout).starts_with("200 "), "{sent:?}");
    let local = format!("--local={address}");
    let listed = hookwell(&["events", "list", "--document", "typed", "--json", &local]);
    assert_eq!(text(&listed.stdout).lines().count(), 1, "{listed:?}");
    assert!(dev.interrupt());
}

#[test]
fn an_event_of_a_type_has_its_senders_own_shape_and_a_new_id() {
    let file = tempfile::NamedTempFile::new().unwrap();
    let own = "[sources.own]\nsecrets = [\"env:OWN\"]\n[sources.own.verify]\nalg = \"hmac-sha256\"\n\
               signature = { header = [\"x-own\"], encoding = \"hex\" }\ncontent = \"{body}\"\n";
    let all = ["stripe", "github", "generic"].map(source_of).concat() + own;
    std::fs::write(file.path(), all).unwrap();
    let sources = format!("--sources={}", file.path().display());
    let dev = Dev::with(&[&sources]);
    let local = format!("--local={}", dev.url());
    let run = |arguments: &[&str]| {
        hookwell(&[&["send"], arguments, &[&sources, "--to", dev.url()]].concat())
    };
    let kind = ["stripe", "--type", "customer.created"];
    for email in ["ada@example.com", "\"eve@example.com\""] {
        let email = format!("/data/object/email={email}");
        let id = "/data/object/id=cus_7";
        let sent = run(&[&kind[..], &["--set", &email, "--set", id]].concat());
        assert!(
            text(&sent.stdout).contains("received"),
            "a new id each time: {sent:?}"
        );
        assert_eq!(text(&sent.stderr), "");
    }
    let document = || hookwell(&["documents", "show", "cus_7", "--json", &local]).stdout;
    let started = Instant::now();
    while !text(&document()).contains("eve@example.com") {
        assert!(started.elapsed() < PATIENCE, "{}", text(&document()));
        std::thread::yield_now();
    }
    assert!(text(&document()).contains(r#"\"object\":\"customer\""#));

    let pushed = hookwell(&["sign", "github", "--type", "push", &sources]);
    let pushed: Value = serde_json::from_slice(&pushed.stdout).unwrap();
    assert_eq!(pushed["headers"]["X-GitHub-Event"], "push", "{pushed}");
    let made_up = run(&["stripe", "--type", "no.such", "--set", "/data/object/0=1"]);
    assert!(made_up.status.success(), "{made_up:?}");
    let said = text(&made_up.stderr);
    assert!(
        said.contains("no sample of \"no.such\" is at hand, so its body is made up"),
        "{said}"
    );
    assert!(said.contains("customer.created"), "{said}");
    let made_up = run(&["generic", "--type", "parcel.lost", "--json"]);
    assert!(made_up.status.success(), "{made_up:?}");
    let listed = hookwell(&["events", "list", "--type", "parcel.lost", "--json", &local]);
    assert_eq!(text(&listed.stdout).lines().count(), 1, "{listed:?}");
    for (arguments, why) in [
        (&["own", "--type", "x"][..], "source own reads no type"),
        (&["stripe", "--set", "data=1"], "a JSON pointer and a value"),
        (
            &["github", "--type", "push", "--set", "/commits/7=1"],
            "a list there is shorter",
        ),
        (
            &["stripe", "--type", "x", "--operation", "delete"],
            "cannot be used with",
        ),
    ] {
        let refused = run(arguments);
        assert!(!refused.status.success(), "{refused:?}");
        assert!(text(&refused.stderr).contains(why), "{refused:?}");
    }
    assert!(dev.interrupt());
}

#[test]
fn send_fails_when_the_answer_is_no_or_there_is_none() {
    let dev = Dev::start();
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), "{}").unwrap();
    let data = file.path().to_str().unwrap();
    let refused = hookwell(&["send", "plain", "--data", data, "--to", dev.url(), "--json"]);
    assert_eq!(
        serde_json::from_slice::<Value>(&refused.stdout).unwrap()["status"],
        400
    );
    assert!(!refused.status.success());
    let unknown = hookwell(&["send", "nobody", "--to", dev.url()]);
    // With those that somebody adds.
    let known = text(&unknown.stderr);
    assert!(known.contains("the file has "), "{known}");
    assert!(known.contains("stonal"), "{known}");
    let url = dev.url().to_owned();
    assert!(dev.interrupt());
    let silent = hookwell(&["send", "plain", "--to", &url]);
    assert!(
        text(&silent.stderr).contains("is `hookwell dev` running"),
        "{silent:?}"
    );
    assert!(!silent.status.success());
}

/// Answers every POST with 301 to `to`, and everything else with 200.
fn redirecting(to: &'static str) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    std::thread::spawn(move || {
        for client in listener.incoming() {
            let mut client = client.unwrap();
            let mut request = [0; 4096];
            let length = client.read(&mut request).unwrap();
            let is_post = request[..length].starts_with(b"POST ");
            let status = if is_post { "301 Moved" } else { "200 OK" };
            let head = format!("HTTP/1.1 {status}\r\nlocation: {to}\r\nconnection: close");
            let _ = write!(client, "{head}\r\ncontent-length: 0\r\n\r\n");
        }
    });
    url
}

/// No sender follows a redirect, so the event would arrive nowhere.
#[test]
fn send_takes_a_redirect_for_the_answer_that_it_is() {
    let url = redirecting("/elsewhere");
    let sent = hookwell(&["send", "plain", "--to", &url]);
    assert!(text(&sent.stdout).starts_with("301 "), "{sent:?}");
    assert_eq!(sent.status.code(), Some(1));
}

#[test]
fn a_command_does_not_wait_for_ever_for_what_is_no_machine() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let local = format!("--local=http://{}", listener.local_addr().unwrap());
    let (done, is_done) = std::sync::mpsc::channel::<()>();
    let silent = std::thread::spawn(move || {
        let _connection = listener.accept().unwrap();
        let _ = is_done.recv_timeout(Duration::from_mins(1));
    });
    let listed = hookwell(&["events", "list", &local]);
    drop(done);
    silent.join().unwrap();
    let said = text(&listed.stderr);
    assert!(!listed.status.success());
    for part in ["no `hookwell dev` answers at", "timeout"] {
        assert!(said.contains(part), "{said}");
    }
}

#[test]
fn sign_prints_every_shape() {
    for (shape, key) in [
        ("http", "body_base64"),
        ("function-url", "rawPath"),
        ("http-api", "rawPath"),
        ("rest-api", "multiValueHeaders"),
        ("alb", "httpMethod"),
    ] {
        let signed = hookwell(&["sign", "resource", "--shape", shape]);
        let signed: Value = serde_json::from_slice(&signed.stdout).unwrap();
        assert!(signed.get(key).is_some(), "{shape}: {signed}");
    }
}

#[test]
fn a_secret_that_no_sender_has_is_said_with_the_place_of_the_real_one() {
    let folder = tempfile::tempdir().unwrap();
    let shop = "[sources.shop]\npreset = \"github\"\nsecrets = [\"ssm:/hookwell/shop\"]\n";
    std::fs::write(folder.path().join("sources.toml"), shop).unwrap();
    let sign = || {
        let mut command = Command::new(env!("CARGO_BIN_EXE_hookwell"));
        command.args(["sign", "shop"]).current_dir(folder.path());
        command.output().unwrap()
    };
    let said = text(&sign().stderr);
    let line = "\"ssm:/hookwell/shop\" = ";
    assert!(
        said.contains("no command asks a store") && said.contains(line),
        "{said}"
    );
    // The line that it names is the one that helps.
    std::fs::create_dir(folder.path().join(".hookwell")).unwrap();
    let real = format!("{line}\"the secret that the shop really has\"\n");
    std::fs::write(folder.path().join(".hookwell/secrets.toml"), real).unwrap();
    let signed = sign();
    assert!(signed.status.success(), "{signed:?}");
    assert_eq!(text(&signed.stderr), "");
}
