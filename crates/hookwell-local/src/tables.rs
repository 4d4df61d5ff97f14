//! Amazon DynamoDB on this machine: its JSON protocol over HTTP, with the tables of an embedded dynoxide.
//!
//! The server that dynoxide brings along lets every web page read its answers and takes no guard, so this one stands in
//! its place. Operations, errors and stored data are dynoxide's.

use std::path::Path;
use std::{fmt, io};

use anyhow::{Result, anyhow};
use axum::Router;
use axum::extract::{DefaultBodyLimit, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::middleware::from_fn;
use axum::response::{IntoResponse as _, Response};
use dynoxide::{Database, DynoxideError};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use tokio::net::TcpListener;

use crate::guard;

/// The largest request, in bytes ("Service, account, and table quotas": BatchWriteItem).
const MAX_REQUEST: usize = 16 * 1024 * 1024;

/// Beginning of the error of a refused PutItem, UpdateItem or DeleteItem.
const ONE_ERROR: &str = "1 validation error detected: ";

/// The tables of one account in one region.
#[derive(Clone)]
pub(crate) struct Tables(Database);

impl fmt::Debug for Tables {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Tables")
    }
}

impl Tables {
    /// Opens the tables, in memory or in a `SQLite` file that keeps them over restarts.
    ///
    /// # Errors
    /// When the file cannot be opened.
    pub(crate) fn open(path: Option<&Path>) -> Result<Self> {
        let tables = match path {
            Some(path) => Database::new(path.to_string_lossy().as_ref()),
            None => Database::memory(),
        };
        let tables = tables.map_err(|error| anyhow!("the tables cannot be opened: {error}"))?;
        Ok(Self(tables))
    }

    /// Serves the JSON protocol to the programs of this machine until `stop` resolves.
    ///
    /// # Errors
    /// When the listener fails.
    pub(crate) async fn serve(
        self,
        listener: TcpListener,
        stop: impl Future<Output = ()> + Send + 'static,
    ) -> io::Result<()> {
        let router = Router::new()
            .fallback(answer)
            .layer(DefaultBodyLimit::max(MAX_REQUEST))
            .layer(from_fn(guard::local_only))
            .with_state(self);
        axum::serve(listener, router)
            .with_graceful_shutdown(stop)
            .await
    }

    /// Creates a table by a request of `CreateTable`, unless it is there.
    ///
    /// # Errors
    /// When the request is refused.
    pub(crate) fn create(&self, request: &Value) -> Result<()> {
        match self.perform("CreateTable", &request.to_string()) {
            Ok(_) | Err(DynoxideError::ResourceInUseException(_)) => Ok(()),
            Err(error) => Err(anyhow!("{error}")),
        }
    }

    fn perform(&self, operation: &str, body: &str) -> Result<String, DynoxideError> {
        let Self(db) = self;
        match operation {
            "CreateTable" => run(body, |it| db.create_table(it)),
            "DeleteTable" => run(body, |it| db.delete_table(it)),
            "DescribeTable" => run(body, |it| db.describe_table(it)),
            "ListTables" => run(body, |it| db.list_tables(it)),
            "UpdateTable" => run(body, |it| db.update_table(it)),
            "PutItem" => run(body, |it| db.put_item(it)),
            "GetItem" => run(body, |it| db.get_item(it)),
            "UpdateItem" => run(body, |it| db.update_item(it)),
            "DeleteItem" => run(body, |it| db.delete_item(it)),
            "Query" => run(body, |it| db.query(it)),
            "Scan" => run(body, |it| db.scan(it)),
            "BatchGetItem" => run(body, |it| db.batch_get_item(it)),
            "BatchWriteItem" => run(body, |it| db.batch_write_item(it)),
            "TransactGetItems" => run(body, |it| db.transact_get_items(it)),
            "TransactWriteItems" => run(body, |it| db.transact_write_items(it)),
            "ExecuteStatement" => run(body, |it| db.execute_statement(it)),
            "ExecuteTransaction" => run(body, |it| db.execute_transaction(it)),
            "BatchExecuteStatement" => run(body, |it| db.batch_execute_statement(it)),
            "UpdateTimeToLive" => run(body, |it| db.update_time_to_live(it)),
            "DescribeTimeToLive" => run(body, |it| db.describe_time_to_live(it)),
            "TagResource" => run(body, |it| db.tag_resource(it)),
            "UntagResource" => run(body, |it| db.untag_resource(it)),
            "ListTagsOfResource" => run(body, |it| db.list_tags_of_resource(it)),
            "ListStreams" => run(body, |it| db.list_streams(it)),
            "DescribeStream" => run(body, |it| db.describe_stream(it)),
            "GetShardIterator" => run(body, |it| db.get_shard_iterator(it)),
            "GetRecords" => run(body, |it| db.get_records(it)),
            _ => Err(DynoxideError::UnsupportedCapability(format!(
                "{operation} is not emulated"
            ))),
        }
    }
}

/// Performs one operation on a request and gives its answer, both as JSON.
fn run<Q: DeserializeOwned, A: Serialize>(
    request: &str,
    operation: impl FnOnce(Q) -> dynoxide::Result<A>,
) -> dynoxide::Result<String> {
    let request = serde_json::from_str(request).map_err(|error| unreadable(&error))?;
    let answer = operation(request)?;
    serde_json::to_string(&answer)
        .map_err(|error| DynoxideError::InternalServerError(error.to_string()))
}

/// The error of a request that is no JSON or does not hold what its operation needs. dynoxide's own types begin their
/// messages with the class of the error, in capital letters.
fn unreadable(error: &serde_json::Error) -> DynoxideError {
    let text = error.to_string();
    let text = text
        .rsplit_once(" at line ")
        .map_or(&*text, |(text, _)| text);
    match text.split_once(':') {
        Some(("VALIDATION_REQUEST", why)) => DynoxideError::EnvelopedValidation(why.to_owned()),
        Some(("VALIDATION", why)) => DynoxideError::ValidationException(why.to_owned()),
        Some(("SERIALIZATION", why)) => DynoxideError::SerializationException(why.to_owned()),
        _ if text.starts_with("missing field") || text.starts_with("unknown variant") => {
            DynoxideError::ValidationException(text.to_owned())
        }
        _ => DynoxideError::SerializationException(text.to_owned()),
    }
}

async fn answer(State(tables): State<Tables>, headers: HeaderMap, body: String) -> Response {
    let json = [(header::CONTENT_TYPE, "application/x-amz-json-1.0")];
    let target = headers.get("x-amz-target").and_then(|it| it.to_str().ok());
    let operation = target.and_then(|it| {
        it.strip_prefix("DynamoDB_20120810.")
            .or_else(|| it.strip_prefix("DynamoDBStreams_20120810."))
    });
    let Some(operation) = operation else {
        let unknown = json!({ "__type": "com.amazon.coral.service#UnknownOperationException" });
        return (StatusCode::BAD_REQUEST, json, unknown.to_string()).into_response();
    };
    match tables.perform(operation, &body) {
        Ok(answer) => (json, answer).into_response(),
        Err(error) => {
            let error = match (error, operation) {
                (
                    DynoxideError::EnvelopedValidation(why),
                    "PutItem" | "UpdateItem" | "DeleteItem",
                ) => DynoxideError::ValidationException(format!("{ONE_ERROR}{why}")),
                (DynoxideError::EnvelopedValidation(why), _) => {
                    DynoxideError::ValidationException(why)
                }
                (other, _) => other,
            };
            let status = StatusCode::from_u16(error.status_code());
            let status = status.unwrap_or(StatusCode::BAD_REQUEST);
            (status, json, error.to_json()).into_response()
        }
    }
}
