//! Requests that are made ready before they may leave, and calls whose end is known before they end. Writing, signing and
//! encoding a message takes the SDK a good part of a millisecond; while ingest waits for the table it has that time, and a
//! sender does not wait for it. Nor does a sender wait for what the SDK does with an answer: its status opens a gate.

use std::future::poll_fn;
use std::mem::replace;
use std::task::Poll;
use std::time::{Duration, Instant};

use aws_smithy_runtime_api::client::http::{
    HttpConnector, HttpConnectorFuture, SharedHttpConnector,
};
use aws_smithy_runtime_api::client::orchestrator::HttpRequest;
use aws_smithy_runtime_api::client::result::ConnectorError;
use tokio::sync::watch;

tokio::task_local! {
    /// What the call that is being made has to do with gates.
    static ROLE: Role;
}

#[derive(Debug, Clone)]
struct Role {
    /// Its requests wait until this is true.
    waits: Option<watch::Receiver<bool>>,
    /// A status of success opens it.
    opens: Option<Gate>,
}

/// Where something waits, until an answer lets it through.
#[derive(Debug, Clone)]
pub(crate) struct Gate {
    made: Instant,
    lasts: Duration,
    is_open: watch::Sender<bool>,
}

impl Gate {
    /// A closed one, which can be opened for as long as it lasts.
    pub(crate) fn new(lasts: Duration) -> Self {
        Self {
            made: Instant::now(),
            lasts,
            is_open: watch::Sender::new(false),
        }
    }

    /// Opens it, unless it is too late; whether it is open.
    pub(crate) fn open(&self) -> bool {
        if self.made.elapsed() < self.lasts {
            self.is_open.send_replace(true);
        }
        self.is_open()
    }

    /// Whether it is open.
    pub(crate) fn is_open(&self) -> bool {
        *self.is_open.borrow()
    }

    /// Waits until it is open.
    pub(crate) async fn opened(&self) {
        // It cannot fail: what it waits for is here.
        let _ = self.is_open.subscribe().wait_for(|is_open| *is_open).await;
    }

    /// Makes a call whose requests wait.
    pub(crate) fn held<F: Future>(&self, call: F) -> impl Future<Output = F::Output> + use<F> {
        let role = Role {
            waits: Some(self.is_open.subscribe()),
            opens: None,
        };
        ROLE.scope(role, call)
    }

    /// Makes a call that opens it. What that call itself waits for stays as it is.
    pub(crate) fn opened_by<F: Future>(&self, call: F) -> impl Future<Output = F::Output> + use<F> {
        let waits = ROLE.try_with(|role| role.waits.clone()).ok().flatten();
        let opens = Some(self.clone());
        ROLE.scope(Role { waits, opens }, call)
    }
}

/// Lets those go first who are awake: who waited, and then the connection that takes what they had to send. Tokio's
/// `yield_now` would ask the system for news each time.
pub(crate) async fn step_back() {
    for _ in 0..2 {
        let mut has_waited = false;
        poll_fn(|context| {
            if replace(&mut has_waited, true) {
                return Poll::Ready(());
            }
            context.waker().wake_by_ref();
            Poll::Pending
        })
        .await;
    }
}

/// Sends requests over another connection, those that wait when their gate is open.
#[derive(Debug)]
pub(crate) struct Gated(pub(crate) SharedHttpConnector);

impl HttpConnector for Gated {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        let Ok(Role { waits, opens }) = ROLE.try_with(Clone::clone) else {
            return self.0.call(request);
        };
        let connector = self.0.clone();
        HttpConnectorFuture::new(async move {
            if let Some(mut is_open) = waits {
                let opened = is_open.wait_for(|is_open| *is_open).await.map(drop);
                opened.map_err(|gone| ConnectorError::user(gone.into()))?;
            }
            let answer = connector.call(request).await?;
            if let Some(gate) = opens
                && answer.status().is_success()
                && gate.open()
            {
                step_back().await;
            }
            Ok(answer)
        })
    }
}
