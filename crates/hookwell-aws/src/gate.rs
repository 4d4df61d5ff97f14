//! Requests that are made ready before they may leave. Writing, signing and encoding a message takes the SDK a good part
//! of a millisecond; while ingest waits for the table it has that time, and a sender does not wait for it.

use std::time::Duration;

use aws_smithy_runtime_api::client::http::{
    HttpConnector, HttpConnectorFuture, SharedHttpConnector,
};
use aws_smithy_runtime_api::client::orchestrator::HttpRequest;
use aws_smithy_runtime_api::client::result::ConnectorError;
use tokio::sync::watch;

/// How long a request may wait at a gate. Its limits count from when it was made, so after this it is made anew.
pub(crate) const READY_FOR: Duration = Duration::from_millis(100);

tokio::task_local! {
    /// The gate of the call that is being made, where it has one.
    static GATE: watch::Receiver<bool>;
}

/// Makes a call whose requests wait until `open` says true. When `open` is gone they fail, and nothing leaves.
pub(crate) async fn held<T>(open: watch::Receiver<bool>, call: impl Future<Output = T>) -> T {
    GATE.scope(open, call).await
}

/// Sends requests over another connector, those of a held call when their gate is open.
#[derive(Debug)]
pub(crate) struct Gated(pub(crate) SharedHttpConnector);

impl HttpConnector for Gated {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        let Ok(mut open) = GATE.try_with(Clone::clone) else {
            return self.0.call(request);
        };
        let connector = self.0.clone();
        HttpConnectorFuture::new(async move {
            let opened = open.wait_for(|is_open| *is_open).await.map(drop);
            opened.map_err(|closed| ConnectorError::user(closed.into()))?;
            connector.call(request).await
        })
    }
}
