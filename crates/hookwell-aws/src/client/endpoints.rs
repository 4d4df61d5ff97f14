//! Addresses of the services.

use super::settings::Environment;

/// Addresses of the services that are not at their usual ones.
#[derive(Debug, Clone)]
pub(super) struct Endpoints {
    pub(super) cloudformation: Option<String>,
    pub(super) dynamodb: Option<String>,
    pub(super) eventbridge: Option<String>,
    pub(super) s3: Option<String>,
    pub(super) secretsmanager: Option<String>,
    pub(super) sqs: Option<String>,
    pub(super) ssm: Option<String>,
}

impl Endpoints {
    pub(super) fn from_environment(env: Environment<'_>) -> Self {
        let of = |service: &str| env(service).or_else(|| env("AWS_ENDPOINT_URL"));
        Self {
            cloudformation: of("AWS_ENDPOINT_URL_CLOUDFORMATION"),
            dynamodb: of("AWS_ENDPOINT_URL_DYNAMODB"),
            eventbridge: of("AWS_ENDPOINT_URL_EVENTBRIDGE"),
            s3: of("AWS_ENDPOINT_URL_S3"),
            secretsmanager: of("AWS_ENDPOINT_URL_SECRETS_MANAGER"),
            sqs: of("AWS_ENDPOINT_URL_SQS"),
            ssm: of("AWS_ENDPOINT_URL_SSM"),
        }
    }
}
