//! Fills the index from the tables, beside everything else: once where a machine tells the rest, else again and again.

use std::time::{Duration, Instant};

use hookwell_aws::admin::AdminError;
use serde_json::Value;

use super::Page;
use super::index::Index;
use super::recorder::Seen;

/// The shortest pause between two looks.
const PAUSE: Duration = Duration::from_secs(5);

/// How many times longer than a look the pause after it is at least, so that a large table is not read all the time.
const PAUSES: u32 = 10;

/// Reads both tables: beside a machine until they answer, over an account again and again.
pub(super) async fn fill(page: &Page) {
    loop {
        let started = Instant::now();
        match stored(page).await {
            Ok(stored) => {
                page.recorder.tell(stored);
                if page.is_machine() {
                    return;
                }
            }
            Err(why) => tracing::warn!(reason = %why, "the page waits for the tables"),
        }
        let pause = started.elapsed().saturating_mul(PAUSES).max(PAUSE);
        tokio::time::sleep(pause).await;
    }
}

async fn stored(page: &Page) -> Result<Seen, AdminError> {
    let Page { admin, stack, .. } = page;
    if !page.is_machine() {
        let at = ingest::now();
        let events = admin.scan(&stack.events_table, None).await?;
        let documents = admin.scan(&stack.documents_table, None).await?;
        let index = Index::of_tables(&events, &documents, at);
        return Ok(Seen::Renewed(Box::new(index)));
    }
    let tries = admin.max_receive_count(&stack.queue_url).await?;
    let mut events = admin.scan(&stack.events_table, None).await?;
    // What came since the start the machine tells by itself, perhaps after this.
    events.retain(|item| item.get("received_at").and_then(Value::as_i64) < Some(page.started_at));
    Ok(Seen::Stored {
        events,
        documents: admin.scan(&stack.documents_table, None).await?,
        tries: tries.unwrap_or(u32::MAX),
    })
}
