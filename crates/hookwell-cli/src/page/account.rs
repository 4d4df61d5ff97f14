//! The page over the tables and the queue of an account, on a port of this machine.

use std::future::IntoFuture as _;
use std::sync::Arc;

use anyhow::{Context as _, Result};
use hookwell_local::port::{bind, url};
use tokio::net::TcpListener;

use super::fill::fill;
use super::routes::router;
use super::shared::{Page, Stack};
use crate::news::Recorder;
use crate::sender::{Secrets, Senders};

/// A page over an account that is ready to be served.
#[derive(Debug)]
pub(crate) struct Account {
    /// Where the page is.
    pub(crate) url: String,
    listener: TcpListener,
    stack: Stack,
}

impl Account {
    /// Takes a port of 127.0.0.1, any free one for 0.
    ///
    /// # Errors
    /// When the port is taken.
    pub(crate) async fn bind(port: u16, stack: Stack) -> Result<Self> {
        let listener = bind(port)
            .await
            .with_context(|| format!("port {port} is taken: choose another with --port"))?;
        Ok(Self {
            url: url(&listener)?,
            listener,
            stack,
        })
    }

    /// Serves the page until `end`, then finishes the answers at hand.
    ///
    /// # Errors
    /// When the port cannot be listened on any more.
    pub(crate) async fn serve(self, end: impl Future<Output = ()> + Send + 'static) -> Result<()> {
        let (recorder, records) = Recorder::new();
        let senders = Senders {
            sources: Vec::new(),
            secrets: Secrets::from_environment(),
        };
        let page = Arc::new(Page::new(None, recorder, senders, self.stack));
        let service = axum::serve(self.listener, router(page.clone()));
        tokio::select! {
            served = service.with_graceful_shutdown(end).into_future() => Ok(served?),
            ((), ()) = async { tokio::join!(page.listen(records), fill(&page)) } => Ok(()),
        }
    }
}
