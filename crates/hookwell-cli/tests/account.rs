//! Commands over an AWS account: by the outputs of a stack, by variables, and what they say where something is missing.

use std::process::{Command, Output};

use crate::support::{World, body, machine};
use axum::Router;
use axum::extract::Request;
use axum::response::{IntoResponse as _, Response};
use hookwell_local::storage::Endpoints;
use http::StatusCode;
use serde_json::{Value, json};

/// CloudFormation as "DescribeStacks" shows it: a stack `hooks` with these outputs, and no other.
pub(crate) async fn cloudformation(outputs: &[(&str, &str)]) -> String {
    let member = |(key, value): &(&str, &str)| {
        format!(
            "\n <member>\n  <OutputKey>{key}</OutputKey>\n  <OutputValue>{value}</OutputValue>\n  <Description>It's a name</Description>\n </member>"
        )
    };
    let outputs: String = outputs.iter().map(member).collect();
    let stack = format!(
        "<DescribeStacksResponse xmlns=\"http://cloudformation.amazonaws.com/doc/2010-05-15/\"><DescribeStacksResult><Stacks><member>\
         <StackName>hooks</StackName><Parameters><member><ParameterKey>Architecture</ParameterKey><ParameterValue>arm64</ParameterValue></member></Parameters>\
         <Outputs>{outputs}</Outputs><Tags/></member></Stacks></DescribeStacksResult></DescribeStacksResponse>"
    );
    let answer = async move |request: Request| -> Response {
        let signed = request.headers()["authorization"]
            .to_str()
            .unwrap()
            .to_owned();
        assert!(
            signed.contains("/eu-west-1/cloudformation/aws4_request"),
            "{signed}"
        );
        let body = axum::body::to_bytes(request.into_body(), 4096)
            .await
            .unwrap();
        match std::str::from_utf8(&body).unwrap() {
            "Action=DescribeStacks&Version=2010-05-15&StackName=hooks" => stack.into_response(),
            "Action=DescribeStacks&Version=2010-05-15&StackName=guarded" => {
                let refused = "<ErrorResponse><Error><Type>Sender</Type><Code>AccessDenied</Code><Message>no</Message></Error></ErrorResponse>";
                (StatusCode::FORBIDDEN, refused).into_response()
            }
            _ => {
                let none = "<ErrorResponse><Error><Type>Sender</Type><Code>ValidationError</Code><Message>Stack with id nobody does not exist</Message></Error></ErrorResponse>";
                (StatusCode::BAD_REQUEST, none).into_response()
            }
        }
    };
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let router = Router::new().fallback(move |request| answer.clone()(request));
    tokio::spawn(async move { axum::serve(listener, router).await });
    url
}

/// The outputs of the template for a machine's tables and queues.
pub(crate) fn outputs(endpoints: &Endpoints) -> [(&str, &str); 6] {
    [
        (
            "UrlShop",
            "https://example.lambda-url.eu-west-1.on.aws/webhooks/shop",
        ),
        ("EventsTableName", &endpoints.events_table),
        ("DocumentsTableName", &endpoints.documents_table),
        ("QueueUrl", &endpoints.queue_url),
        ("DeadLetterQueueUrl", &endpoints.dead_letter_queue_url),
        ("BucketName", &endpoints.bucket),
    ]
}

/// The tool with credentials for an account with these services, and no word of its tables.
pub(crate) fn hookwell(endpoints: &Endpoints, cloudformation: &str) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_hookwell"));
    for (name, value) in endpoints.environment() {
        if name.starts_with("AWS_") {
            command.env(name, value);
        } else {
            command.env_remove(name);
        }
    }
    command
        .env("AWS_REGION", "eu-west-1")
        .env("AWS_ENDPOINT_URL_CLOUDFORMATION", cloudformation)
        .env("AWS_CONFIG_FILE", "/nowhere")
        .env("AWS_SHARED_CREDENTIALS_FILE", "/nowhere")
        .env("AWS_EC2_METADATA_DISABLED", "true");
    command
}

async fn run(mut command: Command, arguments: &[&str]) -> Output {
    command.args(arguments);
    tokio::task::spawn_blocking(move || command.output().unwrap())
        .await
        .unwrap()
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn every_command_finds_tables_and_queues_by_the_name_of_the_stack() {
    let machine = machine().await;
    let account = World::of(&machine);
    let (good, _) = body("resource", 1, "create", "doc", "x");
    assert_eq!(account.post("resource", &good).await.status, 200);
    let bad = json!({ "event": "asset.created", "data": { "no": "id" } });
    assert_eq!(account.post("plain", &bad).await.status, 200);
    account.drained().await;
    let stacks = cloudformation(&outputs(&account.endpoints)).await;
    let hookwell = || hookwell(&account.endpoints, &stacks);
    for (command, found) in [
        (&["events", "list"][..], "evt_doc_1"),
        (&["events", "show", "evt_doc_1"], "resource.created"),
        (&["events", "stats"], "applied"),
        (&["documents", "list"], "doc"),
        (&["documents", "show", "doc"], "evt_doc_1"),
        (&["documents", "history", "doc"], "evt_doc_1"),
        (&["dlq", "list"], "the event names no document"),
    ] {
        let output = run(
            hookwell(),
            &[command, &["--json", "--stack", "hooks"]].concat(),
        )
        .await;
        assert!(output.status.success(), "{command:?}: {output:?}");
        let first: Value =
            serde_json::from_slice(output.stdout.split(|b| *b == b'\n').next().unwrap()).unwrap();
        assert!(first.is_object(), "{command:?}");
        assert!(
            text(&output.stdout).contains(found),
            "{command:?}: {output:?}"
        );
    }
    let redriven = run(hookwell(), &["dlq", "redrive", "--all", "--stack", "hooks"]).await;
    assert_eq!(
        text(&redriven.stdout),
        "1 put back into the queue\n",
        "{redriven:?}"
    );
    machine.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_missing_stack_output_table_or_queue_is_named_with_what_to_do() {
    let machine = machine().await;
    let account = World::of(&machine);
    let all = outputs(&account.endpoints);
    let without = |output: &str| {
        all.into_iter()
            .filter(|(key, _)| *key != output)
            .collect::<Vec<_>>()
    };
    let stacks = cloudformation(&all).await;
    let no_queue = cloudformation(&without("DeadLetterQueueUrl")).await;
    let no_table = cloudformation(&without("EventsTableName")).await;
    let with = |stacks: &str, variables: &[(&str, &str)]| {
        let mut command = hookwell(&account.endpoints, stacks);
        command.envs(variables.iter().copied());
        command
    };
    let gone = format!("{}-gone", account.endpoints.queue_url);
    let tables = [
        ("HOOKWELL_EVENTS_TABLE", "gone"),
        ("HOOKWELL_DOCUMENTS_TABLE", "gone"),
    ];
    let queues = [
        (
            "HOOKWELL_EVENTS_TABLE",
            account.endpoints.events_table.as_str(),
        ),
        (
            "HOOKWELL_DOCUMENTS_TABLE",
            &account.endpoints.documents_table,
        ),
        ("HOOKWELL_QUEUE_URL", &gone),
        ("HOOKWELL_DEAD_LETTER_QUEUE_URL", &gone),
    ];
    let choose = "The account and region of the credentials have none of that name: AWS_PROFILE and AWS_REGION choose others";
    for (command, arguments, said) in [
        (
            with(&stacks, &[]),
            &["events", "list", "--stack", "nobody"][..],
            "reading the stack nobody: there is none of that name in eu-west-1: AWS_REGION and AWS_PROFILE choose another region and account".to_owned(),
        ),
        (
            with(&stacks, &[]),
            &["events", "list", "--stack", "guarded"],
            "reading the stack guarded: AccessDenied. The credentials may not do this".to_owned(),
        ),
        (
            with(&no_table, &[]),
            &["events", "list", "--stack", "hooks"],
            "the stack hooks has no output EventsTableName: ".to_owned(),
        ),
        (
            with(&no_queue, &[]),
            &["dlq", "list", "--stack", "hooks"],
            "the stack hooks has no output DeadLetterQueueUrl: ".to_owned(),
        ),
        (
            with(&stacks, &[]),
            &["events", "list"],
            "HOOKWELL_EVENTS_TABLE is not set: name the stack with --stack".to_owned(),
        ),
        (
            with(&stacks, &tables),
            &["events", "list"],
            format!("reading table gone: ResourceNotFoundException. {choose}"),
        ),
        (
            with(&stacks, &queues),
            &["dlq", "list"],
            format!("reading the dead-letter queue {gone}: AWS.SimpleQueueService.NonExistentQueue. {choose}"),
        ),
    ] {
        let output = run(command, arguments).await;
        assert_eq!(output.status.code(), Some(1), "{output:?}");
        assert_eq!(text(&output.stdout), "", "{arguments:?}");
        assert!(text(&output.stderr).contains(&said), "{said}: {output:?}");
    }
    machine.stop().await;
}
