//! Requests that are made ready before they may leave. Writing, signing and encoding a message takes the SDK a good part
//! of a millisecond; while ingest waits for the table it has that time, and a sender does not wait for it. Nor does it
//! for what the SDK does with the table's answer: its status opens the gate.

use std::time::{Duration, Instant};

use aws_smithy_runtime_api::client::http::{
    HttpConnector, HttpConnectorFuture, SharedHttpConnector,
};
use aws_smithy_runtime_api::client::orchestrator::HttpRequest;
use aws_smithy_runtime_api::client::result::ConnectorError;
use tokio::sync::watch;
use tokio::task::yield_now;

/// How long a request may wait. Its limits count from when it was made, so after this it is made anew.
const READY_FOR: Duration = Duration::from_millis(100);

tokio::task_local! {
    /// What the call that is being made has to do with a gate.
    static ROLE: Role;
}

#[derive(Debug, Clone)]
enum Role {
    /// Its requests wait until this is true.
    Waits(watch::Receiver<bool>),
    /// The answer to it decides.
    Decides(Gate),
}

/// Where requests wait.
#[derive(Debug, Clone)]
pub(crate) struct Gate {
    made: Instant,
    is_open: watch::Sender<bool>,
}

impl Gate {
    /// A closed one.
    pub(crate) fn new() -> Self {
        Self {
            made: Instant::now(),
            is_open: watch::Sender::new(false),
        }
    }

    /// Opens it, unless what waits has waited too long; whether it is open.
    pub(crate) fn open(&self) -> bool {
        if self.made.elapsed() < READY_FOR {
            self.is_open.send_replace(true);
        }
        self.is_open()
    }

    /// Whether anything may have left.
    pub(crate) fn is_open(&self) -> bool {
        *self.is_open.borrow()
    }

    /// Makes a call whose requests wait.
    pub(crate) async fn held<T>(&self, call: impl Future<Output = T>) -> T {
        ROLE.scope(Role::Waits(self.is_open.subscribe()), call)
            .await
    }

    /// Makes the call that decides: a status of success opens the gate.
    pub(crate) async fn opened_by<T>(&self, call: impl Future<Output = T>) -> T {
        ROLE.scope(Role::Decides(self.clone()), call).await
    }
}

/// Sends requests over another connection, those that wait when their gate is open.
#[derive(Debug)]
pub(crate) struct Gated(pub(crate) SharedHttpConnector);

impl HttpConnector for Gated {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        let Ok(role) = ROLE.try_with(Clone::clone) else {
            return self.0.call(request);
        };
        let connector = self.0.clone();
        HttpConnectorFuture::new(async move {
            match role {
                Role::Waits(mut is_open) => {
                    let opened = is_open.wait_for(|is_open| *is_open).await.map(drop);
                    opened.map_err(|gone| ConnectorError::user(gone.into()))?;
                    connector.call(request).await
                }
                Role::Decides(gate) => {
                    let answer = connector.call(request).await?;
                    if answer.status().is_success() && gate.open() {
                        // What waited goes first.
                        yield_now().await;
                    }
                    Ok(answer)
                }
            }
        })
    }
}
