//! Time that passes only when everybody waits.

use std::collections::BTreeMap;
use std::pin::pin;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Waker};
use std::time::Instant;

use futures_util::FutureExt as _;
use futures_util::future::BoxFuture;

/// A clock in milliseconds.
#[derive(Debug, Clone)]
pub(crate) struct Clock(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    now: Mutex<i64>,
    waiting: Mutex<BTreeMap<i64, Vec<Waker>>>,
}

/// A clock as the code under test takes it.
pub(crate) struct Timers {
    now: Box<dyn Fn() -> i64 + Sync>,
    until: Box<dyn Fn(i64) -> BoxFuture<'static, ()> + Sync>,
}

impl Timers {
    pub(crate) fn clock(&self) -> hookwell::ports::clock::Clock<'_> {
        hookwell::ports::clock::Clock {
            now: &*self.now,
            reception: &*self.now,
            instant: &Instant::now,
            until: &*self.until,
        }
    }
}

impl Clock {
    /// A clock that shows `now`.
    pub(crate) fn new(now: i64) -> Self {
        Self(Arc::new(Inner {
            now: Mutex::new(now),
            waiting: Mutex::default(),
        }))
    }

    /// The same clock, for the code under test.
    pub(crate) fn timers(&self) -> Timers {
        let (reads, waits) = (self.clone(), self.clone());
        Timers {
            now: Box::new(move || reads.now()),
            until: Box::new(move |at| {
                let clock = waits.clone();
                async move { clock.sleep(at - clock.now()).await }.boxed()
            }),
        }
    }

    /// The time.
    pub(crate) fn now(&self) -> i64 {
        *self.0.now.lock().unwrap()
    }

    /// Waits.
    pub(crate) async fn sleep(&self, millis: i64) {
        let until = self.now() + millis;
        std::future::poll_fn(|context| {
            if self.now() >= until {
                return Poll::Ready(());
            }
            let mut waiting = self.0.waiting.lock().unwrap();
            let wakers = waiting.entry(until).or_default();
            wakers.push(context.waker().clone());
            Poll::Pending
        })
        .await;
    }

    /// Runs to the end of `work`.
    pub(crate) fn run<T>(&self, work: impl Future<Output = T>) -> T {
        let mut work = pin!(work);
        loop {
            if let Poll::Ready(done) = work.as_mut().poll(&mut Context::from_waker(Waker::noop())) {
                return done;
            }
            let first = self.0.waiting.lock().unwrap().pop_first();
            let (at, wakers) = first.expect("somebody waits");
            *self.0.now.lock().unwrap() = at;
            wakers.into_iter().for_each(Waker::wake);
        }
    }
}
