//! What happened on a machine, told to whoever listens: every delivery as it was answered, every event as it was processed.
//! Telling never waits; the listener takes it in beside the machine's own work.

use std::time::Duration;

use hookwell::format::time::Millis;
use hookwell::ingest::Received;
use hookwell::process::Processed;
use hookwell_aws::tools::admin::Item;
use hookwell_sandbox::trigger::HttpRequest;
use tokio::sync::{mpsc, oneshot};

/// A delivery that was answered.
#[derive(Debug)]
pub(crate) struct Arrived {
    /// Which one, counted since the start.
    pub(crate) number: u64,
    /// When it came in.
    pub(crate) at: Millis,
    /// How long its sender waited for the answer.
    pub(crate) ack: Duration,
    /// The request as it came in.
    pub(crate) request: HttpRequest,
    /// What came of it.
    pub(crate) received: Received,
}

/// One thing to take in.
pub(crate) enum Seen {
    Arrived(Box<Arrived>),
    Processed(Box<Processed>),
    /// A dead letter went back into the queue.
    PutBack {
        key: String,
        at: Millis,
    },
    /// The tables as they were at the start.
    Stored {
        events: Vec<Item>,
        documents: Vec<Item>,
        /// How often the queue hands out a message before it gives up.
        tries: u32,
    },
    /// Somebody wants to know when everything before this was taken in.
    Mark(oneshot::Sender<()>),
}

/// Tells what happened.
#[derive(Debug, Clone)]
pub(crate) struct Recorder(mpsc::UnboundedSender<Seen>);

/// Where a listener hears it.
pub(crate) type Records = mpsc::UnboundedReceiver<Seen>;

impl Recorder {
    pub(crate) fn new() -> (Self, Records) {
        let (sender, records) = mpsc::unbounded_channel();
        (Self(sender), records)
    }

    pub(crate) fn arrived(&self, arrived: Arrived) {
        self.tell(Seen::Arrived(Box::new(arrived)));
    }

    pub(crate) fn processed(&self, done: Processed) {
        self.tell(Seen::Processed(Box::new(done)));
    }

    /// Nobody listens any more only while the machine stops.
    pub(crate) fn tell(&self, seen: Seen) {
        let _ = self.0.send(seen);
    }

    /// Waits until the listener knows everything that it was told before.
    pub(crate) async fn caught_up(&self) {
        let (mark, reached) = oneshot::channel();
        self.tell(Seen::Mark(mark));
        let _ = reached.await;
    }
}
