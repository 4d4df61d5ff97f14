//! Stores of key material: the environment, Parameter Store, Secrets Manager, and a provider's own address.

use std::sync::Arc;

use aws_smithy_runtime_api::client::orchestrator::HttpRequest;
use aws_smithy_types::byte_stream::ByteStream;
use hookwell::ingest::key_cache::Fetch;
use hookwell::keys::not_ready::SecretProblem;
use hookwell::keys::reference::SecretRef;
use serde_json::{Value, json};
use tokio::time::timeout;

use crate::client::connection::Connection;
use crate::client::limits::Limits;
use crate::client::settings::Environment;
use crate::http::signed::Request;

/// The largest page taken for a certificate, in bytes. Chains have a few thousand.
const MAX_PAGE: usize = 64 * 1024;

/// The way to every text.
#[must_use]
pub fn fetch(env: Environment<'static>, connection: Connection) -> Fetch {
    let stores = Arc::new(Stores::new(env, connection, Limits::KEYS));
    let pages = Arc::clone(&stores);
    Fetch::new(move |reference| {
        let stores = Arc::clone(&stores);
        async move { stores.find(&reference).await }
    })
    .opening(move |link| {
        let pages = Arc::clone(&pages);
        async move { pages.page_in_time(&link).await.is_ok() }
    })
}

/// The places that keep texts of keys.
pub(crate) struct Stores {
    env: Environment<'static>,
    connection: Connection,
    limits: Limits,
}

impl Stores {
    pub(crate) fn new(env: Environment<'static>, connection: Connection, limits: Limits) -> Self {
        Self {
            env,
            connection,
            limits,
        }
    }

    /// The text behind a reference.
    ///
    /// # Errors
    /// The reason why there is none.
    pub(crate) async fn find(&self, reference: &SecretRef) -> Result<String, SecretProblem> {
        match reference {
            SecretRef::Env(name) => (self.env)(name).ok_or(SecretProblem::NotSet),
            SecretRef::Ssm(name) => self.parameter(name).await,
            SecretRef::SecretsManager { id, stage } => self.secret(id, stage).await,
            SecretRef::Url(url) => self.page_in_time(url).await,
        }
    }

    async fn parameter(&self, name: &str) -> Result<String, SecretProblem> {
        let asked = json!({ "Name": name, "WithDecryption": true });
        let found = self.ask("ssm", "AmazonSSM.GetParameter", &asked).await?;
        let value = found.pointer("/Parameter/Value").and_then(Value::as_str);
        value.map(str::to_owned).ok_or(SecretProblem::NotSet)
    }

    async fn secret(&self, id: &str, stage: &str) -> Result<String, SecretProblem> {
        let asked = json!({ "SecretId": id, "VersionStage": stage });
        let operation = "secretsmanager.GetSecretValue";
        let found = self.ask("secretsmanager", operation, &asked).await?;
        let text = found.get("SecretString").and_then(Value::as_str);
        let binary = || SecretProblem::Unavailable("it is binary, not text".to_owned());
        text.map(str::to_owned).ok_or_else(binary)
    }

    /// One call of a service that speaks JSON 1.1 ("AWS JSON 1.1 protocol", Smithy).
    ///
    /// # Errors
    /// Answer of the service that is not a success, without the values.
    pub(crate) async fn ask(
        &self,
        service: &'static str,
        operation: &str,
        asked: &Value,
    ) -> Result<Value, SecretProblem> {
        let body = asked.to_string();
        let request = Request {
            service,
            method: "POST",
            url: &self.connection.service_url(service),
            headers: &[
                ("content-type", "application/x-amz-json-1.1"),
                ("x-amz-target", operation),
            ],
            body: body.as_bytes(),
        };
        let answer = self.connection.send_signed(&request, self.limits).await;
        let answer = answer.map_err(unavailable)?;
        let body: Value = serde_json::from_slice(&answer.body).unwrap_or_default();
        if answer.status == 200 {
            return Ok(body);
        }
        // The shape's name, perhaps behind its namespace.
        let kind = body.get("__type").and_then(Value::as_str);
        let kind = kind.and_then(|kind| kind.rsplit('#').next());
        match kind {
            // A stage that no version has is not found either.
            Some(
                "ParameterNotFound" | "ParameterVersionNotFound" | "ResourceNotFoundException",
            ) => Err(SecretProblem::NotSet),
            // Both stores have the first; `RequestLimitExceeded` is in the list of errors that all services share.
            Some("ThrottlingException" | "RequestLimitExceeded") => Err(SecretProblem::Crowded),
            _ if answer.status == 429 => Err(SecretProblem::Crowded),
            Some(kind) if kind.chars().all(|c| c.is_ascii_alphanumeric()) => Err(unavailable(kind)),
            _ => Err(unavailable(&format!("status {}", answer.status))),
        }
    }

    async fn page_in_time(&self, url: &str) -> Result<String, SecretProblem> {
        let page = timeout(self.limits.operation, self.page(url)).await;
        page.unwrap_or_else(|_| Err(unavailable("timed out")))
    }

    /// The text at an address. Redirects are not followed. There is no text when the host answers 404 or 410.
    async fn page(&self, url: &str) -> Result<String, SecretProblem> {
        let request = HttpRequest::get(url);
        let mut request = request.map_err(|_| unavailable("not an address"))?;
        request.headers_mut().insert("user-agent", "hookwell");
        let answer = self.connection.send(request).await;
        let answer = answer.map_err(unavailable)?;
        match answer.status().as_u16() {
            200 => {}
            404 | 410 => return Err(SecretProblem::NotSet),
            status => return Err(unavailable(&format!("status {status}"))),
        }
        let mut body = ByteStream::new(answer.into_body());
        let mut page = Vec::new();
        while let Some(bytes) = body.next().await {
            let bytes = bytes.map_err(|_| unavailable("the answer broke off"))?;
            page.extend_from_slice(&bytes);
            if page.len() > MAX_PAGE {
                return Err(unavailable("too large"));
            }
        }
        String::from_utf8(page).map_err(|_| unavailable("not text"))
    }
}

fn unavailable(why: &(impl ToString + ?Sized)) -> SecretProblem {
    SecretProblem::Unavailable(why.to_string())
}
