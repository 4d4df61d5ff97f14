//! The one listener of a run. Every sandbox reaches the Lambda Runtime API, DynamoDB and SQS through it, under a path
//! that says which process asks. Calls to the storage are completed before their answers are harmed, so that "done, but
//! unanswered" is exact.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Result;
use hookwell_sandbox::http::Message;
use hookwell_sandbox::runtime::{self, Call};
use serde_json::Value;
use tokio::net::{TcpListener, TcpStream};

use crate::endpoint::Endpoint;
use crate::fault::{Faults, Kind, Service, Site, When, answer, unprocessed};
use crate::http::Stream;
use crate::journal::Journal;
use crate::kills::Kills;
use crate::sandbox::{Function, Pool};

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
    /// The effects in the storage.
    pub(crate) journal: Journal,
    /// The endpoint of the example handler.
    pub(crate) endpoint: Endpoint,
    /// `127.0.0.1:PORT` of the embedded DynamoDB.
    pub(crate) dynamodb: String,
    /// `127.0.0.1:PORT` of the embedded SQS.
    pub(crate) sqs: String,
    /// The table of documents.
    pub(crate) documents_table: String,
    /// The dead-letter queue.
    pub(crate) dead_letter_queue_url: String,
}

impl World {
    /// The sandboxes of a function.
    pub(crate) fn pool(&self, function: Function) -> &Pool {
        match function {
            Function::Ingest => &self.ingest,
            Function::Process => &self.process,
        }
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
            "endpoint" => Service::Endpoint,
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
    // The functions speak to both services over the same connection, as they are at the same address here.
    let (mut dynamodb, mut sqs) = (None, None);
    while let Ok(Some(request)) = stream.read().await {
        let path = request.path().to_owned();
        let Some((caller, rest)) = Caller::of(&path) else {
            return;
        };
        let then = match caller.service {
            Service::Runtime => invocation(&world, caller, rest, request, &mut stream).await,
            Service::DynamoDb => called(&world, caller, request, &mut stream, &mut dynamodb).await,
            Service::Sqs => called(&world, caller, request, &mut stream, &mut sqs).await,
            Service::Endpoint => called(&world, caller, request, &mut stream, &mut None).await,
        };
        match then {
            Ok(Then::Keep) => {}
            Ok(Then::Reset) => return stream.reset(),
            Ok(Then::Close) | Err(_) => return,
        }
    }
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

/// One call to DynamoDB, to SQS, or to the endpoint of the example handler.
async fn called(
    world: &World,
    caller: Caller,
    mut request: Message,
    stream: &mut Stream,
    upstream: &mut Option<Stream>,
) -> io::Result<Then> {
    let mut body: Value = serde_json::from_slice(&request.body).unwrap_or_default();
    let site = site(world, caller, &request, &body);
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
        let done = match caller.service {
            Service::Endpoint => {
                let pause = Duration::from_millis(world.faults.slowness());
                world.endpoint.take(&request, pause).await
            }
            Service::Sqs => forward(&world.sqs, upstream, request).await?,
            _ => forward(&world.dynamodb, upstream, request).await?,
        };
        world.journal.note(site, &body, done.status(), &done.body);
        if site == Site::Finish && done.status() == 200 {
            let key = body.pointer("/Key/pk/S").and_then(Value::as_str);
            world.endpoint.finished(key.unwrap_or_default());
        }
        if world.kills.trip(site, When::After, kill) {
            return Ok(Then::Close);
        }
        Some(done)
    };
    let kind = fault.map(|(_, kind)| kind);
    if kind == Some(Kind::Unprocessed) {
        let part = unprocessed(&body, true_answer.as_ref());
        stream.write(&part.bytes()).await?;
        return Ok(Then::Keep);
    }
    harm(world, kind, true_answer, caller.service, stream).await
}

/// Gives the true answer, or what the fault makes of it.
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

fn site(world: &World, caller: Caller, request: &Message, body: &Value) -> Site {
    if caller.service == Service::Endpoint {
        return Site::Endpoint;
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
        ("PutItem", Function::Process) => Site::Settle,
        ("BatchGetItem", Function::Process) => Site::Recall,
        ("UpdateItem", Function::Process) if is_end() => Site::Finish,
        ("UpdateItem", Function::Process) => Site::Claim,
        ("SendMessage", _) if is("QueueUrl", &world.dead_letter_queue_url) => Site::Bury,
        ("SendMessage", Function::Ingest) => Site::Send,
        ("SendMessage", Function::Process) => Site::Bury,
        ("ChangeMessageVisibility", _) => Site::Delay,
        ("GetQueueAttributes" | "GetQueueUrl", _) => Site::Lookup,
        _ => Site::Other,
    }
}

/// Sends a request to the storage, over the connection of the one before.
pub(crate) async fn forward(
    address: &str,
    upstream: &mut Option<Stream>,
    mut request: Message,
) -> io::Result<Message> {
    "POST / HTTP/1.1".clone_into(&mut request.start);
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
