//! DynamoDB and SQS as every target sees them: TLS, HTTP, answers that are good enough for every SDK, and a settable
//! delay. They store nothing and check no signature; they count.

use std::collections::BTreeMap;
use std::io::{self, Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use anyhow::Result;
use hookwell_sandbox::http::Message;
use md5::{Digest as _, Md5};
use rustls::{ServerConfig, ServerConnection, StreamOwned};
use serde_json::{Map, Value, json};

/// Delays that the stub adds to each connection and each call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Latency {
    /// Delay before the TLS handshake.
    pub(crate) connect: Duration,
    /// Delay before each answer.
    pub(crate) call: Duration,
}

impl Latency {
    /// The stub answers at once: what is left is the target's own work.
    pub(crate) const NONE: Self = Self {
        connect: Duration::ZERO,
        call: Duration::ZERO,
    };
    /// A stand-in for the services of a function's own region.
    pub(crate) const REGION: Self = Self {
        connect: Duration::from_millis(1),
        call: Duration::from_millis(4),
    };
}

impl std::fmt::Display for Latency {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} ms", self.call.as_millis())
    }
}

/// Number of calls by operation.
pub(crate) type Calls = BTreeMap<String, u64>;

#[derive(Debug, Default)]
struct Shared {
    connect_micros: AtomicU64,
    call_micros: AtomicU64,
    calls: Mutex<Calls>,
}

/// Both services.
#[derive(Debug)]
pub(crate) struct Stub {
    shared: Arc<Shared>,
    /// `https://` address of DynamoDB.
    pub(crate) dynamodb: String,
    /// `https://` address of SQS.
    pub(crate) sqs: String,
}

impl Stub {
    /// Starts both services, each at a port of its own, on threads that end with the process.
    pub(crate) fn start(tls: &Arc<ServerConfig>) -> Result<Self> {
        let shared = Arc::new(Shared::default());
        let serve = || -> Result<SocketAddr> {
            let listener = TcpListener::bind("127.0.0.1:0")?;
            let address = listener.local_addr()?;
            let (tls, shared) = (tls.clone(), shared.clone());
            std::thread::spawn(move || {
                for socket in listener.incoming().flatten() {
                    let (tls, shared) = (tls.clone(), shared.clone());
                    // A client that goes away in the middle ends its own connection only.
                    std::thread::spawn(move || {
                        let _ = converse(socket, tls, &shared);
                    });
                }
            });
            Ok(address)
        };
        let (dynamodb, sqs) = (serve()?, serve()?);
        Ok(Self {
            shared,
            dynamodb: format!("https://{dynamodb}"),
            sqs: format!("https://{sqs}"),
        })
    }

    /// Sets the delays of both services from now on.
    pub(crate) fn set(&self, latency: Latency) {
        let micros = |time: Duration| u64::try_from(time.as_micros()).unwrap_or(u64::MAX);
        let Shared {
            connect_micros,
            call_micros,
            ..
        } = &*self.shared;
        connect_micros.store(micros(latency.connect), Ordering::Relaxed);
        call_micros.store(micros(latency.call), Ordering::Relaxed);
    }

    /// Counts the calls since the last time, and starts again at zero.
    pub(crate) fn calls(&self) -> Calls {
        std::mem::take(&mut lock(&self.shared.calls))
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

fn pause(micros: &AtomicU64) {
    let micros = micros.load(Ordering::Relaxed);
    if micros > 0 {
        std::thread::sleep(Duration::from_micros(micros));
    }
}

fn converse(socket: TcpStream, tls: Arc<ServerConfig>, shared: &Shared) -> io::Result<()> {
    socket.set_nodelay(true)?;
    pause(&shared.connect_micros);
    let connection = ServerConnection::new(tls).map_err(io::Error::other)?;
    let mut stream = StreamOwned::new(connection, socket);
    let (mut received, mut part) = (Vec::new(), vec![0; 64 * 1024]);
    loop {
        while let Some(request) = Message::take(&mut received)? {
            let answer = answer(&request, shared);
            pause(&shared.call_micros);
            stream.write_all(&answer.bytes())?;
            stream.flush()?;
        }
        let read = stream.read(&mut part)?;
        if read == 0 {
            return Ok(());
        }
        received.extend_from_slice(part.get(..read).unwrap_or_default());
    }
}

fn answer(request: &Message, shared: &Shared) -> Message {
    let target = request.header("x-amz-target").unwrap_or_default();
    let query = || {
        let form = request.header("content-type")?;
        let is_form = form.starts_with("application/x-www-form-urlencoded");
        is_form.then(|| form_urlencoded::parse(&request.body).into_owned().collect())
    };
    let count = |operation: &str| {
        *lock(&shared.calls).entry(operation.to_owned()).or_default() += 1;
    };
    // Some SDKs check what SQS says of the message.
    let md5 = |body: &str| hex::encode(Md5::digest(body));
    let id = "00000000-0000-4000-8000-000000000000";
    if let Some((_, operation)) = target.rsplit_once('.') {
        count(operation);
        let request = || serde_json::from_slice::<Value>(&request.body).unwrap_or_default();
        let body = match operation {
            "SendMessage" => {
                let request = request();
                let body = request.get("MessageBody").and_then(Value::as_str);
                json!({ "MessageId": id, "MD5OfMessageBody": md5(body.unwrap_or_default()) })
            }
            "BatchGetItem" => records(&request()),
            _ => json!({}),
        };
        return Message::answer("200 OK", body.to_string()).with("x-amzn-requestid", "stub");
    }
    // Older SDKs speak XML to SQS.
    if let Some(query) = query() {
        let query: BTreeMap<String, String> = query;
        let of = |name: &str| query.get(name).map_or("", String::as_str);
        let (operation, md5) = (of("Action"), md5(of("MessageBody")));
        count(operation);
        return Message::answer(
            "200 OK",
            format!(
                "<{operation}Response><{operation}Result><MessageId>{id}</MessageId>\
                 <MD5OfMessageBody>{md5}</MD5OfMessageBody></{operation}Result></{operation}Response>"
            ),
        );
    }
    Message::answer("200 OK", "healthy") // a ping
}

/// The answer to a `BatchGetItem`: for each key the record that ingest wrote, whose event is not done yet.
fn records(request: &Value) -> Value {
    let tables = request.get("RequestItems").and_then(Value::as_object);
    let found = tables.into_iter().flatten().map(|(table, wanted)| {
        let keys = wanted.get("Keys").and_then(Value::as_array);
        let items = keys.into_iter().flatten().map(|key| {
            json!({
                "pk": key.get("pk"),
                "status": { "S": "pending" },
                "version": { "S": "001795251600000~3~~001795251600500.000000~0123456789abcdef" },
                "received_at": { "N": "1795251600500" },
                "expires_at": { "N": "4102444800" }, // in 2100
            })
        });
        (table.clone(), items.collect())
    });
    json!({ "Responses": found.collect::<Map<String, Value>>(), "UnprocessedKeys": {} })
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn each_key_of_a_batch_has_a_pending_record() {
        let key = |name: &str| json!({ "pk": { "S": name } });
        let keys =
            json!({ "Keys": [key("resource#1"), key("resource#2")], "ConsistentRead": true });
        let asked = json!({ "RequestItems": { "events": keys } }).to_string();
        let request = Message {
            start: "POST / HTTP/1.1".to_owned(),
            headers: vec![],
            body: asked.into_bytes(),
        };
        let request = request.with("x-amz-target", "DynamoDB_20120810.BatchGetItem");
        let shared = Shared::default();
        let answered: Value = serde_json::from_slice(&answer(&request, &shared).body).unwrap();
        let items = answered.pointer("/Responses/events").unwrap();
        let seen = items.as_array().unwrap().iter().map(|item| {
            let text = |place| item.pointer(place).and_then(Value::as_str).unwrap();
            (text("/pk/S"), text("/status/S"))
        });
        let expected = [("resource#1", "pending"), ("resource#2", "pending")];
        assert_eq!(seen.collect::<Vec<_>>(), expected);
        assert_eq!(answered.get("UnprocessedKeys"), Some(&json!({})));
        assert_eq!(lock(&shared.calls).get("BatchGetItem"), Some(&1));
    }
}
