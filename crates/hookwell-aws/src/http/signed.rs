//! One signed request to a service that needs no more of an SDK than that: the SDK of that service would add more to
//! each function's package and cold start than all of this code.

use std::time::SystemTime;

use aws_credential_types::provider::ProvideCredentials as _;
use aws_sigv4::http_request::{
    PayloadChecksumKind, PercentEncodingMode, SignableBody, SignableRequest, SigningSettings,
    UriPathNormalizationMode, sign,
};
use aws_sigv4::sign::v4;
use aws_smithy_runtime_api::client::orchestrator::HttpRequest;
use aws_smithy_types::body::SdkBody;
use aws_smithy_types::byte_stream::ByteStream;
use tokio::time::{sleep, timeout};

use crate::client::connection::Connection;
use crate::client::limits::{FIRST_PAUSE, Limits};

/// A request before it is signed.
pub(crate) struct Request<'a> {
    /// The service's name in the signature.
    pub(crate) service: &'static str,
    /// The method.
    pub(crate) method: &'static str,
    /// The whole URL, already percent-encoded.
    pub(crate) url: &'a str,
    /// The headers, beside those of the signature, which covers them.
    pub(crate) headers: &'a [(&'static str, &'a str)],
    /// Body of the request.
    pub(crate) body: &'a [u8],
}

/// Answer to the request.
pub(crate) struct Answer {
    /// The status.
    pub(crate) status: u16,
    /// The body.
    pub(crate) body: Vec<u8>,
    /// True when the answer names the version of an object, as each success of S3 does ("Common response headers").
    pub(crate) has_tag: bool,
}

impl Connection {
    /// Sends a request, and once more where that may help, within the limits.
    ///
    /// # Errors
    /// Why there is no answer, in a word or two that are safe to log.
    pub(crate) async fn send_signed(
        &self,
        request: &Request<'_>,
        limits: Limits,
    ) -> Result<Answer, &'static str> {
        let tries = async {
            let (mut left, mut pause) = (limits.attempts, FIRST_PAUSE);
            loop {
                let tried = timeout(limits.attempt, self.try_signed(request)).await;
                let tried = tried.unwrap_or(Err("timed out"));
                left = left.saturating_sub(1);
                let is_final = |answer: &Answer| answer.status < 500 && answer.status != 429;
                if left == 0 || tried.as_ref().is_ok_and(is_final) {
                    return tried;
                }
                sleep(pause).await;
                pause = pause.saturating_mul(2);
            }
        };
        timeout(limits.operation, tries)
            .await
            .unwrap_or(Err("timed out"))
    }

    async fn try_signed(&self, request: &Request<'_>) -> Result<Answer, &'static str> {
        let signed = self.signed(request).await?;
        let answer = self.send(signed).await?;
        let status = answer.status().as_u16();
        let has_tag = answer.headers().get("etag").is_some();
        let body = ByteStream::new(answer.into_body()).collect().await;
        let body = body.map_err(|_| "the answer broke off")?.to_vec();
        Ok(Answer {
            status,
            body,
            has_tag,
        })
    }

    async fn signed(&self, request: &Request<'_>) -> Result<HttpRequest, &'static str> {
        const CANNOT: &str = "the request cannot be signed";
        let credentials = self.credentials().provide_credentials().await;
        let identity = credentials.map_err(|_| "no credentials")?.into();
        // As S3 wants it ("Signature Calculations for the Authorization Header"): the path as it is, the body's hash in
        // a header.
        let mut settings = SigningSettings::default();
        settings.percent_encoding_mode = PercentEncodingMode::Single;
        settings.uri_path_normalization_mode = UriPathNormalizationMode::Disabled;
        settings.payload_checksum_kind = PayloadChecksumKind::XAmzSha256;
        let parameters = v4::SigningParams::builder()
            .identity(&identity)
            .region(self.region())
            .name(request.service)
            .time(SystemTime::now())
            .settings(settings);
        let parameters = parameters.build().map_err(|_| CANNOT)?.into();
        let body = SignableBody::Bytes(request.body);
        let headers = request.headers.iter().copied();
        let signable = SignableRequest::new(request.method, request.url, headers.clone(), body);
        let (instructions, _) = sign(signable.map_err(|_| CANNOT)?, &parameters)
            .map_err(|_| CANNOT)?
            .into_parts();
        let mut signed = HttpRequest::new(SdkBody::from(request.body));
        signed.set_method(request.method).map_err(|_| CANNOT)?;
        signed.set_uri(request.url).map_err(|_| CANNOT)?;
        for (name, value) in headers.chain(instructions.headers()) {
            let all = signed.headers_mut();
            all.insert(name.to_owned(), value.to_owned());
        }
        Ok(signed)
    }
}
