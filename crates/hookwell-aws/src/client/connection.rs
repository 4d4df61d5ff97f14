//! One way to AWS: credentials, region, endpoints and a single connector that every client shares.

use std::time::Duration;

use aws_sdk_dynamodb::config::{
    BehaviorVersion, Credentials, Region, SharedCredentialsProvider, StalledStreamProtectionConfig,
};
use aws_sdk_dynamodb::error::{ProvideErrorMetadata, SdkError};
use aws_smithy_async::rt::sleep::TokioSleep;
use aws_smithy_http_client::Connector;
use aws_smithy_http_client::tls::rustls_provider::CryptoMode;
use aws_smithy_http_client::tls::{Provider, TlsContext, TrustStore};
use aws_smithy_runtime_api::client::http::{
    HttpConnector as _, HttpConnectorSettings, SharedHttpClient, SharedHttpConnector,
    http_client_fn,
};
use aws_smithy_runtime_api::client::orchestrator::{HttpRequest, HttpResponse};
use aws_smithy_types::byte_stream::ByteStream;
use tokio::time::timeout;

use super::endpoints::Endpoints;
use super::limits::Limits;
use super::settings::{Environment, NotSet, required};

/// The cryptography library behind TLS.
#[cfg(feature = "fips")]
const CRYPTO: CryptoMode = CryptoMode::AwsLcFips;
#[cfg(all(feature = "aws-lc", not(feature = "fips")))]
const CRYPTO: CryptoMode = CryptoMode::AwsLc;
#[cfg(not(any(feature = "aws-lc", feature = "fips")))]
const CRYPTO: CryptoMode = CryptoMode::Ring;

/// Time limit of opening a connection.
const CONNECT: Duration = Duration::from_secs(1);

/// Region, endpoints and credentials, with one HTTP client for all services.
#[derive(Debug, Clone)]
pub struct Connection {
    connector: SharedHttpConnector,
    credentials: SharedCredentialsProvider,
    region: Region,
    endpoints: Endpoints,
}

/// A client of one service. Every SDK has types of its own for the same settings.
macro_rules! client {
    ($sdk:ident, $connection:ident, $limits:ident, $endpoint:ident) => {{
        let mut config = $sdk::Config::builder()
            .behavior_version(BehaviorVersion::latest())
            .http_client(http_client(&$connection.connector))
            .credentials_provider($connection.credentials.clone())
            .region($connection.region.clone())
            .sleep_impl(TokioSleep::new())
            .timeout_config($limits.timeouts())
            // Every try has a limit of its own.
            .stalled_stream_protection(StalledStreamProtectionConfig::disabled())
            .retry_config($limits.retries());
        config.set_endpoint_url($connection.endpoints.$endpoint.clone());
        $sdk::Client::from_conf(config.build())
    }};
}

/// Reasons for which no connection can be made.
#[derive(Debug, thiserror::Error)]
pub enum ConnectionError {
    /// A variable is missing.
    #[error(transparent)]
    NotSet(#[from] NotSet),
    /// `AWS_CA_BUNDLE` names a file that cannot be read.
    #[error("AWS_CA_BUNDLE: {0}")]
    CaBundle(std::io::Error),
    /// The certificates cannot be used.
    #[error("the TLS certificates cannot be used")]
    Tls,
    /// The default chain found no region.
    #[error("no region is set: export AWS_REGION or add one to the profile")]
    NoRegion,
    /// The default chain found no credentials.
    #[error("no credentials are set: run `aws configure` or export AWS_ACCESS_KEY_ID")]
    NoCredentials,
}

impl Connection {
    /// Reads the variables that Lambda sets for every function. Reading them by hand instead of through the SDK's chain
    /// saves a millisecond of a cold start.
    ///
    /// # Errors
    /// When a variable is missing, or the certificate bundle cannot be read.
    pub fn from_environment(env: Environment<'_>) -> Result<Self, ConnectionError> {
        let credentials = Credentials::new(
            required(env, "AWS_ACCESS_KEY_ID")?,
            required(env, "AWS_SECRET_ACCESS_KEY")?,
            env("AWS_SESSION_TOKEN"),
            None,
            "environment",
        );
        let region = env("AWS_REGION").or_else(|| env("AWS_DEFAULT_REGION"));
        Ok(Self {
            connector: connector(env)?,
            credentials: SharedCredentialsProvider::new(credentials),
            region: Region::new(region.ok_or(NotSet("AWS_REGION"))?),
            endpoints: Endpoints::from_environment(env),
        })
    }

    /// The embedded tables, queues and bucket of `hookwell dev`, which take any credentials.
    ///
    /// # Errors
    /// When the system's certificates cannot be used.
    pub fn local(
        dynamodb_endpoint: &str,
        sqs_endpoint: &str,
        s3_endpoint: &str,
    ) -> Result<Self, ConnectionError> {
        let env = |name: &str| match name {
            "AWS_ACCESS_KEY_ID" | "AWS_SECRET_ACCESS_KEY" => Some("local".to_owned()),
            "AWS_REGION" => Some("us-east-1".to_owned()),
            "AWS_ENDPOINT_URL_DYNAMODB" => Some(dynamodb_endpoint.to_owned()),
            "AWS_ENDPOINT_URL_SQS" => Some(sqs_endpoint.to_owned()),
            "AWS_ENDPOINT_URL_S3" => Some(s3_endpoint.to_owned()),
            _ => None,
        };
        Self::from_environment(&env)
    }

    /// The credentials and region that the AWS CLI would use.
    ///
    /// # Errors
    /// When there are none.
    #[cfg(feature = "default-chain")]
    pub async fn from_default_chain(env: Environment<'_>) -> Result<Self, ConnectionError> {
        let connector = connector(env)?;
        let config = aws_config::defaults(BehaviorVersion::latest())
            .http_client(http_client(&connector))
            .load()
            .await;
        Ok(Self {
            connector,
            credentials: config
                .credentials_provider()
                .ok_or(ConnectionError::NoCredentials)?,
            region: config.region().cloned().ok_or(ConnectionError::NoRegion)?,
            endpoints: Endpoints::from_environment(env),
        })
    }

    /// A client of the tables.
    #[must_use]
    pub fn dynamodb(&self, limits: Limits) -> aws_sdk_dynamodb::Client {
        client!(aws_sdk_dynamodb, self, limits, dynamodb)
    }

    /// A client of the queues.
    #[must_use]
    pub fn sqs(&self, limits: Limits) -> aws_sdk_sqs::Client {
        client!(aws_sdk_sqs, self, limits, sqs)
    }

    /// Credentials that sign the requests.
    pub(crate) fn credentials(&self) -> &SharedCredentialsProvider {
        &self.credentials
    }

    /// The region that is signed for.
    pub(crate) fn region(&self) -> &str {
        self.region.as_ref()
    }

    /// URL of a bucket's objects ("Methods for accessing a general purpose bucket"). Emulators have no host name for
    /// each bucket, so with an endpoint of its own the bucket is in the path.
    pub(crate) fn bucket_url(&self, bucket: &str) -> String {
        match &self.endpoints.s3 {
            Some(endpoint) => format!("{}/{bucket}", endpoint.trim_end_matches('/')),
            None => format!("https://{bucket}.s3.{}", self.regional_domain()),
        }
    }

    /// URL of Parameter Store or Secrets Manager.
    pub(crate) fn service_url(&self, service: &str) -> String {
        let endpoint = match service {
            "ssm" => &self.endpoints.ssm,
            _ => &self.endpoints.secretsmanager,
        };
        match endpoint {
            Some(endpoint) => format!("{}/", endpoint.trim_end_matches('/')),
            None => format!("https://{service}.{}/", self.regional_domain()),
        }
    }

    fn regional_domain(&self) -> String {
        let region = self.region();
        let is_in_china = region.starts_with("cn-");
        let suffix = if is_in_china { ".cn" } else { "" };
        format!("{region}.amazonaws.com{suffix}")
    }

    /// Sends a request that no client makes, over the connections that all of them share.
    ///
    /// # Errors
    /// Why there is no answer, in a word or two that are safe to log.
    pub(crate) async fn send(&self, request: HttpRequest) -> Result<HttpResponse, &'static str> {
        let answer = self.connector.call(request).await;
        answer.map_err(|error| match error {
            error if error.is_timeout() => "timed out",
            _ => "no connection",
        })
    }

    /// Opens a connection to the queues, so that its handshake runs beside the first put and not after it: unsigned,
    /// and whatever the answer is, the connection stays. `queue_url` tells the host where no endpoint is set.
    pub async fn open_sqs(&self, queue_url: &str) {
        let host = queue_url.splitn(4, '/').take(3).collect::<Vec<_>>();
        let endpoint = self.endpoints.sqs.clone().unwrap_or_else(|| host.join("/"));
        let Ok(ping) = HttpRequest::get(format!("{endpoint}/ping")) else {
            return;
        };
        // Read to its end, or the connection could not be used again. A failure is the first send's to report.
        let opened = async {
            if let Ok(answer) = self.connector.call(ping).await {
                let _ = ByteStream::new(answer.into_body()).collect().await;
            }
        };
        let _ = timeout(CONNECT, opened).await;
    }
}

/// Every client over the same connector, and so over the same connections.
fn http_client(connector: &SharedHttpConnector) -> SharedHttpClient {
    let connector = connector.clone();
    http_client_fn(move |_, _| connector.clone())
}

/// One connector for all clients: each would otherwise load the root certificates three times.
fn connector(env: Environment<'_>) -> Result<SharedHttpConnector, ConnectionError> {
    let roots = match env("AWS_CA_BUNDLE") {
        Some(path) => TrustStore::empty()
            .with_pem_certificate(std::fs::read(path).map_err(ConnectionError::CaBundle)?),
        None => TrustStore::default(),
    };
    let tls = TlsContext::builder().with_trust_store(roots).build();
    // Every call has a limit of its own; a second one for its answer would be one more timer for each.
    let settings = HttpConnectorSettings::builder()
        .connect_timeout(CONNECT)
        .build();
    let connector = Connector::builder()
        .tls_provider(Provider::Rustls(CRYPTO))
        .tls_context(tls.map_err(|_| ConnectionError::Tls)?)
        .connector_settings(settings)
        .sleep_impl(TokioSleep::new())
        .build();
    Ok(SharedHttpConnector::new(connector))
}

/// Reason of a failed call, in a word or two that are safe to log.
pub(crate) fn reason<E: ProvideErrorMetadata, R>(error: &SdkError<E, R>) -> String {
    match error {
        SdkError::TimeoutError(_) => "timed out".to_owned(),
        SdkError::DispatchFailure(failure) if failure.is_timeout() => "timed out".to_owned(),
        SdkError::DispatchFailure(_) => "no connection".to_owned(),
        SdkError::ResponseError(_) => "the answer cannot be read".to_owned(),
        SdkError::ServiceError(context) => {
            context.err().code().unwrap_or("service error").to_owned()
        }
        _ => "the request cannot be built".to_owned(),
    }
}
