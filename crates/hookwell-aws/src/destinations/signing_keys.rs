//! The secrets of destinations: fetched when one is needed, kept, and fetched again after five minutes.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use hookwell::deliver::SigningKey;
use hookwell::ingest::key_cache::Fetch;
use hookwell::keys::not_ready::SecretProblem;
use hookwell::keys::reference::SecretRef;
use hookwell::ports::handler::HandleError;

/// The age at which a key is fetched again, as the keys of sources are.
const RENEW_AFTER: Duration = Duration::from_mins(5);

/// Keys by their references.
#[derive(Debug)]
pub(super) struct SigningKeys {
    fetch: Fetch,
    held: Mutex<BTreeMap<String, (SigningKey, Instant)>>,
}

impl SigningKeys {
    pub(super) fn new(fetch: Fetch) -> Self {
        Self {
            fetch,
            held: Mutex::default(),
        }
    }

    /// The key under a reference. Where its store does not answer, the last one stays in force.
    pub(super) async fn key(&self, reference: &SecretRef) -> Result<SigningKey, HandleError> {
        let name = reference.to_string();
        let held = self.held().get(&name).cloned();
        if let Some((key, since)) = &held
            && since.elapsed() < RENEW_AFTER
        {
            return Ok(key.clone());
        }
        // Boxed: otherwise every enclosing future grows by its size.
        let found = Box::pin(self.fetch.find(reference.clone())).await;
        let key = match (found, held) {
            (Ok(text), _) => SigningKey::new(&text).map_err(|why| why.to_string()),
            (Err(SecretProblem::Unavailable(_) | SecretProblem::Crowded), Some((key, _))) => {
                return Ok(key);
            }
            (Err(why), _) => Err(why.to_string()),
        };
        let key = key.map_err(|why| HandleError::RetryEnded(format!("{reference} {why}")))?;
        self.held().insert(name, (key.clone(), Instant::now()));
        Ok(key)
    }

    fn held(&self) -> MutexGuard<'_, BTreeMap<String, (SigningKey, Instant)>> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
