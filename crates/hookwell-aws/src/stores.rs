//! Where the texts of keys come from: the environment, Parameter Store, Secrets Manager, and a provider's own address.

use std::sync::{Arc, OnceLock};

use aws_sdk_dynamodb::error::SdkError;
use aws_sdk_secretsmanager::operation::get_secret_value::GetSecretValueError;
use aws_sdk_ssm::operation::get_parameter::GetParameterError;
use aws_smithy_runtime_api::client::http::HttpConnector as _;
use aws_smithy_runtime_api::client::orchestrator::HttpRequest;
use aws_smithy_types::byte_stream::ByteStream;
use hookwell::secret::SecretRef;
use hookwell::source::SecretProblem;
use hookwell::sources::Fetch;
use tokio::time::timeout;

use crate::connection::{Connection, Limits, reason};
use crate::settings::Environment;

/// The largest page taken for a certificate, in bytes. Chains have a few thousand.
const MAX_PAGE: usize = 64 * 1024;

/// The way to every text. A client is made when a reference first needs it: without one a cold start pays nothing.
#[must_use]
pub fn fetch(env: Environment<'static>, connection: Connection) -> Fetch {
    let stores = Arc::new(Stores {
        env,
        connection,
        ssm: OnceLock::new(),
        secretsmanager: OnceLock::new(),
    });
    Fetch::new(move |reference| {
        let stores = Arc::clone(&stores);
        async move { stores.find(&reference).await }
    })
}

struct Stores {
    env: Environment<'static>,
    connection: Connection,
    ssm: OnceLock<aws_sdk_ssm::Client>,
    secretsmanager: OnceLock<aws_sdk_secretsmanager::Client>,
}

impl Stores {
    async fn find(&self, reference: &SecretRef) -> Result<String, SecretProblem> {
        match reference {
            SecretRef::Env(name) => (self.env)(name).ok_or(SecretProblem::NotSet),
            SecretRef::Ssm(name) => self.parameter(name).await,
            SecretRef::SecretsManager { id, stage } => self.secret(id, stage).await,
            SecretRef::Url(url) => timeout(Limits::KEYS.operation, self.page(url))
                .await
                .unwrap_or_else(|_| Err("timed out".to_owned()))
                .map_err(SecretProblem::Unavailable),
        }
    }

    async fn parameter(&self, name: &str) -> Result<String, SecretProblem> {
        let ssm = self.ssm.get_or_init(|| self.connection.ssm(Limits::KEYS));
        let found = ssm.get_parameter().name(name).with_decryption(true);
        let found = found.send().await.map_err(|error| match &error {
            SdkError::ServiceError(context) => match context.err() {
                GetParameterError::ParameterNotFound(_)
                | GetParameterError::ParameterVersionNotFound(_) => SecretProblem::NotSet,
                _ => SecretProblem::Unavailable(reason(&error)),
            },
            _ => SecretProblem::Unavailable(reason(&error)),
        })?;
        let value = found.parameter.and_then(|parameter| parameter.value);
        value.ok_or(SecretProblem::NotSet)
    }

    async fn secret(&self, id: &str, stage: &str) -> Result<String, SecretProblem> {
        let client = || self.connection.secretsmanager(Limits::KEYS);
        let client = self.secretsmanager.get_or_init(client);
        let found = client
            .get_secret_value()
            .secret_id(id)
            .version_stage(stage)
            .send()
            .await;
        let found = found.map_err(|error| match &error {
            SdkError::ServiceError(context) => match context.err() {
                // Also for a stage that no version has.
                GetSecretValueError::ResourceNotFoundException(_) => SecretProblem::NotSet,
                _ => SecretProblem::Unavailable(reason(&error)),
            },
            _ => SecretProblem::Unavailable(reason(&error)),
        })?;
        let binary = || SecretProblem::Unavailable("it is binary, not text".to_owned());
        found.secret_string.ok_or_else(binary)
    }

    /// The text at an address: at this one, whatever it says about others.
    async fn page(&self, url: &str) -> Result<String, String> {
        let mut request = HttpRequest::get(url).map_err(|_| "not an address")?;
        request.headers_mut().insert("user-agent", "hookwell");
        let answer = self.connection.connector().call(request).await;
        let answer = answer.map_err(|error| match error {
            error if error.is_timeout() => "timed out",
            _ => "no connection",
        })?;
        let status = answer.status().as_u16();
        if status != 200 {
            return Err(format!("status {status}"));
        }
        let mut body = ByteStream::new(answer.into_body());
        let mut page = Vec::new();
        while let Some(bytes) = body.next().await {
            page.extend_from_slice(&bytes.map_err(|_| "the answer broke off")?);
            if page.len() > MAX_PAGE {
                return Err("too large".to_owned());
            }
        }
        String::from_utf8(page).map_err(|_| "not text".to_owned())
    }
}
