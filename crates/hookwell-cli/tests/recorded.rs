//! `hookwell deliveries` over an account: a recording is started, and what it holds is listed, shown and explained.

use std::collections::BTreeMap;
use std::io::Write as _;
use std::process::{Command, Output, Stdio};
use std::sync::{Arc, Mutex};

use crate::account::{cloudformation, hookwell, outputs};
use axum::Router;
use axum::extract::Request;
use axum::response::{IntoResponse as _, Response};
use hookwell::format::time::to_rfc3339;
use hookwell_aws::{EventsTable, SqsQueue};
use hookwell_lambda::ingest::Ingest;
use hookwell_lambda::now::{clock, now};
use hookwell_local::storage::{Endpoints, Storage};
use hookwell_sandbox::trigger::{HttpRequest, Trigger};
use http::{HeaderMap, StatusCode};
use serde_json::{Value, json};

const SOURCES: &str = "[sources.shop]\npreset = \"generic\"\nsecrets = [\"env:SHOP_SECRET\"]\n\
                       [sources.lab]\npreset = \"gitlab-token\"\nsecrets = [\"env:LAB_TOKEN\"]\n";

const SECRET: &str = "a secret of the shop";
const TOKEN: &str = "a-token-of-the-lab";

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).unwrap()
}

fn lines(output: &Output) -> Vec<Value> {
    let output = text(&output.stdout);
    let lines = output.lines();
    lines
        .map(|line| serde_json::from_str(line).unwrap())
        .collect()
}

async fn run(mut command: Command, arguments: &[&str]) -> Output {
    command.args(arguments);
    tokio::task::spawn_blocking(move || command.output().unwrap())
        .await
        .unwrap()
}

/// The function as Lambda runs it, while it records this source.
async fn recording(endpoints: &Endpoints, source: &str) -> Ingest<EventsTable, SqsQueue> {
    let of_services = endpoints.environment();
    let of_services = of_services.map(|(name, value)| (name, value.to_owned()));
    let mut variables = BTreeMap::from(of_services);
    let until = format!("{source} until {}", to_rfc3339(now() + 3_600_000));
    variables.extend([
        ("SHOP_SECRET", SECRET.to_owned()),
        ("LAB_TOKEN", TOKEN.to_owned()),
        ("HOOKWELL_RECORD_REFUSED", until),
    ]);
    let variables: &BTreeMap<_, _> = Box::leak(Box::new(variables));
    let env = Box::leak(Box::new(|name: &str| variables.get(name).cloned()));
    Ingest::from_environment(env, SOURCES).await.unwrap()
}

async fn post(ingest: &Ingest<EventsTable, SqsQueue>, source: &str, header: (&'static str, &str)) {
    let request = HttpRequest {
        method: "POST".into(),
        path: format!("/webhooks/{source}"),
        query: String::new(),
        headers: HeaderMap::from_iter([(header.0.parse().unwrap(), header.1.parse().unwrap())]),
        body: b"{\"id\":\"evt_1\"}".to_vec(),
        source_ip: "203.0.113.9".parse().unwrap(),
    };
    let event = Trigger::FunctionUrl.event(&request, "request-1", now());
    let event = event.to_string();
    let answer = ingest.respond(&event, "request-1", None, clock());
    assert_eq!(answer.await.status_code, 401);
}

/// Words of `hookwell verify --explain` about lines, with the real secrets.
fn explained(lines: &[u8]) -> Value {
    let folder = tempfile::tempdir().unwrap();
    let sources = folder.path().join("sources.toml");
    std::fs::write(&sources, SOURCES).unwrap();
    let mut verify = Command::new(env!("CARGO_BIN_EXE_hookwell"));
    let verify = verify
        .current_dir(folder.path())
        .args(["verify", "--explain", "--sources"])
        .arg(&sources)
        .env("SHOP_SECRET", SECRET)
        .env("LAB_TOKEN", TOKEN)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped());
    let mut verify = verify.spawn().unwrap();
    verify.stdin.take().unwrap().write_all(lines).unwrap();
    serde_json::from_slice(&verify.wait_with_output().unwrap().stdout).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn what_an_account_recorded_is_listed_shown_and_explained() {
    let storage = Storage::for_test("Resources: {}").await.unwrap();
    let endpoints = &storage.endpoints;
    let stacks = cloudformation(&outputs(endpoints)).await;
    let account = |arguments: &[&str]| {
        let arguments = [&["deliveries"], arguments, &["--stack", "hooks"]].concat();
        let arguments: Vec<_> = arguments.into_iter().map(str::to_owned).collect();
        let command = hookwell(endpoints, &stacks);
        async move {
            let arguments: Vec<_> = arguments.iter().map(String::as_str).collect();
            run(command, &arguments).await
        }
    };
    let nothing = account(&["list"]).await;
    assert!(nothing.status.success(), "{nothing:?}");
    let said = text(&nothing.stderr);
    assert!(
        said.contains("`hookwell deliveries record SOURCE --stack NAME`"),
        "{said}"
    );

    let shop = recording(endpoints, "shop").await;
    post(&shop, "shop", ("x-signature", &base64_signature())).await;
    let lab = recording(endpoints, "lab").await;
    post(&lab, "lab", ("x-gitlab-token", "a-token-of-the-lab,")).await;

    let listed = lines(&account(&["list", "--json"]).await);
    assert_eq!(listed.len(), 2, "{listed:?}");
    assert_eq!(listed[0]["source"], "lab", "newest first");
    assert!(listed[0].get("body_base64").is_none(), "{listed:?}");
    let only = lines(&account(&["list", "--json", "--source", "shop"]).await);
    assert_eq!(only.len(), 1);
    assert_eq!(
        lines(&account(&["list", "--json", "--status", "400"]).await).len(),
        0
    );
    let table = text(&account(&["list"]).await.stdout);
    assert!(
        table.contains("DELIVERY") && table.contains("the signature does not match"),
        "{table}"
    );

    let id = only[0]["id"].as_str().unwrap();
    let shown = text(&account(&["show", id]).await.stdout);
    for part in ["unverified", "203.0.113.9", "x-signature: ", "evt_1"] {
        assert!(shown.contains(part), "{part}: {shown}");
    }
    let line = account(&["show", id, "--json"]).await.stdout;
    let explained_line = explained(&line);
    assert_eq!(explained_line["status"], 401, "{explained_line}");
    assert_eq!(explained_line["difference"], "encoding", "{explained_line}");

    let id = listed[0]["id"].as_str().unwrap();
    let line = account(&["show", id, "--json"]).await.stdout;
    assert!(!text(&line).contains("a-token"), "{}", text(&line));
    let why = explained(&line);
    let why = why["explanation"].as_str().unwrap();
    let expected = "header X-Gitlab-Token holds what was masked when the request was recorded: it had 19 characters, and env:LAB_TOKEN has 18: ";
    assert!(why.starts_with(expected), "{why}");

    for (arguments, said) in [
        (&["show", "7"][..], "\"7\" is no id of a recorded request"),
        (
            &["show", "shop/1/07"],
            "there is no recorded request shop/1/07",
        ),
        (
            &["tail"],
            "only a running `hookwell dev` is followed: add --local",
        ),
        (
            &["resend", "7"],
            "only a running `hookwell dev` is sent to: add --local",
        ),
    ] {
        let output = account(arguments).await;
        assert_eq!(output.status.code(), Some(1), "{output:?}");
        assert!(text(&output.stderr).contains(said), "{said}: {output:?}");
    }
    let nowhere = run(hookwell(endpoints, &stacks), &["deliveries", "list"]).await;
    let said = "HOOKWELL_BUCKET is not set: name the stack with --stack";
    assert!(text(&nowhere.stderr).contains(said), "{nowhere:?}");
    storage.stop().await;
}

/// The right signature of the body of [`post`], in base64 where the source reads hex.
fn base64_signature() -> String {
    use base64::Engine as _;
    use hmac::{Hmac, KeyInit, Mac};
    let mut mac = <Hmac<sha2::Sha256> as KeyInit>::new_from_slice(SECRET.as_bytes()).unwrap();
    mac.update(b"{\"id\":\"evt_1\"}");
    base64::engine::general_purpose::STANDARD.encode(mac.finalize().into_bytes())
}

/// CloudFormation as "DescribeStacks" and "UpdateStack" show it, with one stack `hooks`.
#[derive(Clone, Default)]
struct Stack {
    parameters: BTreeMap<&'static str, String>,
    /// Statuses of the next answers; the last one stays.
    statuses: Vec<&'static str>,
    /// Bodies of the updates that were asked for.
    updates: Vec<String>,
    /// Code and message of what an update gets.
    refusal: Option<(&'static str, &'static str)>,
}

type Shared = Arc<Mutex<Stack>>;

/// A fault of a stack.
type Change = fn(&mut Stack);

fn stack() -> Shared {
    let parameters = [
        ("SecretShop", "****"),
        ("RecordRefused", ""),
        ("LogLevel", "info"),
    ];
    let parameters = parameters.map(|(key, value)| (key, value.to_owned()));
    Arc::new(Mutex::new(Stack {
        parameters: BTreeMap::from(parameters),
        statuses: vec!["CREATE_COMPLETE"],
        ..Stack::default()
    }))
}

impl Stack {
    fn answer(&mut self, body: &str) -> Response {
        let form: BTreeMap<_, _> = form_urlencoded::parse(body.as_bytes())
            .into_owned()
            .collect();
        assert_eq!(
            (&*form["Version"], &*form["StackName"]),
            ("2010-05-15", "hooks")
        );
        if form["Action"] == "UpdateStack" {
            self.updates.push(body.to_owned());
            if let Some((code, message)) = self.refusal {
                let answer = format!(
                    "<ErrorResponse><Error><Type>Sender</Type><Code>{code}</Code><Message>{message}</Message></Error></ErrorResponse>"
                );
                return (StatusCode::BAD_REQUEST, answer).into_response();
            }
            let keys = (1..).map_while(|number| {
                let key = form.get(&format!("Parameters.member.{number}.ParameterKey"))?;
                let value = form.get(&format!("Parameters.member.{number}.ParameterValue"));
                Some((key.clone(), value.cloned()))
            });
            for (key, value) in keys.collect::<Vec<_>>() {
                let (_, own) = self
                    .parameters
                    .iter_mut()
                    .find(|(own, _)| **own == key)
                    .unwrap();
                *own = value.unwrap_or_else(|| own.clone());
            }
            return "<UpdateStackResponse xmlns=\"http://cloudformation.amazonaws.com/doc/2010-05-15/\"><UpdateStackResult><StackId>arn:aws:cloudformation:eu-west-1:123456789012:stack/hooks/1</StackId></UpdateStackResult></UpdateStackResponse>".into_response();
        }
        assert_eq!(form["Action"], "DescribeStacks");
        let status = self.statuses[0];
        if self.statuses.len() > 1 {
            self.statuses.remove(0);
        }
        let parameters = self.parameters.iter().map(|(key, value)| {
            let value = if value.is_empty() {
                "<ParameterValue/>".to_owned()
            } else {
                format!("<ParameterValue>{value}</ParameterValue>")
            };
            format!("<member><ParameterKey>{key}</ParameterKey>{value}</member>")
        });
        let parameters: String = parameters.collect();
        let answer = format!(
            "<DescribeStacksResponse xmlns=\"http://cloudformation.amazonaws.com/doc/2010-05-15/\"><DescribeStacksResult><Stacks><member>\
             <StackName>hooks</StackName><Capabilities><member>CAPABILITY_IAM</member></Capabilities><StackStatus>{status}</StackStatus>\
             <StackStatusReason>a role isn&apos;t there</StackStatusReason><Parameters>{parameters}</Parameters><Tags/></member></Stacks>\
             </DescribeStacksResult></DescribeStacksResponse>"
        );
        answer.into_response()
    }
}

async fn serve(stack: &Shared) -> String {
    let stack = stack.clone();
    let answer = move |request: Request| {
        let stack = stack.clone();
        async move {
            let body = axum::body::to_bytes(request.into_body(), 65_536)
                .await
                .unwrap();
            stack
                .lock()
                .unwrap()
                .answer(std::str::from_utf8(&body).unwrap())
        }
    };
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let router = Router::new().fallback(answer);
    tokio::spawn(async move { axum::serve(listener, router).await });
    url
}

/// Runs `hookwell deliveries record` against this CloudFormation.
async fn record(stack: &Shared, arguments: &[&str]) -> Output {
    let url = serve(stack).await;
    let mut command = Command::new(env!("CARGO_BIN_EXE_hookwell"));
    command
        .env("AWS_ACCESS_KEY_ID", "none")
        .env("AWS_SECRET_ACCESS_KEY", "none")
        .env("AWS_REGION", "eu-west-1")
        .env("AWS_ENDPOINT_URL_CLOUDFORMATION", url)
        .env("AWS_CONFIG_FILE", "/nowhere")
        .env("AWS_SHARED_CREDENTIALS_FILE", "/nowhere");
    let fixed = ["deliveries", "record", "--stack", "hooks"];
    run(command, &[&fixed, arguments].concat()).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_recording_changes_one_parameter_and_waits_until_the_stack_has_it() {
    let stack = stack();
    stack.lock().unwrap().statuses =
        vec!["CREATE_COMPLETE", "UPDATE_IN_PROGRESS", "UPDATE_COMPLETE"];
    let output = record(&stack, &["shop", "--for", "20m", "--json"]).await;
    assert!(output.status.success(), "{output:?}");
    let done = &lines(&output)[0];
    let until = done["until"].as_str().unwrap().to_owned();
    assert_eq!(
        *done,
        json!({ "stack": "hooks", "source": "shop", "until": until })
    );
    let minutes = (until.parse::<jiff::Timestamp>().unwrap().as_millisecond() - now()) / 60_000;
    assert!((18..=20).contains(&minutes), "{until}");
    assert!(
        text(&output.stderr).contains("UPDATE_IN_PROGRESS\n"),
        "{output:?}"
    );
    {
        let stack = stack.lock().unwrap();
        assert_eq!(
            stack.parameters["RecordRefused"],
            format!("shop until {until}")
        );
        assert_eq!(stack.updates.len(), 1);
        let update = form_urlencoded::parse(stack.updates[0].as_bytes()).into_owned();
        let update: BTreeMap<_, _> = update
            .filter(|(name, _)| name != "ClientRequestToken")
            .collect();
        let expected = [
            ("Action", "UpdateStack"),
            ("Version", "2010-05-15"),
            ("StackName", "hooks"),
            ("UsePreviousTemplate", "true"),
            ("Parameters.member.1.ParameterKey", "LogLevel"),
            ("Parameters.member.1.UsePreviousValue", "true"),
            ("Parameters.member.2.ParameterKey", "RecordRefused"),
            (
                "Parameters.member.2.ParameterValue",
                &format!("shop until {until}"),
            ),
            ("Parameters.member.3.ParameterKey", "SecretShop"),
            ("Parameters.member.3.UsePreviousValue", "true"),
            ("Capabilities.member.1", "CAPABILITY_IAM"),
            ("Capabilities.member.2", "CAPABILITY_AUTO_EXPAND"),
        ];
        let expected = expected.map(|(name, value)| (name.to_owned(), value.to_owned()));
        assert_eq!(update, BTreeMap::from(expected));
    }
    let off = record(&stack, &["--off"]).await;
    assert_eq!(
        text(&off.stdout),
        "nothing is recorded any more\n",
        "{off:?}"
    );
    assert_eq!(stack.lock().unwrap().parameters["RecordRefused"], "");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_recording_that_cannot_be_started_says_what_to_do() {
    let changes: [(Change, &str); 4] = [
        (
            |stack| {
                stack.parameters.remove("RecordRefused");
            },
            "the stack hooks has no parameter RecordRefused: deploy it with the template of this version first",
        ),
        (
            |stack| {
                let why = "Stack:hooks is in UPDATE_IN_PROGRESS state &amp; can not be updated.";
                stack.refusal = Some(("ValidationError", why));
            },
            "updating the stack hooks: Stack:hooks is in UPDATE_IN_PROGRESS state & can not be updated.",
        ),
        (
            |stack| {
                stack.refusal = Some(("AccessDenied", "User is not authorized"));
            },
            "updating the stack hooks: AccessDenied. The credentials may not do this",
        ),
        (
            |stack| stack.statuses = vec!["CREATE_COMPLETE", "UPDATE_ROLLBACK_IN_PROGRESS"],
            "its status is UPDATE_ROLLBACK_IN_PROGRESS: a role isn't there",
        ),
    ];
    for (change, said) in changes {
        let stack = stack();
        change(&mut stack.lock().unwrap());
        let output = record(&stack, &["shop"]).await;
        assert_eq!(output.status.code(), Some(1), "{output:?}");
        assert_eq!(text(&output.stdout), "", "{output:?}");
        assert!(text(&output.stderr).contains(said), "{said}: {output:?}");
    }
    for arguments in [
        &["shop", "--for", "2h"][..],
        &["shop", "--for", "soon"],
        &[],
        &["shop", "--off"],
    ] {
        let output = record(&stack(), arguments).await;
        assert_eq!(output.status.code(), Some(2), "{output:?}");
    }
    let same = stack();
    same.lock().unwrap().refusal = Some(("ValidationError", "No updates are to be performed."));
    assert!(record(&same, &["--off"]).await.status.success());
}
