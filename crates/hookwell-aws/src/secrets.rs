//! Fetches the text of secrets.

use hookwell::secret::SecretRef;
use hookwell::source::SecretProblem;

use crate::settings::Environment;

/// The text of a secret.
///
/// # Errors
/// When it is not set, or its store is not one that this build can ask.
pub fn fetch(env: Environment<'_>, reference: &SecretRef) -> Result<String, SecretProblem> {
    match reference {
        SecretRef::Env(name) => env(name).ok_or(SecretProblem::NotSet),
        SecretRef::Ssm(_) | SecretRef::SecretsManager { .. } => {
            let reason = "only env: secrets are supported so far";
            Err(SecretProblem::Unavailable(reason.to_owned()))
        }
    }
}
