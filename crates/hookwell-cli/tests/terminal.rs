//! Texts of a sender, printed to a terminal; and a terminal that reads no further.

use std::fs::File;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpListener;
use std::process::{Command, Output, Stdio};

use crate::support::{World, body, machine};
use hookwell::event::Event;
use hookwell::event::body::Body;
use hookwell::event::identity::Key;
use hookwell_sandbox::child::Owned;
use nix::pty::{Winsize, openpty};
use serde_json::{Value, json};

/// Sets the title, clears the screen, turns red by a C1 character, begins lines of its own, and shows a text backwards.
const HOSTILE: &str = "\u{1b}]0;owned\u{7}\u{1b}[2J\u{9b}31m\r\nok\t\u{8}\u{7f}\u{202e}lamron\u{2066}\u{200b}\u{200d}\u{feff}\u{e0041}";

const ROOT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../..");

fn hookwell(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_hookwell"));
    command.current_dir(ROOT).args(arguments);
    command
}

/// Everything that a command printed, which must not act on a terminal.
fn tame(output: &Output, what: &[&str]) -> String {
    let all = [&*output.stdout, &output.stderr].concat();
    tame_text(&all, what)
}

fn tame_text(printed: &[u8], what: &[&str]) -> String {
    let text = String::from_utf8(printed.to_vec()).unwrap();
    let acts = |c: char| {
        (c.is_control() && c != '\n' && c != '\t')
            || "\u{202e}\u{2066}\u{200b}\u{200d}\u{feff}\u{e0041}".contains(c)
    };
    assert!(!text.contains(acts), "{what:?}: {text:?}");
    text
}

/// An event that is applied and one that goes to the dead letters, hostile wherever a sender can be.
async fn hostile_events(world: &World) {
    let (id, kind) = (format!("evt{HOSTILE}"), format!("asset{HOSTILE}.created"));
    let time = "2026-11-21T00:00:00Z";
    let data = json!({ "id": format!("doc{HOSTILE}"), "name": HOSTILE });
    let event = json!({ "id": id, "type": kind, "created_at": time, "data": data });
    assert_eq!(world.post("generic", &event).await.status, 200);
    let dead = Event {
        key: Key::new("generic", &[b"dead"]),
        source: "generic".into(),
        id: format!("dead{HOSTILE}"),
        kind,
        received_at: 1_795_251_601_000,
        expires_at: 1_795_338_001,
        document_id: Some(format!("doc{HOSTILE}")),
        body: Body(HOSTILE.as_bytes().to_vec()),
        ..Event::bare("", "")
    };
    let letters = &world.endpoints.dead_letter_queue_url;
    world.send_text(letters, &dead.to_message()).await;
    world.drained().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn no_command_lets_a_sender_act_on_the_terminal() {
    let machine = machine().await;
    let world = World::of(&machine);
    hostile_events(&world).await;
    let (event, document, dead) = (
        format!("evt{HOSTILE}"),
        format!("doc{HOSTILE}"),
        format!("dead{HOSTILE}"),
    );
    for command in [
        &["events", "list"][..],
        &["events", "show", &event],
        &["events", "stats"],
        &["deliveries", "list"],
        &["deliveries", "show", "1"],
        &["documents", "list"],
        &["documents", "show", &document],
        &["documents", "history", &document],
        &["dlq", "list"],
        &["dlq", "show", &dead],
        &["events", "show", HOSTILE],
        &["documents", "history", HOSTILE],
        &["dlq", "show", HOSTILE],
        &["dlq", "redrive", HOSTILE],
        &["replay", HOSTILE],
        &["dlq", "redrive", &dead],
        &["replay", &event],
    ] {
        for format in [&[][..], &["--json"]] {
            let arguments = [command, format, &["--local", &world.url]].concat();
            let output = hookwell(&arguments).output().unwrap();
            let printed = tame(&output, &arguments);
            if !format.is_empty() {
                for line in std::str::from_utf8(&output.stdout).unwrap().lines() {
                    let parsed = serde_json::from_str::<Value>(line);
                    assert!(parsed.is_ok(), "{arguments:?}: {line}");
                }
            } else if command[1] == "list" || command[1] == "history" && output.status.success() {
                assert!(
                    printed.contains("\\u{1b}]0;owned\\u{7}"),
                    "{command:?}: {printed}"
                );
            }
        }
    }
    // JSON still says what the sender wrote.
    let output = hookwell(&["events", "list", "--json", "--local", &world.url])
        .output()
        .unwrap();
    let lines = std::str::from_utf8(&output.stdout).unwrap().lines();
    let ids: Vec<_> = lines
        .map(|line| serde_json::from_str::<Value>(line).unwrap()["event_id"].clone())
        .collect();
    assert!(ids.contains(&json!(event)), "{ids:?}");

    for format in [&[][..], &["--json"]] {
        let arguments = [
            &["events", "tail", "--since", "1h", "--local", &world.url],
            format,
        ]
        .concat();
        let mut tail = hookwell(&arguments)
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let mut output = BufReader::new(tail.stdout.take().unwrap());
        let mut printed = Vec::new();
        output.read_until(b'\n', &mut printed).unwrap();
        tail.kill().unwrap();
        tail.wait().unwrap();
        assert!(tame_text(&printed, &arguments).contains("owned"));
    }
    machine.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn no_log_line_of_dev_acts_on_the_terminal() {
    let mut dev = hookwell(&["dev", "--port", "0", "--json"]);
    let dev = dev
        .env_remove("HOOKWELL_SECRET_RESOURCE")
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    let mut dev = Owned::spawn(dev).unwrap();
    let mut line = String::new();
    let mut output = BufReader::new(dev.stdout.take().unwrap());
    output.read_line(&mut line).unwrap();
    let description: Value = serde_json::from_str(&line).unwrap();
    let endpoints = serde_json::from_value(description.clone()).unwrap();
    let world = World::new(description["url"].as_str().unwrap(), &endpoints);
    hostile_events(&world).await;
    dev.interrupt().unwrap();
    let mut log = Vec::new();
    dev.stderr.take().unwrap().read_to_end(&mut log).unwrap();
    dev.wait().unwrap();
    let log = tame_text(&log, &["dev"]);
    assert!(
        log.contains("<- generic") && log.contains("-> generic"),
        "{log}"
    );
    assert!(log.contains("evt\\u{1b}]0;owned\\u{7}"), "{log}");
}

#[test]
fn no_answer_and_no_file_acts_on_the_terminal() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    std::thread::spawn(move || {
        for connection in listener.incoming() {
            let mut connection = connection.unwrap();
            let _ = connection.read(&mut [0; 4096]);
            let head = "HTTP/1.1 418 no\r\nconnection: close\r\ncontent-type: text/plain";
            let length = HOSTILE.len();
            let answer = format!("{head}\r\ncontent-length: {length}\r\n\r\n{HOSTILE}");
            connection.write_all(answer.as_bytes()).unwrap();
        }
    });
    for format in [&[][..], &["--json"]] {
        let arguments = [&["send", "plain", "--to", &url], format].concat();
        let output = hookwell(&arguments).output().unwrap();
        assert!(tame(&output, &arguments).contains("owned"), "{output:?}");
    }
    let file = tempfile::NamedTempFile::new().unwrap();
    let key = json!(HOSTILE).to_string().replace('\u{7f}', "\\u007f");
    std::fs::write(
        file.path(),
        format!("[sources.{key}]\npreset = \"generic\"\n{key} = 1\n"),
    )
    .unwrap();
    let path = file.path().to_str().unwrap();
    for arguments in [
        &["check", "--sources", path][..],
        &["check", "--json", "--sources", path],
        &["dev", "--sources", path],
        &["sign", "x", "--sources", path],
        &["sign", HOSTILE],
        &["send", HOSTILE],
    ] {
        let output = hookwell(arguments).output().unwrap();
        assert!(!output.status.success(), "{output:?}");
        tame(&output, arguments);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_command_ends_quietly_when_nobody_reads_any_further() {
    let machine = machine().await;
    let world = World::of(&machine);
    hostile_events(&world).await;
    let (event, document, dead) = (
        format!("evt{HOSTILE}"),
        format!("doc{HOSTILE}"),
        format!("dead{HOSTILE}"),
    );
    let local = ["--local", &world.url];
    for command in [
        &["events", "list"][..],
        &["events", "list", "--json"],
        &["events", "show", &event],
        &["events", "show", &event, "--json"],
        &["events", "stats"],
        &["events", "stats", "--json"],
        &["events", "tail", "--since", "1h"],
        &["events", "tail", "--since", "1h", "--json"],
        &["deliveries", "list"],
        &["deliveries", "list", "--json"],
        &["deliveries", "show", "1"],
        &["deliveries", "show", "1", "--json"],
        &["deliveries", "tail", "--since", "1h"],
        &["documents", "list"],
        &["documents", "list", "--json"],
        &["documents", "show", &document],
        &["documents", "show", &document, "--json"],
        &["documents", "history", &document],
        &["documents", "history", &document, "--json"],
        &["dlq", "list"],
        &["dlq", "list", "--json"],
        &["dlq", "show", &dead],
        &["dlq", "show", &dead, "--json"],
        &["console", "--port", "0"],
        &["console", "--port", "0", "--json"],
    ] {
        ends_quietly(&[command, &local].concat());
    }
    let man = tempfile::tempdir().unwrap();
    let man = man.path().to_str().unwrap();
    for command in [
        &["check"][..],
        &["check", "--json"],
        &["sign", "plain"],
        &["send", "plain", "--to", &world.url],
        &["send", "plain", "--to", &world.url, "--json"],
        &["presets", "list"],
        &["presets", "list", "--json"],
        &["presets", "show", "stripe"],
        &["presets", "show", "stripe", "--json"],
        &["dev", "--port", "0"],
        &["dev", "--port", "0", "--json"],
        &["--help"],
        &["completions", "bash"],
        &["man", man],
    ] {
        ends_quietly(command);
    }
    // What was begun is done all the same.
    assert_eq!(world.dead_letters().await, 1);
    let redrive = ["dlq", "redrive", "--all", "--yes", "--json"];
    ends_quietly(&[&redrive[..], &local].concat());
    assert_eq!(world.dead_letters().await, 0);
    machine.stop().await;
}

/// A terminal of that many columns, and all that a command shows on it.
fn on_a_terminal(mut command: Command, columns: u16) -> String {
    let size = Winsize {
        ws_row: 24,
        ws_col: columns,
        ws_xpixel: 0,
        ws_ypixel: 0,
    };
    let terminal = openpty(&size, None).unwrap();
    let error = terminal.slave.try_clone().unwrap();
    let mut running = command
        .stdout(terminal.slave)
        .stderr(error)
        .spawn()
        .unwrap();
    // It holds the other end of the terminal too, until it goes.
    drop(command);
    let mut shown = Vec::new();
    // Ends with an error, not with nothing, when the last one has closed the other end (pty(7)).
    let _ = File::from(terminal.master).read_to_end(&mut shown);
    running.wait().unwrap();
    String::from_utf8(shown).unwrap().replace("\r\n", "\n")
}

#[tokio::test(flavor = "multi_thread")]
async fn lists_fit_the_terminal_and_colours_can_be_turned_off() {
    let machine = machine().await;
    let world = World::of(&machine);
    let (event, _) = body("resource", 1, "create", "doc", "漢字");
    assert_eq!(world.post("resource", &event).await.status, 200);
    world.drained().await;
    let list = |columns| {
        let list = hookwell(&["events", "list", "--local", &world.url]);
        on_a_terminal(list, columns)
    };
    let wide = list(200);
    assert_eq!(wide.lines().count(), 2, "{wide}");
    let narrow = list(60);
    assert!(narrow.lines().all(|line| line.len() <= 60), "{narrow}");
    let words = |text: &str| {
        text.split_whitespace()
            .map(str::to_owned)
            .collect::<Vec<_>>()
    };
    assert_eq!(words(&narrow), words(&wide), "nothing is left out");

    let refused = |plain: &str| {
        let mut refused = hookwell(&["events", "show", "nobody", "--local", &world.url]);
        refused.env("NO_COLOR", plain);
        on_a_terminal(refused, 200)
    };
    assert_eq!(
        refused(""),
        "\u{1b}[31merror:\u{1b}[0m there is no event \"nobody\"\n"
    );
    assert_eq!(refused("1"), "error: there is no event \"nobody\"\n");
    machine.stop().await;
}

/// Runs a command whose output nobody reads.
fn ends_quietly(arguments: &[&str]) {
    let (reader, writer) = std::io::pipe().unwrap();
    drop(reader);
    let output = hookwell(arguments).stdout(writer).output().unwrap();
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(output.status.success(), "{arguments:?}: {said}");
    let is_quiet = said.is_empty() || said.starts_with("looking ");
    assert!(is_quiet, "{arguments:?}: {said}");
}
