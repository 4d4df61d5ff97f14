//! Fills the index from the tables, beside everything else: once where a machine tells the rest, else again and again.

use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::extract::State;
use axum::response::{IntoResponse as _, Redirect, Response};
use hookwell::format::time::Millis;
use hookwell_aws::tools::admin::Item;
use hookwell_aws::tools::failure::AdminError;
use hookwell_aws::tools::follow::Follow;
use hookwell_aws::tools::records::{Order, Search, received_at};
use hookwell_lambda::now::now;
use http::StatusCode;

use super::index::ROWS;
use super::layout::sentence;
use super::shared::Page;
use crate::news::Seen;

/// The shortest pause between two looks.
const PAUSE: Duration = Duration::from_secs(5);

/// Least pause after a look, as a multiple of the look's time, so that the table is not read all the time.
const PAUSES: u32 = 10;

/// Records of an account that the first look reads at most, and each that somebody asks for after it.
const NEWEST: usize = 10_000;

/// Records that are read at once.
const AT_ONCE: usize = 800;

/// Reads the tables: beside a machine until they answer, over an account again and again.
pub(crate) async fn fill(page: &Page) {
    loop {
        let started = Instant::now();
        let filled = if page.is_machine() {
            before_the_start(page).await
        } else {
            look(page).await
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

/// Reports the newest records of an account, or those that are new or have changed since the last look.
async fn look(page: &Page) -> Result<(), AdminError> {
    let Page { admin, stack, .. } = page;
    let (table, at) = (&stack.events_table, now());
    let all = Search::default();
    let mut follow = page.follow.lock().await;
    if let Some(follow) = &mut *follow {
        let mut events = Vec::new();
        let take = |items| events.extend(items);
        follow.look(admin, table, &all, at, take).await?;
        page.recorder.tell(Seen::Looked { events, at });
        return Ok(());
    }
    let events = newest(page, all, NEWEST).await?;
    *follow = Some(Follow::after(&events, at));
    read_since(page, &events, at);
    page.recorder.tell(Seen::Looked { events, at });
    Ok(())
}

/// Reports how far the page has read, where it did not read all.
fn read_since(page: &Page, events: &[Item], now: Millis) {
    let oldest = events.first().and_then(received_at).unwrap_or(now);
    let oldest = Some(oldest).filter(|_| events.len() >= NEWEST);
    page.recorder.tell(Seen::ReadSince(oldest));
}

/// Reads on in the records of an account that are older than those that the page shows.
pub(super) async fn older(State(page): State<Arc<Page>>) -> Response {
    match page.read_older().await {
        Ok(()) => Redirect::to("/").into_response(),
        Err(why) => {
            let content = sentence(&page, "Not read", &why.to_string());
            page.html(StatusCode::BAD_GATEWAY, content)
        }
    }
}

impl Page {
    async fn read_older(&self) -> Result<(), AdminError> {
        let mut follow = self.follow.lock().await;
        let Some(since) = self.index().read_since else {
            return Ok(());
        };
        // Those of that very moment may have been read or not; the page knows which it has.
        let before = Search {
            until: Some(since),
            ..Search::default()
        };
        let events = newest(self, before, NEWEST).await?;
        if let Some(follow) = &mut *follow {
            follow.also(&events);
        }
        read_since(self, &events, since);
        self.recorder.tell(Seen::Stored {
            events,
            documents: Vec::new(),
        });
        self.recorder.caught_up().await;
        Ok(())
    }
}

/// Reports the events from before the machine's start. The machine itself reports the later ones, before or after this.
async fn before_the_start(page: &Page) -> Result<(), AdminError> {
    let Page { admin, stack, .. } = page;
    let before = Search {
        until: Some(page.started_at.saturating_sub(1)),
        ..Search::default()
    };
    let events = newest(page, before, ROWS).await?;
    let documents = admin.scan(&stack.documents_table, None).await?;
    page.recorder.tell(Seen::Stored { events, documents });
    Ok(())
}

/// The newest records, at most so many, the first received first.
async fn newest(page: &Page, search: Search, most: usize) -> Result<Vec<Item>, AdminError> {
    let Page { admin, stack, .. } = page;
    let mut records = admin.records(&stack.events_table, search, Order::NewestFirst);
    let mut found = Vec::new();
    while found.len() < most {
        let some = records
            .next(AT_ONCE.min(most.saturating_sub(found.len())))
            .await?;
        if some.is_empty() {
            break;
        }
        found.extend(some);
    }
    found.reverse();
    Ok(found)
}
