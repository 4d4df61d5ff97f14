//! Strangers: no request of somebody without a secret wakes anybody. The alarms that wake are read from template.yaml,
//! and their filters are applied to the lines that the function wrote.
#![allow(clippy::unwrap_used, clippy::indexing_slicing)] // helpers of tests

use std::collections::BTreeSet;
use std::sync::{Arc, LazyLock, Mutex};
use std::time::{Duration, SystemTime};

use aws_lambda_events::event::sqs::SqsEvent;
use hookwell::config;
use hookwell::format::time::Millis;
use hookwell::ingest::key_cache::{Fetch, Sources};
use hookwell::keys::not_ready::SecretProblem;
use hookwell::keys::reference::SecretRef;
use hookwell::ports::memory::{MemoryDocuments, MemoryLedger, MemoryQueue, StoppedClock};
use hookwell_lambda::ingest::Ingest;
use hookwell_lambda::process::Process;
use hookwell_lambda::telemetry::{lines, targets};
use serde_json::{Value, json};
use tracing_subscriber::filter::LevelFilter;
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::util::SubscriberInitExt as _;

const NOW: Millis = 1_795_700_000_000;

const TEMPLATE: &str = include_str!("../../../template.yaml");

const SOURCES: &str = r#"
[sources.shop]
preset = "generic"
secrets = ["env:SHOP"]
[sources.small]
preset = "generic"
secrets = ["env:SMALL"]
max_body_bytes = 100
[sources.fenced]
preset = "generic"
secrets = ["env:FENCED"]
allow_ips = ["203.0.113.0/24"]
[sources.unset]
preset = "generic"
secrets = ["env:UNSET"]
[sources.blank]
preset = "generic"
secrets = ["ssm:/blank"]
[sources.example]
preset = "generic"
secrets = ["env:EXAMPLE"]
[sources.short]
preset = "generic"
secrets = ["env:SHORT"]
[sources.crowded]
preset = "generic"
secrets = ["ssm:/crowded"]
[sources.bank]
preset = "plaid"
pinned = ["env:UNSET"]
[sources.topic]
preset = "aws-sns"
topics = ["arn:aws:sns:eu-west-1:111122223333:orders"]
[sources.pay]
preset = "paypal"
secrets = ["env:PAY"]
[sources.notion]
preset = "notion"
secrets = ["env:UNSET_2"]
[sources.meta]
preset = "meta"
secrets = ["env:UNSET_3"]
[sources.sky]
preset = "generic"
secrets = ["env:SKY"]
handshake = { kind = "cloudevents" }
"#;

async fn find(reference: SecretRef) -> Result<String, SecretProblem> {
    match reference.to_string().as_str() {
        "env:SHOP" | "env:SMALL" | "env:FENCED" | "env:PAY" | "env:SKY" => {
            Ok("a secret that is long enough".to_owned())
        }
        "ssm:/blank" => Ok("  ".to_owned()),
        "env:EXAMPLE" => Ok("changeme".to_owned()),
        "env:SHORT" => Ok("short".to_owned()),
        "ssm:/crowded" => Err(SecretProblem::Crowded),
        url if url.contains("away") => Err(SecretProblem::Unavailable("no connection".to_owned())),
        url if url.contains("page") => Ok("<html></html>".to_owned()),
        _ => Err(SecretProblem::NotSet),
    }
}

/// The log of all tests; one subscriber for all threads.
static LOG: LazyLock<Log> = LazyLock::new(|| {
    let log = Log::default();
    let into = log.clone();
    let env = |name: &str| (name == "HOOKWELL_METRICS").then(|| "Hookwell/test".to_owned());
    tracing_subscriber::registry()
        .with(targets(LevelFilter::INFO))
        .with(lines(&env, move || into.clone()))
        .init();
    log
});

/// The tests that write into the log take turns.
static TURN: Mutex<()> = Mutex::new(());

#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl std::io::Write for Log {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }
    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

/// A request of a stranger: method, path, headers, body.
type Asked = (String, String, Vec<(&'static str, String)>, String);

fn post(path: &str, body: impl Into<String>) -> Asked {
    ("POST".to_owned(), path.to_owned(), Vec::new(), body.into())
}

fn sns(url: &str) -> Asked {
    let body = json!({
        "Type": "Notification", "MessageId": "1", "Message": "m", "Timestamp": "2026-11-26T00:00:00.000Z",
        "TopicArn": "arn:aws:sns:eu-west-1:111122223333:orders",
        "SignatureVersion": "2", "Signature": "A".repeat(342) + "==", "SigningCertURL": url,
    });
    post("/webhooks/topic", body.to_string())
}

fn paypal(url: &str) -> Asked {
    let headers = vec![
        ("paypal-transmission-id", "1".to_owned()),
        (
            "paypal-transmission-time",
            "2026-11-26T00:00:00Z".to_owned(),
        ),
        ("paypal-transmission-sig", "A".repeat(342) + "=="),
        ("paypal-cert-url", url.to_owned()),
        ("paypal-auth-algo", "SHA256withRSA".to_owned()),
    ];
    let (method, path, _, body) = post("/webhooks/pay", "{}");
    (method, path, headers, body)
}

/// Requests of a stranger, each with its status and outcome.
#[allow(clippy::too_many_lines)] // a list
fn strangers() -> Vec<(Asked, u16, &'static str)> {
    let certificate = |host: &str, name: &str| {
        format!("https://sns.{host}.amazonaws.com/SimpleNotificationService-{name}.pem")
    };
    let pay = |name: &str| format!("https://api.paypal.com/v1/notifications/certs/CERT-{name}");
    let signed = |header: &'static str, value: &str| {
        let (method, path, _, body) = post("/webhooks/shop", "{}");
        (
            (method, path, vec![(header, value.to_owned())], body),
            401,
            "unverified",
        )
    };
    let with_method = |method: &str, path: &str| {
        (
            method.to_owned(),
            path.to_owned(),
            Vec::new(),
            String::new(),
        )
    };
    let origin = |value: &str| {
        let headers = vec![("webhook-request-origin", value.to_owned())];
        (
            "OPTIONS".to_owned(),
            "/webhooks/sky".to_owned(),
            headers,
            String::new(),
        )
    };
    let mut all = vec![
        (post("/", "{}"), 404, "unknown_source"),
        (post("/webhooks/", "{}"), 404, "unknown_source"),
        (post("/webhooks/none", "{}"), 404, "unknown_source"),
        (
            post(&format!("/webhooks/{}", "x".repeat(8_000)), "{}"),
            404,
            "unknown_source",
        ),
        (post("/webhooks/SHOP", "{}"), 404, "unknown_source"),
        (
            with_method("GET", "/webhooks/shop"),
            405,
            "method_not_allowed",
        ),
        (
            with_method("PROPFIND", "/webhooks/shop"),
            405,
            "method_not_allowed",
        ),
        (
            with_method("MADEUP", "/webhooks/unset"),
            405,
            "method_not_allowed",
        ),
        (post("/webhooks/small", "x".repeat(101)), 413, "too_large"),
        (post("/webhooks/fenced", "{}"), 403, "address_not_allowed"),
        (post("/webhooks/shop", "{}"), 401, "unverified"),
        signed("x-signature", "00"),
        signed("x-signature", &"00".repeat(32)),
        (post("/webhooks/unset", "{}"), 503, "not_configured"),
        (post("/webhooks/blank", "{}"), 503, "not_configured"),
        (post("/webhooks/example", "{}"), 503, "not_configured"),
        (post("/webhooks/short", "{}"), 503, "not_configured"),
        (post("/webhooks/bank", "{}"), 503, "not_configured"),
        (post("/webhooks/crowded", "{}"), 503, "no_key_yet"),
        (
            sns(&certificate("eu-west-1", "none")),
            401,
            "no_certificate",
        ),
        (
            sns(&certificate("eu-west-1", "none")),
            401,
            "no_certificate",
        ),
        (sns(&certificate("xx-made-9", "away")), 503, "no_key_yet"),
        (sns(&certificate("eu-west-1", "page")), 503, "no_key_yet"),
        (sns("https://evil.example/1.pem"), 401, "unverified"),
        (paypal(&pay("none")), 401, "no_certificate"),
        (paypal(&pay("away")), 503, "no_key_yet"),
        (paypal("https://evil.example/1.pem"), 401, "unverified"),
        (
            post(
                "/webhooks/notion",
                r#"{"verification_token":"secret_made_up"}"#,
            ),
            200,
            "handshake",
        ),
        (
            post(
                "/webhooks/notion",
                r#"{"verification_token":"call this number"}"#,
            ),
            200,
            "handshake",
        ),
        (
            with_method("GET", "/webhooks/meta"),
            405,
            "method_not_allowed",
        ),
        (origin("any.example"), 200, "handshake"),
        (origin("h\u{f6}okwell"), 405, "method_not_allowed"),
    ];
    // More addresses than may be asked.
    for number in 0..10 {
        let outcome = if number < 1 {
            (401, "no_certificate")
        } else {
            (503, "no_key_yet")
        };
        all.push((
            sns(&certificate("eu-west-1", &format!("n{number}"))),
            outcome.0,
            outcome.1,
        ));
    }
    all
}

fn event((method, path, headers, body): &Asked) -> String {
    let headers: serde_json::Map<String, Value> = headers
        .iter()
        .map(|(name, value)| ((*name).to_owned(), json!(value)))
        .chain([("host".to_owned(), json!("hooks.example.com"))])
        .collect();
    json!({
        "version": "2.0", "routeKey": "$default", "rawPath": path, "rawQueryString": "", "headers": headers,
        "requestContext": { "accountId": "anonymous", "apiId": "a", "domainName": "hooks.example.com", "domainPrefix": "a",
            "http": { "method": method, "path": path, "protocol": "HTTP/1.1", "sourceIp": "192.0.2.1", "userAgent": "x" },
            "requestId": "r", "routeKey": "$default", "stage": "$default", "time": "t", "timeEpoch": 0 },
        "body": body, "isBase64Encoded": false,
    })
    .to_string()
}

/// The parts of the template, each a resource with its lines.
fn resources(kind: &str) -> impl Iterator<Item = &'static str> {
    let wanted = format!("\n    Type: {kind}\n");
    let parts = TEMPLATE.split("\n\n");
    parts.filter(move |part| part.contains(&wanted))
}

/// The values of a key in a part.
fn values<'t>(part: &'t str, key: &str) -> BTreeSet<&'t str> {
    let lines = part.lines().map(str::trim);
    let found = lines.filter_map(|line| line.strip_prefix(key)?.strip_prefix(": "));
    found.map(|value| value.trim_matches('\'')).collect()
}

/// The alarms that wake somebody.
fn pages() -> Vec<&'static str> {
    resources("AWS::CloudWatch::Alarm")
        .filter(|alarm| alarm.contains("AlarmTopicArn"))
        .collect()
}

/// True when CloudWatch counts this line by this filter.
fn counts(filter: &str, line: &Value) -> bool {
    let pattern = values(filter, "FilterPattern").pop_first().unwrap();
    let inner = pattern
        .strip_prefix("{ $.")
        .unwrap()
        .strip_suffix(" }")
        .unwrap();
    if let Some(field) = inner.strip_suffix(" IS TRUE") {
        return line[field] == true;
    }
    let (field, value) = inner.split_once(" = ").unwrap();
    match value.trim_matches('"') {
        "*" => !line[field].is_null(),
        value => line[field] == value,
    }
}

#[test]
fn no_stranger_wakes_anybody_whatever_is_asked() {
    let pages = pages();
    assert!(pages.len() > 5, "{pages:?}");
    let woken_by: BTreeSet<_> = pages
        .iter()
        .flat_map(|page| values(page, "MetricName"))
        .collect();
    let filters: Vec<_> = resources("AWS::Logs::MetricFilter").collect();
    let waking: Vec<_> = filters
        .iter()
        .filter(|filter| !values(filter, "MetricName").is_disjoint(&woken_by))
        .collect();
    assert!(waking.len() >= 3, "{waking:?}");

    let _turn = TURN.lock().unwrap();
    let log = LazyLock::force(&LOG);
    let runtime = tokio::runtime::Builder::new_current_thread()
        .build()
        .unwrap();
    let fetch = Fetch::new(find);
    let fetched = Sources::fetched(config::parse(SOURCES).unwrap(), &fetch, NOW);
    let sources = runtime.block_on(fetched);
    let ingest = Ingest::new(sources, MemoryLedger::default(), MemoryQueue::default());
    let clock = StoppedClock::at(NOW);
    let mut labels = BTreeSet::new();
    let made_up = (0..1_000).map(|n| {
        (
            post(&format!("/webhooks/n{n}"), "{}"),
            404,
            "unknown_source",
        )
    });
    for (asked, status, outcome) in strangers().into_iter().chain(made_up) {
        log.0.lock().unwrap().clear();
        let text = event(&asked);
        let answer = ingest.respond(&text, "request-1", None, clock.clock());
        let answer = runtime.block_on(answer);
        assert_eq!(answer.status_code, status, "{asked:.300?}");
        let text = String::from_utf8(log.0.lock().unwrap().clone()).unwrap();
        let lines = text
            .lines()
            .map(|line| serde_json::from_str::<Value>(line).unwrap());
        for line in lines {
            for filter in &waking {
                assert!(!counts(filter, &line), "{filter}\ncounts {line}");
            }
            if line["message"] == "delivery" {
                assert_eq!(line["outcome"], outcome, "{line}");
                assert_eq!(line["stranger"], true, "{line}");
                assert!(line.to_string().len() < 2_000, "{line}");
                labels.insert(line["source"].as_str().unwrap().to_owned());
            }
        }
        assert!(text.contains("\"delivery\""), "{text}");
    }
    assert!(labels.contains("unknown"));
    assert!(
        labels.len() < 20,
        "names that a stranger makes up are no metrics: {labels:?}"
    );
}

/// Metrics that AWS counts by itself, without a line of ours: the 5xx of an endpoint, among which are those of a source that was never
/// given its secret, and refusals to run, of which a flood makes any number.
#[test]
fn no_alarm_that_wakes_counts_what_a_stranger_makes_by_asking() {
    for page in pages() {
        for metric in [
            "Url5xxCount",
            "5xx",
            "5XXError",
            "Url4xxCount",
            "4xx",
            "Strangers",
            "Unverified",
        ] {
            assert!(!values(page, "MetricName").contains(metric), "{page}");
        }
        if values(page, "MetricName").contains("Throttles") {
            assert!(page.contains("AND FILL(invocations, 0) == 0"), "{page}");
        }
    }
}

#[test]
fn a_flood_is_seen_without_waking_anybody() {
    let filter = |metric: &str| {
        let mut filters = resources("AWS::Logs::MetricFilter");
        filters
            .find(|filter| values(filter, "MetricName").contains(metric))
            .unwrap()
    };
    for metric in ["Strangers", "NotConfigured", "NoKeyYet"] {
        assert!(filter(metric).contains("IngestLogs"));
        let mut alarms = resources("AWS::CloudWatch::Alarm");
        let alarm = alarms
            .find(|alarm| values(alarm, "MetricName").contains(metric))
            .unwrap();
        assert!(alarm.contains("TicketTopicArn"), "{alarm}");
    }
}

/// A message of a later version comes back for ever, and each move of the retry queue makes it young again: no age and no growth tells
/// of it.
#[test]
fn a_message_that_process_cannot_read_is_counted_for_an_alarm_that_can_wait() {
    let mut filters = resources("AWS::Logs::MetricFilter");
    let filter = filters
        .find(|filter| values(filter, "MetricName").contains("Unread"))
        .unwrap();
    assert!(filter.contains("ProcessLogs"), "{filter}");
    let mut alarms = resources("AWS::CloudWatch::Alarm");
    let alarm = alarms
        .find(|alarm| values(alarm, "MetricName").contains("Unread"))
        .unwrap();
    assert!(alarm.contains("TicketTopicArn"), "{alarm}");
    // Three periods, each as long as the retry queue waits at most.
    assert_eq!(values(alarm, "Period"), ["3600"].into());

    let _turn = TURN.lock().unwrap();
    let log = LazyLock::force(&LOG);
    log.0.lock().unwrap().clear();
    let event = include_str!("../../../events/process-create.json");
    let mut event: SqsEvent = serde_json::from_str(event).unwrap();
    for (id, body) in [
        ("later", r#"{"message_version":3}"#),
        ("damaged", r#"{"message_version":0}"#),
    ] {
        let mut message = event.records[0].clone();
        message.message_id = Some(id.to_owned());
        message.body = Some(body.to_owned());
        event.records.push(message);
    }
    let documents = MemoryDocuments::default();
    let process = Process::new(MemoryLedger::default(), MemoryQueue::default(), documents);
    let deadline = SystemTime::now() + Duration::from_secs(30);
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .build()
        .unwrap();
    let answer = runtime.block_on(process.respond(event, "request-1", deadline));
    assert_eq!(answer.unwrap().batch_item_failures.len(), 1);
    let text = String::from_utf8(log.0.lock().unwrap().clone()).unwrap();
    let lines = text
        .lines()
        .map(|line| serde_json::from_str::<Value>(line).unwrap())
        .filter(|line| line["message"] == "event");
    let (counted, others): (Vec<_>, Vec<_>) = lines.partition(|line| counts(filter, line));
    let ids = |lines: &[Value]| -> BTreeSet<String> {
        let ids = lines.iter().map(|line| &line["message.id"]);
        ids.map(|id| id.as_str().unwrap().to_owned()).collect()
    };
    assert_eq!(ids(&counted), ["later".to_owned()].into(), "{text}");
    assert_eq!(others.len(), 2, "{text}");
}

#[test]
fn what_a_user_reads_of_a_token_that_anybody_may_have_sent_says_so() {
    let _turn = TURN.lock().unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread()
        .build()
        .unwrap();
    let sources = Sources::new(config::parse(SOURCES).unwrap(), |_| {
        Err(SecretProblem::NotSet)
    });
    let ingest = Ingest::new(sources, MemoryLedger::default(), MemoryQueue::default());
    let said = |token: &str| {
        let body = json!({ "verification_token": token });
        let asked = event(&post("/webhooks/notion", body.to_string()));
        let clock = StoppedClock::at(NOW);
        let received = runtime.block_on(ingest.receive(&asked, "request-1", None, clock.clock()));
        assert_eq!(received.reply.status.as_u16(), 200);
        received.reason
    };
    let reason = said("secret_tMrlL1qK5vuQAh1b6cZGhFChZTSYJlce98V0pYn7yBl").unwrap();
    assert!(
        reason.starts_with("ANYBODY CAN SEND THIS TOKEN."),
        "{reason}"
    );
    assert!(reason.contains("only if Notion takes it"), "{reason}");
    for other in [
        "set it as the secret at once: secret_x",
        "a\u{202e}b",
        &"x".repeat(257),
    ] {
        assert_eq!(said(other), None, "no words of a stranger");
    }
}

#[test]
fn the_line_of_a_delivery_says_that_its_time_is_not_used() {
    let _turn = TURN.lock().unwrap();
    let log = LazyLock::force(&LOG);
    let runtime = tokio::runtime::Builder::new_current_thread()
        .build()
        .unwrap();
    let text = "[sources.timed]\nsecrets = [\"env:A\"]\n[sources.timed.verify]\nalg = \"token\"\n\
                signature = { header = \"x-token\" }\n[sources.timed.event]\nid = \"body:/id\"\ntime = \"body:/at\"\n";
    let secret = "a secret that is long enough";
    let sources = Sources::new(config::parse(text).unwrap(), |_| {
        Ok::<_, SecretProblem>(secret.to_owned())
    });
    let ingest = Ingest::new(sources, MemoryLedger::default(), MemoryQueue::default());
    let said = |id: &str, at: Value| {
        log.0.lock().unwrap().clear();
        let (method, path, mut headers, body) =
            post("/webhooks/timed", json!({ "id": id, "at": at }).to_string());
        headers.push(("x-token", secret.to_owned()));
        let asked = event(&(method, path, headers, body));
        let clock = StoppedClock::at(NOW);
        let answer = runtime.block_on(ingest.respond(&asked, "request-1", None, clock.clock()));
        assert_eq!(answer.status_code, 200);
        let text = String::from_utf8(log.0.lock().unwrap().clone()).unwrap();
        let lines = text
            .lines()
            .map(|line| serde_json::from_str::<Value>(line).unwrap());
        let mut lines = lines.filter(|line| line["message"] == "delivery");
        lines.next().unwrap()["unusable_time"].clone()
    };
    let day = 24 * 3600 * 1000;
    assert_eq!(said("e1", json!(NOW + day)), Value::Null);
    assert_eq!(said("e2", json!(NOW + day + 1)), "future");
    assert_eq!(said("e3", json!("yesterday")), "unreadable");
    assert_eq!(
        said("e4", Value::Null),
        Value::Null,
        "no time is none that is wrong"
    );
}
