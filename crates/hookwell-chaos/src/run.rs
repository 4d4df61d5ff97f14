//! One run, from the first process to the verdict.

use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result};
use hookwell_aws::Limits;
use hookwell_aws::tools::admin::Admin;
use hookwell_aws::tools::mapping::EventSourceMapping;
use hookwell_local::storage::{Endpoints, QueueSettings, Storage};
use tokio::runtime::Runtime;

use crate::arguments::Arguments;
use crate::calls::Calls;
use crate::checker::{Evidence, Verdict};
use crate::fault::{Faults, lock};
use crate::journal::Journal;
use crate::kills::{Freezes, Kills};
use crate::mapping::Mapping;
use crate::operator::Operator;
use crate::plan::Plan;
use crate::proxy::{self, World};
use crate::report::{self, Run};
use crate::rng::Rng;
use crate::sandbox::{Function, Pool, Setup};
use crate::senders::{Senders, Try};
use crate::sources::{SIGNING_SECRET, SOURCES, Source};

/// Times of the queue, short so that a run has an end.
const QUEUE: QueueSettings = QueueSettings {
    visibility_timeout: 5,
    retry_every: Duration::from_secs(2),
};

/// Time without a change of the queue after which the run gives up on it.
const STUCK: Duration = Duration::from_mins(1);

/// The timeout of ingest in template.yaml.
const INGEST_TIMEOUT: Duration = Duration::from_secs(5);

/// The timeout of process. It is shorter than in template.yaml because a lease lasts as long as the timeout, so that
/// every call whose end is not known costs that much time.
const PROCESS_TIMEOUT: Duration = Duration::from_secs(8);

/// The most sendings while one destination fails: the copies for the failing destination come again and again, and
/// their tries must leave room for other messages.
const LONGEST_FAILURE: usize = 2_500;

/// Interval of kills, of checks for ended processes and of memory samples.
const TICK: Duration = Duration::from_millis(50);

/// Sleep of the thread that measures the lateness of the machine.
const NAP: Duration = Duration::from_millis(5);

/// Runs everything, prints the result and says whether the promise was kept.
pub(crate) fn run(arguments: &Arguments, binaries: &Path) -> Result<bool> {
    // Tables and queues have threads of their own: their work must not look like the functions' slowness.
    let storage_threads = Runtime::new()?;
    let storage = storage_threads.block_on(Storage::start(0, None, QUEUE))?;
    let threads = Runtime::new()?;
    let kept = threads.block_on(under_chaos(arguments, binaries, &storage.endpoints));
    threads.shutdown_background();
    storage_threads.shutdown_background();
    kept
}

async fn under_chaos(
    arguments: &Arguments,
    binaries: &Path,
    endpoints: &Endpoints,
) -> Result<bool> {
    let seed = arguments.seed;
    let plan = Arc::new(Plan::new(arguments.events, seed));
    let listener = proxy::bind().await?;
    let address = listener.local_addr()?.to_string();
    let sendings = plan.sendings.len().saturating_add(plan.returns.len());
    let sendings = u64::try_from(sendings)?;
    let folder = tempfile::tempdir()?;
    let connection = endpoints.connection()?;
    let queue = connection.sqs(Limits::TOOL).create_queue();
    let queue = queue.queue_name("outbound").send().await?;
    let place = Place {
        binaries,
        endpoints,
        address: &address,
        folder: folder.path(),
        outbound_queue_url: queue.queue_url.context("the queue has no URL")?,
    };
    let world = Arc::new(world(arguments, place, sendings)?);
    let server = tokio::spawn(proxy::serve(listener, world.clone()));
    let admin = Admin::new(&connection);
    let started = Instant::now();
    let ended = Arc::new(AtomicBool::new(false));
    let late = std::thread::spawn({
        let ended = ended.clone();
        move || lateness(&ended)
    });

    let queue = EventSourceMapping::new(connection.sqs(Limits::TOOL), endpoints.queue_url.clone());
    let mut pollers = Mapping::new(world.clone(), queue, seed).start();
    let senders = Arc::new(Senders::new(world.clone(), plan.clone()));
    let watch = Arc::new(Watch {
        world: world.clone(),
        senders: senders.clone(),
        admin: admin.clone(),
        queue_urls: [
            endpoints.retry_queue_url.clone(),
            endpoints.queue_url.clone(),
        ],
        sendings,
        memory: Mutex::default(),
    });
    let watching = tokio::spawn(watch.clone().run(seed));
    // One destination fails until everything else is done.
    let most = plan.sendings.len().div_ceil(2).min(LONGEST_FAILURE);
    let (first, rest) = plan.sendings.split_at(most);
    senders.run(first).await;
    watch.drained(Left::Elsewhere).await?;
    world.calls.recover();
    world.faults.begin();
    senders.run(rest).await;
    let mut drained = watch.drained(Left::Anywhere).await?;
    let mut operator = Operator::new(&admin, &connection, endpoints);
    let mut put_back = 0;
    if drained {
        watch.idle().await;
        put_back = operator.put_back().await?;
        operator.take_letters(&plan).await?;
        operator.expire_records(&plan, &world).await?;
        world.faults.begin();
        senders.run(&plan.returns).await;
        drained = watch.drained(Left::Anywhere).await?;
    }
    let took = started.elapsed();
    ended.store(true, Ordering::Relaxed);
    watching.abort();
    pollers.shutdown().await;
    server.abort();
    world.ingest.stop();
    world.process.stop();
    report::progress_ended();

    let tries = senders.log();
    let verdict = judged(&plan, &world, &tries, &mut operator).await?;
    let memory = lock(&watch.memory).clone();
    let object = report::object(
        &Run {
            world: &world,
            events: plan.events.len(),
            tries: tries.len(),
            seed,
            drained,
            memory: &memory,
            took,
            late: &late.join().unwrap_or_default(),
            expired: operator.expired.len(),
            taken: operator.taken.len(),
            put_back,
            max_sender_ms: tries
                .iter()
                .map(|one| one.ended.saturating_sub(one.started))
                .max()
                .unwrap_or(0),
        },
        &verdict,
    );
    if arguments.json {
        println!("{object}");
    } else {
        print!("{}", report::table(&object));
    }
    Ok(drained && verdict.is_kept())
}

/// The verdict on everything that was sent.
async fn judged(
    plan: &Plan,
    world: &World,
    tries: &[Try],
    operator: &mut Operator<'_>,
) -> Result<Verdict> {
    let dead_letters = operator.all_letters().await?.to_vec();
    let [records, documents] = operator.tables().await?;
    Ok(Verdict::of(&Evidence {
        calls: &world.calls.take(),
        recovered_at: world.calls.recovered_at(),
        plan,
        tries,
        sent: &world.journal.sent(),
        firsts: &world.journal.records(),
        expired: &operator.expired,
        taken: &operator.taken,
        kept: &operator.kept(plan).await?,
        writes: &world.journal.documents(),
        records: &records,
        documents: &documents,
        dead_letters: &dead_letters,
    }))
}

/// Binaries and endpoints of a run.
struct Place<'a> {
    binaries: &'a Path,
    endpoints: &'a Endpoints,
    /// `127.0.0.1:PORT` of the proxy.
    address: &'a str,
    /// A folder for the sources files.
    folder: &'a Path,
    /// The queue that is a destination.
    outbound_queue_url: String,
}

fn world(arguments: &Arguments, place: Place<'_>, sendings: u64) -> Result<World> {
    let endpoints = place.endpoints;
    let mut environment: Vec<(String, String)> = endpoints
        .environment()
        .iter()
        .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
        .collect();
    environment.extend(Source::ALL.map(Source::secret));
    let (name, secret) = SIGNING_SECRET;
    environment.push((name.to_owned(), secret.to_owned()));
    let sources = SOURCES.replace("{queue}", &place.outbound_queue_url);
    if let Some(folder) = &arguments.logs {
        std::fs::create_dir_all(folder)?;
    }
    let pool = |function: Function, size: usize| {
        let setup = Setup {
            binary: place.binaries.join(function.name()),
            timeout: match function {
                Function::Ingest => INGEST_TIMEOUT,
                Function::Process => PROCESS_TIMEOUT,
            },
            address: place.address.to_owned(),
            environment: environment.clone(),
            sources: sources.clone(),
            folder: place.folder.to_owned(),
            logs: arguments.logs.clone(),
        };
        Pool::start(function, size.max(2), setup)
    };
    let host = |url: &str| url.trim_start_matches("http://").to_owned();
    Ok(World {
        ingest: pool(Function::Ingest, arguments.ingest)?,
        process: pool(Function::Process, arguments.process)?,
        faults: Faults::new(arguments.fault_rate, arguments.seed),
        kills: Kills::plan(arguments.kills, sendings, arguments.seed),
        freezes: Freezes::plan(arguments.freezes, sendings, arguments.seed),
        calls: Calls::default(),
        journal: Journal::default(),
        dynamodb: host(&endpoints.dynamodb_endpoint),
        sqs: host(&endpoints.sqs_endpoint),
        s3: host(&endpoints.s3_endpoint),
        documents_table: endpoints.documents_table.clone(),
        dead_letter_queue_url: endpoints.dead_letter_queue_url.clone(),
        outbound_queue_url: place.outbound_queue_url,
    })
}

/// Lateness of a sleeping thread while the run lasts, in milliseconds, sorted: the delay that the machine, with all else
/// that runs on it, adds to every answer.
fn lateness(ended: &AtomicBool) -> Vec<u64> {
    let mut late = Vec::new();
    while !ended.load(Ordering::Relaxed) {
        let started = Instant::now();
        std::thread::sleep(NAP);
        let took = started.elapsed().saturating_sub(NAP).as_millis();
        late.push(u64::try_from(took).unwrap_or(u64::MAX));
    }
    late.sort_unstable();
    late
}

/// Messages that a part of a run waits for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Left {
    /// All of them.
    Anywhere,
    /// All but those for the failing destination.
    Elsewhere,
}

/// Looks after a run: kills functions, replaces processes that ended, samples their memory, and notes the end.
struct Watch {
    world: Arc<World>,
    senders: Arc<Senders>,
    admin: Admin,
    /// The retry queue, then the queue.
    queue_urls: [String; 2],
    sendings: u64,
    /// Memory of ingest and of process, in kilobytes, about once a second.
    memory: Mutex<[Vec<u64>; 2]>,
}

impl Watch {
    async fn run(self: Arc<Self>, seed: u64) {
        let mut rng = Rng::new(seed, 5);
        for tick in 0_u64.. {
            tokio::time::sleep(TICK).await;
            let world = &self.world;
            while let Some(function) = world.kills.due(self.senders.finished()) {
                let pool = world.pool(function);
                let number = rng.index(pool.size().saturating_sub(1)).saturating_add(1);
                pool.kill(number, None);
            }
            while let Some(function) = world.freezes.due(self.senders.finished()) {
                self.freeze(function, &mut rng);
            }
            world.ingest.supervise();
            world.process.supervise();
            if tick.is_multiple_of(20) {
                let [ingest, process] = &mut *lock(&self.memory);
                ingest.extend(world.ingest.memory());
                process.extend(world.process.memory());
            }
            if tick.is_multiple_of(10) {
                let waiting = self.waiting().await.unwrap_or_default();
                let note = format!(
                    "{} faults, {} kills left",
                    world.faults.total(),
                    world.kills.left()
                );
                let done = self.senders.finished();
                report::progress(done, self.sendings, waiting, &note);
            }
        }
    }

    /// Freezes a sandbox, and thaws it after 0.1 to 6.4 seconds, every doubling of the time as likely.
    fn freeze(&self, function: Function, rng: &mut Rng) {
        let world = self.world.clone();
        let size = world.pool(function).size().saturating_sub(1);
        let number = rng.index(size).saturating_add(1);
        let base = 100_u64 << rng.below(6);
        let time = Duration::from_millis(base.saturating_add(rng.below(base)));
        if world.pool(function).freeze(number) {
            tokio::spawn(async move {
                tokio::time::sleep(time).await;
                world.pool(function).thaw(number);
            });
        }
    }

    /// Number of messages in the queue and its retry queue.
    async fn waiting(&self) -> Result<u64> {
        let mut waiting = 0_u64;
        for url in &self.queue_urls {
            let (visible, hidden) = self.admin.queue_depth(url).await?;
            waiting = waiting.saturating_add(visible).saturating_add(hidden);
        }
        Ok(waiting)
    }

    async fn left(&self, left: Left) -> Result<u64> {
        match left {
            Left::Anywhere => self.waiting().await,
            Left::Elsewhere => Ok(u64::try_from(self.world.journal.open_elsewhere())?),
        }
    }

    /// Waits until both functions have been without work for half a second.
    async fn idle(&self) {
        let mut quiet = 0;
        while quiet < 5 {
            tokio::time::sleep(Duration::from_millis(100)).await;
            let is_idle = self.world.ingest.is_idle() && self.world.process.is_idle();
            quiet = if is_idle { quiet + 1 } else { 0 };
        }
    }

    /// Waits, once everything is sent, until no message is left: with faults until the last kill is done or few
    /// messages are left, then without faults. False when a message stays.
    async fn drained(&self, left: Left) -> Result<bool> {
        let (mut seen, mut changed) = (0, Instant::now());
        loop {
            let waiting = self.left(left).await?;
            let world = &self.world;
            if waiting < 200 || (world.kills.left() == 0 && world.freezes.left() == 0) {
                world.faults.end();
            }
            // Twice: a message may have moved from the queue that was looked into second to the first.
            if waiting == 0 && self.left(left).await? == 0 {
                return Ok(true);
            }
            if waiting != seen {
                (seen, changed) = (waiting, Instant::now());
            }
            if changed.elapsed() > STUCK {
                return Ok(false);
            }
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
    }
}
