//! Fills the index from the tables, beside everything else: once where a machine tells the rest, else again and again.

use std::time::{Duration, Instant};

use hookwell_aws::tools::failure::AdminError;
use hookwell_lambda::now::now;
use serde_json::Value;

use super::index::Index;
use super::shared::Page;
use crate::news::Seen;

/// The shortest pause between two looks.
const PAUSE: Duration = Duration::from_secs(5);

/// Least pause after a look, as a multiple of the look's time, so that a large table is not read all the time.
const PAUSES: u32 = 10;

/// Reads both tables: beside a machine until they answer, over an account again and again.
pub(crate) async fn fill(page: &Page) {
    loop {
        let started = Instant::now();
        let filled = if page.is_machine() {
            before_the_start(page).await
        } else {
            renew(page).await
        };
        match filled {
            Ok(()) if page.is_machine() => return,
            Ok(()) => {}
            Err(why) => tracing::warn!(reason = %why, "the page waits for the tables"),
        }
        let pause = started.elapsed().saturating_mul(PAUSES).max(PAUSE);
        tokio::time::sleep(pause).await;
    }
}

/// Makes the index of an account anew, from its tables as they are now.
async fn renew(page: &Page) -> Result<(), AdminError> {
    let Page { admin, stack, .. } = page;
    let at = now();
    let events = admin.scan(&stack.events_table, None).await?;
    let documents = admin.scan(&stack.documents_table, None).await?;
    page.renew(Index::of_tables(&events, &documents, at));
    Ok(())
}

/// Reports the events from before the machine's start. The machine itself reports the later ones, before or after this.
async fn before_the_start(page: &Page) -> Result<(), AdminError> {
    let Page { admin, stack, .. } = page;
    let mut events = admin.scan(&stack.events_table, None).await?;
    events.retain(|item| item.get("received_at").and_then(Value::as_i64) < Some(page.started_at));
    page.recorder.tell(Seen::Stored {
        events,
        documents: admin.scan(&stack.documents_table, None).await?,
    });
    Ok(())
}
