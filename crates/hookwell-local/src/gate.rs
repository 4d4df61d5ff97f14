//! A gate in front of a server, for tests: while it is closed, every connection through it breaks and none is let in.

use std::net::SocketAddr;
use std::sync::Arc;

use tokio::io::copy_bidirectional;
use tokio::net::TcpStream;
use tokio::sync::watch;

use crate::port::{bind, url};

/// The gate.
#[derive(Debug)]
pub struct Gate {
    /// URL of the gate, for clients.
    pub url: String,
    open: Arc<watch::Sender<bool>>,
}

impl Gate {
    /// An open gate in front of the server at `http://HOST:PORT`.
    ///
    /// # Errors
    /// When the URL has another form, or no port is free.
    pub async fn start(server: &str) -> anyhow::Result<Self> {
        let server = server.strip_prefix("http://").unwrap_or(server);
        let server: SocketAddr = server.parse()?;
        let listener = bind(0).await?;
        let url = url(&listener)?;
        let open = Arc::new(watch::Sender::new(true));
        let door = Arc::clone(&open);
        tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                tokio::spawn(pass(door.subscribe(), client, server));
            }
        });
        Ok(Self { url, open })
    }

    /// Breaks every connection through the gate and lets nobody in. No connection is left when this returns.
    pub async fn close(&self) {
        self.open.send_replace(false);
        self.open.closed().await;
    }

    /// Lets everybody in again.
    pub fn open(&self) {
        self.open.send_replace(true);
    }
}

/// Carries one connection to the server for as long as the gate is open. The receiver comes first because it must be
/// dropped last: [`Gate::close`] waits for that.
async fn pass(mut is_open: watch::Receiver<bool>, mut client: TcpStream, server: SocketAddr) {
    if !*is_open.borrow() {
        return;
    }
    let Ok(mut server) = TcpStream::connect(server).await else {
        return;
    };
    tokio::select! {
        _ = copy_bidirectional(&mut client, &mut server) => {}
        _ = is_open.wait_for(|open| !open) => {}
    }
}
