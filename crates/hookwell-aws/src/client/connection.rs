//! One way to AWS: credentials, region, endpoints and a single connector that every client shares.

use std::error::Error;
use std::time::Duration;

#[cfg(feature = "default-chain")]
use aws_credential_types::provider::ProvideCredentials as _;
use aws_credential_types::provider::error::CredentialsError;
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
use aws_smithy_runtime_api::client::result::DispatchFailure;
use aws_smithy_types::byte_stream::ByteStream;
use rustls::RootCertStore;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject as _;
use tokio::time::timeout;

use super::endpoints::Endpoints;
use super::limits::{Idle, Limits};
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
            .retry_config($limits.retries())
            .retry_partition(Limits::quota());
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
    /// `AWS_CA_BUNDLE` names a file that holds no usable certificates.
    #[error("AWS_CA_BUNDLE: {path}: {why}")]
    CaBundle {
        /// The file.
        path: String,
        /// Fault of the file.
        why: String,
    },
    /// The certificates cannot be used.
    #[error("the TLS certificates cannot be used")]
    Tls,
    /// The default chain found no region.
    #[error("no region is set: export AWS_REGION or add one to the profile")]
    NoRegion,
    /// The default chain gives no credentials, for this cause.
    #[error(
        "no AWS credentials: run `aws sso login` or `aws configure`, choose a profile with AWS_PROFILE, or export AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY: {0}"
    )]
    NoCredentials(String),
}

impl Connection {
    /// Reads the variables that Lambda sets for every function. Reading them by hand instead of through the SDK's chain
    /// saves a millisecond of a cold start.
    ///
    /// # Errors
    /// When a variable is missing, or the certificate bundle cannot be read.
    pub fn from_environment(env: Environment<'_>, idle: Idle) -> Result<Self, ConnectionError> {
        let credentials = Credentials::new(
            required(env, "AWS_ACCESS_KEY_ID")?,
            required(env, "AWS_SECRET_ACCESS_KEY")?,
            env("AWS_SESSION_TOKEN"),
            None,
            "environment",
        );
        let region = env("AWS_REGION").or_else(|| env("AWS_DEFAULT_REGION"));
        Ok(Self {
            connector: connector(env, idle)?,
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
        Self::from_environment(&env, Idle::PROCESS)
    }

    /// The credentials and region that the AWS CLI would use.
    ///
    /// # Errors
    /// When there are none, or they have expired and cannot be renewed.
    #[cfg(feature = "default-chain")]
    pub async fn from_default_chain(env: Environment<'_>) -> Result<Self, ConnectionError> {
        let connector = connector(env, Idle::PROCESS)?;
        let config = aws_config::defaults(BehaviorVersion::latest())
            .http_client(http_client(&connector))
            .load()
            .await;
        let region = config.region().cloned().ok_or(ConnectionError::NoRegion)?;
        let none = || ConnectionError::NoCredentials("nothing provides any".to_owned());
        let credentials = config.credentials_provider().ok_or_else(none)?;
        // Credentials are fetched here, so that a command ends with the cause; a call would only say that they are
        // missing.
        let found = credentials.provide_credentials().await;
        found.map_err(|why| ConnectionError::NoCredentials(with_causes(&why)))?;
        Ok(Self {
            connector,
            credentials,
            region,
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

    /// URL of CloudFormation, EventBridge, Parameter Store or Secrets Manager, by the name that each has in a signature.
    pub(crate) fn service_url(&self, service: &str) -> String {
        let endpoint = match service {
            "cloudformation" => &self.endpoints.cloudformation,
            "events" => &self.endpoints.eventbridge,
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

    /// Opens a connection to the queues, so that the TLS handshake runs beside the first put and not after it. The
    /// request is unsigned: the connection stays open whatever the answer is. `queue_url` tells the host where no
    /// endpoint is set.
    pub async fn open_sqs(&self, queue_url: &str) {
        let host = queue_url.splitn(4, '/').take(3).collect::<Vec<_>>();
        let endpoint = self.endpoints.sqs.clone().unwrap_or_else(|| host.join("/"));
        let Ok(ping) = HttpRequest::get(format!("{endpoint}/ping")) else {
            return;
        };
        // The answer is read to its end, or the connection could not be used again. The first send reports a failure.
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
fn connector(env: Environment<'_>, idle: Idle) -> Result<SharedHttpConnector, ConnectionError> {
    let roots = match env("AWS_CA_BUNDLE") {
        Some(path) => match bundle(&path) {
            Ok(pem) => TrustStore::empty().with_pem_certificate(pem),
            Err(why) => return Err(ConnectionError::CaBundle { path, why }),
        },
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
        .pool_max_idle_per_host(idle.0)
        .sleep_impl(TokioSleep::new())
        .build();
    Ok(SharedHttpConnector::new(connector))
}

/// Reads a file of root certificates. The connector panics at one that it cannot use, and trusts nobody when there is none.
fn bundle(path: &str) -> Result<Vec<u8>, String> {
    let pem = std::fs::read(path).map_err(|why| why.to_string())?;
    let mut roots = RootCertStore::empty();
    for certificate in CertificateDer::pem_slice_iter(&pem) {
        let certificate = certificate.map_err(|why| why.to_string())?;
        roots.add(certificate).map_err(|why| why.to_string())?;
    }
    if roots.is_empty() {
        return Err("it holds no certificate in PEM".to_owned());
    }
    Ok(pem)
}

/// An error and what caused it, each after a colon.
#[cfg(feature = "default-chain")]
fn with_causes(error: &dyn Error) -> String {
    let causes = std::iter::successors(Some(error), |&error| error.source());
    let causes: Vec<_> = causes.map(ToString::to_string).collect();
    causes.join(": ")
}

/// Reason of a failed call, in a word or two that are safe to log.
#[must_use]
pub fn reason<E: ProvideErrorMetadata, R>(error: &SdkError<E, R>) -> String {
    match error {
        SdkError::TimeoutError(_) => "timed out".to_owned(),
        SdkError::DispatchFailure(failure) if failure.is_timeout() => "timed out".to_owned(),
        SdkError::DispatchFailure(failure) if lacks_credentials(failure) => {
            "no credentials".to_owned()
        }
        SdkError::DispatchFailure(_) => "no connection".to_owned(),
        SdkError::ResponseError(_) => "the answer cannot be read".to_owned(),
        SdkError::ServiceError(context) => {
            context.err().code().unwrap_or("service error").to_owned()
        }
        _ => "the request cannot be built".to_owned(),
    }
}

/// True when a request could not be signed, and so was not sent.
fn lacks_credentials(failure: &DispatchFailure) -> bool {
    let error = failure.as_connector_error().and_then(Error::source);
    let mut causes = std::iter::successors(error, |&error| error.source());
    causes.any(<dyn Error>::is::<CredentialsError>)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use aws_credential_types::credential_fn::provide_credentials_fn;

    use super::*;

    #[tokio::test]
    async fn a_call_without_credentials_does_not_blame_the_connection() {
        let local = |endpoint: &str| Connection::local(endpoint, endpoint, endpoint).unwrap();
        let asked = async |connection: Connection| {
            let request = connection.sqs(Limits::TOOL).list_queues().send();
            reason(&request.await.unwrap_err())
        };
        let nobody = {
            let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
            format!("http://{}", listener.local_addr().unwrap())
        };
        assert_eq!(asked(local(&nobody)).await, "no connection");
        let expired = || async { Err(CredentialsError::provider_error("the session is over")) };
        let without = Connection {
            credentials: SharedCredentialsProvider::new(provide_credentials_fn(expired)),
            ..local(&nobody)
        };
        assert_eq!(asked(without).await, "no credentials");
    }
}
