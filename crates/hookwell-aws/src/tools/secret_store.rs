//! Parameter Store and Secrets Manager as an operator uses them: secrets are read and written.

use std::fmt;

use hookwell::keys::not_ready::SecretProblem;
use hookwell::keys::reference::SecretRef;
use serde_json::{Value, json};

use crate::client::connection::Connection;
use crate::client::limits::Limits;
use crate::http::stores::Stores;

/// Both stores of one account and region.
pub struct SecretStore(Stores);

/// A store did not take a secret.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("cannot be stored: {0}")]
pub struct NotStored(String);

impl SecretStore {
    /// The stores that a connection reaches.
    #[must_use]
    pub fn new(connection: Connection) -> Self {
        Self(Stores::new(&nothing, connection, Limits::TOOL))
    }

    /// The text of a secret.
    ///
    /// # Errors
    /// When its store has none, or does not give it.
    pub async fn text(&self, reference: &SecretRef) -> Result<String, SecretProblem> {
        self.0.find(reference).await
    }

    /// Stores a secret in place of what was there: a `SecureString` in Parameter Store, the current version in Secrets Manager.
    /// `token` is new for each secret, 32 to 64 characters: a repeated request with it changes nothing more.
    ///
    /// # Errors
    /// When the store does not take it, or the reference is of no store.
    pub async fn put(
        &self,
        reference: &SecretRef,
        text: &str,
        token: &str,
    ) -> Result<(), NotStored> {
        match reference {
            SecretRef::Ssm(name) => {
                let asked = json!({
                    "Name": name, "Value": text, "Type": "SecureString", "Overwrite": true,
                });
                self.ask("ssm", "AmazonSSM.PutParameter", &asked).await
            }
            SecretRef::SecretsManager { id, .. } => self.put_secret(id, text, token).await,
            SecretRef::Env(_) | SecretRef::Url(_) => {
                Err(NotStored("this is the name of no store".to_owned()))
            }
        }
    }

    /// Adds a version to a secret; where there is none, creates it.
    async fn put_secret(&self, id: &str, text: &str, token: &str) -> Result<(), NotStored> {
        const SERVICE: &str = "secretsmanager";
        let asked = json!({ "SecretId": id, "SecretString": text, "ClientRequestToken": token });
        let put = self.0.ask(SERVICE, "secretsmanager.PutSecretValue", &asked);
        match put.await {
            // An ARN is no name for a new one.
            Err(SecretProblem::NotSet) if !id.starts_with("arn:") => {
                let asked =
                    json!({ "Name": id, "SecretString": text, "ClientRequestToken": token });
                self.ask(SERVICE, "secretsmanager.CreateSecret", &asked)
                    .await
            }
            Err(why) => Err(not_stored(why)),
            Ok(_) => Ok(()),
        }
    }

    async fn ask(
        &self,
        service: &'static str,
        operation: &str,
        asked: &Value,
    ) -> Result<(), NotStored> {
        let asked = self.0.ask(service, operation, asked).await;
        asked.map(drop).map_err(not_stored)
    }
}

impl fmt::Debug for SecretStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SecretStore")
    }
}

fn not_stored(why: SecretProblem) -> NotStored {
    NotStored(match why {
        SecretProblem::Unavailable(why) => why,
        SecretProblem::NotSet => "it is not there".to_owned(),
        SecretProblem::Crowded => "its store is asked too often".to_owned(),
        SecretProblem::Unusable(why) => why.to_string(),
    })
}

/// An environment without variables: a secret in a variable is in no store.
fn nothing(_: &str) -> Option<String> {
    None
}
