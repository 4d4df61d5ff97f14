//! `hookwell deliveries` over a machine: what was refused, why, and the way back.

use std::io::{BufRead as _, BufReader, Write as _};
use std::process::{Command, Output, Stdio};

use crate::support::{World, body, machine, senders_of};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hookwell_cli::machine::{Options, start};
use hookwell_sandbox::child::Owned;
use serde_json::{Value, json};

const ROOT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../..");

fn hookwell(world: &World, arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_hookwell"));
    command.current_dir(ROOT).arg("deliveries").args(arguments);
    command.args(["--local", &world.url]);
    command
}

async fn run(world: &World, arguments: &[&str]) -> Output {
    let mut command = hookwell(world, arguments);
    tokio::task::spawn_blocking(move || command.output().unwrap())
        .await
        .unwrap()
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).unwrap()
}

fn lines(output: &Output) -> Vec<Value> {
    let output = text(&output.stdout);
    output
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect()
}

/// A delivery that is taken, one whose signature is in Base64, and one for nobody: numbers 1 to 3.
async fn three(world: &World) {
    let (good, _) = body("resource", 1, "create", "doc", "x");
    assert_eq!(world.post("resource", &good).await.status, 200);
    let bytes = good.to_string().into_bytes();
    let mut headers = world.signature("resource", &bytes);
    headers[0].1 = STANDARD.encode(hex::decode(&headers[0].1).unwrap());
    let refused = world.request("POST", "/webhooks/resource", headers, bytes);
    assert_eq!(refused.await.status, 401);
    let nobody = world.request("POST", "/webhooks/nobody", Vec::new(), b"{}".to_vec());
    assert_eq!(nobody.await.status, 404);
}

#[tokio::test(flavor = "multi_thread")]
async fn list_has_what_was_refused_beside_what_was_taken() {
    let machine = machine().await;
    let world = World::of(&machine);
    three(&world).await;
    let numbers = async |arguments: &[&str]| {
        let listed = run(&world, &[&["list", "--json"], arguments].concat()).await;
        assert!(listed.status.success(), "{listed:?}");
        let numbers = lines(&listed)
            .into_iter()
            .map(|line| line["number"].as_u64().unwrap());
        numbers.collect::<Vec<_>>()
    };
    assert_eq!(numbers(&[]).await, [3, 2, 1]);
    assert_eq!(numbers(&["--refused"]).await, [3, 2]);
    assert_eq!(numbers(&["--source", "resource"]).await, [2, 1]);
    assert_eq!(numbers(&["--status", "401"]).await, [2]);
    assert_eq!(numbers(&["--outcome", "unverified"]).await, [2]);
    assert_eq!(numbers(&["--since", "1h"]).await, [3, 2, 1]);
    assert_eq!(numbers(&["--since", "2999-01-01T00:00:00Z"]).await, [0; 0]);
    let some = run(&world, &["list", "--limit", "1"]).await;
    assert_eq!(text(&some.stderr), "1 of 3: --limit shows more\n");
    let table = text(&run(&world, &["list"]).await.stdout);
    assert!(table.starts_with("DELIVERY  RECEIVED "), "{table}");
    assert!(table.contains("401     unverified"), "{table}");
    machine.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn show_says_why_and_prints_what_verify_explains() {
    let machine = machine().await;
    let world = World::of(&machine);
    three(&world).await;
    let shown = text(&run(&world, &["show", "2"]).await.stdout);
    for part in [
        "unverified",
        "base64",
        "x-webhook-signature: ",
        "evt_doc_1",
        r#"{"error":"Invalid signature"}"#,
    ] {
        assert!(shown.contains(part), "{part}: {shown}");
    }
    let line = run(&world, &["show", "2", "--json"]).await.stdout;
    let mut verify = Command::new(env!("CARGO_BIN_EXE_hookwell"));
    let mut verify = verify
        .current_dir(ROOT)
        .args(["verify", "--explain"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    verify.stdin.take().unwrap().write_all(&line).unwrap();
    let explained = verify.wait_with_output().unwrap();
    let explained: Value = serde_json::from_slice(&explained.stdout).unwrap();
    assert_eq!(explained["status"], 401, "{explained}");
    assert_eq!(explained["difference"], "encoding", "{explained}");
    machine.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_and_a_secret_are_masked() {
    let sources = "[sources.lab]\npreset = \"gitlab-token\"\nsecrets = [\"env:LAB_TOKEN\"]\n\
                   [sources.shop]\npreset = \"generic\"\nsecrets = [\"env:SHOP_SECRET\"]\n";
    let senders = senders_of(sources);
    let secrets: Vec<_> = senders
        .secrets
        .made_up()
        .map(|(_, text)| text.to_owned())
        .collect();
    assert_eq!(secrets.len(), 2);
    let machine = start(Options::new(0, senders), |context| Ok(context.documents))
        .await
        .unwrap();
    let world = World::of(&machine);
    let token =
        ["x-gitlab-token", "authorization"].map(|name| (name.to_owned(), secrets[0].clone()));
    let body = json!({ "said": secrets.join(" and ") }).to_string();
    for source in ["lab", "shop"] {
        let path = format!("/webhooks/{source}");
        world
            .request("POST", &path, token.to_vec(), body.clone().into_bytes())
            .await;
    }
    for number in ["1", "2"] {
        for format in [&[][..], &["--json"]] {
            let shown = run(&world, &[&["show", number], format].concat()).await;
            let shown = text(&shown.stdout);
            assert!(shown.contains("********"), "{shown}");
            let body = match serde_json::from_str::<Value>(&shown) {
                Ok(shown) => text(
                    &STANDARD
                        .decode(shown["body_base64"].as_str().unwrap())
                        .unwrap(),
                ),
                Err(_) => String::new(),
            };
            for secret in &secrets {
                assert!(
                    !shown.contains(secret) && !body.contains(secret),
                    "{shown} {body}"
                );
            }
        }
    }
    machine.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn tail_prints_each_delivery_once_also_a_refused_one() {
    let machine = machine().await;
    let world = World::of(&machine);
    let before = world.request("POST", "/webhooks/before", Vec::new(), Vec::new());
    assert_eq!(before.await.status, 404);
    let mut tail = hookwell(&world, &["tail", "--json"]);
    let mut tail = Owned::spawn(tail.stdout(Stdio::piped()).stderr(Stdio::piped())).unwrap();
    let mut said = BufReader::new(tail.stderr.take().unwrap());
    let mut started = String::new();
    said.read_line(&mut started).unwrap();
    assert!(started.starts_with("looking every second"), "{started}");
    three(&world).await;
    let output = BufReader::new(tail.stdout.take().unwrap()).lines();
    let read = move || {
        let lines = output.map(|line| serde_json::from_str::<Value>(&line.unwrap()).unwrap());
        lines
            .take(3)
            .map(|line| line["status"].as_u64().unwrap())
            .collect::<Vec<_>>()
    };
    let statuses = tokio::task::spawn_blocking(read).await.unwrap();
    assert_eq!(statuses, [200, 401, 404]);
    machine.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_delivery_is_sent_again_signed_anew() {
    let machine = machine().await;
    let world = World::of(&machine);
    three(&world).await;
    world.drained().await;
    // The signature was wrong, its body was not: signed rightly it is the event that came before.
    let sent = run(&world, &["resend", "2", "--json"]).await;
    assert!(sent.status.success(), "{sent:?}");
    assert_eq!(lines(&sent)[0]["number"], 4);
    assert!(text(&sent.stdout).contains("duplicate"), "{sent:?}");
    for (number, why) in [
        ("3", "there is no such source"),
        ("9", "the delivery is not kept any more"),
    ] {
        let refused = run(&world, &["resend", number]).await;
        assert_eq!(refused.status.code(), Some(1), "{refused:?}");
        assert!(text(&refused.stderr).contains(why), "{refused:?}");
    }
    let unknown = run(&world, &["show", "9"]).await;
    assert!(
        text(&unknown.stderr).contains("there is no delivery 9"),
        "{unknown:?}"
    );
    machine.stop().await;
    let gone = run(&world, &["list"]).await;
    assert!(
        text(&gone.stderr).contains("no `hookwell dev` answers at"),
        "{gone:?}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn no_web_page_reads_deliveries_or_sends_one_again() {
    let machine = machine().await;
    let world = World::of(&machine);
    three(&world).await;
    for (method, path) in [
        ("GET", "/_hookwell/deliveries?limit=9"),
        ("GET", "/_hookwell/deliveries/1"),
        ("POST", "/_hookwell/deliveries/1/again"),
    ] {
        for origin in ["https://elsewhere.example", "null", "http://127.0.0.1:1"] {
            let headers = vec![("origin".to_owned(), origin.to_owned())];
            let answer = world.request(method, path, headers, Vec::new()).await;
            assert_eq!(answer.status, 403, "{path} {origin}");
        }
    }
    let listed = run(&world, &["list", "--json"]).await;
    assert_eq!(lines(&listed).len(), 3);
    machine.stop().await;
}
