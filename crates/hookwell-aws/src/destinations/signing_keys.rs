//! The secrets that sign the requests to destinations.

use std::collections::BTreeMap;

use hookwell::deliver::{Destination, SigningKey, Target};
use hookwell::ingest::key_cache::Fetch;
use hookwell::keys::reference::SecretRef;
use hookwell::ports::handler::HandleError;

use crate::kept::Kept;

/// Secrets by their references.
#[derive(Debug)]
pub(super) struct SigningKeys {
    fetch: Fetch,
    kept: BTreeMap<String, Kept>,
}

impl SigningKeys {
    /// The secrets of these destinations, none of which is fetched yet.
    pub(super) fn new(all: &[Destination], fetch: Fetch) -> Self {
        let secrets = all.iter().filter_map(|one| match &one.to {
            Target::Http { secret, .. } => Some((secret.to_string(), Kept::default())),
            Target::EventBridge(_) | Target::Sqs(_) => None,
        });
        Self {
            fetch,
            kept: secrets.collect(),
        }
    }

    /// The key under a reference of a destination.
    pub(super) async fn key(&self, reference: &SecretRef) -> Result<SigningKey, HandleError> {
        let unusable = |why: &dyn ToString| {
            HandleError::RetryEnded(format!("{reference} {}", why.to_string()))
        };
        let kept = self.kept.get(&reference.to_string());
        let kept = kept.ok_or_else(|| unusable(&"is of no destination"))?;
        // Boxed: otherwise every enclosing future grows by its size.
        let text = Box::pin(kept.text(|| self.fetch.find(reference.clone()))).await;
        SigningKey::new(&text.map_err(|why| unusable(&why))?).map_err(|why| unusable(&why))
    }
}
