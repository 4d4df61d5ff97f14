//! References to the places that keep the texts of keys.

use std::fmt;

/// Reference to the place that keeps the text of a key: it stands in the sources file, the text never does.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SecretRef {
    /// `env:NAME`
    Env(String),
    /// `ssm:NAME`, a Parameter Store name.
    Ssm(String),
    /// `secretsmanager:ID#STAGE`; without a stage, `AWSCURRENT`.
    SecretsManager {
        /// Name or ARN.
        id: String,
        /// Staging label.
        stage: String,
    },
    /// The certificate at an address that a delivery named; never in the file.
    Url(String),
}

impl SecretRef {
    /// Reads a reference as it stands in the sources file.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let (kind, name) = text.split_once(':')?;
        if name.trim() != name || name.is_empty() {
            return None;
        }
        match kind {
            "env" => Some(Self::Env(name.to_owned())),
            "ssm" => Some(Self::Ssm(name.to_owned())),
            "secretsmanager" => {
                let (id, stage) = name.split_once('#').unwrap_or((name, CURRENT));
                Some(Self::SecretsManager {
                    id: id.to_owned(),
                    stage: stage.to_owned(),
                })
            }
            _ => None,
        }
    }

    /// The reference without its stage: all versions of a secret are one owner's.
    pub(crate) fn without_stage(&self) -> String {
        match self {
            Self::SecretsManager { id, .. } => format!("secretsmanager:{id}"),
            other => other.to_string(),
        }
    }

    /// True when the secret may be absent: a version of a secret beside the current one is there only after a
    /// rotation, or during one ("Rotate AWS Secrets Manager secrets", staging labels).
    #[must_use]
    pub fn may_be_absent(&self) -> bool {
        matches!(self, Self::SecretsManager { stage, .. } if stage != CURRENT)
    }
}

/// The label of the version that counts.
const CURRENT: &str = "AWSCURRENT";

impl fmt::Display for SecretRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Env(name) => write!(f, "env:{name}"),
            Self::Ssm(name) => write!(f, "ssm:{name}"),
            Self::SecretsManager { id, stage } => write!(f, "secretsmanager:{id}#{stage}"),
            Self::Url(url) => f.write_str(url),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn references_name_their_store() {
        assert_eq!(SecretRef::parse("env:A"), Some(SecretRef::Env("A".into())));
        let staged = SecretRef::parse("secretsmanager:shop#AWSPREVIOUS").unwrap();
        assert_eq!(staged.to_string(), "secretsmanager:shop#AWSPREVIOUS");
        for bad in ["", "A", "env:", "env: A", "vault:A"] {
            assert_eq!(SecretRef::parse(bad), None, "{bad}");
        }
    }
}
