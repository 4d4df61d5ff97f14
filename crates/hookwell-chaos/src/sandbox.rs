//! Sandboxes: one process each, one invocation at a time, killed and started again, as Lambda has them.

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result};
use hookwell_sandbox::runtime;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use tokio::sync::{Mutex as AsyncMutex, mpsc, oneshot, watch};

use crate::fault::lock;

/// The size of an invocation above which ingest puts its event into the bucket first, in bytes.
const LARGE: usize = 1_000_000;

/// The two functions.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Function {
    /// Ingest, behind the front.
    Ingest,
    /// Process, behind the queue.
    Process,
}

impl Function {
    /// Name of the function.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Ingest => "ingest",
            Self::Process => "process",
        }
    }
}

/// An invocation that waits for a sandbox.
#[derive(Debug)]
pub(crate) struct Invocation {
    payload: Vec<u8>,
    answer: oneshot::Sender<Vec<u8>>,
}

/// An invocation in a sandbox.
#[derive(Debug)]
struct Running {
    id: String,
    started: Instant,
    answer: oneshot::Sender<Vec<u8>>,
    is_large: bool,
    /// True when its process was frozen meanwhile.
    is_disturbed: bool,
}

#[derive(Debug, Default)]
struct State {
    child: Option<Child>,
    running: Option<Running>,
    is_frozen: bool,
}

#[derive(Debug)]
struct Slot {
    state: Mutex<State>,
    /// Number of processes so far, so that a request of a dead process is known as such.
    generation: watch::Sender<u64>,
    /// Number of freezes so far, so that a connection from before a freeze is known as such.
    freezes: AtomicU64,
}

/// Settings with which the processes start.
#[derive(Debug)]
pub(crate) struct Setup {
    /// The binary.
    pub(crate) binary: PathBuf,
    /// Time limit of an invocation.
    pub(crate) timeout: Duration,
    /// `127.0.0.1:PORT` of the listener.
    pub(crate) address: String,
    /// Variables beside those of Lambda and of the endpoints.
    pub(crate) environment: Vec<(String, String)>,
    /// The sources file, but for the address of its HTTP endpoints.
    pub(crate) sources: String,
    /// Folder for the sources file of each sandbox.
    pub(crate) folder: PathBuf,
    /// Folder for the logs of the processes; `None` discards them.
    pub(crate) logs: Option<PathBuf>,
}

/// The sandboxes of one function.
#[derive(Debug)]
pub(crate) struct Pool {
    function: Function,
    setup: Setup,
    slots: Vec<Slot>,
    offer: mpsc::UnboundedSender<Invocation>,
    wanted: AsyncMutex<mpsc::UnboundedReceiver<Invocation>>,
    invocations: AtomicU64,
    /// Times to the answers that no freeze delayed, in milliseconds: first those to deliveries that fit a message, then
    /// those to larger ones.
    answers: Mutex<[Vec<u64>; 2]>,
    kills: AtomicU64,
    freezes: AtomicU64,
    crashes: AtomicU64,
    timeouts: AtomicU64,
}

impl Pool {
    /// Starts `size` sandboxes. The first one is never killed on purpose, because its memory is measured.
    pub(crate) fn start(function: Function, size: usize, setup: Setup) -> Result<Self> {
        let slot = || Slot {
            state: Mutex::default(),
            generation: watch::Sender::new(0),
            freezes: AtomicU64::new(0),
        };
        let (offer, wanted) = mpsc::unbounded_channel();
        let pool = Self {
            function,
            setup,
            slots: std::iter::repeat_with(slot).take(size).collect(),
            offer,
            wanted: AsyncMutex::new(wanted),
            invocations: AtomicU64::new(0),
            answers: Mutex::default(),
            kills: AtomicU64::new(0),
            freezes: AtomicU64::new(0),
            crashes: AtomicU64::new(0),
            timeouts: AtomicU64::new(0),
        };
        for (number, slot) in pool.slots.iter().enumerate() {
            lock(&slot.state).child = Some(pool.spawn(number, 0)?);
        }
        Ok(pool)
    }

    fn spawn(&self, number: usize, generation: u64) -> Result<Child> {
        let Setup {
            binary,
            address,
            environment,
            sources,
            folder,
            logs,
            ..
        } = &self.setup;
        let name = self.function.name();
        let at = |service: &str| format!("http://{address}/{service}/{name}/{number}/{generation}");
        let output = |logs: &Option<PathBuf>| -> Result<Stdio> {
            let Some(folder) = logs else {
                return Ok(Stdio::null());
            };
            let path = folder.join(format!("{name}-{number}.log"));
            let mut file = std::fs::OpenOptions::new();
            Ok(file.create(true).append(true).open(path)?.into())
        };
        // One for each, so that a destination's calls say who makes them as well.
        let file = folder.join(format!("{name}-{number}.toml"));
        std::fs::write(&file, sources.replace("{endpoint}", &at("http")))?;
        Command::new(binary)
            .env_clear()
            .envs(environment.iter().map(|(name, value)| (name, value)))
            .envs(runtime::environment(name, &at("runtime"), 256))
            .env("AWS_ENDPOINT_URL_DYNAMODB", at("dynamodb"))
            .env("AWS_ENDPOINT_URL_SQS", at("sqs"))
            .env("AWS_ENDPOINT_URL_S3", at("s3"))
            .env("AWS_ENDPOINT_URL_EVENTBRIDGE", at("events"))
            .env("HOOKWELL_SOURCES_FILE", file)
            .stdin(Stdio::null())
            .stdout(output(logs)?)
            .stderr(output(logs)?)
            .spawn()
            .with_context(|| format!("cannot start {}", binary.display()))
    }

    /// Runs one invocation; `None` when its sandbox died or was too slow.
    pub(crate) async fn invoke(&self, payload: Vec<u8>) -> Option<Vec<u8>> {
        let (answer, answered) = oneshot::channel();
        self.offer.send(Invocation { payload, answer }).ok()?;
        answered.await.ok()
    }

    /// The next invocation for a sandbox, with its id and deadline; `None` when the process that asks is dead.
    pub(crate) async fn next(&self, number: usize, generation: u64) -> Option<Handed> {
        let slot = self.slots.get(number)?;
        let mut current = slot.generation.subscribe();
        let is_dead = |current: &u64| *current != generation;
        let wanted = async { self.wanted.lock().await.recv().await };
        let invocation = tokio::select! {
            biased;
            _ = current.wait_for(is_dead) => return None,
            invocation = wanted => invocation?,
        };
        let number = self.invocations.fetch_add(1, Ordering::Relaxed);
        let id = format!("{:08x}-chaos-{}", number, self.function.name());
        let Invocation { payload, answer } = invocation;
        let mut state = lock(&slot.state);
        if is_dead(&slot.generation.borrow()) {
            return None; // and the invocation fails with its sandbox
        }
        state.running = Some(Running {
            id: id.clone(),
            started: Instant::now(),
            answer,
            is_large: payload.len() > LARGE,
            is_disturbed: state.is_frozen,
        });
        Some(Handed {
            id,
            payload,
            timeout: self.setup.timeout,
        })
    }

    /// Takes the answer of an invocation, `None` for an error.
    pub(crate) fn answered(&self, number: usize, id: &str, answer: Option<Vec<u8>>) {
        let Some(slot) = self.slots.get(number) else {
            return;
        };
        let Some(running) = lock(&slot.state)
            .running
            .take_if(|running| running.id == id)
        else {
            return;
        };
        let took = running.started.elapsed().as_millis();
        let took = u64::try_from(took).unwrap_or(u64::MAX);
        let [small, large] = &mut *lock(&self.answers);
        match (running.is_disturbed, running.is_large) {
            (true, _) => {}
            (false, true) => large.push(took),
            (false, false) => small.push(took),
        }
        if let Some(answer) = answer {
            let _ = running.answer.send(answer);
        }
    }

    /// True when no sandbox has an invocation.
    pub(crate) fn is_idle(&self) -> bool {
        let mut slots = self.slots.iter();
        slots.all(|slot| lock(&slot.state).running.is_none())
    }

    /// Number of sandboxes.
    pub(crate) fn size(&self) -> usize {
        self.slots.len()
    }

    /// Kills the process of a sandbox with SIGKILL, fails its invocation and starts another one at once. False when
    /// that process is dead already, or is the one that is never killed.
    pub(crate) fn kill(&self, number: usize, generation: Option<u64>) -> bool {
        let killed = number > 0 && self.replace(number, generation).is_some();
        self.kills.fetch_add(u64::from(killed), Ordering::Relaxed);
        killed
    }

    fn replace(&self, number: usize, generation: Option<u64>) -> Option<()> {
        let slot = self.slots.get(number)?;
        let mut state = lock(&slot.state);
        let current = *slot.generation.borrow();
        if generation.is_some_and(|generation| generation != current) {
            return None;
        }
        if let Some(mut child) = state.child.take() {
            let _ = child.kill();
            let _ = child.wait();
        }
        (state.running, state.is_frozen) = (None, false);
        let next = current.saturating_add(1);
        slot.generation.send_replace(next);
        state.child = self.spawn(number, next).ok();
        Some(())
    }

    /// Replaces processes that ended by themselves and those whose invocation is over time.
    pub(crate) fn supervise(&self) {
        for (number, slot) in self.slots.iter().enumerate() {
            let mut state = lock(&slot.state);
            let has_ended = state
                .child
                .as_mut()
                .is_none_or(|child| !matches!(child.try_wait(), Ok(None)));
            let timeout = self.setup.timeout;
            let is_late = state
                .running
                .as_ref()
                .is_some_and(|running| running.started.elapsed() > timeout);
            drop(state);
            if has_ended || is_late {
                let count = if has_ended {
                    &self.crashes
                } else {
                    &self.timeouts
                };
                count.fetch_add(1, Ordering::Relaxed);
                let _ = self.replace(number, None);
            }
        }
    }

    /// The memory of the process that is never killed, in kilobytes.
    pub(crate) fn memory(&self) -> Option<u64> {
        let state = lock(&self.slots.first()?.state);
        let path = format!("/proc/{}/status", state.child.as_ref()?.id());
        let status = std::fs::read_to_string(Path::new(&path)).ok()?;
        let line = status.lines().find(|line| line.starts_with("VmRSS:"))?;
        line.split_whitespace().nth(1)?.parse().ok()
    }

    /// Stops a process as it is, in whatever it does; false when it is stopped already, or is the first sandbox, which
    /// is never frozen.
    pub(crate) fn freeze(&self, number: usize) -> bool {
        let signalled = number > 0 && self.signal(number, true);
        self.freezes
            .fetch_add(u64::from(signalled), Ordering::Relaxed);
        signalled
    }

    /// Lets a process go on.
    pub(crate) fn thaw(&self, number: usize) {
        self.signal(number, false);
    }

    fn signal(&self, number: usize, freezes: bool) -> bool {
        let Some(slot) = self.slots.get(number) else {
            return false;
        };
        let mut state = lock(&slot.state);
        let id = state
            .child
            .as_ref()
            .and_then(|child| i32::try_from(child.id()).ok());
        let Some(id) = id.filter(|_| state.is_frozen != freezes) else {
            return false;
        };
        state.is_frozen = freezes;
        if let Some(running) = &mut state.running {
            running.is_disturbed = true;
        }
        slot.freezes
            .fetch_add(u64::from(freezes), Ordering::Relaxed);
        let signal = if freezes {
            Signal::SIGSTOP
        } else {
            Signal::SIGCONT
        };
        kill(Pid::from_raw(id), signal).is_ok()
    }

    /// Number of freezes of one sandbox.
    pub(crate) fn freezes(&self, number: usize) -> u64 {
        let slot = self.slots.get(number);
        slot.map_or(0, |slot| slot.freezes.load(Ordering::Relaxed))
    }

    /// Number of freezes of all sandboxes.
    pub(crate) fn frozen(&self) -> u64 {
        self.freezes.load(Ordering::Relaxed)
    }

    /// Times to the answers that nothing froze, in milliseconds, sorted: those to deliveries that fit a message, and those to
    /// larger ones.
    pub(crate) fn answers(&self) -> [Vec<u64>; 2] {
        let mut answers = lock(&self.answers).clone();
        for part in &mut answers {
            part.sort_unstable();
        }
        answers
    }

    /// Kills, processes that ended by themselves, and timeouts.
    pub(crate) fn ends(&self) -> (u64, u64, u64) {
        let load = |count: &AtomicU64| count.load(Ordering::Relaxed);
        (load(&self.kills), load(&self.crashes), load(&self.timeouts))
    }

    /// Ends all processes.
    pub(crate) fn stop(&self) {
        for slot in &self.slots {
            let mut state = lock(&slot.state);
            slot.generation.send_modify(|generation| *generation += 1);
            if let Some(mut child) = state.child.take() {
                let _ = child.kill();
                let _ = child.wait();
            }
        }
    }
}

/// An invocation as the runtime gets it.
#[derive(Debug)]
pub(crate) struct Handed {
    /// Id of the request.
    pub(crate) id: String,
    /// The event.
    pub(crate) payload: Vec<u8>,
    /// Time limit of the invocation.
    pub(crate) timeout: Duration,
}
