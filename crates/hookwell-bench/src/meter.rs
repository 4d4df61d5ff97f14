//! Counts the read units of the calls that pass through: a server between a client and the embedded tables, which tells of
//! each call how much of a table it read.

use std::mem;
use std::sync::{Arc, Mutex, PoisonError};

use anyhow::Result;
use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use serde_json::{Value, json};
use tokio::net::TcpListener;

/// The header that names the operation.
const TARGET: &str = "x-amz-target";

/// The operations that read.
const READS: [&str; 4] = ["Query", "Scan", "GetItem", "BatchGetItem"];

/// Read units, and the number of calls.
type Count = Arc<Mutex<(f64, u64)>>;

/// The server.
#[derive(Debug, Clone)]
pub(crate) struct Meter {
    /// The server's own address.
    pub(crate) url: String,
    count: Count,
}

#[derive(Debug, Clone)]
struct Passage {
    tables: String,
    agent: ureq::Agent,
    count: Count,
}

impl Meter {
    /// Starts the server before the tables at that address.
    pub(crate) async fn start(tables: &str) -> Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let url = format!("http://{}", listener.local_addr()?);
        let count = Count::default();
        let agent = ureq::Agent::config_builder().http_status_as_error(false);
        let passage = Passage {
            tables: tables.to_owned(),
            agent: agent.build().into(),
            count: count.clone(),
        };
        let router = Router::new().fallback(pass).with_state(passage);
        tokio::spawn(async move { axum::serve(listener, router).await });
        Ok(Self { url, count })
    }

    /// The read units and the calls since it was asked last.
    pub(crate) fn take(&self) -> (f64, u64) {
        mem::take(&mut self.count.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

async fn pass(State(passage): State<Passage>, headers: HeaderMap, body: Bytes) -> Response {
    let answer = tokio::task::spawn_blocking(move || passage.pass(&headers, &body)).await;
    match answer {
        Ok(Ok(answer)) => answer,
        Ok(Err(error)) => (StatusCode::BAD_GATEWAY, error.to_string()).into_response(),
        Err(error) => (StatusCode::BAD_GATEWAY, error.to_string()).into_response(),
    }
}

impl Passage {
    fn pass(&self, headers: &HeaderMap, body: &[u8]) -> Result<Response> {
        let target = headers
            .get(TARGET)
            .and_then(|it| it.to_str().ok())
            .unwrap_or_default();
        let is_read = READS
            .iter()
            .any(|name| target.ends_with(&format!(".{name}")));
        let mut request: Value = serde_json::from_slice(body)?;
        if let Value::Object(request) = &mut request
            && is_read
        {
            request.insert("ReturnConsumedCapacity".to_owned(), json!("TOTAL"));
        }
        let sent = self.agent.post(&self.tables).header(TARGET, target);
        let sent = sent.header(header::CONTENT_TYPE, "application/x-amz-json-1.0");
        let mut answer = sent.send(request.to_string())?;
        let text = answer
            .body_mut()
            .with_config()
            .limit(u64::MAX)
            .read_to_vec()?;
        if is_read {
            let answer: Value = serde_json::from_slice(&text)?;
            let of_one = |consumed: &Value| {
                let units = consumed.get("CapacityUnits").and_then(Value::as_f64);
                units.unwrap_or(0.0)
            };
            let units = match answer.get("ConsumedCapacity") {
                Some(Value::Array(of_tables)) => of_tables.iter().map(of_one).sum(),
                Some(consumed) => of_one(consumed),
                None => 0.0,
            };
            let mut count = self.count.lock().unwrap_or_else(PoisonError::into_inner);
            count.0 += units;
            count.1 = count.1.saturating_add(1);
        }
        let kind = [(header::CONTENT_TYPE, "application/x-amz-json-1.0")];
        let status = StatusCode::from_u16(answer.status().as_u16())?;
        Ok((status, kind, text).into_response())
    }
}
