//! A secret of the handler: fetched when it is needed, and kept for a while.

use std::fmt;

use hookwell::keys::not_ready::SecretProblem;
use hookwell::keys::reference::SecretRef;
use hookwell::ports::handler::HandleError;

use crate::client::connection::Connection;
use crate::client::limits::Limits;
use crate::http::stores::Stores;
use crate::kept::Kept;

/// Beginnings of references to a secret.
const REFERENCES: [&str; 3] = ["env:", "ssm:", "secretsmanager:"];

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
    kept: Kept,
}

/// A variable begins as a reference to a secret and is none.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0} begins as a reference, and is neither ssm:NAME nor secretsmanager:ID#STAGE")]
pub(crate) struct Mistyped(&'static str);

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
    pub(crate) fn new(
        name: &'static str,
        text: String,
        connection: Connection,
    ) -> Result<Self, Mistyped> {
        let reference = SecretRef::parse(&text);
        let place = match reference {
            Some(reference @ (SecretRef::Ssm(_) | SecretRef::SecretsManager { .. })) => {
                Place::Store(Box::new(Stored {
                    reference,
                    stores: Stores::new(&nothing, connection, Limits::KEYS),
                    kept: Kept::default(),
                }))
            }
            // A mistyped reference must not go out as the secret.
            _ if REFERENCES.iter().any(|start| text.starts_with(start)) => {
                return Err(Mistyped(name));
            }
            _ => Place::Text(text),
        };
        Ok(Self { name, place })
    }

    /// The text of the secret. A store is asked again after five minutes, so that a rotated secret needs no deploy; while the
    /// store does not answer, the last text stays for a day.
    ///
    /// # Errors
    /// When the store has none, or has not answered for too long.
    pub async fn text(&self) -> Result<String, SecretError> {
        let stored = match &self.place {
            Place::Text(text) => return Ok(text.clone()),
            Place::Store(stored) => stored,
        };
        let found = stored.kept.text(|| stored.stores.find(&stored.reference));
        found.await.map_err(|problem| SecretError {
            name: self.name,
            problem,
        })
    }
}

impl fmt::Debug for Secret {
    /// Without the text.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Secret({})", self.name)
    }
}

/// An environment without variables: the variable that holds the reference was read before.
fn nothing(_: &str) -> Option<String> {
    None
}
