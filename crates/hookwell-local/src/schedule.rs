//! The schedule that moves back what waits in the retry queue, as the template's does.

use std::time::Duration;

use hookwell_aws::tools::admin::{Admin, Queues};
use tokio::time::{MissedTickBehavior, interval};

/// The most messages moved in a second, the most that SQS allows (`StartMessageMoveTask`).
const RATE: i32 = 500;

/// Starts a move task again and again until `stopped` resolves. SQS refuses one while another runs, and the next is soon.
pub(crate) async fn run(
    admin: Admin,
    queues: Queues,
    every: Duration,
    stopped: impl Future<Output = ()>,
) {
    let Queues {
        queue_url,
        retry_queue_url,
        ..
    } = queues;
    let mut ticks = interval(every);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let moves = async {
        loop {
            ticks.tick().await;
            let _ = admin.move_back(&retry_queue_url, &queue_url, RATE).await;
        }
    };
    tokio::select! {
        () = moves => {}
        () = stopped => {}
    }
}
