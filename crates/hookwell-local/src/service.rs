//! A service over HTTP in place of a real one, to test a handler that calls it.

use std::sync::{Arc, Mutex, PoisonError};

use anyhow::Result;
use axum::Router;
use axum::body::to_bytes;
use axum::extract::{Request, State};
use http::{HeaderMap, StatusCode};

use crate::port::url;

/// The longest request that is kept, in bytes.
const MAX_REQUEST: usize = 16 * 1024 * 1024;

/// A request that the service got.
#[derive(Debug, Clone)]
pub struct Asked {
    /// The path, with the query if there is one.
    pub path: String,
    /// The headers.
    pub headers: HeaderMap,
    /// The body.
    pub body: String,
}

/// A service that answers as it is told, and keeps what it got.
#[derive(Debug)]
pub struct TestService {
    /// The address, for the variable that names the service.
    pub url: String,
    asked: Arc<Mutex<Vec<Asked>>>,
}

/// Answers, one after the other; the last one again from then on.
type Answers = (Arc<Mutex<Vec<Asked>>>, Vec<(u16, String)>);

impl TestService {
    /// A service with these answers, a status and a body each: one after the other, and the last one from then on.
    ///
    /// # Errors
    /// When no port is free.
    pub async fn answering(answers: &[(u16, &str)]) -> Result<Self> {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await?;
        let url = url(&listener)?;
        let asked = Arc::default();
        let answers = answers
            .iter()
            .map(|(status, body)| (*status, (*body).to_owned()));
        let state: Answers = (Arc::clone(&asked), answers.collect());
        let router = Router::new().fallback(answer).with_state(state);
        tokio::spawn(async move { axum::serve(listener, router).await });
        Ok(Self { url, asked })
    }

    /// The requests that it got.
    #[must_use]
    pub fn asked(&self) -> Vec<Asked> {
        self.asked
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }
}

async fn answer(State((asked, answers)): State<Answers>, request: Request) -> (StatusCode, String) {
    let (parts, body) = request.into_parts();
    let body = to_bytes(body, MAX_REQUEST).await.unwrap_or_default();
    let number = {
        let mut all = asked.lock().unwrap_or_else(PoisonError::into_inner);
        all.push(Asked {
            path: parts.uri.to_string(),
            headers: parts.headers,
            body: String::from_utf8_lossy(&body).into_owned(),
        });
        all.len()
    };
    let answer = answers.get(number.saturating_sub(1)).or(answers.last());
    let (status, body) = answer.cloned().unwrap_or((204, String::new()));
    let status = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    (status, body)
}
