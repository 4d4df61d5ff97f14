//! A call of an operator that failed, and what the operator can do about it.

/// A call failed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{what}: {why}{}", advice(why))]
pub struct AdminError {
    /// The call that failed, with the table, queue or stack that it was for.
    pub what: String,
    /// Reason of the failure: AWS's code for it, where there is one.
    pub why: String,
}

pub(crate) fn failed(what: &str, why: impl Into<String>) -> AdminError {
    AdminError {
        what: what.to_owned(),
        why: why.into(),
    }
}

/// Meaning of a failure in words, and what to do about it; empty where AWS's code says it all.
fn advice(why: &str) -> &'static str {
    match why {
        "ResourceNotFoundException"
        | "QueueDoesNotExist"
        | "AWS.SimpleQueueService.NonExistentQueue" => {
            ". The account and region of the credentials have none of that name: AWS_PROFILE and AWS_REGION choose others"
        }
        "AccessDenied" | "AccessDeniedException" => {
            ". The credentials may not do this: add the right to them, or choose others with AWS_PROFILE"
        }
        "ExpiredToken" | "ExpiredTokenException" => {
            ". The credentials have expired: run `aws sso login`, or renew them where they come from"
        }
        "InvalidClientTokenId"
        | "UnrecognizedClientException"
        | "InvalidSignatureException"
        | "SignatureDoesNotMatch" => {
            ". AWS does not know these credentials: `aws sts get-caller-identity` says whose they are"
        }
        _ => "",
    }
}
