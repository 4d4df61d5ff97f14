//! A door in front of a server: closed, every connection through it breaks and none is let in.

use std::net::SocketAddr;

use tokio::io::copy_bidirectional;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;

/// The door.
pub(crate) struct Gate {
    /// Where to knock.
    pub(crate) url: String,
    open: watch::Sender<bool>,
}

impl Gate {
    /// An open door in front of the server at `http://HOST:PORT`.
    pub(crate) async fn start(server: &str) -> Self {
        let server: SocketAddr = server.strip_prefix("http://").unwrap().parse().unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let (open, is_open) = watch::channel(true);
        tokio::spawn(async move {
            while let Ok((mut client, _)) = listener.accept().await {
                let mut is_open = is_open.clone();
                tokio::spawn(async move {
                    if !*is_open.borrow() {
                        return;
                    }
                    let mut server = TcpStream::connect(server).await.unwrap();
                    tokio::select! {
                        _ = copy_bidirectional(&mut client, &mut server) => {}
                        _ = is_open.wait_for(|open| !open) => {}
                    }
                });
            }
        });
        Self { url, open }
    }

    /// Breaks what goes through it and lets nobody in.
    pub(crate) fn close(&self) {
        self.open.send_replace(false);
    }

    /// Lets everybody in again.
    pub(crate) fn open(&self) {
        self.open.send_replace(true);
    }
}
