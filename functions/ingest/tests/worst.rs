//! The largest bodies that Lambda delivers, made of the worst text for whoever reads them, to a function with 128 MB of data: an
//! answer for each, and the function lives on.
//!
//! `cargo test` sends some to those senders whose signature is in the body. All of it, to every preset and every way of
//! checking an address, before a release:
//!
//! ```text
//! WORST=all cargo test --release -p ingest --test worst -- --nocapture
//! ```
//!
//! `WORST=slack,linear` sends all of it to these presets.
#![allow(clippy::unwrap_used, clippy::indexing_slicing)] // helpers of tests

mod support;

use std::fmt::Write as _;
use std::io::Write as _;
use std::net::{IpAddr, Ipv4Addr, TcpListener};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use hookwell::config;
use hookwell::event::Operation;
use hookwell::source::Source;
use hookwell::source::handshake::HandshakeKind;
use hookwell_sandbox::http::Message;
use hookwell_sandbox::sender::{Draft, signed_with};
use hookwell_sandbox::test_keys;
use hookwell_sandbox::trigger::{HttpRequest, Trigger};
use http::{HeaderMap, HeaderName, HeaderValue};

use support::{Function, next};

/// The largest event that Lambda delivers, in bytes ("Lambda quotas", invocation payload, synchronous).
const LARGEST: usize = 6 * 1024 * 1024;

/// The memory of the function, in KB.
const MEMORY: usize = 128 * 1024;

/// The headers that the trigger with the largest limit takes, in bytes ("Quotas", Application Load Balancers).
const HEADERS: usize = 60 * 1024;

const TOPIC: &str = "arn:aws:sns:us-west-2:123456789012:MyTopic";

/// Kinds of bad text.
const KINDS: [&str; 22] = [
    "names of a form",
    "the same name",
    "a form's escapes",
    "payload of a form",
    "a list",
    "a list of objects",
    "a list of lists",
    "nesting",
    "nesting that ends",
    "members",
    "members with escapes",
    "the same member",
    "escapes",
    "a long text",
    "digits",
    "blanks",
    "quotes",
    "parts",
    "a long boundary",
    "a boundary of dashes",
    "zeros",
    "no text",
];

/// A body of a kind, of about this many bytes; `list` is where the events of a delivery are.
fn body(kind: &str, size: usize, list: &[String]) -> Vec<u8> {
    let repeat = |text: &str| text.repeat(size / text.len());
    let numbered = |text: &dyn Fn(&mut String, usize)| {
        let mut all = String::with_capacity(size + 64);
        for number in 0.. {
            if all.len() >= size {
                break;
            }
            text(&mut all, number);
        }
        all
    };
    let inside = |items: &str| {
        let mut body = format!("[{items}]");
        for step in list.iter().rev() {
            body = match step.as_str() {
                "*" => format!("[{body}]"),
                name => format!("{{{name:?}:{body}}}"),
            };
        }
        body
    };
    // The members that a reader looks for come last.
    let known = "\"Type\":\"Notification\",\"type\":\"url_verification\",\"event\":\"endpoint.url_validation\",\
        \"MessageId\":\"1\",\"Timestamp\":\"2026-11-26T10:00:00Z\"";
    let text = match kind {
        "names of a form" => numbered(&|all, number| {
            let _ = write!(all, "{number:x}&");
        }),
        "the same name" => repeat("a&"),
        "a form's escapes" => format!("a={}", repeat("%61")),
        "payload of a form" => format!("payload=%7B{}", repeat("%22")),
        "a list" => inside(&format!("{}0", repeat("0,"))),
        "a list of objects" => inside(&format!("{}{{}}", repeat("{},"))),
        "a list of lists" => inside(&format!("{}[]", repeat("[[[[[]]]]],"))),
        "nesting" => repeat("["),
        "nesting that ends" => format!("{}{}", "[".repeat(size / 2), "]".repeat(size / 2)),
        "members" => {
            let members = numbered(&|all, number| {
                let _ = write!(all, "\"{number}\":0,");
            });
            format!("{{{members}{known}}}")
        }
        "members with escapes" => {
            let members = numbered(&|all, number| {
                let _ = write!(all, "\"\\u0061{number}\":0,");
            });
            format!("{{{members}{known}}}")
        }
        "the same member" => format!("{{{}{known}}}", repeat("\"id\":0,")),
        "escapes" => format!("{{{known},\"Message\":\"{}\"}}", repeat("\\u0061")),
        "a long text" => format!("{{{known},\"challenge\":\"{}\"}}", repeat("x")),
        "digits" => format!("{{{known},\"id\":{}}}", repeat("1")),
        "blanks" => format!("{{{}}}", repeat(" ")),
        "quotes" => repeat("\""),
        "parts" => {
            let head = "\r\nContent-Disposition: form-data; name=";
            let parts = numbered(&|all, number| {
                let _ = write!(all, "{head}{number}\r\n\r\n1\r\n--x");
            });
            format!("--x{parts}--\r\n")
        }
        "a long boundary" => format!("--{}\r\n\r\n", repeat("-")),
        "a boundary of dashes" => format!("----\r\n{}", repeat("\r\n---")),
        "zeros" => return vec![0; size],
        _ => return vec![0xff; size],
    };
    text.into_bytes()
}

/// An AWS that takes everything.
fn aws() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    std::thread::spawn(move || {
        for mut socket in listener.incoming().flatten() {
            std::thread::spawn(move || {
                let mut received = Vec::new();
                while next(&mut socket, &mut received).is_some() {
                    let answer = Message::answer("200 OK", r#"{"MessageId":"m"}"#);
                    socket.write_all(&answer.bytes()).unwrap();
                }
            });
        }
    });
    format!("http://{address}")
}

/// The function with 128 MB of data.
fn start(sources: &str, secrets: &[(String, String)], aws: &str) -> Function {
    let mut command = Command::new("sh");
    let limited = format!("ulimit -d {MEMORY}; exec \"$0\"");
    command.args(["-c", &limited, env!("CARGO_BIN_EXE_ingest")]);
    let queue = format!("{aws}/1/queue");
    let mut variables = vec![
        ("AWS_ENDPOINT_URL", aws),
        ("HOOKWELL_BUCKET", "bucket"),
        ("HOOKWELL_QUEUE_URL", &queue),
        ("HOOKWELL_SOURCES_FILE", sources),
    ];
    let secrets = secrets.iter();
    variables.extend(secrets.map(|(name, secret)| (name.as_str(), secret.as_str())));
    Function::start(command, &variables, Stdio::null())
}

/// The most memory that the function had, as the kernel counts it.
fn peak(function: &Function) -> String {
    let status = std::fs::read_to_string(format!("/proc/{}/status", function.process.id()));
    let status = status.unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    line.unwrap_or("unknown").trim().to_owned()
}

/// Sources of these presets and kinds of handshake, with their secrets.
fn sources(presets: &[String], handshakes: bool) -> (Vec<Source>, String, Vec<(String, String)>) {
    let mut text = String::new();
    for preset in presets {
        let topics = match preset.as_str() {
            "aws-sns" => format!("topics = [{TOPIC:?}]\n"),
            _ => String::new(),
        };
        let pinned = match preset.as_str() {
            "aws-sns" | "paypal" | "plaid" => format!("[\"env:{}_PINNED\"]", variable(preset)),
            _ => "[]".to_owned(),
        };
        let _ = write!(
            text,
            "[sources.{preset}]\npreset = {preset:?}\nsecrets = [\"env:{}\"]\npinned = {pinned}\n{topics}\
             public_url = \"https://hooks.example.com/webhooks/{preset}\"\nallow_ips = [\"0.0.0.0/0\"]\n",
            variable(preset)
        );
    }
    let kinds = HandshakeKind::NAMES.iter().filter(|_| handshakes);
    for (kind, _) in kinds {
        let _ = write!(
            text,
            "[sources.check-{kind}]\npreset = \"resource\"\nsecrets = [\"env:CHECK_{}\"]\nhandshake = {{ kind = {kind:?} }}\n",
            variable(kind)
        );
    }
    let sources = config::parse(&text).unwrap_or_else(|why| panic!("{why:?}"));
    let secrets = sources.iter().flat_map(|source| {
        let all = source.secrets.iter().chain(&source.pinned);
        all.map(|reference| {
            let name = reference.to_string().replace("env:", "");
            (name, test_keys::made_up(source, reference))
        })
    });
    let secrets = secrets.collect();
    (sources, text, secrets)
}

fn variable(preset: &str) -> String {
    preset.replace('-', "_").to_ascii_uppercase()
}

/// A delivery of the source's sender, signed now; with another body than a sample's, if its sender can sign such a one.
fn signed(source: &Source, body: Option<&[u8]>) -> Option<HttpRequest> {
    let keys = source
        .keys(|reference| Ok(test_keys::made_up(source, reference)))
        .unwrap();
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    let now = i64::try_from(now.as_millis()).unwrap();
    let mut draft = Draft::sample(source, Operation::Create, now).ok()?;
    if let Some(body) = body {
        draft.set_body(body.to_vec());
    }
    signed_with(source, &keys, draft, now).ok()?.to_http().ok()
}

fn request(source: &Source, headers: HeaderMap, query: String, body: Vec<u8>) -> HttpRequest {
    HttpRequest {
        method: "POST".to_owned(),
        path: format!("/webhooks/{}", source.name),
        query,
        headers,
        body,
        source_ip: IpAddr::V4(Ipv4Addr::LOCALHOST),
    }
}

/// Headers that are as long as can be: many signatures, many names of signed headers, one long text.
fn long_headers(headers: &HeaderMap) -> Vec<HeaderMap> {
    let names: Vec<HeaderName> = headers.keys().cloned().collect();
    let all = names.iter().flat_map(|name| {
        let value = headers.get(name).and_then(|value| value.to_str().ok());
        let value = value.unwrap_or_default().to_owned();
        let other = |text: String| {
            let mut headers = headers.clone();
            let value = HeaderValue::from_str(&text[..text.len().min(HEADERS)]).unwrap();
            headers.insert(name.clone(), value);
            headers
        };
        let list = |separator: &str| {
            let item = format!("{value}{separator}");
            item.repeat(HEADERS / item.len().max(1))
        };
        [
            other(list(",")),
            other(list(" ")),
            other("x".repeat(HEADERS)),
        ]
    });
    all.collect()
}

/// The event of a request.
fn written(request: &HttpRequest) -> Vec<u8> {
    let event = Trigger::FunctionUrl.event(request, "request-1", 1_795_696_000_000);
    event.to_string().into_bytes()
}

/// The event of a request, if Lambda delivers one of that size.
fn event(request: &HttpRequest) -> Option<Vec<u8>> {
    Some(written(request)).filter(|event| event.len() <= LARGEST)
}

#[test]
fn the_worst_bodies_of_the_largest_size_get_an_answer_within_128_mb() {
    let wanted = std::env::var("WORST").ok();
    let all = wanted.is_some();
    let presets = match wanted.as_deref() {
        None => ["adyen", "aws-sns", "twilio-form"]
            .map(str::to_owned)
            .to_vec(),
        Some("all") => config::presets(),
        Some(names) => names.split(',').map(str::to_owned).collect(),
    };
    let (sources, text, secrets) = sources(&presets, all);
    let file = std::env::temp_dir().join(format!("hookwell-worst-{}.toml", std::process::id()));
    std::fs::write(&file, text).unwrap();
    let aws = aws();
    let start = || start(file.to_str().unwrap(), &secrets, &aws);
    let mut function = start();
    let (mut count, mut verified, mut slowest) = (0_u64, 0_u64, (Duration::ZERO, String::new()));
    let mut exits = Vec::new();
    let mut send = |what: &str, event: Vec<u8>| {
        let started = Instant::now();
        let answer = function.invoke(&event);
        let answer = answer.and_then(|answer| answer["statusCode"].as_u64());
        let took = started.elapsed();
        count += 1;
        if took > slowest.0 {
            slowest = (took, format!("{what}: {answer:?}"));
        }
        if answer.is_none() {
            exits.push(what.to_owned());
            function = start();
        }
        answer
    };
    for source in &sources {
        let list = source.mapping.each.first();
        let list = list
            .map(|pointer| pointer.steps().to_vec())
            .unwrap_or_default();
        // Whoever captured a delivery has its headers.
        let captured = signed(source, None);
        let (headers, query) = captured
            .map(|one| (one.headers, one.query))
            .unwrap_or_default();
        for (number, kind) in KINDS.into_iter().enumerate() {
            for label in ["application/json", "application/octet-stream"] {
                // In base64 and signed it is the same text: a third of it is enough for every change.
                let is_plain = label == "application/json";
                if !all && number % 3 > usize::from(is_plain) {
                    continue;
                }
                let mut headers = headers.clone();
                headers.insert("content-type", HeaderValue::from_static(label));
                let of = |size: usize| {
                    let body = body(kind, size, &list);
                    request(source, headers.clone(), query.clone(), body)
                };
                // Text grows in an event: a quote twice, a zero six times, base64 by a third.
                let (short, long) = (written(&of(10_000)), written(&of(20_000)));
                let size = 10_000 * (LARGEST - 20_000) / (long.len() - short.len());
                let request = of(size);
                let event_of = event(&request).unwrap();
                let body = request.body;
                send(&format!("{}, {kind}, {label}", source.name), event_of);
                let signed = signed(source, Some(&body)).filter(|_| all || number % 3 == 1);
                if let Some(event) = signed.as_ref().and_then(event) {
                    let answer = send(&format!("{}, {kind}, signed", source.name), event);
                    verified += u64::from(answer.is_some_and(|status| status != 401));
                }
            }
        }
        if all {
            let large = body("names of a form", LARGEST / 2, &list);
            for headers in long_headers(&headers) {
                let request = request(source, headers, query.clone(), large.clone());
                let event = event(&request).unwrap();
                send(&format!("{}, long headers", source.name), event);
            }
            for query in ["a&", "a=%61&", "data.id=1&"] {
                let query = query.repeat(HEADERS / query.len());
                let request = request(source, headers.clone(), query, large.clone());
                send(
                    &format!("{}, a long query", source.name),
                    event(&request).unwrap(),
                );
            }
        }
    }
    let peak = peak(&function);
    std::fs::remove_file(&file).unwrap();
    println!(
        "{count} events for {} sources, {verified} of them verified; {} exits; at most {peak}; slowest {:.1} s: {}",
        sources.len(),
        exits.len(),
        slowest.0.as_secs_f64(),
        slowest.1
    );
    assert!(exits.is_empty(), "the function ended: {exits:#?}");
    assert!(
        verified > 0,
        "no body was verified, so nothing behind a signature was reached"
    );
}
