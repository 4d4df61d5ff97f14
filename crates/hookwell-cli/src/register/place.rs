//! Places for the secret of a webhook.

use anyhow::{Context as _, Result, anyhow, bail, ensure};
use hookwell::keys::not_ready::SecretProblem;
use hookwell::keys::reference::SecretRef;
use hookwell::source::Source;
use hookwell_aws::Connection;
use hookwell_aws::settings::process_environment;
use hookwell_aws::tools::secret_store::SecretStore;

use crate::sender::{LOCAL_SECRETS, local_secret, put_local_secret};

/// Place of the secret of a source: that of its first reference.
pub(crate) struct Place<'a> {
    reference: &'a SecretRef,
    kind: Kind,
}

enum Kind {
    /// The file that `hookwell dev` reads.
    File,
    /// Parameter Store or Secrets Manager.
    Store(Box<SecretStore>),
}

impl<'a> Place<'a> {
    /// Place for the secret of a source, on this machine or on AWS.
    ///
    /// # Errors
    /// When nothing can be written there, or there are no credentials.
    pub(crate) async fn of(source: &'a Source, is_local: bool) -> Result<Self> {
        let name = &source.name;
        let reference = source.secrets.first().with_context(|| {
            format!("source {name} names no secret: add secrets = [\"ssm:/hookwell/{name}\"] to it")
        })?;
        let kind = match reference {
            SecretRef::Env(variable) if is_local && process_environment(variable).is_some() => {
                bail!(
                    "{reference} is set in this environment and counts before {LOCAL_SECRETS}: unset it"
                )
            }
            _ if is_local => Kind::File,
            SecretRef::SecretsManager { .. } if reference.may_be_absent() => bail!(
                "{reference}, the first secret of {name}, is a version beside the current one: name the current one first"
            ),
            SecretRef::Ssm(_) | SecretRef::SecretsManager { .. } => {
                Kind::Store(Box::new(store().await?))
            }
            SecretRef::Env(_) | SecretRef::Url(_) => bail!(
                "{reference}, the first secret of {name}, is in the environment of the function, where nothing can be stored: name ssm:/hookwell/{name} in its place and deploy, or keep the secret on this machine with --local"
            ),
        };
        Ok(Self { reference, kind })
    }

    /// True when a secret is there already.
    ///
    /// # Errors
    /// When the place cannot be read.
    pub(crate) async fn has_secret(&self) -> Result<bool> {
        let found = match &self.kind {
            Kind::File => return Ok(local_secret(self.reference)?.is_some()),
            Kind::Store(store) => store.text(self.reference).await,
        };
        match found {
            Ok(text) => Ok(!text.trim().is_empty()),
            Err(SecretProblem::NotSet) => Ok(false),
            Err(why) => Err(anyhow!("{} {why}", self.reference)),
        }
    }

    /// Stores a secret.
    ///
    /// # Errors
    /// When the place does not take it.
    pub(crate) async fn put(&self, secret: &str) -> Result<()> {
        match &self.kind {
            Kind::File => put_local_secret(self.reference, secret),
            Kind::Store(store) => {
                let stored = store.put(self.reference, secret, &random::<16>()?).await;
                stored.with_context(|| self.reference.to_string())
            }
        }
    }

    /// Words for where the secret is and when it counts.
    pub(crate) fn stored(&self) -> String {
        let reference = self.reference;
        match self.kind {
            Kind::File => {
                format!(
                    "in {LOCAL_SECRETS}, as {reference}: `hookwell dev` reads it when it starts"
                )
            }
            Kind::Store(_) => format!("in {reference}; the function takes it within half a minute"),
        }
    }

    /// The reference under which the secret is.
    pub(crate) fn reference(&self) -> &SecretRef {
        self.reference
    }
}

/// The text of an API key.
///
/// # Errors
/// When its reference leads to none.
pub(crate) async fn api_key(reference: &SecretRef) -> Result<String> {
    let found = match reference {
        SecretRef::Env(name) => process_environment(name).ok_or(SecretProblem::NotSet),
        _ => store().await?.text(reference).await,
    };
    let text = found.map_err(|why| anyhow!("the API key {reference} {why}"))?;
    let text = text.trim();
    ensure!(!text.is_empty(), "the API key {reference} is empty");
    Ok(text.to_owned())
}

async fn store() -> Result<SecretStore> {
    let connection = Connection::from_default_chain(&process_environment).await?;
    Ok(SecretStore::new(connection))
}

/// Random bytes in hex.
///
/// # Errors
/// When the system has no random numbers.
pub(crate) fn random<const BYTES: usize>() -> Result<String> {
    let mut bytes = [0; BYTES];
    getrandom::fill(&mut bytes).map_err(|error| anyhow!("no random numbers: {error}"))?;
    Ok(hex::encode(bytes))
}
