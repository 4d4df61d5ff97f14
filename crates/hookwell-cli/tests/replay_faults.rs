//! Putting events back while the queue is away: an event that was not sent is not reported as sent, and is not lost.
//!
//! Credentials come over HTTP too, as on ECS, with SSO or with an assumed role: the answer of the server that gives
//! them is no answer of the queue.

use std::io::{BufRead as _, BufReader};
use std::process::{Child, ChildStdout, Command, Output, Stdio};

use crate::support::browser::{get as look_at, press, shows};
use crate::support::{World, machine};
use axum::Router;
use axum::body::to_bytes;
use axum::extract::Request;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use hookwell::event::Event;
use hookwell::event::body::Body;
use hookwell::ports::queue::Queue as _;
use hookwell_aws::tools::admin::Item;
use hookwell_aws::{Bucket, Limits, SqsQueue};
use serde_json::{Value, json};

/// Serves on any free port.
async fn serve(router: Router) -> String {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(async move { axum::serve(listener, router).await });
    url
}

/// A server that gives credentials ("Container credential provider", AWS SDKs and Tools Reference Guide).
async fn credentials() -> String {
    let given = json!({
        "AccessKeyId": "local", "SecretAccessKey": "local", "Token": "token",
        "Expiration": "2099-01-01T00:00:00Z",
    });
    let answer = move || {
        let json = [("content-type", "application/json")];
        let given = given.to_string();
        async move { (json, given) }
    };
    serve(Router::new().route("/", get(answer))).await
}

/// An address at which nobody listens.
fn nobody() -> String {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    format!("http://{}", listener.local_addr().unwrap())
}

/// A way to the queues on which everything goes through but `SendMessage`.
async fn without_send(sqs: &str) -> String {
    let sqs = format!("{sqs}/");
    let pass = move |request: Request| {
        let sqs = sqs.clone();
        async move {
            let (parts, body) = request.into_parts();
            let target = parts.headers["x-amz-target"].to_str().unwrap().to_owned();
            if target.ends_with(".SendMessage") {
                return StatusCode::SERVICE_UNAVAILABLE.into_response();
            }
            let body = to_bytes(body, usize::MAX).await.unwrap().to_vec();
            let ask = move || -> Response {
                let config = ureq::Agent::config_builder().http_status_as_error(false);
                let agent: ureq::Agent = config.build().into();
                let asked = agent.post(&sqs).header("x-amz-target", &target);
                let asked = asked.header("content-type", "application/x-amz-json-1.0");
                let mut answer = asked.send(&body[..]).unwrap();
                let status = answer.status();
                let json = [("content-type", "application/x-amz-json-1.0")];
                let body = answer.body_mut().read_to_vec().unwrap();
                (status, json, body).into_response()
            };
            tokio::task::spawn_blocking(ask).await.unwrap()
        }
    };
    serve(Router::new().fallback(pass)).await
}

/// Source of a command's credentials.
#[derive(Debug, Clone, Copy)]
enum From {
    Environment,
    Http,
}

/// The tool over the tables of an account and queues at this address.
async fn hookwell(account: &World, from: From, sqs: &str) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_hookwell"));
    command
        .envs(account.endpoints.environment())
        .env("AWS_ENDPOINT_URL_SQS", sqs)
        .env("AWS_CONFIG_FILE", "/nowhere")
        .env("AWS_SHARED_CREDENTIALS_FILE", "/nowhere")
        .env("AWS_EC2_METADATA_DISABLED", "true")
        .env("USER", "ada");
    if matches!(from, From::Http) {
        command
            .env_remove("AWS_ACCESS_KEY_ID")
            .env_remove("AWS_SECRET_ACCESS_KEY")
            .env_remove("AWS_SESSION_TOKEN")
            .env_remove("AWS_PROFILE")
            .env("AWS_CONTAINER_CREDENTIALS_FULL_URI", credentials().await);
    }
    command
}

async fn run(mut command: Command, arguments: &[&str]) -> Output {
    command.args(arguments);
    let run = move || command.output().unwrap();
    tokio::task::spawn_blocking(run).await.unwrap()
}

/// Everything that a command printed.
fn printed(output: &Output) -> String {
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    format!("{} {}", text(&output.stdout), text(&output.stderr))
}

/// Asserts that a command reports no success.
fn says_no(output: &Output, word: &str) {
    let printed = printed(output);
    assert!(
        !output.status.success(),
        "it says that it went well: {printed}"
    );
    for line in String::from_utf8_lossy(&output.stdout).lines() {
        let line: Value = serde_json::from_str(line).unwrap();
        assert_ne!(line[word], json!(true), "{printed}");
    }
}

async fn record(account: &World, id: &str) -> Item {
    let mut found = account.events().await;
    found.retain(|record| record["event_id"] == id);
    found.pop().unwrap()
}

/// An event that was kept and applied.
async fn kept(account: &World, id: &str) {
    let event = json!({
        "id": id, "type": "asset.updated", "created_at": "2026-11-21T00:00:01Z",
        "data": { "id": "d", "name": "Ada" },
    });
    assert_eq!(account.post("generic", &event).await.status, 200);
    account.drained().await;
    assert_eq!(record(account, id).await["outcome"], "applied");
}

/// An event that was rejected, for it names no document.
async fn rejected(account: &World, id: &str) {
    let event = json!({
        "id": id, "type": "asset.created", "created_at": "2026-11-21T00:00:00Z",
        "data": { "name": "nobody" },
    });
    assert_eq!(account.post("generic", &event).await.status, 200);
    account.drained().await;
    assert_eq!(account.dead_letters().await, 1);
}

/// Asserts that the event was applied again after `before`.
async fn is_applied_again(account: &World, id: &str, before: &Item) {
    account.drained().await;
    let after = record(account, id).await;
    assert_eq!(
        (&after["status"], &after["outcome"]),
        (&"done".into(), &"applied".into())
    );
    assert!(after["finished_at"].as_i64() > before["finished_at"].as_i64());
}

async fn a_replay_without_the_queue_fails(from: From) {
    let machine = machine().await;
    let account = World::of(&machine);
    kept(&account, "evt").await;
    let before = record(&account, "evt").await;

    let closed = hookwell(&account, from, &nobody()).await;
    let output = run(closed, &["replay", "evt", "--json"]).await;
    says_no(&output, "replayed");

    let sqs = &account.endpoints.sqs_endpoint;
    let open = hookwell(&account, from, sqs).await;
    let output = run(open, &["replay", "evt", "--json"]).await;
    assert!(output.status.success(), "{}", printed(&output));
    is_applied_again(&account, "evt", &before).await;
    machine.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_replay_with_the_queues_port_closed_fails_and_can_be_repeated() {
    a_replay_without_the_queue_fails(From::Environment).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_answer_of_the_server_of_credentials_is_not_the_queues() {
    a_replay_without_the_queue_fails(From::Http).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_letter_that_could_not_be_sent_stays_in_the_dead_letter_queue() {
    let machine = machine().await;
    let account = World::of(&machine);
    rejected(&account, "odd").await;
    let sqs = without_send(&account.endpoints.sqs_endpoint).await;
    let command = hookwell(&account, From::Http, &sqs).await;
    let output = run(command, &["dlq", "redrive", "odd", "--json"]).await;
    says_no(&output, "redriven");
    assert_eq!(account.queue_depth().await, (0, 0));
    let letters = account
        .admin
        .queue_depth(&account.endpoints.dead_letter_queue_url);
    let (waiting, hidden) = letters.await.unwrap();
    assert_eq!(waiting + hidden, 1, "it is still there");
    machine.stop().await;
}

/// A command over an account without credentials ends with what is missing.
#[tokio::test(flavor = "multi_thread")]
async fn missing_and_refused_credentials_are_not_called_a_lost_connection() {
    let machine = machine().await;
    let account = World::of(&machine);
    let sqs = &account.endpoints.sqs_endpoint;
    let without = async || {
        let mut command = hookwell(&account, From::Http, sqs).await;
        command.env_remove("AWS_CONTAINER_CREDENTIALS_FULL_URI");
        command
    };
    let mut refused = without().await;
    refused.env("AWS_CONTAINER_CREDENTIALS_FULL_URI", nobody());
    for (command, cause) in [
        (without().await, "no credentials found in chain"),
        (refused, "Connection refused"),
    ] {
        let output = run(command, &["events", "list"]).await;
        assert!(!output.status.success());
        let said = printed(&output);
        for part in ["no AWS credentials: run `aws sso login`", cause] {
            assert!(said.contains(part), "{part}: {said}");
        }
    }
    machine.stop().await;
}

/// As profiles of Identity Center's older tools and of password stores have them ("Process credential provider", AWS SDKs and
/// Tools Reference Guide).
#[tokio::test(flavor = "multi_thread")]
async fn a_profile_may_name_a_program_that_gives_the_credentials() {
    let machine = machine().await;
    let account = World::of(&machine);
    let folder = tempfile::tempdir().unwrap();
    let given = json!({ "Version": 1, "AccessKeyId": "local", "SecretAccessKey": "local" });
    let (config, answer) = (folder.path().join("config"), folder.path().join("answer"));
    std::fs::write(&answer, given.to_string()).unwrap();
    let profile = format!("[default]\ncredential_process = cat {}\n", answer.display());
    std::fs::write(&config, profile).unwrap();
    let mut command = hookwell(&account, From::Http, &account.endpoints.sqs_endpoint).await;
    command
        .env_remove("AWS_CONTAINER_CREDENTIALS_FULL_URI")
        .env("AWS_CONFIG_FILE", &config);
    let output = run(command, &["events", "list"]).await;
    assert!(output.status.success(), "{}", printed(&output));
    machine.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_certificate_bundle_that_cannot_be_used_is_named() {
    const GOOD: &str = include_str!("../../hookwell-sandbox/src/test-keys/rsa-certificate.pem");
    let machine = machine().await;
    let account = World::of(&machine);
    let folder = tempfile::tempdir().unwrap();
    let broken = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
    let cut = GOOD.split_at(GOOD.len() / 2).0;
    for (name, text) in [
        ("good", Some(GOOD)),
        ("missing", None),
        ("empty", Some("")),
        ("other", Some("not PEM")),
        ("broken", Some(broken)),
        ("second-broken", Some(&format!("{GOOD}{broken}"))),
        ("cut", Some(cut)),
    ] {
        let path = folder.path().join(name);
        if let Some(text) = text {
            std::fs::write(&path, text).unwrap();
        }
        let sqs = &account.endpoints.sqs_endpoint;
        let mut command = hookwell(&account, From::Environment, sqs).await;
        command.env("AWS_CA_BUNDLE", &path);
        let output = run(command, &["events", "list"]).await;
        let said = printed(&output);
        assert_eq!(output.status.success(), name == "good", "{name}: {said}");
        if name != "good" {
            let start = format!("AWS_CA_BUNDLE: {}: ", path.display());
            assert!(said.contains(&start), "{name}: {said}");
            assert!(!said.contains("panic"), "{name}: {said}");
        }
    }
    machine.stop().await;
}

/// Without the bucket's name a large event is of no source, but it is there.
#[tokio::test(flavor = "multi_thread")]
async fn a_letter_that_cannot_be_read_is_named_and_not_left_out_in_silence() {
    let machine = machine().await;
    let account = World::of(&machine);
    rejected(&account, "odd").await;
    let (endpoints, at) = (&account.endpoints, hookwell_lambda::now::now());
    let connection = endpoints.connection().unwrap();
    let bucket = Bucket::new(connection.clone(), endpoints.bucket.clone(), Limits::TOOL);
    let sqs = connection.sqs(Limits::TOOL);
    let queue = SqsQueue::new(sqs, endpoints.queue_url.clone(), Some(bucket))
        .with_dead_letters(endpoints.dead_letter_queue_url.clone());
    let large = Event {
        body: Body(vec![b'x'; 1_200_000]),
        received_at: at,
        expires_at: at / 1000 + 1_000_000,
        ..Event::bare("generic", "large")
    };
    queue.bury(&large, "no").await.unwrap();
    let without_bucket = async |arguments: &[&str]| {
        let sqs = &account.endpoints.sqs_endpoint;
        let mut command = hookwell(&account, From::Environment, sqs).await;
        command.env_remove("HOOKWELL_BUCKET");
        run(command, arguments).await
    };
    let listed = without_bucket(&["dlq", "list"]).await;
    let why = "no; cannot be read: HOOKWELL_BUCKET is not set";
    assert!(printed(&listed).contains(why), "{}", printed(&listed));
    let left_out = "1 of the other dead letters cannot be read here";
    for arguments in [
        &["dlq", "list", "--source", "generic"][..],
        &["dlq", "redrive", "--source", "generic"],
    ] {
        let output = without_bucket(arguments).await;
        assert!(output.status.success(), "{}", printed(&output));
        let said = String::from_utf8(output.stderr).unwrap();
        assert!(said.contains(left_out), "{arguments:?}: {said}");
    }
    machine.stop().await;
}

/// `hookwell console` in a process of its own.
struct Console {
    process: Child,
    /// Standard output of the process, kept open because the process may print.
    _output: BufReader<ChildStdout>,
    world: World,
}

impl Console {
    async fn start(mut command: Command, account: &World) -> Self {
        command.args(["console", "--port", "0"]);
        let command = command.stdout(Stdio::piped()).stderr(Stdio::null());
        let mut process = command.spawn().unwrap();
        let mut first_line = String::new();
        let mut output = BufReader::new(process.stdout.take().unwrap());
        output.read_line(&mut first_line).unwrap();
        let address = first_line.trim_end().strip_prefix("listening on ");
        let (url, secret) = address.expect(&first_line).split_once("/?").unwrap();
        let mut world = World::new(url, &account.endpoints);
        let entered = look_at(&world, &format!("/?{secret}")).await;
        let cookie = entered.headers["set-cookie"].split_once(';').unwrap().0;
        world.cookie = Some(cookie.to_owned());
        Self {
            process,
            _output: output,
            world,
        }
    }

    /// The form that replays the event which the list shows.
    async fn form(&self) -> (String, String) {
        let list = shows(&self.world, "/", "/event?key=generic%23").await;
        let (_, after) = list.split_once("/event?key=generic%23").unwrap();
        let (key, _) = after.split_once('"').unwrap();
        let form = format!("key=generic%23{key}");
        (format!("/event?{form}"), form)
    }
}

impl Drop for Console {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_console_does_not_say_that_it_replayed_what_it_could_not_send() {
    let machine = machine().await;
    let account = World::of(&machine);
    kept(&account, "evt").await;
    let before = record(&account, "evt").await;
    {
        let command = hookwell(&account, From::Http, &nobody()).await;
        let console = Console::start(command, &account).await;
        let (view, form) = console.form().await;
        let pressed = press(&console.world, &view, "/event/replay", &form).await;
        assert_eq!(pressed.status, 502, "{pressed:?}");
        assert!(pressed.body.contains("Not replayed"), "{pressed:?}");
    }
    let command = hookwell(&account, From::Http, &account.endpoints.sqs_endpoint).await;
    let console = Console::start(command, &account).await;
    let (view, form) = console.form().await;
    let pressed = press(&console.world, &view, "/event/replay", &form).await;
    assert_eq!(pressed.status, 303, "{pressed:?}");
    is_applied_again(&account, "evt", &before).await;
    machine.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_console_does_not_say_that_a_letter_went_back_which_it_could_not_send() {
    let machine = machine().await;
    let account = World::of(&machine);
    rejected(&account, "odd").await;
    let sqs = without_send(&account.endpoints.sqs_endpoint).await;
    let command = hookwell(&account, From::Http, &sqs).await;
    let console = Console::start(command, &account).await;
    let letters = shows(&console.world, "/dead-letters", r#"name="id" value=""#).await;
    let (_, after) = letters.split_once(r#"name="id" value=""#).unwrap();
    let (id, _) = after.split_once('"').unwrap();
    let redrive = format!("id={id}");
    let pressed = press(
        &console.world,
        "/dead-letters",
        "/dead-letters/redrive",
        &redrive,
    )
    .await;
    assert_eq!(pressed.status, 502, "{pressed:?}");
    let letters = look_at(&console.world, "/dead-letters").await;
    assert!(letters.body.contains(id), "it is still there: {letters:?}");
    assert_eq!(account.queue_depth().await, (0, 0));
    machine.stop().await;
}
