//! The number of dead letters, for the navigation: asked for while somebody looks at the page, and never waited for.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use hookwell_aws::tools::admin::Admin;

/// The last known number of dead letters.
pub(super) struct LetterCount {
    admin: Admin,
    url: String,
    /// The shortest pause between two questions to the queue.
    pause: Duration,
    known: Mutex<Known>,
}

#[derive(Default)]
struct Known {
    /// The number; `None` when the queue did not tell.
    count: Option<u64>,
    asked_at: Option<Instant>,
}

impl LetterCount {
    /// A count of the queue at `url` that nobody has asked for yet.
    pub(super) fn new(admin: Admin, url: String, pause: Duration) -> Arc<Self> {
        Arc::new(Self {
            admin,
            url,
            pause,
            known: Mutex::default(),
        })
    }

    /// The last known number, as the navigation shows it: nothing for none. Asks the queue again where that is due.
    pub(super) fn shown(self: &Arc<Self>) -> String {
        let mut known = self.known();
        if known.asked_at.is_none_or(|at| at.elapsed() >= self.pause) {
            known.asked_at = Some(Instant::now());
            let count = Arc::clone(self);
            tokio::spawn(async move { count.ask().await });
        }
        let count = known.count.filter(|count| *count > 0);
        count.map(|count| count.to_string()).unwrap_or_default()
    }

    /// Takes the number from a look into the queue.
    pub(super) fn set(&self, count: usize) {
        self.known().count = u64::try_from(count).ok();
    }

    /// Takes so many off the number, which went back into the queue.
    pub(super) fn take_off(&self, done: u64) {
        let mut known = self.known();
        known.count = known.count.map(|count| count.saturating_sub(done));
    }

    async fn ask(&self) {
        let depth = self.admin.queue_depth(&self.url).await;
        self.known().count = depth
            .ok()
            .map(|(waiting, hidden)| waiting.saturating_add(hidden));
    }

    fn known(&self) -> MutexGuard<'_, Known> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
