//! Time that passes only when everybody waits.

use std::collections::BTreeMap;
use std::pin::pin;
use std::sync::Mutex;
use std::task::{Context, Poll, Waker};

/// A clock in milliseconds.
#[derive(Debug)]
pub(crate) struct Clock {
    now: Mutex<i64>,
    waiting: Mutex<BTreeMap<i64, Vec<Waker>>>,
}

impl Clock {
    /// A clock that shows `now`.
    pub(crate) fn new(now: i64) -> Self {
        Self {
            now: Mutex::new(now),
            waiting: Mutex::default(),
        }
    }

    /// The time.
    pub(crate) fn now(&self) -> i64 {
        *self.now.lock().unwrap()
    }

    /// Waits.
    pub(crate) async fn sleep(&self, millis: i64) {
        let until = self.now() + millis;
        std::future::poll_fn(|context| {
            if self.now() >= until {
                return Poll::Ready(());
            }
            let mut waiting = self.waiting.lock().unwrap();
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
            let first = self.waiting.lock().unwrap().pop_first();
            let (at, wakers) = first.expect("somebody waits");
            *self.now.lock().unwrap() = at;
            wakers.into_iter().for_each(Waker::wake);
        }
    }
}
