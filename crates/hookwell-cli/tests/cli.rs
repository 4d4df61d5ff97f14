//! The `hookwell` command as its user runs it.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing)]

#[path = "support/sources.rs"]
mod sources;

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::process::{Command, Output, Stdio};
use std::time::{Duration, Instant};

use hookwell::config;
use hookwell_cli::sender::Secrets;
use hookwell_sandbox::child::Owned;
use hookwell_template::RULES;
use serde_json::{Value, json};
use sources::source_of;

fn hookwell(arguments: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_hookwell"));
    command
        .current_dir(ROOT)
        .args(arguments)
        .env_remove("HOOKWELL_SECRET_RESOURCE")
        .output()
        .unwrap()
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).unwrap()
}

/// The folder of the project whose sources are meant.
const ROOT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../..");

/// Longer than anything that a working machine needs, and shorter than its own limit when it ends.
const PATIENCE: Duration = Duration::from_secs(30);

/// `hookwell dev` in a process of its own.
struct Dev {
    process: Owned,
    machine: Value,
}

impl Dev {
    fn start() -> Self {
        Self::with(&[])
    }

    fn with(arguments: &[&str]) -> Self {
        let mut process = Owned::spawn(
            Command::new(env!("CARGO_BIN_EXE_hookwell"))
                .current_dir(ROOT)
                .args(["dev", "--port", "0", "--json"])
                .args(arguments)
                .env_remove("HOOKWELL_SECRET_RESOURCE")
                .stdout(Stdio::piped())
                .stderr(Stdio::null()),
        )
        .unwrap();
        let mut line = String::new();
        BufReader::new(process.stdout.take().unwrap())
            .read_line(&mut line)
            .unwrap();
        Self {
            process,
            machine: serde_json::from_str(&line).unwrap(),
        }
    }

    fn url(&self) -> &str {
        self.machine["url"].as_str().unwrap()
    }

    /// Ends it as Ctrl-C does.
    fn interrupt(mut self) -> bool {
        self.process.interrupt().unwrap();
        self.process.wait().unwrap().success()
    }
}

#[test]
fn dev_says_where_everything_is_and_ends_cleanly() {
    let dev = Dev::start();
    let keys: Vec<_> = dev
        .machine
        .as_object()
        .unwrap()
        .keys()
        .map(String::as_str)
        .collect();
    let expected = [
        "bucket",
        "dead_letter_queue_url",
        "documents_table",
        "dynamodb_endpoint",
        "events_table",
        "own_tables",
        "queue_url",
        "retry_queue_url",
        "s3_endpoint",
        "sqs_endpoint",
        "url",
    ];
    assert_eq!(keys, expected);
    assert!(dev.url().starts_with("http://127.0.0.1:"));
    assert!(dev.interrupt());
}

#[test]
fn dev_says_which_secret_it_cannot_use_before_anything_else() {
    // Nobody reads: after its first line it would end, and call that a success.
    let (reader, writer) = std::io::pipe().unwrap();
    drop(reader);
    let output = Command::new(env!("CARGO_BIN_EXE_hookwell"))
        .current_dir(ROOT)
        .args(["dev", "--port", "0"])
        .env("HOOKWELL_SECRET_RESOURCE", "short")
        .stdout(writer)
        .output()
        .unwrap();
    assert!(!output.status.success(), "{output:?}");
    let expected = "secrets that cannot be used:\n  source resource: env:HOOKWELL_SECRET_RESOURCE is shorter than 16 bytes";
    assert!(text(&output.stderr).contains(expected), "{output:?}");
}

#[test]
fn a_taken_port_is_named_with_the_flag_that_chooses_another() {
    let dev = Dev::start();
    let (_, port) = dev.url().rsplit_once(':').unwrap();
    let local = format!("--local={}", dev.url());
    for command in [&["dev"][..], &["console", &local]] {
        let taken = hookwell(&[command, &["--port", port]].concat());
        assert!(!taken.status.success(), "{command:?}");
        assert_eq!(text(&taken.stdout), "", "{command:?}");
        let expected = format!("port {port} is taken: choose another with --port");
        assert!(text(&taken.stderr).contains(&expected), "{taken:?}");
    }
    assert!(dev.interrupt());
}

/// A client may send half a request, and then nothing for ever.
#[test]
fn a_second_interrupt_ends_dev_although_a_request_is_not_over() {
    let mut dev = Dev::start();
    let address = dev.url().strip_prefix("http://").unwrap().to_owned();
    let mut client = TcpStream::connect(&address).unwrap();
    client
        .write_all(b"POST /webhooks/plain HTTP/1.1\r\n")
        .unwrap();
    // Served behind it, so the machine has the connection.
    assert_eq!(ureq::get(dev.url()).call().unwrap().status(), 200);
    dev.process.interrupt().unwrap();
    let started = Instant::now();
    while TcpStream::connect(&address).is_ok() {
        assert!(started.elapsed() < PATIENCE, "it takes connections");
        std::thread::yield_now();
    }
    dev.process.interrupt().unwrap();
    loop {
        if let Some(status) = dev.process.try_wait().unwrap() {
            assert_eq!(status.code(), Some(1), "it says that it left something");
            break;
        }
        assert!(started.elapsed() < PATIENCE, "it waits for the client");
        std::thread::yield_now();
    }
}

/// Made-up keys have spaces, quotes and line ends in them.
#[test]
fn what_dev_says_to_export_is_what_a_shell_then_has() {
    let all: String = config::presets().iter().map(|it| source_of(it)).collect();
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), &all).unwrap();
    let mut dev = Owned::spawn(
        Command::new(env!("CARGO_BIN_EXE_hookwell"))
            .args(["dev", "--port", "0", "--sources"])
            .arg(file.path())
            .stdout(Stdio::piped())
            .stderr(Stdio::null()),
    )
    .unwrap();
    let mut said = String::new();
    let mut output = BufReader::new(dev.stdout.take().unwrap());
    while !said.contains("Ctrl-C ends it") {
        assert!(output.read_line(&mut said).unwrap() > 0, "{said}");
    }
    dev.interrupt().unwrap();
    assert!(dev.wait().unwrap().success());
    let (_, script) = said.split_once("under `cargo lambda watch`\n").unwrap();
    let (script, _) = script.split_once("\none line per delivery").unwrap();
    let shell = Command::new("sh")
        .args(["-c", &format!("{script}\nenv -0")])
        .output()
        .unwrap();
    assert!(shell.status.success(), "{shell:?}");
    let variables = text(&shell.stdout);
    let variables: Vec<_> = variables.split('\0').collect();
    let secrets = Secrets::made_up_for(&config::parse(&all).unwrap());
    let made_up: Vec<_> = secrets.made_up().collect();
    assert!(made_up.iter().any(|(_, text)| text.contains('\n')));
    assert!(made_up.iter().any(|(_, text)| text.contains('"')));
    for (reference, text) in made_up {
        let name = reference.strip_prefix("env:").unwrap();
        let expected = format!("{name}={text}");
        assert!(variables.contains(&&*expected), "{expected}: {script}");
    }
}

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
fn check_lists_every_mistake_and_exits_with_one() {
    let file = tempfile::NamedTempFile::new().unwrap();
    let mistakes = r#"
        [sources.a]
        preset = "stripey"
        [sources.b]
        preset = "plain"
        [sources.c]
        preset = "resource"
        secrets = ["C_SECRET"]
        [sources.d]
        preset = "resource"
        secrets = ["env:D"]
        max_body_bytes = -1
        alow_ips = ["10.0.0.0/8"]
    "#;
    std::fs::write(file.path(), mistakes).unwrap();
    let checked = hookwell(&["check", "--sources", file.path().to_str().unwrap()]);
    assert_eq!(checked.status.code(), Some(1));
    let expected = [
        r#"sources.a.preset: there is no preset "stripey""#,
        "sources.b.allow_ips: is missing",
        "sources.c.secrets[0]: is not env:NAME",
        "sources.d.alow_ips: unknown key: did you mean allow_ips?",
        "sources.d.max_body_bytes: is a number from 1 to 6291456",
        "5 problems",
    ];
    let output = text(&checked.stdout);
    for (line, start) in output.lines().zip(expected) {
        assert!(line.starts_with(start), "{line}");
    }
    assert_eq!(output.lines().count(), expected.len());
}

/// A file of before November 2026 is as good as it was.
#[test]
fn check_accepts_the_setting_that_chose_when_to_send_and_says_that_it_is_ignored() {
    let file = tempfile::NamedTempFile::new().unwrap();
    for send in ["with-put", "after-put"] {
        let content = format!(
            "[sources.shop]\npreset = \"plain\"\nallow_ips = [\"192.0.2.0/24\"]\nsend = \"{send}\"\n"
        );
        std::fs::write(file.path(), content).unwrap();
        let path = file.path().to_str().unwrap();
        let checked = hookwell(&["check", "--sources", path]);
        assert_eq!(checked.status.code(), Some(0), "{checked:?}");
        let printed = text(&checked.stdout);
        assert!(
            printed.contains("note: sources.shop.send: is ignored"),
            "{printed}"
        );
        let checked = hookwell(&["check", "--sources", path, "--json"]);
        let found: Value = serde_json::from_slice(&checked.stdout).unwrap();
        assert_eq!(found["problems"], json!([]));
        assert_eq!(found["notes"][0]["path"], "sources.shop.send");
    }
}

#[test]
fn check_passes_the_shipped_file_and_refuses_an_unusable_secret() {
    let checked = hookwell(&["check"]);
    assert!(checked.status.success());
    assert!(
        text(&checked.stdout).contains(
            "note: sources.resource.secrets: env:HOOKWELL_SECRET_RESOURCE is not set here"
        )
    );
    let checked = Command::new(env!("CARGO_BIN_EXE_hookwell"))
        .current_dir(ROOT)
        .args(["check", "--json"])
        .env("HOOKWELL_SECRET_RESOURCE", "changeme")
        .output()
        .unwrap();
    assert_eq!(checked.status.code(), Some(1));
    let found: Value = serde_json::from_slice(&checked.stdout).unwrap();
    assert_eq!(
        found["problems"][0]["message"],
        "env:HOOKWELL_SECRET_RESOURCE is a placeholder from an example"
    );
    assert!(!text(&checked.stdout).contains("changeme"));
}

#[test]
fn check_refuses_credentials_without_a_user_or_a_password() {
    let file = tempfile::NamedTempFile::new().unwrap();
    let source = "[sources.x]\nsecrets = [\"env:HOOKWELL_TEST_BASIC\"]\n[sources.x.verify]\nalg = \"basic\"\n\
                  signature = { header = \"Authorization\" }\n";
    std::fs::write(file.path(), source).unwrap();
    let check = |credentials: &str| {
        let checked = Command::new(env!("CARGO_BIN_EXE_hookwell"))
            .args(["check", "--json", "--sources"])
            .arg(file.path())
            .env("HOOKWELL_TEST_BASIC", credentials)
            .output()
            .unwrap();
        let found: Value = serde_json::from_slice(&checked.stdout).unwrap();
        (checked.status.code(), found["problems"].clone())
    };
    let password = "a-password-that-is-long-enough";
    assert_eq!(check(&format!("user:{password}")), (Some(0), json!([])));
    for bad in [
        format!(":{password}"),
        "a-user-that-is-long-enough:".to_owned(),
        password.to_owned(),
    ] {
        let (code, problems) = check(&bad);
        assert_eq!(code, Some(1), "{bad}");
        assert_eq!(
            problems[0]["path"], "sources.x.secrets",
            "{bad}: {problems}"
        );
        assert!(!problems.to_string().contains(&bad), "{problems}");
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

#[test]
fn completions_are_a_script_that_the_shell_can_read_and_know_every_command() {
    for shell in ["bash", "zsh", "fish"] {
        let script = hookwell(&["completions", shell]);
        assert!(script.status.success(), "{shell}");
        let script = text(&script.stdout);
        for word in ["tail", "history", "redrive", "outcome", "presets"] {
            assert!(script.contains(word), "{shell}: {word}");
        }
    }
    let script = hookwell(&["completions", "bash"]).stdout;
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), script).unwrap();
    let checked = Command::new("bash").arg("-n").arg(file.path()).status();
    assert!(checked.unwrap().success());
}

#[test]
fn there_is_a_manual_page_for_every_command() {
    let folder = tempfile::tempdir().unwrap();
    let pages = folder.path().join("man1");
    let written = hookwell(&["man", pages.to_str().unwrap()]);
    assert!(written.status.success(), "{written:?}");
    let page = |name: &str| std::fs::read_to_string(pages.join(name)).unwrap();
    assert!(page("hookwell.1").contains("hookwell\\-events(1)"));
    let listing = page("hookwell-events-list.1");
    for part in [
        ".TH hookwell-events-list 1",
        "\\-\\-stack",
        "hookwell events list \\-\\-local",
    ] {
        assert!(listing.contains(part), "{part}: {listing}");
    }
}

#[test]
fn one_machine_at_a_time_has_a_data_folder() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("kept");
    let data = data.to_str().unwrap();
    let dev = Dev::with(&["--data", data]);
    let second = hookwell(&["dev", "--port", "0", "--data", data]);
    assert_eq!(second.status.code(), Some(1), "{second:?}");
    let said = format!(
        "{data} is the data of a `hookwell dev` that is running: end it, or choose another folder with --data"
    );
    assert!(text(&second.stderr).contains(&said), "{second:?}");
    assert!(dev.interrupt());
    let dev = Dev::with(&["--data", data]);
    assert!(dev.interrupt(), "the folder is free again");
}

#[test]
fn dev_says_when_a_port_of_its_own_is_taken() {
    // Held by this test; the one below it is most likely free.
    let (taken, below) = std::iter::repeat_with(|| {
        let taken = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = taken.local_addr().unwrap().port();
        let below = TcpListener::bind(("127.0.0.1", port - 1)).is_ok();
        below.then_some((taken, port - 1))
    })
    .find_map(|found| found)
    .unwrap();
    let port = taken.local_addr().unwrap().port();
    let mut dev = Owned::spawn(
        Command::new(env!("CARGO_BIN_EXE_hookwell"))
            .current_dir(ROOT)
            .args(["dev", "--port", &below.to_string(), "--json"])
            .stdout(Stdio::piped())
            .stderr(Stdio::piped()),
    )
    .unwrap();
    let mut line = String::new();
    let mut output = BufReader::new(dev.stdout.take().unwrap());
    output.read_line(&mut line).unwrap();
    let machine: Value = serde_json::from_str(&line).unwrap();
    dev.interrupt().unwrap();
    let mut said = String::new();
    dev.stderr
        .take()
        .unwrap()
        .read_to_string(&mut said)
        .unwrap();
    let tables = machine["dynamodb_endpoint"].as_str().unwrap();
    let expected = format!("port {port} is taken: the tables are at {tables} this time");
    assert!(said.contains(&expected), "{expected}: {said}");
}

#[test]
fn check_prints_file_line_and_rule_of_a_template_and_exits_with_one() {
    const TEMPLATE: &str = include_str!("../../../template.yaml");
    let run = |arguments: &[&str]| {
        let output = hookwell(arguments);
        (output.status.code(), text(&output.stdout))
    };
    let (code, printed) = run(&["check", "--template", "template.yaml"]);
    assert_eq!(code, Some(0));
    let last = printed.lines().last().unwrap();
    let rules = RULES.len();
    let clean = format!(" sources, {rules} rules over template.yaml, no problems");
    assert!(last.ends_with(&clean), "{last}");

    let file = tempfile::NamedTempFile::new().unwrap();
    let right = "VisibilityTimeout: 180";
    assert!(TEMPLATE.contains(right));
    let wrong = TEMPLATE.replacen(right, "VisibilityTimeout: 30", 1);
    std::fs::write(file.path(), wrong).unwrap();
    let path = file.path().to_str().unwrap();
    let (code, printed) = run(&["check", "--template", path]);
    assert_eq!(code, Some(1));
    assert!(printed.contains(
        "Resources.Queue.Properties.VisibilityTimeout: is 30 s, but ProcessFunction runs up to 30 s"
    ));
    assert!(printed.contains("[visibility-timeout]"));
    let (code, printed) = run(&["check", "--template", path, "--json"]);
    assert_eq!(code, Some(1));
    let printed: Value = serde_json::from_str(&printed).unwrap();
    assert_eq!(printed["problems"][0]["rule"], "visibility-timeout");
    assert!(printed["problems"][0]["line"].is_u64());

    let (_, help) = run(&["check", "--help"]);
    for rule in RULES {
        assert!(help.contains(rule.id), "{}", rule.id);
    }
}

#[test]
fn without_a_project_in_the_current_folder_a_command_asks_for_the_sources() {
    let folder = tempfile::tempdir().unwrap();
    let check = || {
        let mut command = Command::new(env!("CARGO_BIN_EXE_hookwell"));
        command.arg("check").current_dir(folder.path());
        command.output().unwrap()
    };
    let checked = check();
    assert!(!checked.status.success());
    let said = text(&checked.stderr);
    assert!(
        said.contains("functions/ingest/sources.toml nor sources.toml"),
        "{said}"
    );
    assert!(said.contains("--sources"), "{said}");
    std::fs::write(folder.path().join("sources.toml"), "[sources.own]\n").unwrap();
    let said = text(&check().stdout);
    assert!(said.contains("sources.own"), "{said}");
}
