//! One process of a target behind a Runtime API of its own, and the moments that are measured. Threads, not tasks: a
//! task's timer is a millisecond coarse.

use std::fs::File;
use std::io::{self, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail, ensure};
use hookwell_sandbox::http::Message;
use hookwell_sandbox::runtime::{self, Call};
use nix::time::{ClockId, clock_getcpuclockid, clock_gettime};
use nix::unistd::Pid;

use crate::share::{Share, hold};
use crate::target::{Setting, Target};

/// Time limit of every invocation; a target that needs longer is broken.
const PATIENCE: Duration = Duration::from_secs(30);

/// Interval at which a silent target is checked for having died.
const LOOK: Duration = Duration::from_millis(500);

/// An answer and what it cost.
#[derive(Debug)]
pub(crate) struct Answered {
    /// Time at which the answer was there.
    pub(crate) at: Instant,
    /// Time from the event handed out to the answer taken.
    pub(crate) took: Duration,
    /// CPU time of the process from its start until the answer.
    pub(crate) cpu: Duration,
    /// The answer.
    pub(crate) body: Vec<u8>,
}

#[derive(Debug)]
enum Mark {
    /// The runtime asks for work.
    Asked {
        at: Instant,
        cpu: Duration,
    },
    Answered(Answered),
    Failed(String),
}

/// State that the threads of a Runtime API share.
#[derive(Debug)]
struct Api {
    function: &'static str,
    work: Mutex<Receiver<Vec<u8>>>,
    handed: Mutex<Instant>,
    marks: Sender<Mark>,
    clock: Arc<OnceLock<ClockId>>,
}

/// A running target.
#[derive(Debug)]
pub(crate) struct Sandbox {
    child: Child,
    spawned: Instant,
    work: Option<Sender<Vec<u8>>>,
    marks: Receiver<Mark>,
    clock: Arc<OnceLock<ClockId>>,
    share: Option<Share>,
}

impl Sandbox {
    /// Starts a target with its first event at hand. With `memory`, in MB, it gets the share of a CPU that Lambda gives
    /// a function of that size.
    pub(crate) fn start(
        target: &Target,
        setting: &Setting,
        event: Vec<u8>,
        memory: Option<u32>,
    ) -> Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0")?;
        let address = listener.local_addr()?.to_string();
        let (work, wanted) = channel();
        let (mark, marks) = channel();
        let clock = Arc::new(OnceLock::new());
        let api = Arc::new(Api {
            function: target.function.name(),
            work: Mutex::new(wanted),
            handed: Mutex::new(Instant::now()),
            marks: mark,
            clock: clock.clone(),
        });
        work.send(event).context("no Runtime API")?;
        let serving = api.clone();
        std::thread::spawn(move || {
            for socket in listener.incoming().flatten() {
                let api = serving.clone();
                std::thread::spawn(move || {
                    let _ = api.converse(socket);
                });
            }
        });
        let log = File::create(setting.folder.join(format!("{}.log", target.file_name())))?;
        let memory_shown = memory.unwrap_or(256);
        let (program, arguments) = target.command.split_first().context("no command")?;
        let mut command = Command::new(program);
        command
            .args(arguments)
            .env_clear()
            .envs(runtime::environment(
                target.function.name(),
                &address,
                memory_shown,
            ))
            .envs(setting.environment(target))
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(log);
        let spawned = Instant::now();
        let child = command
            .spawn()
            .with_context(|| format!("cannot start {}", target.name))?;
        let pid = Pid::from_raw(i32::try_from(child.id())?);
        let _ = clock.set(clock_getcpuclockid(pid)?);
        let share = memory.map(|memory| Share::new(pid, memory));
        Ok(Self {
            child,
            spawned,
            work: Some(work),
            marks,
            clock,
            share,
        })
    }

    /// Waits until the runtime asks for its first event. Gives the time since the start, and the CPU time until then.
    /// From here on the process has only its share: Lambda starts functions at full speed.
    pub(crate) fn ready(&mut self) -> Result<(Duration, Duration)> {
        match self.mark()? {
            Mark::Asked { at, cpu } => {
                if let (Some(share), Some(clock)) = (self.share.take(), self.clock.get()) {
                    self.share = Some(hold(share, *clock));
                }
                Ok((at.duration_since(self.spawned), cpu))
            }
            other => bail!("unexpected: {other:?}"),
        }
    }

    /// Waits for the next answer.
    pub(crate) fn answered(&mut self) -> Result<Answered> {
        loop {
            match self.mark()? {
                Mark::Answered(answered) => return Ok(answered),
                Mark::Asked { .. } => {}
                Mark::Failed(why) => bail!("the function failed: {why}"),
            }
        }
    }

    /// Runs these events one after the other.
    pub(crate) fn run(
        &mut self,
        events: impl IntoIterator<Item = Vec<u8>>,
    ) -> Result<Vec<Answered>> {
        let work = self.work.as_ref().context("it has ended")?;
        let mut waiting = 0_usize;
        for event in events {
            work.send(event)?;
            waiting = waiting.saturating_add(1);
        }
        (0..waiting).map(|_| self.answered()).collect()
    }

    /// Time from the start of the process until `at`.
    pub(crate) fn since_start(&self, at: Instant) -> Duration {
        at.duration_since(self.spawned)
    }

    /// The CPU that the process has used.
    pub(crate) fn cpu(&self) -> Duration {
        cpu(self.clock.get())
    }

    /// The most memory it ever had, in KiB.
    pub(crate) fn peak_memory(&self) -> Result<u32> {
        peak_memory(self.child.id())
    }

    fn mark(&mut self) -> Result<Mark> {
        let started = Instant::now();
        loop {
            if let Ok(mark) = self.marks.recv_timeout(LOOK) {
                return Ok(mark);
            }
            if let Some(status) = self.child.try_wait()? {
                bail!("the function ended: {status}; its log is in target/bench/run");
            }
            ensure!(started.elapsed() < PATIENCE, "the function does not answer");
        }
    }
}

impl Drop for Sandbox {
    fn drop(&mut self) {
        self.work = None;
        self.share = None;
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn cpu(clock: Option<&ClockId>) -> Duration {
    let time = clock.and_then(|clock| clock_gettime(*clock).ok());
    time.map(Duration::from).unwrap_or_default()
}

impl Api {
    fn converse(&self, mut socket: TcpStream) -> io::Result<()> {
        socket.set_nodelay(true)?;
        let (mut received, mut part) = (Vec::new(), vec![0; 64 * 1024]);
        loop {
            while let Some(request) = Message::take(&mut received)? {
                let now = Instant::now();
                let Some(answer) = self.answer(request, now) else {
                    return Ok(());
                };
                let bytes = answer.bytes();
                *self.handed.lock().unwrap_or_else(PoisonError::into_inner) = Instant::now();
                socket.write_all(&bytes)?;
            }
            let read = socket.read(&mut part)?;
            if read == 0 {
                return Ok(());
            }
            received.extend_from_slice(part.get(..read).unwrap_or_default());
        }
    }

    fn answer(&self, request: Message, at: Instant) -> Option<Message> {
        let cpu = || cpu(self.clock.get());
        match Call::of(request.path())? {
            Call::Next => {
                self.marks.send(Mark::Asked { at, cpu: cpu() }).ok()?;
                let work = self.work.lock().unwrap_or_else(PoisonError::into_inner);
                let event = work.recv().ok()?;
                let id = "00000000-0000-4000-8000-000000000001";
                return Some(runtime::invocation(self.function, id, PATIENCE, event));
            }
            Call::Response { .. } => {
                let handed = *self.handed.lock().unwrap_or_else(PoisonError::into_inner);
                let answered = Answered {
                    at,
                    took: at.saturating_duration_since(handed),
                    cpu: cpu(),
                    body: request.body,
                };
                self.marks.send(Mark::Answered(answered)).ok()?;
            }
            Call::Error { .. } => {
                let why = String::from_utf8_lossy(&request.body).into_owned();
                self.marks.send(Mark::Failed(why)).ok()?;
            }
        }
        Some(runtime::accepted())
    }
}

/// The most memory that a running process ever had, in KiB.
pub(crate) fn peak_memory(process: u32) -> Result<u32> {
    let status = std::fs::read_to_string(format!("/proc/{process}/status"))?;
    let line = status.lines().find(|line| line.starts_with("VmHWM:"));
    let number = line.and_then(|line| line.split_whitespace().nth(1));
    Ok(number.context("no VmHWM")?.parse()?)
}
