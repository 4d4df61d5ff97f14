//! A secret of the handler: fetched when it is needed, and kept for a while.

use std::fmt;
use std::time::{Duration, Instant};

use hookwell::keys::not_ready::SecretProblem;
use hookwell::keys::reference::SecretRef;
use hookwell::ports::handler::HandleError;
use tokio::sync::Mutex;

use crate::client::connection::Connection;
use crate::http::stores::Stores;

/// Time after which a store is asked again, so that a rotated secret needs no deploy.
const FRESH: Duration = Duration::from_mins(5);

/// A secret that is in the environment or in a store.
pub struct Secret {
    name: &'static str,
    place: Place,
}

enum Place {
    Text(String),
    Store(Box<Stored>),
}

struct Stored {
    reference: SecretRef,
    stores: Stores,
    kept: Mutex<Option<(Instant, String)>>,
}

/// A store did not give a secret.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{name}: {problem}")]
pub struct SecretError {
    /// The variable that names the secret.
    pub name: &'static str,
    /// Reason of the store.
    pub problem: SecretProblem,
}

impl From<SecretError> for HandleError {
    /// Tried again: nothing of the call has begun, and a person may put the secret there.
    fn from(error: SecretError) -> Self {
        Self::RetryEnded(error.to_string())
    }
}

impl Secret {
    pub(crate) fn new(name: &'static str, text: String, connection: Connection) -> Self {
        let reference = SecretRef::parse(&text);
        let place = match reference {
            Some(reference @ (SecretRef::Ssm(_) | SecretRef::SecretsManager { .. })) => {
                Place::Store(Box::new(Stored {
                    reference,
                    stores: Stores::new(&nothing, connection),
                    kept: Mutex::new(None),
                }))
            }
            _ => Place::Text(text),
        };
        Self { name, place }
    }

    /// The text of the secret. A store is asked every five minutes; while it does not answer, the last text stays.
    ///
    /// # Errors
    /// When the store has never given it.
    pub async fn text(&self) -> Result<String, SecretError> {
        let Stored {
            reference,
            stores,
            kept,
        } = match &self.place {
            Place::Text(text) => return Ok(text.clone()),
            Place::Store(stored) => &**stored,
        };
        let mut kept = kept.lock().await;
        if let Some((at, text)) = &*kept
            && at.elapsed() < FRESH
        {
            return Ok(text.clone());
        }
        match (stores.find(reference).await, &*kept) {
            (Ok(text), _) => {
                *kept = Some((Instant::now(), text.clone()));
                Ok(text)
            }
            (Err(_), Some((_, text))) => Ok(text.clone()),
            (Err(problem), None) => Err(SecretError {
                name: self.name,
                problem,
            }),
        }
    }
}

impl fmt::Debug for Secret {
    /// Without the text.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Secret({})", self.name)
    }
}

/// An environment without variables: the reference is known already.
fn nothing(_: &str) -> Option<String> {
    None
}
