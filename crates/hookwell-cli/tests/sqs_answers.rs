//! Answers of the queue that are no promise. 200 goes to a sender only by an answer that the SDK has read and parsed and
//! that names the message: a proxy's page, an error under the status 200 and half an answer promise nothing.

use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use hookwell_lambda::ingest::{Ingest, Response};
use hookwell_lambda::now::clock;

const SOURCES: &str = include_str!("../../../functions/ingest/sources.toml");

/// Secret that `hookwell dev` makes up for `env:HOOKWELL_SECRET_RESOURCE`.
const SECRET: &str = "local_701c2e110a3d9d5be4479772b90b75ec";

const JSON: &str = "application/x-amz-json-1.0";

/// Longer than anything that the function may still do after its answer.
const PATIENCE: Duration = Duration::from_secs(30);

/// Answer of the queue to a message, on a connection that ends with it.
#[derive(Clone, Copy)]
struct Answer {
    kind: &'static str,
    body: &'static str,
    /// Bytes that the answer's length promises and that never come.
    missing: usize,
}

/// Both services on threads, so that all the tasks in the runtime of a test are the function's own. A connection is for
/// one call: none keeps a task alive.
struct Services {
    url: String,
    sends: Arc<AtomicUsize>,
}

impl Services {
    fn start(answer: Answer) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let sends = Arc::new(AtomicUsize::new(0));
        let counted = Arc::clone(&sends);
        std::thread::spawn(move || {
            for client in listener.incoming() {
                let counted = Arc::clone(&counted);
                std::thread::spawn(move || serve(client.unwrap(), answer, &counted));
            }
        });
        Self { url, sends }
    }

    fn environment(&self, name: &str) -> Option<String> {
        let value = match name {
            "AWS_ENDPOINT_URL_DYNAMODB" | "AWS_ENDPOINT_URL_SQS" => &self.url,
            "AWS_REGION" => "us-east-1",
            "AWS_ACCESS_KEY_ID" | "AWS_SECRET_ACCESS_KEY" => "none",
            "HOOKWELL_SECRET_RESOURCE" => SECRET,
            "HOOKWELL_EVENTS_TABLE" => "table",
            "HOOKWELL_QUEUE_URL" => "http://local/1/queue",
            _ => return None,
        };
        Some(value.to_owned())
    }
}

fn serve(mut client: TcpStream, answer: Answer, sends: &AtomicUsize) {
    let Some(head) = request(&mut client) else {
        return;
    };
    let answer = if head.contains(".sendmessage") {
        sends.fetch_add(1, Ordering::SeqCst);
        answer
    } else {
        // The table takes everything.
        Answer {
            kind: JSON,
            body: "{}",
            missing: 0,
        }
    };
    let length = answer.body.len() + answer.missing;
    let (kind, body) = (answer.kind, answer.body);
    let _ = write!(
        client,
        "HTTP/1.1 200 OK\r\ncontent-type: {kind}\r\ncontent-length: {length}\r\nconnection: close\r\n\r\n{body}"
    );
}

/// Reads one request to its end; its head in lower case.
fn request(client: &mut TcpStream) -> Option<String> {
    let mut bytes = Vec::new();
    let mut some = [0; 4096];
    loop {
        let count = client.read(&mut some).ok().filter(|count| *count > 0)?;
        bytes.extend_from_slice(&some[..count]);
        let text = String::from_utf8_lossy(&bytes).to_lowercase();
        let Some((head, _)) = text.split_once("\r\n\r\n") else {
            continue;
        };
        let length = head
            .lines()
            .find_map(|line| line.strip_prefix("content-length:"));
        let length: usize = length.map_or(0, |length| length.trim().parse().unwrap());
        if bytes.len() >= head.len() + 4 + length {
            return Some(head.to_owned());
        }
    }
}

/// Answer to one delivery, and the sends that it took.
struct End {
    response: Response,
    /// Sends of the message until the sender was answered.
    sent_before: usize,
    /// Sends of the message in all.
    sent: usize,
}

/// Delivers a good event, and waits until nothing of the function is at work any more.
async fn deliver(answer: Answer) -> End {
    let services: &Services = Box::leak(Box::new(Services::start(answer)));
    let environment = Box::leak(Box::new(|name: &str| services.environment(name)));
    let ingest = Ingest::from_environment(environment, SOURCES)
        .await
        .unwrap();
    let file = concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/../../events/ingest-function-url-valid.json"
    );
    let event = std::fs::read_to_string(file).unwrap();
    let response = ingest.respond(&event, "1", None, clock()).await;
    let sent_before = services.sends.load(Ordering::SeqCst);
    drop(ingest);
    let started = Instant::now();
    let metrics = tokio::runtime::Handle::current().metrics();
    while metrics.num_alive_tasks() > 0 {
        let left = metrics.num_alive_tasks();
        assert!(started.elapsed() < PATIENCE, "{left} tasks never end");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    End {
        response,
        sent_before,
        sent: services.sends.load(Ordering::SeqCst),
    }
}

/// The sender comes again, and the message was sent so often, but never after the answer.
async fn is_unavailable(what: &str, answer: Answer, sent: std::ops::RangeInclusive<usize>) {
    let end = deliver(answer).await;
    let told = (
        end.response.status_code,
        end.response.headers.get("retry-after"),
    );
    assert_eq!(
        told,
        (503, Some(&"30".to_owned())),
        "{what}: {}, sent {} times, {} of them before the answer",
        end.response.body,
        end.sent,
        end.sent_before
    );
    assert!(
        sent.contains(&end.sent_before),
        "{what}: sent {} times",
        end.sent_before
    );
    assert_eq!(
        end.sent, end.sent_before,
        "{what}: sent on after the answer"
    );
}

#[tokio::test]
async fn a_message_that_is_named_is_received() {
    let end = deliver(Answer {
        kind: JSON,
        body: r#"{"MessageId":"1"}"#,
        missing: 0,
    })
    .await;
    let told = (end.response.status_code, end.response.body.as_str());
    assert_eq!(told, (200, r#"{"status":"received"}"#));
    assert_eq!((end.sent_before, end.sent), (1, 1));
}

#[tokio::test]
async fn a_page_of_html_is_no_promise() {
    let answer = Answer {
        kind: "text/html",
        body: "<html><body>Please sign in to the network</body></html>",
        missing: 0,
    };
    is_unavailable("text/html", answer, 1..=1).await;
}

#[tokio::test]
async fn an_error_under_the_status_200_is_no_promise() {
    let answer = Answer {
        kind: JSON,
        body: r#"{"__type":"com.amazonaws.sqs#QueueDoesNotExist","message":"The specified queue does not exist."}"#,
        missing: 0,
    };
    is_unavailable("an error body", answer, 1..=1).await;
}

#[tokio::test]
async fn an_answer_that_names_no_message_is_no_promise() {
    let answer = Answer {
        kind: JSON,
        body: "{}",
        missing: 0,
    };
    is_unavailable("{}", answer, 1..=1).await;
}

/// SQS may have the message; the sender comes again all the same, and process sees that it is a duplicate.
#[tokio::test]
async fn half_an_answer_is_no_promise_and_nothing_is_sent_after_the_senders() {
    let answer = Answer {
        kind: JSON,
        body: r#"{"MessageId":"1""#,
        missing: 100,
    };
    is_unavailable("it breaks off", answer, 1..=3).await;
}

/// The SDK for Rust compares no `MD5OfMessageBody`, and nothing here does: the signature holds the SHA-256 of the body, so
/// SQS refuses a request whose body was changed on its way. What it names by an id is what was signed.
#[tokio::test]
async fn the_hash_of_another_body_is_not_looked_at() {
    let end = deliver(Answer {
        kind: JSON,
        body: r#"{"MessageId":"1","MD5OfMessageBody":"d41d8cd98f00b204e9800998ecf8427e"}"#,
        missing: 0,
    })
    .await;
    assert_eq!((end.response.status_code, end.sent), (200, 1));
}
