//! The one listener of a run. Every sandbox reaches the Lambda Runtime API, the storage and the destinations through
//! it, under a path that says which process asks. A call is completed before its answer is changed or dropped, so that
//! "done, but unanswered" is exact.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Result;
use hookwell_sandbox::http::Message;
use hookwell_sandbox::runtime::{self, Call};
use serde_json::Value;
use tokio::net::{TcpListener, TcpStream};

use crate::calls::{Call as Told, Calls};
use crate::fault::{Faults, Kind, Service, Site, When, answer, half_sent, unprocessed};
use crate::http::Stream;
use crate::journal::Journal;
use crate::kills::{Freezes, Kills};
use crate::sandbox::{Function, Pool};
use crate::sources::Destination;

/// The longest that a failed message is hidden, in seconds. The function asks for up to 15 minutes.
const MAX_HIDDEN: u64 = 3;

/// The parts of a run: functions, storage, faults and evidence.
#[derive(Debug)]
pub(crate) struct World {
    /// The sandboxes of ingest.
    pub(crate) ingest: Pool,
    /// The sandboxes of process.
    pub(crate) process: Pool,
    /// The faults of calls.
    pub(crate) faults: Faults,
    /// The kills of functions.
    pub(crate) kills: Kills,
    /// The freezes of functions.
    pub(crate) freezes: Freezes,
    /// The effects in the storage.
    pub(crate) journal: Journal,
    /// The calls to destinations.
    pub(crate) calls: Calls,
    /// `127.0.0.1:PORT` of the embedded DynamoDB.
    pub(crate) dynamodb: String,
    /// `127.0.0.1:PORT` of the embedded SQS.
    pub(crate) sqs: String,
    /// `127.0.0.1:PORT` of the embedded S3.
    pub(crate) s3: String,
    /// The table of documents.
    pub(crate) documents_table: String,
    /// The dead-letter queue.
    pub(crate) dead_letter_queue_url: String,
    /// The queue that is a destination.
    pub(crate) outbound_queue_url: String,
}

impl World {
    /// The sandboxes of a function.
    pub(crate) fn pool(&self, function: Function) -> &Pool {
        match function {
            Function::Ingest => &self.ingest,
            Function::Process => &self.process,
        }
    }

    /// Begins a call to a destination, waits as long as the destination takes, and returns the place of the call.
    async fn told(&self, caller: Caller, call: Told) -> usize {
        let record = call.destination.record_key(&call.key);
        let call = Told {
            is_late: self.journal.is_done(&record),
            ..call
        };
        let place = self.calls.begin(call, (caller.sandbox, caller.generation));
        tokio::time::sleep(Duration::from_millis(self.faults.slowness())).await;
        place
    }
}

/// The sandbox that calls, and the service that it calls.
#[derive(Debug, Clone, Copy)]
struct Caller {
    service: Service,
    function: Function,
    sandbox: usize,
    generation: u64,
}

impl Caller {
    /// Reads `/SERVICE/FUNCTION/SANDBOX/GENERATION/REST`.
    fn of(path: &str) -> Option<(Self, &str)> {
        let mut parts = path.strip_prefix('/')?.splitn(5, '/');
        let service = match parts.next()? {
            "runtime" => Service::Runtime,
            "dynamodb" => Service::DynamoDb,
            "sqs" => Service::Sqs,
            "s3" => Service::S3,
            "http" => Service::Http,
            "events" => Service::EventBridge,
            _ => return None,
        };
        let function = match parts.next()? {
            "ingest" => Function::Ingest,
            "process" => Function::Process,
            _ => return None,
        };
        let sandbox = parts.next()?.parse().ok()?;
        let generation = parts.next()?.parse().ok()?;
        let caller = Self {
            service,
            function,
            sandbox,
            generation,
        };
        Some((caller, parts.next().unwrap_or_default()))
    }
}

/// Takes connections until it is aborted.
pub(crate) async fn serve(listener: TcpListener, world: Arc<World>) {
    loop {
        if let Ok((stream, _)) = listener.accept().await {
            tokio::spawn(converse(Stream::new(stream), world.clone()));
        }
    }
}

/// The proxy's action on a connection after a request.
enum Then {
    Keep,
    Close,
    Reset,
}

async fn converse(mut stream: Stream, world: Arc<World>) {
    // The functions speak to all services over the same connection, as they are at the same address here.
    let mut upstreams = Upstreams::default();
    // Number of freezes of the caller that this connection has lived through.
    let mut seen = None;
    while let Ok(Some(request)) = stream.read().await {
        let path = request.path().to_owned();
        let Some((caller, rest)) = Caller::of(&path) else {
            return;
        };
        let freezes = world.pool(caller.function).freezes(caller.sandbox);
        let has_frozen = seen.replace(freezes).is_some_and(|seen| seen != freezes);
        let then = if caller.service == Service::Runtime {
            invocation(&world, caller, rest, request, &mut stream).await
        } else if has_frozen && let Some(dead) = world.faults.dead_connection() {
            if dead == Kind::Silence {
                stream.outlast().await;
            }
            Ok(Then::Reset)
        } else {
            let call = Request {
                caller,
                rest,
                message: request,
            };
            called(&world, call, &mut stream, &mut upstreams).await
        };
        match then {
            Ok(Then::Keep) => {}
            Ok(Then::Reset) => return stream.reset(),
            Ok(Then::Close) | Err(_) => return,
        }
    }
}

/// Connections to the storage, each used again by the requests of one connection of a function.
#[derive(Default)]
struct Upstreams {
    dynamodb: Option<Stream>,
    sqs: Option<Stream>,
    s3: Option<Stream>,
}

impl Upstreams {
    /// Sends a request to the storage that it is for.
    async fn forward(
        &mut self,
        world: &World,
        caller: Caller,
        rest: &str,
        request: Message,
    ) -> io::Result<Message> {
        match caller.service {
            Service::DynamoDb => forward(&world.dynamodb, &mut self.dynamodb, POST, request).await,
            Service::Sqs => forward(&world.sqs, &mut self.sqs, POST, request).await,
            Service::S3 => {
                let method = request.start.split(' ').next().unwrap_or_default();
                let start = format!("{method} /{rest} HTTP/1.1");
                forward(&world.s3, &mut self.s3, &start, request).await
            }
            Service::Runtime | Service::Http | Service::EventBridge => {
                Ok(Message::answer("404 Not Found", ""))
            }
        }
    }
}

/// A request to a service.
struct Request<'a> {
    caller: Caller,
    /// The path without the part that says who asks.
    rest: &'a str,
    message: Message,
}

/// One call of the Lambda Runtime API.
async fn invocation(
    world: &World,
    caller: Caller,
    rest: &str,
    request: Message,
    stream: &mut Stream,
) -> io::Result<Then> {
    let pool = world.pool(caller.function);
    let (id, answer) = match Call::of(rest) {
        Some(Call::Next) => {
            let Some(handed) = pool.next(caller.sandbox, caller.generation).await else {
                return Ok(Then::Close);
            };
            let name = caller.function.name();
            let event = runtime::invocation(name, &handed.id, handed.timeout, handed.payload);
            stream.write(&event.bytes()).await?;
            return Ok(Then::Keep);
        }
        Some(Call::Response { id }) => (id, Some(request.body)),
        Some(Call::Error { id }) => (id.unwrap_or_default(), None),
        None => return Ok(Then::Close),
    };
    let kill = || pool.kill(caller.sandbox, Some(caller.generation));
    if world.kills.trip(Site::Answer, When::Before, kill) {
        return Ok(Then::Close);
    }
    pool.answered(caller.sandbox, id, answer);
    if world.kills.trip(Site::Answer, When::After, kill) {
        return Ok(Then::Close);
    }
    stream.write(&runtime::accepted().bytes()).await?;
    Ok(Then::Keep)
}

/// One call to the tables, the queues, the bucket or a destination.
async fn called(
    world: &World,
    call: Request<'_>,
    stream: &mut Stream,
    upstreams: &mut Upstreams,
) -> io::Result<Then> {
    let Request {
        caller,
        rest,
        message: mut request,
    } = call;
    let mut body: Value = serde_json::from_slice(&request.body).unwrap_or_default();
    let site = site(world, caller, rest, &request, &body);
    if site == Site::Delay
        && let Some(hidden) = body.get_mut("VisibilityTimeout")
    {
        *hidden = hidden.as_u64().unwrap_or(0).min(MAX_HIDDEN).into();
        request.body = body.to_string().into_bytes();
    }
    let pool = world.pool(caller.function);
    let kill = || pool.kill(caller.sandbox, Some(caller.generation));
    if world.kills.trip(site, When::Before, kill) {
        return Ok(Then::Close);
    }
    let fault = world.faults.draw(site);
    let true_answer = if matches!(fault, Some((When::Before, _))) {
        None
    } else {
        let done = match site {
            Site::Tell(destination) => {
                let call = Told::read(destination, &request, &body);
                let place = world.told(caller, call).await;
                let done = match destination {
                    Destination::Queue => upstreams.forward(world, caller, rest, request).await,
                    _ => Ok(world.calls.answer(destination, place)),
                };
                let is_taken = done.as_ref().is_ok_and(|done| done.status() == 200);
                world.calls.end(place, is_taken);
                done?
            }
            _ => upstreams.forward(world, caller, rest, request).await?,
        };
        world.journal.note(site, &body, done.status(), &done.body);
        if world.kills.trip(site, When::After, kill) {
            return Ok(Then::Close);
        }
        Some(done)
    };
    let kind = fault.map(|(_, kind)| kind);
    if kind == Some(Kind::Unprocessed) {
        let part = if matches!(site, Site::SendMany | Site::Copy) {
            half_sent(&body, true_answer.as_ref())
        } else {
            unprocessed(&body, true_answer.as_ref())
        };
        stream.write(&part.bytes()).await?;
        return Ok(Then::Keep);
    }
    harm(world, kind, true_answer, caller.service, stream).await
}

/// Sends the true answer, or the answer that the fault makes of it.
async fn harm(
    world: &World,
    kind: Option<Kind>,
    true_answer: Option<Message>,
    service: Service,
    stream: &mut Stream,
) -> io::Result<Then> {
    let bytes = true_answer.as_ref().map(Message::bytes).unwrap_or_default();
    match kind {
        None => stream.write(&bytes).await?,
        Some(Kind::Slow) => {
            tokio::time::sleep(Duration::from_millis(world.faults.lateness())).await;
            stream.write(&bytes).await?;
        }
        Some(Kind::Truncate) => {
            let half = bytes.get(..bytes.len() / 2).unwrap_or_default();
            stream.write(half).await?;
            return Ok(Then::Close);
        }
        Some(Kind::Short) => {
            stream.write(&longer(&bytes)).await?;
            return Ok(Then::Close);
        }
        Some(Kind::Twice) => {
            let twice = bytes.repeat(2);
            stream.write(&twice).await?;
        }
        Some(Kind::Reset) => return Ok(Then::Reset),
        Some(Kind::Close) => return Ok(Then::Close),
        Some(Kind::Silence) => {
            stream.outlast().await;
            return Ok(Then::Close);
        }
        Some(kind) => {
            if let Some(instead) = answer(kind, service, world.faults.total()) {
                stream.write(&instead.bytes()).await?;
            }
        }
    }
    Ok(Then::Keep)
}

/// An answer whose head promises ten bytes more than there are.
fn longer(bytes: &[u8]) -> Vec<u8> {
    let mut answer = bytes.to_vec();
    let Ok(Some(message)) = Message::take(&mut answer) else {
        return bytes.to_vec();
    };
    let mut longer = Message {
        body: [message.body, vec![b' '; 10]].concat(),
        ..message
    }
    .bytes();
    let end = longer.len().saturating_sub(10);
    longer.truncate(end);
    longer
}

fn site(world: &World, caller: Caller, rest: &str, request: &Message, body: &Value) -> Site {
    match caller.service {
        Service::Http => return Destination::named(rest).map_or(Site::Other, Site::Tell),
        Service::EventBridge => return Site::Tell(Destination::Bus),
        Service::S3 if request.start.starts_with("PUT ") => return Site::Store,
        Service::S3 => return Site::Fetch,
        Service::Sqs if request.start.starts_with("GET ") => return Site::Ping,
        _ => {}
    }
    let target = request.header("x-amz-target").unwrap_or_default();
    let operation = target.rsplit('.').next().unwrap_or_default();
    let is = |key: &str, value: &str| body.get(key).and_then(Value::as_str) == Some(value);
    let is_end = || {
        body.pointer("/ExpressionAttributeValues/:outcome")
            .is_some()
    };
    match (operation, caller.function) {
        ("PutItem", _) if is("TableName", &world.documents_table) => Site::Document,
        ("PutItem", Function::Ingest) => Site::Remember,
        ("PutItem", Function::Process) if body.pointer("/Item/kept").is_some() => Site::Keep,
        ("PutItem", Function::Process) => Site::Settle,
        ("BatchGetItem", Function::Process) => Site::Recall,
        ("UpdateItem", Function::Process) if is_end() => Site::Finish,
        ("UpdateItem", Function::Process) => Site::Claim,
        ("SendMessage", _) if is("QueueUrl", &world.dead_letter_queue_url) => Site::Bury,
        ("SendMessage", _) if is("QueueUrl", &world.outbound_queue_url) => {
            Site::Tell(Destination::Queue)
        }
        ("SendMessage", Function::Ingest) => Site::Send,
        ("SendMessageBatch", Function::Ingest) => Site::SendMany,
        ("SendMessageBatch", Function::Process) => Site::Copy,
        ("ChangeMessageVisibility", _) => Site::Delay,
        ("GetQueueAttributes" | "GetQueueUrl", _) => Site::Lookup,
        _ => Site::Other,
    }
}

/// First line of a request to a table or a queue.
pub(crate) const POST: &str = "POST / HTTP/1.1";

/// Sends a request to the storage, over the connection of the one before.
pub(crate) async fn forward(
    address: &str,
    upstream: &mut Option<Stream>,
    start: &str,
    mut request: Message,
) -> io::Result<Message> {
    start.clone_into(&mut request.start);
    let mut connection = if let Some(connection) = upstream.take() {
        connection
    } else {
        Stream::new(TcpStream::connect(address).await?)
    };
    connection.write(&request.bytes()).await?;
    let answer = connection.read().await?;
    *upstream = Some(connection);
    answer.ok_or_else(|| io::ErrorKind::UnexpectedEof.into())
}

/// A listener on any port.
pub(crate) async fn bind() -> Result<TcpListener> {
    Ok(TcpListener::bind("127.0.0.1:0").await?)
}
