//! `hookwell dev`: what it prints, its ports and its end.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::process::{Command, Stdio};
use std::time::Instant;

use hookwell::config;
use hookwell_cli::sender::Secrets;
use hookwell_sandbox::child::Owned;
use serde_json::Value;

use crate::cli::{Dev, PATIENCE, ROOT, hookwell, text};
use crate::support::sources::source_of;

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
