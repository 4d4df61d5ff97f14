//! The page over the tables and the queue of an account, on a port of this machine.

use std::future::IntoFuture as _;
use std::sync::Arc;

use anyhow::Result;
use hookwell_local::port::{bind, url};
use tokio::net::TcpListener;

use super::entry::Entry;
use super::fill::fill;
use super::routes::router;
use super::shared::{Page, Stack};
use crate::news::Recorder;
use crate::sender::{Secrets, Senders};

/// A page over an account that is ready to be served.
pub(crate) struct Account {
    /// Address of the page, with the secret without which nobody sees the page.
    pub(crate) address: String,
    listener: TcpListener,
    stack: Stack,
    entry: Entry,
}

impl Account {
    /// Takes a port of 127.0.0.1, any free one for 0.
    ///
    /// # Errors
    /// When the port is taken, or the system has no random numbers.
    pub(crate) async fn bind(port: u16, stack: Stack) -> Result<Self> {
        let listener = bind(port).await?;
        let entry = Entry::new(listener.local_addr()?.port())?;
        Ok(Self {
            address: entry.address(&url(&listener)?),
            listener,
            stack,
            entry,
        })
    }

    /// Serves the page until `end`, then finishes the answers at hand.
    ///
    /// # Errors
    /// When the port cannot be listened on any more, or the system has no random numbers.
    pub(crate) async fn serve(self, end: impl Future<Output = ()> + Send + 'static) -> Result<()> {
        let (recorder, records) = Recorder::new();
        let senders = Senders {
            sources: Vec::new(),
            destinations: Vec::new(),
            secrets: Secrets::from_environment(),
        };
        let page = Page::new(None, recorder, senders, self.stack, Some(self.entry))?;
        let page = Arc::new(page);
        let service = axum::serve(self.listener, router(page.clone()));
        tokio::select! {
            served = service.with_graceful_shutdown(end).into_future() => Ok(served?),
            ((), ()) = async { tokio::join!(page.listen(records), fill(&page)) } => Ok(()),
        }
    }
}
