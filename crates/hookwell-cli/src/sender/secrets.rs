//! The secrets of the local machine: from the environment, from its file, or made up where nothing is set.

use std::collections::BTreeMap;
use std::fmt;

use anyhow::Result;
use hookwell::deliver::{Destination, Target};
use hookwell::keys::not_ready::SecretProblem;
use hookwell::keys::reference::SecretRef;
use hookwell::source::Source;
use hookwell_aws::settings::process_environment;
use hookwell_sandbox::test_keys;

use super::local_secrets;

/// Secrets of the tool: from the environment, else from the file of this machine, else made up.
#[derive(Clone, Default)]
pub struct Secrets {
    in_file: BTreeMap<String, String>,
    made_up: BTreeMap<String, String>,
}

impl Secrets {
    /// Secrets from the environment only.
    #[must_use]
    pub fn from_environment() -> Self {
        Self::default()
    }

    /// Makes up every secret of `sources` that is not set. A made up secret is the same each time: `hookwell send` in
    /// another window signs with the secret that `hookwell dev` checks. It protects nothing, and is for this machine
    /// only.
    #[must_use]
    pub fn made_up_for(sources: &[Source]) -> Self {
        Self::default().making_up(sources)
    }

    /// The secrets of the environment and of the file of this machine, and a made up one for every other of `sources`.
    ///
    /// # Errors
    /// When the file cannot be read.
    pub fn on_this_machine(sources: &[Source]) -> Result<Self> {
        Ok(Self::from_file()?.making_up(sources))
    }

    fn from_file() -> Result<Self> {
        Ok(Self {
            in_file: local_secrets::read()?,
            made_up: BTreeMap::new(),
        })
    }

    fn making_up(mut self, sources: &[Source]) -> Self {
        for source in sources {
            for reference in source.references() {
                if !self.is_set(reference) {
                    let text = test_keys::made_up(source, reference);
                    self.made_up.entry(reference.to_string()).or_insert(text);
                }
            }
        }
        self
    }

    /// Adds a made up secret for every secret of `destinations` that is not set.
    #[must_use]
    pub fn and_for(mut self, destinations: &[Destination]) -> Self {
        for destination in destinations {
            if let Target::Http { secret, .. } = &destination.to
                && !self.is_set(secret)
            {
                let text = test_keys::signing_secret(secret);
                self.made_up.entry(secret.to_string()).or_insert(text);
            }
        }
        self
    }

    /// The secrets of the environment and of the file of this machine, or made up ones when neither has any secret of
    /// `sources`.
    ///
    /// # Errors
    /// When the file cannot be read.
    pub fn real_or_made_up(sources: &[Source]) -> Result<Self> {
        let real = Self::from_file()?;
        let mut references = sources.iter().flat_map(Source::references);
        if references.any(|reference| real.is_set(reference)) {
            Ok(real)
        } else {
            Ok(Self::made_up_for(sources))
        }
    }

    /// References of the secrets of `sources` that are from the file of this machine.
    pub fn in_file<'a>(&'a self, sources: &'a [Source]) -> impl Iterator<Item = &'a SecretRef> {
        let all = sources.iter().flat_map(Source::references);
        all.filter(|one| !is_in_environment(one) && self.in_file.contains_key(&one.to_string()))
    }

    fn is_set(&self, reference: &SecretRef) -> bool {
        is_in_environment(reference) || self.in_file.contains_key(&reference.to_string())
    }

    /// True when every secret of a source was made up here.
    #[must_use]
    pub fn are_made_up_for(&self, source: &Source) -> bool {
        source.references().all(|one| self.is_made_up(one))
    }

    /// True when this secret was made up here.
    #[must_use]
    pub fn is_made_up(&self, reference: &SecretRef) -> bool {
        self.made_up.contains_key(&reference.to_string())
    }

    /// References and texts of the secrets that were made up.
    pub fn made_up(&self) -> impl Iterator<Item = (&str, &str)> {
        self.made_up
            .iter()
            .map(|(name, text)| (name.as_str(), text.as_str()))
    }

    /// The text of a secret.
    ///
    /// # Errors
    /// When it is not set.
    pub fn fetch(&self, reference: &SecretRef) -> Result<String, SecretProblem> {
        let name = reference.to_string();
        let text = match self.made_up.get(&name) {
            None if !is_in_environment(reference) => self.in_file.get(&name),
            made_up => made_up,
        };
        text.map_or_else(|| from_environment(reference), |text| Ok(text.clone()))
    }
}

impl fmt::Debug for Secrets {
    /// Without the texts.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secrets(..)")
    }
}

/// The text of a secret that is in the environment. What is in a store is asked for only by ingest.
///
/// # Errors
/// When it is not set, or in a store.
pub fn from_environment(reference: &SecretRef) -> Result<String, SecretProblem> {
    match reference {
        SecretRef::Env(name) => process_environment(name).ok_or(SecretProblem::NotSet),
        SecretRef::Ssm(_) | SecretRef::SecretsManager { .. } | SecretRef::Url(_) => {
            let reason = "this command asks no store, the function does";
            Err(SecretProblem::Unavailable(reason.to_owned()))
        }
    }
}

fn is_in_environment(reference: &SecretRef) -> bool {
    matches!(reference, SecretRef::Env(name) if process_environment(name).is_some())
}
