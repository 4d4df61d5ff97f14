//! Fills the index from the tables, once, beside everything else.

use std::time::Duration;

use hookwell_aws::admin::AdminError;

use super::Page;
use super::recorder::Seen;

/// The pause before the next try when the tables do not answer.
const PAUSE: Duration = Duration::from_secs(5);

/// Reads both tables, again and again until they answer.
pub(super) async fn fill(page: &Page) {
    loop {
        match stored(page).await {
            Ok(stored) => return page.recorder.tell(stored),
            Err(why) => tracing::warn!(reason = %why, "the page waits for the tables"),
        }
        tokio::time::sleep(PAUSE).await;
    }
}

async fn stored(page: &Page) -> Result<Seen, AdminError> {
    let Page {
        admin, endpoints, ..
    } = page;
    let tries = admin.max_receive_count(&endpoints.queue_url).await?;
    Ok(Seen::Stored {
        events: admin.scan(&endpoints.events_table, None).await?,
        documents: admin.scan(&endpoints.documents_table, None).await?,
        tries: tries.unwrap_or(u32::MAX),
    })
}
