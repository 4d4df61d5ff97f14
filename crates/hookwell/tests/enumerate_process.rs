//! Every path of process: two overlapping copies of one message in every interleaving, then redeliveries until it would
//! go to the retry queue, while each remote call works, fails, takes effect without an answer, is repeated by the SDK, or the
//! function dies before or after it. Run over the code itself, and over the orders of steps that others use, which
//! must be caught.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::print_stdout
)]

mod support;

use std::pin::Pin;
use std::sync::Mutex;
use std::task::{Context, Poll, Waker};

use futures_util::FutureExt as _;
use hookwell::event::{Event, Operation};
use hookwell::ports::handler::{HandleError, Handled, Handler, Outcome};
use hookwell::ports::ledger::{
    Claim, End, Failure, Finish, Lease, Ledger, LedgerError, Record, Remembered,
};
use hookwell::ports::memory::{MemoryDocuments, MemoryLedger, MemoryQueue};
use hookwell::process::Message;
use support::script::{Script, every_path};
use support::{NOW, invoke};

/// The queue's visibility timeout, in milliseconds.
const VISIBILITY: i64 = 180_000;
/// Receives of the message as the queue counts them: twice at once, then once more in place, and for the last time.
const RECEPTIONS: [u32; 4] = [1, 1, 2, 3];

/// Steps by which process applies an event.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Design {
    /// The code of this crate and its documents handler.
    Documents,
    /// The code of this crate and a handler with effects elsewhere.
    Outside,
    /// As [`Self::Outside`], and the service may also answer that it cannot do it now, so that the lease is given back.
    Answered,
    /// Look whether it is done, apply, mark it done.
    CheckApplyMark,
    /// Mark it done, apply.
    MarkApply,
    /// A lease that ends while its holder may still run; whoever ends last may finish the event.
    ShortLease,
    /// The error of a call is taken for success.
    IgnoreErrors,
}

/// One event, its message, and all the storage there is.
struct World<'s> {
    script: &'s Script,
    design: Design,
    ledger: MemoryLedger,
    documents: MemoryDocuments,
    queue: MemoryQueue,
    /// Number of times that the event took effect, and how many calls were in the handler at once at most.
    effects: Mutex<usize>,
    inside: Mutex<(usize, usize)>,
    /// True when the event took effect after a record said that it was finished.
    after_end: Mutex<bool>,
    /// The record of the other designs: done, and the end of a lease.
    record: Mutex<(bool, i64)>,
}

/// Lets the other copy go first, or not.
async fn step() {
    let mut yielded = false;
    std::future::poll_fn(|context| {
        if yielded {
            return Poll::Ready(());
        }
        yielded = true;
        context.waker().wake_by_ref();
        Poll::Pending
    })
    .await;
}

impl World<'_> {
    async fn call<T>(&self, effect: impl FnMut() -> T) -> Option<T> {
        step().await;
        self.script.call(effect).await
    }

    fn lost() -> LedgerError {
        LedgerError("lost".into())
    }

    /// The effect elsewhere: a service that keeps no keys.
    fn take_effect(&self) {
        *self.effects.lock().unwrap() += 1;
        if self
            .ledger
            .stored(&event().key)
            .is_some_and(|record| record.outcome.is_some())
        {
            *self.after_end.lock().unwrap() = true;
        }
    }
}

impl Ledger for World<'_> {
    async fn remember(&self, event: &Event, now: i64) -> Result<Remembered, LedgerError> {
        let remember = || {
            self.ledger
                .remember(event, now)
                .now_or_never()
                .unwrap()
                .unwrap()
        };
        self.call(remember).await.ok_or_else(Self::lost)
    }

    async fn recall(
        &self,
        events: &[&Event],
        now: i64,
    ) -> Result<Vec<Option<Record>>, LedgerError> {
        let recall = || {
            let records = self.ledger.recall(events, now).now_or_never();
            records.unwrap().unwrap()
        };
        self.call(recall).await.ok_or_else(Self::lost)
    }

    async fn claim(&self, event: &Event, lease: &Lease<'_>) -> Result<Claim, LedgerError> {
        let claim = || {
            self.ledger
                .claim(event, lease)
                .now_or_never()
                .unwrap()
                .unwrap()
        };
        self.call(claim).await.ok_or_else(Self::lost)
    }

    async fn fail(&self, event: &Event, failure: &Failure<'_>) {
        let fail = || self.ledger.fail(event, failure).now_or_never().unwrap();
        self.call(fail).await;
    }

    async fn keep(&self, event: &Event) -> Result<(), LedgerError> {
        let keep = || self.ledger.keep(event).now_or_never().unwrap().unwrap();
        self.call(keep).await.ok_or_else(Self::lost)
    }

    async fn finish(&self, event: &Event, end: &End) -> Result<Finish, LedgerError> {
        let finish = || {
            self.ledger
                .finish(event, end)
                .now_or_never()
                .unwrap()
                .unwrap()
        };
        self.call(finish).await.ok_or_else(Self::lost)
    }
}

/// One run of the handler, counted from its start to its end, also when the call dies in between.
struct Inside<'w>(&'w Mutex<(usize, usize)>);

impl<'w> Inside<'w> {
    fn enter(count: &'w Mutex<(usize, usize)>) -> Self {
        let mut counts = count.lock().unwrap();
        counts.0 += 1;
        counts.1 = counts.1.max(counts.0);
        drop(counts);
        Self(count)
    }
}

impl Drop for Inside<'_> {
    fn drop(&mut self) {
        self.0.lock().unwrap().0 -= 1;
    }
}

impl Handler for World<'_> {
    async fn handle(&self, event: &Event) -> Result<Handled, HandleError> {
        let _inside = Inside::enter(&self.inside);
        let retry = || HandleError::Retry("lost".into());
        if self.reaches_outside(event) {
            if self.design == Design::Answered && self.script.fault() {
                step().await;
                return Err(HandleError::RetryEnded("not now".into()));
            }
            self.call(|| self.take_effect()).await.ok_or_else(retry)?;
            return Ok(Outcome::Applied.into());
        }
        let put = || {
            let before = self.documents.all();
            let outcome = self.documents.handle(event).now_or_never().unwrap();
            *self.effects.lock().unwrap() += usize::from(before != self.documents.all());
            outcome
        };
        self.call(put).await.ok_or_else(retry)?
    }

    fn reaches_outside(&self, _: &Event) -> bool {
        matches!(self.design, Design::Outside | Design::Answered)
    }
}

fn event() -> Event {
    support::event("1", Operation::Create, NOW, "d")
}

impl World<'_> {
    /// One invocation with the message; whether the message is then deleted.
    async fn invocation(&self, number: usize, now: i64) -> bool {
        match self.design {
            Design::Documents | Design::Outside | Design::Answered => {
                let message = Message {
                    id: "m".into(),
                    // Lambda may hand one reception to two invocations: the first two have the same.
                    receipt: format!("reception {}", number.max(1)),
                    receive_count: RECEPTIONS[number],
                    body: event().to_message(),
                };
                let batch = vec![message];
                let done = invoke(self, &self.queue, self, batch, now).await;
                !done[0].fate.is_failure()
            }
            rival => self.rival(rival, now).await.is_some() || rival == Design::IgnoreErrors,
        }
    }

    /// One of the other designs; `None` when a call failed.
    async fn rival(&self, design: Design, now: i64) -> Option<()> {
        let record = || &self.record;
        let apply = || self.take_effect();
        let done = || record().lock().unwrap().0;
        let mark = || record().lock().unwrap().0 = true;
        match design {
            Design::CheckApplyMark | Design::IgnoreErrors => {
                if self.call(done).await? {
                    return Some(());
                }
                self.call(apply).await?;
                self.call(mark).await
            }
            Design::MarkApply => {
                let first = || !std::mem::replace(&mut record().lock().unwrap().0, true);
                if self.call(first).await? {
                    self.call(apply).await?;
                }
                Some(())
            }
            Design::ShortLease => {
                let claim = || {
                    let mut record = record().lock().unwrap();
                    if record.0 || record.1 > now {
                        return record.0;
                    }
                    record.1 = now + 1;
                    true
                };
                self.call(claim).await?.then_some(())?;
                if done() {
                    return Some(());
                }
                self.call(apply).await?;
                self.call(mark).await
            }
            Design::Documents | Design::Outside | Design::Answered => unreachable!("are ours"),
        }
    }
}

/// Results of all paths of a design.
#[derive(Debug, Default)]
struct Found {
    paths: usize,
    /// Deleted from the queue without having taken effect.
    lost: usize,
    /// Took effect more than once, and the fewest faults to that.
    doubled: usize,
    fewest_to_double: Option<usize>,
    /// Ran twice at once, or after it was finished.
    at_once: usize,
    after_end: usize,
    /// Still in the queue after all receptions, and the fewest faults to that.
    unfinished: usize,
    fewest_to_stay: Option<usize>,
    /// A healthy message that ended in the dead-letter queue.
    dead_letters: usize,
}

fn enumerate(design: Design, faults: usize) -> Found {
    let mut found = Found::default();
    found.paths = every_path(faults, |script| {
        let world = World {
            script,
            design,
            ledger: MemoryLedger::default(),
            documents: MemoryDocuments::default(),
            queue: MemoryQueue::default(),
            effects: Mutex::new(0),
            inside: Mutex::new((0, 0)),
            after_end: Mutex::new(false),
            record: Mutex::new((false, 0)),
        };
        let mut deleted = overlapping(&world);
        for number in 2..RECEPTIONS.len() {
            if !deleted {
                let now = NOW + i64::try_from(number).unwrap() * VISIBILITY;
                deleted = alone(&world, number, now);
            }
        }
        let effects = *world.effects.lock().unwrap();
        let used = faults - script.faults_left();
        let fewest = |old: Option<usize>| Some(old.map_or(used, |old| old.min(used)));
        found.lost += usize::from(deleted && effects == 0);
        if effects > 1 {
            found.doubled += 1;
            found.fewest_to_double = fewest(found.fewest_to_double);
        }
        if !deleted {
            found.unfinished += 1;
            found.fewest_to_stay = fewest(found.fewest_to_stay);
        }
        found.dead_letters += world.queue.buried().len();
        found.at_once += usize::from(world.inside.lock().unwrap().1 > 1);
        found.after_end += usize::from(*world.after_end.lock().unwrap());
    });
    println!("{design:?}, {faults} faults: {found:?}");
    found
}

/// Two copies at once, each step of either first; whether one of them deleted the message.
fn overlapping(world: &World<'_>) -> bool {
    let mut copies: Vec<Pin<Box<dyn Future<Output = bool> + '_>>> = vec![
        Box::pin(world.invocation(0, NOW)),
        Box::pin(world.invocation(1, NOW + 1)),
    ];
    let mut deleted = false;
    while !copies.is_empty() {
        let next = if copies.len() == 1 {
            0
        } else {
            world.script.choose(2)
        };
        if let Some(end) = turn(world, &mut copies[next]) {
            deleted |= end;
            drop(copies.remove(next));
        }
    }
    deleted
}

fn alone(world: &World<'_>, number: usize, now: i64) -> bool {
    let mut copy: Pin<Box<dyn Future<Output = bool> + '_>> =
        Box::pin(world.invocation(number, now));
    std::iter::repeat_with(|| turn(world, &mut copy))
        .find_map(|end| end)
        .unwrap()
}

/// One step of a call; `Some` when it ended, by itself or by death.
fn turn(world: &World<'_>, copy: &mut Pin<Box<dyn Future<Output = bool> + '_>>) -> Option<bool> {
    let deaths = world.script.deaths();
    match copy.as_mut().poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(deleted) => Some(deleted),
        Poll::Pending => (world.script.deaths() > deaths).then_some(false),
    }
}

#[test]
fn documents_take_effect_exactly_once_on_every_path() {
    for faults in 0..=3 {
        let found = enumerate(Design::Documents, faults);
        assert_eq!((found.lost, found.doubled, found.dead_letters), (0, 0, 0));
    }
}

#[test]
fn effects_elsewhere_take_place_never_beside_each_other_nor_after_the_end() {
    let calm = enumerate(Design::Outside, 0);
    assert_eq!((calm.lost, calm.doubled, calm.unfinished), (0, 0, 0));
    for (design, faults) in [
        (Design::Outside, 1),
        (Design::Outside, 2),
        (Design::Answered, 1),
    ] {
        let found = enumerate(design, faults);
        assert_eq!((found.lost, found.dead_letters), (0, 0));
        assert_eq!((found.at_once, found.after_end), (0, 0));
        assert_eq!(
            found.fewest_to_double,
            Some(1),
            "an effect whose answer is lost: nobody can do better"
        );
    }
}

#[test]
fn the_orders_of_others_are_caught() {
    assert_eq!(
        enumerate(Design::CheckApplyMark, 0).fewest_to_double,
        Some(0)
    );
    assert!(enumerate(Design::MarkApply, 1).lost > 0);
    assert_eq!(enumerate(Design::ShortLease, 0).fewest_to_double, Some(0));
    assert!(
        enumerate(Design::IgnoreErrors, 2).lost > 0,
        "both copies failed"
    );
}
