//! The binary as Lambda runs it: one trace goes through it, and its line in the log is a metric.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing)]

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::mpsc::{Sender, channel};
use std::time::Duration;

use hookwell_sandbox::child::Owned;
use hookwell_sandbox::http::Message;
use hookwell_sandbox::runtime::{Call, accepted, environment, invocation};
use serde_json::Value;

/// Secret that `hookwell dev` makes up for `env:HOOKWELL_SECRET_RESOURCE`.
const SECRET: &str = "local_701c2e110a3d9d5be4479772b90b75ec";

const XRAY: &str = "Root=1-5759e988-bd862e3fe1be46a994272793;Parent=53995c3f42cd8ad8;Sampled=1;Lineage=1:a87bd80c:0";

/// Lambda's Runtime API and the AWS services at one address; what the services are asked is passed on.
fn serve(asked: Sender<Message>) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap().to_string();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let asked = asked.clone();
            std::thread::spawn(move || converse(&mut stream.unwrap(), &asked));
        }
    });
    address
}

fn converse(stream: &mut TcpStream, asked: &Sender<Message>) {
    let (mut received, mut buffer) = (Vec::new(), [0; 4096]);
    loop {
        let Some(request) = Message::take(&mut received).unwrap() else {
            match stream.read(&mut buffer) {
                Ok(0) | Err(_) => return,
                Ok(count) => received.extend_from_slice(&buffer[..count]),
            }
            continue;
        };
        let answer = match Call::of(request.path()) {
            Some(Call::Next) => {
                let file = Path::new(env!("CARGO_MANIFEST_DIR"))
                    .join("../../events/ingest-function-url-valid.json");
                let event = std::fs::read(file).unwrap();
                invocation("ingest", "request-1", Duration::from_secs(5), event)
                    .with("lambda-runtime-trace-id", XRAY)
            }
            Some(_) => accepted(),
            None if request.header("x-amz-target").is_some() => {
                let _ = asked.send(request);
                Message::answer("200 OK", r#"{"MessageId":"1"}"#)
            }
            None => Message::answer("200 OK", "healthy"),
        };
        if stream.write_all(&answer.bytes()).is_err() {
            return;
        }
    }
}

#[test]
fn the_invocations_trace_is_in_the_message_in_the_log_and_on_the_way_to_the_queue() {
    let (asked, requests) = channel();
    let api = serve(asked);
    let url = format!("http://{api}");
    let mut ingest = Owned::spawn(
        Command::new(env!("CARGO_BIN_EXE_ingest"))
            .env_clear()
            .envs(environment("ingest", &api, 256))
            .env("AWS_ENDPOINT_URL", &url)
            .env("AWS_REGION", "us-east-1")
            .env("AWS_ACCESS_KEY_ID", "none")
            .env("AWS_SECRET_ACCESS_KEY", "none")
            .env("HOOKWELL_SECRET_RESOURCE", SECRET)
            .env("HOOKWELL_EVENTS_TABLE", "table")
            .env("HOOKWELL_QUEUE_URL", format!("{url}/1/queue"))
            .env("HOOKWELL_METRICS", "Hookwell/test")
            .stderr(Stdio::piped()),
    )
    .unwrap();
    let is_send =
        |request: &Message| request.header("x-amz-target") == Some("AmazonSQS.SendMessage");
    let sent = requests.iter().find(is_send).unwrap();
    let log = BufReader::new(ingest.stderr.take().unwrap());
    let mut lines = log
        .lines()
        .map(|line| serde_json::from_str(&line.unwrap()).unwrap());
    let is_delivery = |line: &Value| line["message"] == "delivery";
    let line = lines.find(is_delivery).unwrap();
    ingest.kill().unwrap();
    ingest.wait().unwrap();

    // The SDK sends it where it finds itself on Lambda, and SQS takes it for the message's `AWSTraceHeader`.
    assert_eq!(sent.header("x-amzn-trace-id"), Some(XRAY));
    let sent: Value = serde_json::from_slice(&sent.body).unwrap();
    let message: Value = serde_json::from_str(sent["MessageBody"].as_str().unwrap()).unwrap();
    let traceparent = "00-5759e988bd862e3fe1be46a994272793-53995c3f42cd8ad8-01";
    assert_eq!(message["trace"], traceparent);
    assert_eq!(line["trace_id"], "5759e988bd862e3fe1be46a994272793");
    assert_eq!(
        (&line["source"], &line["outcome"]),
        (&"resource".into(), &"received".into())
    );
    let metrics = &line["_aws"]["CloudWatchMetrics"][0];
    assert_eq!(metrics["Namespace"], "Hookwell/test");
    assert_eq!(metrics["Metrics"][0]["Name"], "duration_ms");
    for step in ["verify_ms", "remember_ms", "send_ms", "duration_ms"] {
        assert!(line[step].is_number(), "{step}: {line}");
    }
}
