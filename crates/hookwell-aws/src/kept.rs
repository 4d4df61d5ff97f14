//! The text of a secret: fetched when it is needed, kept, and fetched again after five minutes.

use std::fmt;
use std::time::{Duration, Instant};

use hookwell::ingest::key_cache::{RENEW_AFTER, STALE_AFTER};
use hookwell::keys::not_ready::SecretProblem;
use tokio::sync::Mutex;

/// Time after which a store that did not answer is asked again.
const AGAIN: Duration = Duration::from_secs(30);

/// A secret's text, once there is one.
#[derive(Default)]
pub(crate) struct Kept(Mutex<Option<Held>>);

impl fmt::Debug for Kept {
    /// Without the text.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Kept")
    }
}

struct Held {
    text: String,
    since: Instant,
    /// Time at which it is fetched again.
    due: Instant,
}

impl Kept {
    /// The kept text, or the text that `find` gives where none is kept or the kept one is due. Callers that come
    /// meanwhile wait for the one fetch. While the store does not answer, the last text stays for a day, as the secrets
    /// of sources do.
    ///
    /// # Errors
    /// When the store says so, or does not answer and there is no last text.
    pub(crate) async fn text<F>(&self, find: impl FnOnce() -> F) -> Result<String, SecretProblem>
    where
        F: Future<Output = Result<String, SecretProblem>>,
    {
        let mut kept = self.0.lock().await;
        if let Some(last) = &*kept
            && Instant::now() < last.due
        {
            return Ok(last.text.clone());
        }
        let found = find().await;
        let now = Instant::now();
        match found {
            Ok(text) => {
                *kept = Some(Held {
                    text: text.clone(),
                    since: now,
                    due: now + millis(RENEW_AFTER),
                });
                Ok(text)
            }
            Err(problem @ (SecretProblem::Unavailable(_) | SecretProblem::Crowded)) => {
                match &mut *kept {
                    Some(last) if now.duration_since(last.since) < millis(STALE_AFTER) => {
                        last.due = now + AGAIN;
                        Ok(last.text.clone())
                    }
                    _ => Err(problem),
                }
            }
            Err(problem) => Err(problem),
        }
    }
}

fn millis(time: i64) -> Duration {
    Duration::from_millis(time.try_into().unwrap_or(0))
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use std::future::ready;

    use super::*;

    #[tokio::test]
    async fn a_store_is_asked_when_it_is_due_and_not_again_at_once_when_it_is_away() {
        let kept = Kept::default();
        let away = || Err(SecretProblem::Unavailable("timed out".to_owned()));
        assert!(kept.text(|| ready(away())).await.is_err(), "none is kept");
        let first = kept.text(|| ready(Ok("first".to_owned()))).await;
        assert_eq!(first.unwrap(), "first");
        let asked = || -> std::future::Ready<_> { panic!("it is asked") };
        assert_eq!(kept.text(asked).await.unwrap(), "first");
        let due = async || kept.0.lock().await.as_mut().unwrap().due = Instant::now();
        due().await;
        assert_eq!(kept.text(|| ready(away())).await.unwrap(), "first");
        assert_eq!(
            kept.text(asked).await.unwrap(),
            "first",
            "not again at once"
        );
        due().await;
        let gone = kept.text(|| ready(Err(SecretProblem::NotSet))).await;
        assert_eq!(gone, Err(SecretProblem::NotSet));
    }
}
