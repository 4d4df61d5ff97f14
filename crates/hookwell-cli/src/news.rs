//! Reports what happens on a machine to a listener: every delivery as it was answered, every event as it was processed.
//! A report never waits; the listener takes it in while the machine goes on.

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
    /// Number of the delivery, counted since the start.
    pub(crate) number: u64,
    /// Time at which the delivery came in.
    pub(crate) at: Millis,
    /// Time that the sender waited for the answer.
    pub(crate) ack: Duration,
    /// The request as it came in.
    pub(crate) request: HttpRequest,
    /// Result of the reception.
    pub(crate) received: Received,
}

/// A report.
pub(crate) enum Seen {
    Arrived(Box<Arrived>),
    Processed(Box<Processed>),
    /// A dead letter or a kept event went back into the queue.
    PutBack {
        key: String,
        /// Time before the queue had it.
        at: Millis,
    },
    /// The tables as they were at the start.
    Stored {
        events: Vec<Item>,
        documents: Vec<Item>,
    },
    /// Records of an account that are new or have changed, the first received first, and the time of that look.
    Looked {
        events: Vec<Item>,
        at: Millis,
    },
    /// The time before which the table of an account holds records that were not read, where there are any.
    ReadSince(Option<Millis>),
    /// Asks for an answer once all earlier reports were taken in.
    Mark(oneshot::Sender<()>),
}

/// Sends reports to the listener.
#[derive(Debug, Clone)]
pub(crate) struct Recorder(mpsc::UnboundedSender<Seen>);

/// The listener's end of the channel.
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

    /// Sends a report. A report without a listener is dropped: only a machine that stops has none.
    pub(crate) fn tell(&self, seen: Seen) {
        let _ = self.0.send(seen);
    }

    /// Waits until the listener has taken in everything before this.
    pub(crate) async fn caught_up(&self) {
        let (mark, reached) = oneshot::channel();
        self.tell(Seen::Mark(mark));
        let _ = reached.await;
    }
}
