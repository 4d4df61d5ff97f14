//! The secrets of the local machine: from the environment, or made up where nothing is set.

use std::collections::BTreeMap;

use hookwell::deliver::{Destination, Target};
use hookwell::keys::not_ready::SecretProblem;
use hookwell::keys::reference::SecretRef;
use hookwell::source::Source;
use hookwell_aws::settings::process_environment;
use hookwell_sandbox::test_keys;

/// Secrets of the tool: from the environment, or made up.
#[derive(Debug, Clone, Default)]
pub struct Secrets {
    made_up: BTreeMap<String, String>,
}

impl Secrets {
    /// Secrets from the environment only.
    #[must_use]
    pub fn from_environment() -> Self {
        Self::default()
    }

    /// Makes up every secret of `sources` that is not set. The same one each time, so that `hookwell send` in another
    /// window signs with what `hookwell dev` checks. It is no secret at all, and only for this machine.
    #[must_use]
    pub fn made_up_for(sources: &[Source]) -> Self {
        let mut made_up = BTreeMap::new();
        for source in sources {
            for reference in source.references() {
                if !is_set(reference) {
                    let text = test_keys::made_up(source, reference);
                    made_up.entry(reference.to_string()).or_insert(text);
                }
            }
        }
        Self { made_up }
    }

    /// The same, with a made up one for every secret of `destinations` that is not set.
    #[must_use]
    pub fn and_for(mut self, destinations: &[Destination]) -> Self {
        for destination in destinations {
            if let Target::Http { secret, .. } = &destination.to
                && !is_set(secret)
            {
                let text = test_keys::signing_secret(secret);
                self.made_up.entry(secret.to_string()).or_insert(text);
            }
        }
        self
    }

    /// The secrets of the environment, or made up ones when it has none of them at all.
    #[must_use]
    pub fn real_or_made_up(sources: &[Source]) -> Self {
        if sources.iter().flat_map(Source::references).any(is_set) {
            Self::from_environment()
        } else {
            Self::made_up_for(sources)
        }
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
        match self.made_up.get(&reference.to_string()) {
            Some(text) => Ok(text.clone()),
            None => from_environment(reference),
        }
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

fn is_set(reference: &SecretRef) -> bool {
    matches!(reference, SecretRef::Env(name) if process_environment(name).is_some())
}
