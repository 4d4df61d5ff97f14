//! The secrets of the local machine: from the environment, or made up where nothing is set.

use std::collections::BTreeMap;

use hookwell::secret::SecretRef;
use hookwell::source::{SecretProblem, Source};
use hookwell_aws::secrets;
use hookwell_aws::settings::process_environment;
use sha2::{Digest, Sha256};

/// Where the tool looks for secrets.
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
        for reference in sources.iter().flat_map(|source| &source.secrets) {
            let is_set =
                matches!(reference, SecretRef::Env(name) if process_environment(name).is_some());
            if !is_set {
                let name = reference.to_string();
                let hash = hex::encode(Sha256::digest(format!("hookwell dev {name}")));
                made_up.insert(name, format!("local_{}", hash.get(..32).unwrap_or(&hash)));
            }
        }
        Self { made_up }
    }

    /// What was made up: reference and text.
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
            None => secrets::fetch(&process_environment, reference),
        }
    }
}
